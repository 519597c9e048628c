"""JTL keeps the whole contract."""

from __future__ import annotations

from voucher_gateway.testing import ProviderContract
from voucher_gateway_jtl import JtlProvider


class TestJtl(ProviderContract):
    provider = JtlProvider
