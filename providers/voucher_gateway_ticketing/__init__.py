"""The ticketing vendor (vivenu) for voucher-gateway: the provider ``ticketing``, and its simulator beside it."""

from voucher_gateway_ticketing.mapping import VoucherInfo
from voucher_gateway_ticketing.provider import TicketingProvider
from voucher_gateway_ticketing.settings import PRODUCTION, STAGING, TicketingSettings

__all__ = ["PRODUCTION", "STAGING", "TicketingProvider", "TicketingSettings", "VoucherInfo"]
