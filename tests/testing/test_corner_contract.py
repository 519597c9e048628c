"""A sound provider keeps the read level; what the broken ones are made of breaks nothing by itself."""

from __future__ import annotations

from tests.testing.corner.provider import CornerProvider
from tests.testing.corner.simulator import CornerSimulator
from voucher_gateway.testing import Level, ProviderContract


class TestCorner(ProviderContract):
    provider = CornerProvider
    simulator = CornerSimulator
    level = Level.READ
