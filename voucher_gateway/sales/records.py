"""A sale: its states, its row, what is public of it, and the names of its calls."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self

import attrs

from voucher_gateway.instants import parse_instant
from voucher_gateway.models.requests import MAX_REFERENCE_LENGTH
from voucher_gateway.money import Money


class SaleState(enum.StrEnum):
    """The state of a sale.

    Attributes:
        OPEN: it has a name. The voucher may have been asked for, and cannot be spent.
        PREPARED: its voucher is issued and inactive. Where the vendor cannot issue it inactive, it does not exist yet.
        FULFILLING: the decision to make the voucher spendable is committed. It can be resumed.
        FULFILLED: the voucher can be spent. Its code was not delivered yet, as far as is known.
        DELIVERED: the voucher can be spent, and the buyer has its code.
        REVOKING: the decision to stop the voucher is committed. It can be resumed.
        REVOKED: the voucher cannot be spent.
    """

    OPEN = "open"
    PREPARED = "prepared"
    FULFILLING = "fulfilling"
    FULFILLED = "fulfilled"
    DELIVERED = "delivered"
    REVOKING = "revoking"
    REVOKED = "revoked"


DECIDED: Final = (SaleState.FULFILLING, SaleState.REVOKING)
"""The states in which a decision is committed and not yet carried out."""


STOPPED: Final = (SaleState.REVOKING, SaleState.REVOKED)
"""The states of a sale that is revoked, or that it is decided to revoke."""


class RevocationMethod(enum.StrEnum):
    """How a voucher was stopped from being spent.

    Attributes:
        NOT_ISSUED: it was never issued, and is not issued any more.
        DEACTIVATED: the vendor deactivated it. What is left on it is frozen.
        EXPIRED: its end of validity was moved into the past. What is left on it is frozen.
        EMPTIED: what was left on it was taken.
        GONE: the vendor does not have it any more.
    """

    NOT_ISSUED = "not_issued"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    EMPTIED = "emptied"
    GONE = "gone"


@attrs.frozen(kw_only=True)
class Revocation:
    """How a sale was revoked.

    Attributes:
        method: how the voucher was stopped.
        reason: why, in the caller's words.
        spent: what its owner had spent until then, and was not given back: the shop's loss.
        left: what was left on the voucher, and cannot be spent any more.
        revoked_at: when the voucher was stopped. The amounts are as of then.
    """

    method: RevocationMethod
    reason: str
    spent: Money
    left: Money
    revoked_at: datetime


@attrs.frozen(kw_only=True)
class SaleRecord:
    """What the journal's database has of a sale, without its code and its PIN.

    Attributes:
        name: its name, which the caller gave it.
        account: the name of the account that issues the voucher.
        order: the shop's order number.
        batch: the print batch that it belongs to; None for a single sale.
        initial: the value of the voucher.
        state: how far it is.
        attention: why a person or a look-up is needed; None if neither is.
        voucher_id: the vendor's id of the voucher; None before it exists.
        generation: 1, and one more after each `restore`.
        revocation: how it was revoked; None if it is not.
        created_at: when it was opened.
        updated_at: when something of it changed last.
        paid_at: when `fulfil` was first called; None before.
        delivered_at: when `delivered` was called; None before.
    """

    name: str
    account: str
    order: str
    batch: str | None
    initial: Money
    state: SaleState
    attention: str | None
    voucher_id: str | None
    generation: int
    revocation: Revocation | None
    created_at: datetime
    updated_at: datetime
    paid_at: datetime | None
    delivered_at: datetime | None


@attrs.frozen(kw_only=True)
class SaleRow:
    """The row of a sale. `voucher_gateway.sales.schema` explains the columns."""

    id: str
    name: str
    account: str
    provider: str
    host: str
    order_number: str
    batch: str | None
    batch_size: int | None
    amount: str
    currency: str
    content: str = attrs.field(repr=False)
    inactive: bool
    key_id: str
    code_prefix: str
    fingerprint: str | None
    sealed_code: str | None = attrs.field(repr=False)
    sealed_pin: str | None = attrs.field(repr=False)
    seal_key_id: str | None
    state: SaleState = attrs.field(converter=SaleState)
    attention: str | None
    voucher_id: str | None
    valid_until: str | None
    generation: int
    stops: int
    taking: str | None
    taken: str | None
    reason: str | None
    method: str | None
    spent: str | None
    rest: str | None
    watch_until: str | None
    epoch: int
    created_at: str
    updated_at: str
    paid_at: str | None
    delivered_at: str | None
    revoked_at: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the row that a database returned."""
        return cls(**row)

    @property
    def initial(self) -> Money:
        """The value of the voucher."""
        return Money(self.amount, self.currency)

    @property
    def has_own_code(self) -> bool:
        """Whether the code is derived, or the caller chose it: the vendor does not make it."""
        return self.fingerprint is not None

    @property
    def end_of_validity(self) -> datetime | None:
        """The end of validity with which the vendor issued the voucher."""
        return None if self.valid_until is None else parse_instant(self.valid_until)

    def money(self, amount: str | None) -> Money:
        """Return an amount of the row; NULL is nothing."""
        return Money("0" if amount is None else amount, self.currency)

    def revocation(self) -> Revocation | None:
        """Return how the sale was revoked; None if it is not."""
        if self.state is not SaleState.REVOKED or self.method is None or self.revoked_at is None:
            return None
        return Revocation(
            method=RevocationMethod(self.method),
            reason=self.reason or "",
            spent=self.money(self.spent),
            left=self.money(self.rest),
            revoked_at=parse_instant(self.revoked_at),
        )

    def record(self) -> SaleRecord:
        """Return what is public of the sale."""
        return SaleRecord(
            name=self.name,
            account=self.account,
            order=self.order_number,
            batch=self.batch,
            initial=self.initial,
            state=self.state,
            attention=self.attention,
            voucher_id=self.voucher_id,
            generation=self.generation,
            revocation=self.revocation(),
            created_at=parse_instant(self.created_at),
            updated_at=parse_instant(self.updated_at),
            paid_at=_instant(self.paid_at),
            delivered_at=_instant(self.delivered_at),
        )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


# --- the references of its calls ---
# They are made from the name alone, so that a journal that was restored from a backup recognises them.


def issue_reference(row: SaleRow) -> str:
    """Return the reference under which the voucher is issued: once, whatever becomes of the sale."""
    return _reference(row.name, "issue")


def activate_reference(row: SaleRow) -> str:
    """Return the reference of the activation in the present generation."""
    return _reference(row.name, f"activate-g{row.generation}")


def stop_reference(row: SaleRow, number: int) -> str:
    """Return the reference of a call that stops the voucher from being spent."""
    return _reference(row.name, f"revoke-{number}")


def restore_reference(row: SaleRow, mark: str) -> str:
    """Return the reference of a call that undoes such calls: of a generation, or of the call with a number."""
    return _reference(row.name, f"restore-{mark}")


def _reference(name: str, step: str) -> str:
    reference = f"sale/{name}/{step}"
    if len(reference) <= MAX_REFERENCE_LENGTH:
        return reference
    return f"sale/{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}/{step}"
