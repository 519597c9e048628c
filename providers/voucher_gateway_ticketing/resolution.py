"""What a voucher proves of a call whose outcome was not known."""

from __future__ import annotations

from typing import Final

from voucher_gateway.provider_api import Effect, Intent, Operation, Outcome, Voucher
from voucher_gateway_ticketing.mapping import expiry

_NEVER: Final = "never"


def note(until: str | None) -> str:
    """Return the note by which an unknown update is later decided: the expiry that it was to write."""
    return until or _NEVER


def outcome_of_issue(intent: Intent, voucher: Voucher) -> Outcome:
    """Judge an issue by the voucher that has its code now."""
    if voucher.initial != intent.money:
        return Outcome(effect=Effect.UNKNOWN, reason="there is a voucher with the code, but of another value")
    return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="there is a voucher with the code and the value")


def overwritten(intent: Intent, written: str, voucher: Voucher) -> Outcome:
    """Judge an update, or an emulation made of one, by what the voucher has now of what was to be written."""
    if intent.verb == Operation.UPDATE:
        return _outcome_of_update(intent, written, voucher)
    if str(voucher.initial) == written:
        return Outcome(effect=Effect.SUCCEEDED, reason="the voucher has the value")
    return Outcome(effect=Effect.UNKNOWN, reason="the voucher has not got what was to be written, or not any more")


def _outcome_of_update(intent: Intent, written: str, voucher: Voucher) -> Outcome:
    """Judge an update of the expiry, which writes the amount along as it was read.

    A repeat does no harm by itself: it reads the amount again and writes the same expiry. The earlier request can still
    arrive and write its older amount, so the journal lets nothing else change the value until it is closed.
    """
    if note(expiry(voucher.valid_until)) != written:
        return Outcome(effect=Effect.UNKNOWN, reason="the voucher does not have the expiry", repeatable=True)
    if intent.notes.get("valid_until_before") == written:
        reason = "the voucher had this expiry before, so that it proves nothing"
        return Outcome(effect=Effect.UNKNOWN, reason=reason, repeatable=True)
    amount = intent.notes.get("amount_written", str(voucher.initial))
    if amount != str(voucher.initial):
        reason = f"the voucher has the expiry, but {voucher.initial} and not the {amount} that was written with it"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="the voucher has the expiry")
