"""The pretix provider keeps the contract of all providers, against its simulator."""

from __future__ import annotations

from voucher_gateway.testing import Level, ProviderContract
from voucher_gateway_pretix import PretixProvider


class TestPretix(ProviderContract):
    provider = PretixProvider
    level = Level.CRASH_SAFE
