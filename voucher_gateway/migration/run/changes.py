"""What the steps of a move say to one another."""

from __future__ import annotations


class SourceChanged(Exception):
    """The voucher is no longer as it was planned; the text says how, for people."""
