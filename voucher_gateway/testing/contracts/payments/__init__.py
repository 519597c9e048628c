"""Tests of the promises about reservations, redemptions and refunds."""
