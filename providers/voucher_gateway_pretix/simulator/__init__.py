"""A simulator of the gift-card API of pretix, written from the vendor's documents and compared with the program."""

from voucher_gateway_pretix.simulator.simulator import PretixOptions, PretixSimulator

__all__ = ["PretixOptions", "PretixSimulator"]
