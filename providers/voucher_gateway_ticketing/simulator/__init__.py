"""A local server that speaks the ticketing vendor's voucher API, written from its documents alone."""

from voucher_gateway_ticketing.simulator.simulator import CheckoutRefused, TicketingOptions, TicketingSimulator

__all__ = ["CheckoutRefused", "TicketingOptions", "TicketingSimulator"]
