"""A simulator of the ticketing vendor's voucher API, written from the vendor's documents."""

from voucher_gateway_ticketing.simulator.simulator import CheckoutRefused, TicketingOptions, TicketingSimulator

__all__ = ["CheckoutRefused", "TicketingOptions", "TicketingSimulator"]
