"""What a voucher proves of a call whose outcome was not known."""

from __future__ import annotations

from typing import Final

from voucher_gateway.adapter import Effect, Intent, Operation, Outcome, Voucher
from voucher_gateway_ticketing.mapping import expiry

_NEVER: Final = "never"


def note(until: str | None) -> str:
    """Return the note by which an unknown update is later decided: the expiry that it was to write."""
    return until or _NEVER


def issued(intent: Intent, voucher: Voucher) -> Outcome:
    """Judge an issue by the voucher that has its code now."""
    if voucher.initial != intent.money:
        return Outcome(effect=Effect.UNKNOWN, reason="there is a voucher with the code, but of another value")
    return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="there is a voucher with the code and the value")


def overwritten(intent: Intent, written: str, voucher: Voucher) -> Outcome:
    """Judge an update, or an emulation made of one, by what the voucher has now of what was to be written."""
    if intent.verb == Operation.UPDATE:
        if note(expiry(voucher.valid_until)) == written:
            return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="the voucher has the expiry")
        # A repeat reads the amount anew and writes the same expiry. What the earlier request could still do if it
        # arrived late, namely undo a change of the amount in between, it could do without the repeat just as well.
        return Outcome(effect=Effect.UNKNOWN, reason="the voucher has not got the expiry", repeatable=True)
    if str(voucher.initial) == written:
        return Outcome(effect=Effect.SUCCEEDED, reason="the voucher has the value")
    return Outcome(effect=Effect.UNKNOWN, reason="the voucher has not got what was to be written, or not any more")
