"""The commands that take value, set it aside or give it back."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.commands.command import Command, R
from voucher_gateway.commands.steps import StepRunner
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.results import Redemption, Refund, RefundLimit, Release, Reservation
from voucher_gateway.money import Money, positive
from voucher_gateway.provider.provider import VoucherProvider

IfHeld: TypeAlias = Literal["refuse", "replace-own", "replace"]
"""What a reservation may do to our other reservations on a voucher, where the vendor keeps only the latest."""

IF_HELD: Final[tuple[str, ...]] = get_args(IfHeld)


def _validate_if_held(_: object, field: attrs.Attribute[Any], word: str) -> None:
    if word not in IF_HELD:
        rule = f"one of {', '.join(IF_HELD)}"
        raise InvalidRequest(f"if_held must be {rule}", field=field.name, rule=rule)


@attrs.frozen(kw_only=True)
class SpendCommand(Command[R]):
    """A verb that takes or reserves value of the voucher with a code.

    Attributes:
        code: the voucher's code.
        money: how much; above zero.
        pin: the PIN, if there is one.
        if_held: one of `IF_HELD`.

    Raises:
        InvalidRequest: if `if_held` is another word.
    """

    code: Code
    money: Money = attrs.field(converter=positive)
    pin: Pin | None = None
    if_held: IfHeld = attrs.field(default="replace-own", validator=_validate_if_held)

    @property
    def amount(self) -> Money:
        return self.money


@attrs.frozen(kw_only=True)
class ReserveValue(SpendCommand[Reservation]):
    """Set value aside, to be captured or released."""

    operation = Operation.RESERVE

    def send(self, provider: VoucherProvider, reference: str) -> Reservation:
        return provider.reserve(self.code, self.money, self.pin, reference=reference, order=self.order)


@attrs.frozen(kw_only=True)
class RedeemVoucher(SpendCommand[Redemption]):
    """Take value in one step.

    Attributes:
        partial: whether the vendor may take what is left, if that is less.
    """

    operation = Operation.REDEEM

    partial: bool = False

    def send(self, provider: VoucherProvider, reference: str) -> Redemption:
        return provider.redeem(self.code, self.money, self.pin, reference=reference, order=self.order)

    @property
    def content(self) -> str | None:
        return "partial" if self.partial else None


@attrs.frozen(kw_only=True)
class CaptureReservation(Command[Redemption]):
    """Take the value that was set aside.

    Attributes:
        reservation: the reservation.
        money: how much; None for all of it.
    """

    operation = Operation.CAPTURE

    reservation: Reservation
    money: Money | None = None

    def send(self, provider: VoucherProvider, reference: str) -> Redemption:
        return provider.capture(self.reservation, self.money, reference=reference, order=self.order)

    @property
    def subject(self) -> str:
        return self.reservation.id

    @property
    def amount(self) -> Money:
        return self.reservation.money if self.money is None else self.money


@attrs.frozen(kw_only=True)
class ReleaseReservation(Command[Release]):
    """Give a reservation up.

    Attributes:
        reservation: the reservation.
    """

    operation = Operation.RELEASE

    reservation: Reservation

    def send(self, provider: VoucherProvider, reference: str) -> Release:
        return provider.release(self.reservation, reference=reference, order=self.order)

    @property
    def subject(self) -> str:
        return self.reservation.id


@attrs.frozen(kw_only=True)
class RefundRedemption(Command[Refund]):
    """Give a redemption back.

    Attributes:
        redemption: the redemption.
        money: how much is given back.
        content: how the journal records an amount that the caller did not name.
        refund_limit: the redemption that limits the refund, with a journal.
    """

    operation = Operation.REFUND

    redemption: Redemption
    money: Money
    content: str | None = None
    refund_limit: RefundLimit | None = attrs.field(default=None, repr=False)

    def send(self, provider: VoucherProvider, reference: str) -> Refund:
        """Send the vendor's request. Every vendor can refund the whole; not every one can refund a part."""
        part = None if self.money == self.redemption.money else self.money
        return provider.refund(self.redemption, part, reference=reference, order=self.order)

    def run(self, steps: StepRunner, provider: VoucherProvider) -> Refund:
        """Refund under the voucher's lock: another refund of ours must not come between the provider's notes and it."""
        with steps.lock(provider.host, self.redemption.voucher_id or self.redemption.id):
            return steps.run(self)

    @property
    def subject(self) -> str:
        return self.redemption.id

    @property
    def amount(self) -> Money:
        return self.money


@attrs.frozen(kw_only=True)
class RefundMovedVoucher(RefundRedemption):
    """Give a redemption back on a voucher that was moved to another account since.

    Attributes:
        voucher_id: the voucher's id at `account`, where it is now.
    """

    voucher_id: str
