from voucher_gateway_square.provider import SquareProvider as SquareProvider
from voucher_gateway_square.settings import PRODUCTION as PRODUCTION
from voucher_gateway_square.settings import SANDBOX as SANDBOX
from voucher_gateway_square.settings import SquareSettings as SquareSettings

__all__: list[str]
