"""The pretix provider keeps the contract of the read level, against its simulator."""

from __future__ import annotations

from voucher_gateway.testing import Level, ProviderContract
from voucher_gateway_pretix import PretixProvider


class TestPretix(ProviderContract):
    provider = PretixProvider
    level = Level.READ
