"""The ticketing provider keeps the whole contract."""

from __future__ import annotations

from voucher_gateway.testing import ProviderContract
from voucher_gateway_ticketing import TicketingProvider


class TestTicketing(ProviderContract):
    provider = TicketingProvider
