"""A local server that speaks the ticketing vendor's voucher API, written from its documents alone."""

from .options import TicketingOptions
from .vendor import CheckoutRefused, TicketingSimulator

__all__ = ["CheckoutRefused", "TicketingOptions", "TicketingSimulator"]
