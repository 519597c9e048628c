"""An explanation, as an object."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs

from voucher_gateway.masking import Code
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.records import PaymentRecord


class ExplanationReason(enum.StrEnum):
    """Why a voucher cannot be spent, or what became of an order, in one word.

    Attributes:
        USABLE: the voucher can be spent.
        USED_UP: nothing is left on it.
        HELD: a reservation holds value of it.
        EXPIRED: its validity has ended.
        INACTIVE: it is not active, blocked or deactivated.
        MOVED: it is at another account now, or is being moved there.
        DELETED: it was deleted at the vendor.
        IN_DOUBT: it is not known whether an operation of it happened.
        NOT_FOUND: no account knows it, or the journal has nothing of the order.
        NOT_ASKED: no account that was asked knows it, and one that may know it could not be asked.
        SEVERAL: several accounts have a voucher with this code.
        DONE: every operation of the order has ended.
        REMOVED: the details of the order were removed from the journal, because it is old, or because they were erased.
    """

    USABLE = "usable"
    USED_UP = "used_up"
    HELD = "held"
    EXPIRED = "expired"
    INACTIVE = "inactive"
    MOVED = "moved"
    DELETED = "deleted"
    IN_DOUBT = "in_doubt"
    NOT_FOUND = "not_found"
    NOT_ASKED = "not_asked"
    SEVERAL = "several"
    DONE = "done"
    REMOVED = "removed"


@attrs.frozen(kw_only=True)
class StoryEvent:
    """One thing that happened to a voucher or to an order.

    Attributes:
        at: when: by our clock if the journal has it, otherwise by the vendor's.
        source: ``journal``, ``vendor``, or ``both`` if the vendor's history shows an operation of the journal.
        what: the operation, the kind of the vendor's movement, or ``move``.
        account: the account's name.
        voucher_id: the vendor's id of the voucher.
        money: how much.
        state: how it ended; of a reservation, what became of it.
        order: the shop's order.
        reference: the caller's reference of an operation, or the reference that the vendor shows.
        detail: a sentence, where there is more to say.
        operation_id: the journal's id of the operation.
        movement_id: the vendor's id of the movement.
    """

    at: datetime | None
    source: str
    what: str
    account: str
    voucher_id: str | None = None
    money: Money | None = None
    state: str = ""
    order: str | None = None
    reference: str | None = None
    detail: str = ""
    operation_id: str | None = None
    movement_id: str | None = None


@attrs.frozen(kw_only=True)
class ExplainedVoucher:
    """A voucher with the reason why it cannot be spent.

    Attributes:
        account: the account's name.
        id: the vendor's id.
        code: its code, masked wherever it is printed.
        reason: why it cannot be spent, or that it can.
        sentence: the same in a sentence.
        status: its status at the vendor.
        remaining: what is left on it.
        held: what reservations of the journal hold of it.
        valid_until: the end of its validity.
    """

    account: str
    id: str
    code: Code | None = None
    reason: ExplanationReason
    sentence: str
    status: Status | None = None
    remaining: Money | None = None
    held: Money | None = None
    valid_until: datetime | None = None


@attrs.frozen(kw_only=True)
class Explanation:
    """What a support desk tells a customer, and the story behind it.

    Attributes:
        reason: why the voucher cannot be spent, or what became of the order, in one word.
        sentence: the same in one sentence.
        order: the order that was asked for.
        payment: the latest payment of that order, if it has one.
        vouchers: the vouchers with the code that was asked for, or those of the order that the journal knows.
        events: what happened, the oldest first.
        missing: what could not be read, in sentences. The story may lack it.
    """

    reason: ExplanationReason
    sentence: str
    order: str | None = None
    payment: PaymentRecord | None = None
    vouchers: tuple[ExplainedVoucher, ...] = ()
    events: tuple[StoryEvent, ...] = ()
    missing: tuple[str, ...] = ()
