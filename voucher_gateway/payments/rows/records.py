"""A payment and its legs, as their rows hold them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.money import Money
from voucher_gateway.payments.rows.states import LegState, OtherState, PaymentState

_TAKEN: Final = (OtherState.CAPTURED, OtherState.RETURNING, OtherState.KEPT)


@attrs.frozen(kw_only=True)
class PaymentLeg:
    """One voucher of a payment.

    Attributes:
        number: its number in the payment, from 1.
        account: the name of the voucher's account.
        voucher_id: the vendor's id of the voucher.
        hint: the code with a mask.
        limit: the most that the caller allows; None for no limit.
        remaining: what was left on the voucher when it was added.
        valid_until: the end of the voucher's validity, if there is one.
        holdable: whether the account can reserve value; otherwise the value is only looked at.
        amount: what the payment takes of this voucher.
        generation: part of the references of its calls; it is raised when the value must be reserved again.
        state: its state.
        held_until: until when its value is reserved, by the vendor's clock; of a released leg, when the value is free.
        taken: what was taken of it; None for nothing.
        returned: what a cancellation gave back of it; None for nothing.
        problem: why it failed, or why it cannot be given back; None if neither is so.
    """

    number: int
    account: str
    voucher_id: str
    hint: str
    limit: Money | None = None
    remaining: Money
    valid_until: datetime | None = None
    holdable: bool
    amount: Money
    generation: int = 1
    state: LegState = LegState.PLANNED
    held_until: datetime | None = None
    taken: Money | None = None
    returned: Money | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        """How messages name the leg: its number, its account, and its code with a mask."""
        return f"leg {self.number} ({self.account} {self.hint})"


@attrs.frozen(kw_only=True)
class PaymentRecord:
    """A payment, as it is recorded.

    Attributes:
        id: the journal's id of the payment.
        order: the shop's order number.
        attempt: the number of the payment among those of its order, from 1.
        total: what the order costs.
        allocation: the order in which the vouchers pay.
        state: its state.
        attention: why a person or a look-up is needed; None if neither is.
        short_by: how much is missing; zero unless the payment is short.
        has_other: whether the other means is inside the payment.
        other_amount: what the other means was asked for; None for nothing.
        other_state: the state of the other means.
        other_generation: part of the keys of the other means; it is raised for each new authorization.
        other_id: what the other means returned when it authorized.
        refunds: how many refunds were begun.
        epoch: raised by every worker that takes the payment.
        created_at: when it was opened.
        updated_at: when it last changed.
        decided_at: when it was decided to capture or to cancel.
        legs: the vouchers, by number.
    """

    id: str
    order: str
    attempt: int
    total: Money
    allocation: str
    state: PaymentState = PaymentState.OPEN
    attention: str | None = None
    short_by: Money | None = None
    has_other: bool = False
    other_amount: Money | None = None
    other_state: OtherState = OtherState.NONE
    other_generation: int = 1
    other_id: str | None = None
    refunds: int = 0
    epoch: int = 0
    created_at: datetime
    updated_at: datetime
    decided_at: datetime | None = None
    legs: tuple[PaymentLeg, ...] = ()

    @property
    def due(self) -> Money:
        """What the vouchers do not pay: another means must."""
        return self.total - sum_money((leg.amount for leg in self.paying_legs), self.total.currency)

    @property
    def paying_legs(self) -> tuple[PaymentLeg, ...]:
        """The legs that pay a part of the order: those with an amount that are not lost."""
        return tuple(leg for leg in self.legs if leg.amount and leg.state is not LegState.LOST)

    @property
    def captured(self) -> Money:
        """What is taken from the vouchers, and from the other means if it is inside the payment.

        What a cancellation gave back is not in it any more. What a refund gave back is.
        """
        taken = sum_money((leg.taken for leg in self.legs if leg.taken is not None), self.total.currency)
        taken -= sum_money((leg.returned for leg in self.legs if leg.returned is not None), self.total.currency)
        if self.other_state in _TAKEN and self.other_amount is not None:
            taken += self.other_amount
        return taken

    @property
    def authorized_until(self) -> datetime | None:
        """The earliest end of a reservation of the payment; None if nothing is reserved, or without an end."""
        ends = [leg.held_until for leg in self.legs if leg.state is LegState.HELD and leg.held_until is not None]
        return min(ends, default=None)

    def leg(self, number: int) -> PaymentLeg:
        """Return the leg of a number."""
        return next(leg for leg in self.legs if leg.number == number)


def sum_money(amounts: Iterable[Money], currency: str) -> Money:
    """Return the sum of amounts; zero if there are none."""
    total = Money.zero(currency)
    for amount in amounts:
        total += amount
    return total


@attrs.frozen(kw_only=True)
class CancelledLeg:
    """What the cancellation of a payment did with one leg.

    Attributes:
        number: the leg's number.
        account: the name of its account.
        hint: the code with a mask.
        returned: what was given back of what had been taken.
        frees_at: when its reserved value is free again; None if it is free now, or was never reserved.
        problem: why it could not be given back, or is not given back yet; None if it is.
    """

    number: int
    account: str
    hint: str
    returned: Money
    frees_at: datetime | None
    problem: str | None


@attrs.frozen(kw_only=True)
class Cancellation:
    """What the cancellation of a payment did.

    Attributes:
        complete: whether everything is done. If not, `Payment.resume` and `Gateway.recover` go on.
        legs: what became of each leg.
        returned: what was given back to vouchers.
        other: the state of the other means, if it is inside the payment.
        frees_at: when the last reserved value is free again; None if everything is free.
        attention: why a person or a look-up is needed; None if neither is.
    """

    complete: bool
    legs: tuple[CancelledLeg, ...]
    returned: Money
    other: OtherState
    frees_at: datetime | None
    attention: str | None

    @classmethod
    def of(cls, record: PaymentRecord) -> Cancellation:
        """Return what the rows of a payment tell of its cancellation."""
        zero = Money.zero(record.total.currency)
        released = (LegState.RELEASED, LegState.RELEASING)
        legs = tuple(
            CancelledLeg(
                number=leg.number,
                account=leg.account,
                hint=leg.hint,
                returned=leg.returned or zero,
                frees_at=leg.held_until if leg.state in released else None,
                problem=leg.problem,
            )
            for leg in record.legs
        )
        return cls(
            complete=record.state is PaymentState.CANCELLED,
            legs=legs,
            returned=sum_money((leg.returned for leg in legs), record.total.currency),
            other=record.other_state,
            frees_at=max((leg.frees_at for leg in legs if leg.frees_at is not None), default=None),
            attention=record.attention,
        )
