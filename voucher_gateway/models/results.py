"""The results of calls, and a voucher's history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Self, TypeVar

import attrs

from voucher_gateway.errors import IntegrityMismatch, MalformedResponse
from voucher_gateway.models.voucher import MovementKind, MovementState, RawObject, Status
from voucher_gateway.money import Money

V = TypeVar("V", bound="ValueResult")


@attrs.frozen(kw_only=True)
class Balance:
    """The present value of a voucher.

    Attributes:
        account: the account's name.
        voucher_id: the vendor's id.
        remaining: the value that is left.
        valid_until: the end of validity, if there is one.
        status: active or not, if the vendor shows it.
    """

    account: str
    voucher_id: str
    remaining: Money
    valid_until: datetime | None = None
    status: Status | None = None


@attrs.frozen(kw_only=True)
class ValueResult:
    """The result of a call that moved or reserved value.

    Attributes:
        account: the account's name.
        id: the vendor's id of the reservation or movement.
        voucher_id: the vendor's id of the voucher.
        money: the amount that the vendor moved or reserved.
        reference: the reference of the call.
        order: the shop's order number.
        login: the vendor-side login that made it, if the vendor shows it.
        created_at: when, in UTC.
        raw: the vendor's own object.
        replayed: whether the journal returned this from an earlier call, without asking the vendor.
    """

    account: str
    id: str
    voucher_id: str | None = None
    money: Money
    reference: str | None = None
    order: str | None = None
    login: str | None = None
    created_at: datetime | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)
    replayed: bool = attrs.field(default=False, eq=False)

    @classmethod
    def from_movement(cls, movement: Movement, *, expected: Money | None = None, **fields: Any) -> Self:
        """Return the result that the vendor's record of a movement proves.

        Args:
            movement: the record, made from the vendor's reply.
            expected: the amount that was asked for; None where it is not known.
            fields: the other fields of the result, such as ``order`` and ``remaining``, and those that differ.

        Raises:
            IntegrityMismatch: if the vendor moved another amount than the expected one, or did not complete it.
            MalformedResponse: if the movement has no id or no amount.
        """
        if movement.state is not MovementState.COMPLETED:
            raise IntegrityMismatch(f"the vendor says that the movement is {movement.state.value}, not completed")
        if expected is not None and movement.money != expected:
            raise IntegrityMismatch(f"the vendor says that it moved {movement.money}, not {expected}")
        if movement.id is None and "id" not in fields:
            raise MalformedResponse("the vendor's record of the movement has no id")
        if movement.money is None and "money" not in fields:
            raise MalformedResponse("the vendor's record of the movement has no amount")
        shared = attrs.fields_dict(Movement).keys() & attrs.fields_dict(cls).keys()
        return cls(**{name: getattr(movement, name) for name in shared} | fields)


@attrs.frozen(kw_only=True)
class Reservation(ValueResult):
    """Value set aside for a while, to be captured or released (informally: a hold).

    It has the attributes of `ValueResult` and these:

    Attributes:
        valid_until: when it ends by itself, by the vendor's clock.
        taxable: the tax flag of the voucher, if the vendor shows it; passed on and not interpreted.
        tax_rate: the tax rate of the voucher in percent, in the vendor's words.
    """

    valid_until: datetime | None = None
    taxable: bool | None = None
    tax_rate: str | None = None


@attrs.frozen(kw_only=True)
class Redemption(ValueResult):
    """Value taken from a voucher.

    It has the attributes of `ValueResult` and these:

    Attributes:
        reservation_id: the reservation that it captured, if any.
        remaining: what is left on the voucher, if the vendor shows it.
        taxable: the tax flag of the voucher, if the vendor shows it; passed on and not interpreted.
        tax_rate: the tax rate of the voucher in percent, in the vendor's words.
    """

    reservation_id: str | None = None
    remaining: Money | None = None
    taxable: bool | None = None
    tax_rate: str | None = None


@attrs.frozen(kw_only=True)
class Refund(ValueResult):
    """Value given back to a voucher.

    It has the attributes of `ValueResult` and these:

    Attributes:
        redemption_id: the redemption that was given back.
        remaining: what is on the voucher now, if the vendor shows it.
    """

    redemption_id: str | None = None
    remaining: Money | None = None


@attrs.frozen(kw_only=True)
class RefundLimit:
    """The limit of the refunds of one redemption.

    Attributes:
        account: the account that redeemed.
        redemption: the redemption, as the caller has it. If the journal recorded another amount, that one counts.
        vendor: the provider's name and host of that account; None if the account is not configured.
    """

    account: str
    redemption: Redemption
    vendor: tuple[str, str] | None


@attrs.frozen(kw_only=True)
class TopUp(ValueResult):
    """Value added to a voucher (JTL: recharge).

    It has the attributes of `ValueResult` and this:

    Attributes:
        remaining: what is on the voucher now, if the vendor shows it.
    """

    remaining: Money | None = None


def convert_result(result: ValueResult, kind: type[V], **fields: Any) -> V:
    """Return a result as another kind: an emulation does one operation by another.

    Args:
        result: the result.
        kind: the class of the new result. It gets the fields that both classes have.
        fields: its other fields, and those that differ.
    """
    shared = attrs.fields_dict(type(result)).keys() & attrs.fields_dict(kind).keys()
    return kind(**{name: getattr(result, name) for name in shared} | fields)


@attrs.frozen(kw_only=True)
class Release:
    """The result of the end of a reservation.

    Attributes:
        account: the account's name.
        reservation_id: the vendor's id of the reservation.
        freed: whether the value is available again now.
        frees_at: when it will be available, if not now.
        replayed: whether the journal returned this from an earlier call, without asking the vendor.
    """

    account: str
    reservation_id: str
    freed: bool
    frees_at: datetime | None = None
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class Deletion:
    """A voucher that was removed at the vendor.

    Attributes:
        account: the account's name.
        voucher_id: the vendor's id of the voucher.
        replayed: whether the journal returned this from an earlier call, without asking the vendor.
    """

    account: str
    voucher_id: str
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class Movement:
    """One entry of a voucher's history, as the vendor records it.

    Attributes:
        account: the account's name.
        id: the vendor's id of the entry; None where it has none.
        voucher_id: the vendor's id of the voucher.
        kind: what happened.
        money: how much moved; positive. None for what moves nothing, such as a block.
        state: whether it has happened. A vendor without such states shows completed movements.
        reference: the reference of the call, where the vendor stores one (JTL: order_number).
        login: the vendor-side login that made it.
        created_at: when, in UTC.
        raw: the vendor's own object.
    """

    account: str
    id: str | None = None
    voucher_id: str | None = None
    kind: MovementKind
    money: Money | None = None
    state: MovementState = MovementState.COMPLETED
    reference: str | None = None
    login: str | None = None
    created_at: datetime | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def change(self) -> Decimal | None:
        """The change of the balance: negative if value was taken, 0 if nothing moved; None if it is not known.

        A pending movement has not moved value yet, and a cancelled one moved nothing.
        """
        sign = self.kind.sign
        if self.state is not MovementState.COMPLETED or sign == 0:
            return Decimal(0)
        if self.money is None:  # an activation may bring no value; any other movement has an amount that is not shown
            return Decimal(0) if self.kind is MovementKind.ACTIVATION else None
        return None if sign is None else sign * self.money.amount


@attrs.frozen(kw_only=True)
class History:
    """Everything that happened to a voucher, the oldest first as far as the vendor orders it.

    Attributes:
        voucher_id: the vendor's id of the voucher.
        movements: the entries.
        complete: whether every page was read and the pages fit together. Only then does absence prove something.
        as_of: the vendor's clock when it sent the earliest part, where it shows one.
    """

    voucher_id: str
    movements: tuple[Movement, ...]
    complete: bool
    as_of: datetime | None = None

    def __iter__(self) -> Iterator[Movement]:
        return iter(self.movements)

    def __len__(self) -> int:
        return len(self.movements)
