"""Refunds of a payment: what is left to give back, the refund itself, and vouchers that replace a leg."""
