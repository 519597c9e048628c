"""Explanations: why a voucher does not work, what happened to it, and what happened to an order."""
