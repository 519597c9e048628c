"""JTL-Voucher for voucher-gateway: the provider ``jtl``, and its simulator in `voucher_gateway_jtl.simulator`."""

from voucher_gateway_jtl.provider import JtlProvider
from voucher_gateway_jtl.settings import PRODUCTION, SANDBOX, JtlSettings

__all__ = ["PRODUCTION", "SANDBOX", "JtlProvider", "JtlSettings"]
