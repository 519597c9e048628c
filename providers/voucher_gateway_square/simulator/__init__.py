"""The simulated Square: the gift-card calls of one seller."""

from voucher_gateway_square.simulator.simulator import SquareOptions, SquareSimulator

__all__ = ["SquareOptions", "SquareSimulator"]
