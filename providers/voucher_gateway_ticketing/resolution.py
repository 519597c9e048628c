"""The rules by which an unknown outcome is resolved at the ticketing vendor.

======================  ===========================================================================================
operation               rule
======================  ===========================================================================================
issue                   A voucher with the code and the value proves it. The look-up needs the code.
update                  The new expiry, with the amount that was written with it, proves it. A repeat does no harm.
redeem, refund, top-up  They are emulated by an overwritten value. A voucher with the value proves it.
======================  ===========================================================================================

Absence proves nothing, because the call can still arrive. The same value or expiry, written by another program, looks
the same as ours.
"""

from __future__ import annotations

from typing import Final, Protocol

from voucher_gateway.provider_api import (
    Code,
    Effect,
    Intent,
    Operation,
    Outcome,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway_ticketing.request_bodies import expiry

_NEVER: Final = "never"


class VoucherReader(Protocol):
    """The calls by which the rules read vouchers; the provider has them."""

    def find(self, code: Code) -> Voucher:
        """Return the voucher with a code."""
        ...

    def get(self, id: str) -> Voucher:
        """Return the voucher with an id."""
        ...


def resolve(reader: VoucherReader, intent: Intent, code: Code | None) -> Outcome:
    """Return the outcome of a call, by the rule of its operation."""
    written = intent.notes.get("valid_until" if intent.verb == Operation.UPDATE else "value_after")
    try:
        if intent.verb == Operation.ISSUE and code is not None:
            return _outcome_of_issue(intent, reader.find(code))
        if intent.voucher_id is not None and written is not None:
            return _outcome_of_overwrite(intent, written, reader.get(intent.voucher_id))
    except VoucherNotFound:
        return Outcome(effect=Effect.UNKNOWN, reason="the vendor shows no such voucher, which proves nothing")
    except VoucherGatewayError as error:
        return Outcome(effect=Effect.UNKNOWN, reason=f"the voucher could not be read: {error.message}")
    return Outcome(effect=Effect.UNKNOWN, reason="the voucher can be looked up only by a caller that knows its code")


def expiry_note(until: str | None) -> str:
    """Return the note that later decides an unknown update: the expiry that it writes."""
    return until or _NEVER


def _outcome_of_issue(intent: Intent, voucher: Voucher) -> Outcome:
    """Return the outcome of an issue, from the voucher that has its code now."""
    if voucher.initial != intent.money:
        return Outcome(effect=Effect.UNKNOWN, reason="there is a voucher with the code, but with another value")
    return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="there is a voucher with the code and the value")


def _outcome_of_overwrite(intent: Intent, written: str, voucher: Voucher) -> Outcome:
    """Return the outcome of an update, or of an emulation by one, from the voucher as it is now."""
    if intent.verb == Operation.UPDATE:
        return _outcome_of_update(intent, written, voucher)
    if str(voucher.initial) == written:
        return Outcome(effect=Effect.SUCCEEDED, reason="the voucher has the value")
    return Outcome(effect=Effect.UNKNOWN, reason="the voucher does not have the value that was to be written")


def _outcome_of_update(intent: Intent, written: str, voucher: Voucher) -> Outcome:
    """Return the outcome of an update of the expiry, which also writes the amount as it was read.

    A repeat does no harm: it reads the amount again and writes the same expiry. The earlier request can still arrive
    and write its older amount, so the journal allows no other change of the value until the operation is closed.
    """
    if expiry_note(expiry(voucher.valid_until)) != written:
        return Outcome(effect=Effect.UNKNOWN, reason="the voucher does not have the expiry", repeatable=True)
    if intent.notes.get("valid_until_before") == written:
        reason = "the voucher had the same expiry before, so that it proves nothing"
        return Outcome(effect=Effect.UNKNOWN, reason=reason, repeatable=True)
    amount = intent.notes.get("amount_written", str(voucher.initial))
    if amount != str(voucher.initial):
        reason = f"the voucher has the expiry, but {voucher.initial} and not the {amount} that was written with it"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="the voucher has the expiry")
