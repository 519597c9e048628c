"""What a call brought about, and what a vendor tells of a voucher's past."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from voucher_gateway.models.voucher import MovementKind, RawObject, Status
from voucher_gateway.money import Money


@attrs.frozen(kw_only=True)
class Balance:
    """What a voucher is worth now.

    Attributes:
        account: the account's name.
        voucher_id: the vendor's id.
        remaining: the value that is left.
        valid_until: the end of validity, if there is one.
        status: active or not, where the vendor says so.
    """

    account: str
    voucher_id: str
    remaining: Money
    valid_until: datetime | None = None
    status: Status | None = None


@attrs.frozen(kw_only=True)
class Reservation:
    """Value set aside for a while, to be captured or released (loosely: a hold).

    Attributes:
        account: the account's name.
        id: the vendor's id of the reservation.
        voucher_id: the voucher.
        money: what is set aside.
        valid_until: when it lapses by itself, by the vendor's clock.
        reference: the reference it was made under.
        order: the shop's order.
        taxable: the tax flag of the voucher, where the vendor told it; carried and not interpreted.
        tax_rate: the tax rate of the voucher in percent, the vendor's text.
        login: the vendor-side login that made it, where the vendor tells it.
        created_at: in UTC.
        raw: the vendor's own object.
        replayed: whether the journal told this from an earlier call, without asking the vendor.
    """

    account: str
    id: str
    voucher_id: str | None = None
    money: Money
    valid_until: datetime | None = None
    reference: str | None = None
    order: str | None = None
    taxable: bool | None = None
    tax_rate: str | None = None
    login: str | None = None
    created_at: datetime | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class Release:
    """What became of a reservation that was given up.

    Attributes:
        account: the account's name.
        reservation_id: the reservation.
        freed: whether the value is available again now.
        frees_at: when it will be, if not now.
        replayed: whether the journal told this from an earlier call, without asking the vendor.
    """

    account: str
    reservation_id: str
    freed: bool
    frees_at: datetime | None = None
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class Redemption:
    """Value taken from a voucher.

    Attributes:
        account: the account's name.
        id: the vendor's id of the movement.
        voucher_id: the voucher.
        money: what moved at the vendor.
        reference: the reference it was made under.
        order: the shop's order.
        reservation_id: the reservation it captured, if any.
        remaining: what is left on the voucher, where the vendor said so.
        taxable: the tax flag of the voucher, where the vendor told it; carried and not interpreted.
        tax_rate: the tax rate of the voucher in percent, the vendor's text.
        login: the vendor-side login that made it, where the vendor tells it.
        created_at: in UTC.
        raw: the vendor's own object.
        replayed: whether the journal told this from an earlier call, without asking the vendor.
    """

    account: str
    id: str
    voucher_id: str | None = None
    money: Money
    reference: str | None = None
    order: str | None = None
    reservation_id: str | None = None
    remaining: Money | None = None
    taxable: bool | None = None
    tax_rate: str | None = None
    login: str | None = None
    created_at: datetime | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class Refund:
    """Value given back to a voucher.

    Attributes:
        account: the account's name.
        id: the vendor's id of the movement.
        redemption_id: what was given back.
        voucher_id: the voucher.
        money: what moved at the vendor.
        reference: the reference it was made under.
        order: the shop's order.
        remaining: what is on the voucher now, where the vendor said so.
        login: the vendor-side login that made it, where the vendor tells it.
        created_at: in UTC.
        raw: the vendor's own object.
        replayed: whether the journal told this from an earlier call, without asking the vendor.
    """

    account: str
    id: str
    redemption_id: str | None = None
    voucher_id: str | None = None
    money: Money
    reference: str | None = None
    order: str | None = None
    remaining: Money | None = None
    login: str | None = None
    created_at: datetime | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class TopUp:
    """Value added to a voucher (JTL: recharge).

    Attributes:
        account: the account's name.
        id: the vendor's id of the movement.
        voucher_id: the voucher.
        money: what moved at the vendor.
        reference: the reference it was made under.
        order: the shop's order.
        remaining: what is on the voucher now, where the vendor said so.
        login: the vendor-side login that made it, where the vendor tells it.
        created_at: in UTC.
        raw: the vendor's own object.
        replayed: whether the journal told this from an earlier call, without asking the vendor.
    """

    account: str
    id: str
    voucher_id: str | None = None
    money: Money
    reference: str | None = None
    order: str | None = None
    remaining: Money | None = None
    login: str | None = None
    created_at: datetime | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class Deletion:
    """A voucher that is gone at the vendor.

    Attributes:
        account: the account's name.
        voucher_id: the voucher.
        replayed: whether the journal told this from an earlier call, without asking the vendor.
    """

    account: str
    voucher_id: str
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class Movement:
    """One entry of a voucher's history, as the vendor tells it.

    Attributes:
        account: the account's name.
        id: the vendor's id of the entry; None where it has none.
        voucher_id: the voucher.
        kind: what happened.
        money: how much moved, positive.
        reference: the name under which it was made, where the vendor keeps one (JTL: order_number).
        login: the vendor-side login that made it.
        created_at: in UTC.
        raw: the vendor's own object.
    """

    account: str
    id: str | None = None
    voucher_id: str | None = None
    kind: MovementKind
    money: Money
    reference: str | None = None
    login: str | None = None
    created_at: datetime | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class History:
    """All that happened to a voucher, oldest first as far as the vendor orders it.

    Attributes:
        voucher_id: the voucher.
        movements: the entries.
        complete: whether every page was read and they fitted together; only then does absence mean anything.
        as_of: the vendor's clock when it gave the earliest part, where it has one.
    """

    voucher_id: str
    movements: tuple[Movement, ...]
    complete: bool
    as_of: datetime | None = None

    def __iter__(self) -> Iterator[Movement]:
        return iter(self.movements)

    def __len__(self) -> int:
        return len(self.movements)
