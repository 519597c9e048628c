from voucher_gateway_pretix.provider import PretixProvider as PretixProvider
from voucher_gateway_pretix.settings import HOSTED as HOSTED
from voucher_gateway_pretix.settings import PretixSettings as PretixSettings

__all__: list[str]
