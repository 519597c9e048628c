from voucher_gateway_ticketing.provider import TicketingProvider as TicketingProvider
from voucher_gateway_ticketing.settings import PRODUCTION as PRODUCTION
from voucher_gateway_ticketing.settings import STAGING as STAGING
from voucher_gateway_ticketing.settings import TicketingSettings as TicketingSettings

__all__: list[str]
