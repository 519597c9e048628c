from voucher_gateway_jtl.provider import JtlProvider as JtlProvider
from voucher_gateway_jtl.settings import PRODUCTION as PRODUCTION
from voucher_gateway_jtl.settings import SANDBOX as SANDBOX
from voucher_gateway_jtl.settings import JtlSettings as JtlSettings

__all__: list[str]
