"""The journal's names for operations."""

from __future__ import annotations

from voucher_gateway.instants import now
from voucher_gateway.journal.keys import MARK_LENGTH


def new_id(mark: str) -> str:
    """Return an id for the operation of a mark: 26 characters that sort by time of making and end in the mark."""
    return f"{int(now().timestamp() * 1000):012x}{mark}"


def tag_of(operation_id: str) -> str:
    """Return the mark that an operation's id ends in."""
    return operation_id[-MARK_LENGTH:]
