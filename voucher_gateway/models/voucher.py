"""A voucher, as an account sees it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias, final

import attrs

from voucher_gateway.masking import Code, Pin
from voucher_gateway.money import Money


class JsonNull(enum.Enum):
    """The type of `JSON_NULL`."""

    NULL = None

    def __repr__(self) -> str:
        return "JSON_NULL"


JSON_NULL: Final = JsonNull.NULL
"""JSON's null as the data of a voucher; None means that it has no data."""

Metadata: TypeAlias = Mapping[str, Any] | Sequence[Any] | str | int | Decimal | JsonNull
"""A JSON value: objects, arrays, strings, numbers, booleans and null. No float is in it."""


def json_value(metadata: Metadata) -> object:
    """Return the value as `encode` takes it."""
    if metadata is JSON_NULL:
        return None
    return dict(metadata) if isinstance(metadata, Mapping) else metadata


def metadata_of(value: Any) -> Metadata:
    """Return what `decode` read as the data of a voucher."""
    return JSON_NULL if value is None else value


@final
class Links(Mapping[str, str]):
    """The vendor's ids by the name of what they stand for. It cannot be changed, and can be hashed and pickled."""

    __slots__ = ("_ids",)

    _ids: dict[str, str]

    def __init__(self, ids: Mapping[str, str]) -> None:
        """Copy the ids.

        Raises:
            TypeError: if they are not texts by name. The message does not quote them.
        """
        given: object = ids
        if not isinstance(given, Mapping):
            raise TypeError("links must be a mapping of str to str")
        copied = dict(given)
        for name, id in copied.items():
            if type(name) is not str or type(id) is not str:
                raise TypeError("links must be a mapping of str to str")
        object.__setattr__(self, "_ids", copied)

    def __getitem__(self, name: str) -> str:
        return self._ids[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __hash__(self) -> int:
        return hash(frozenset(self._ids.items()))

    def __repr__(self) -> str:
        return repr(self._ids)

    def __reduce__(self) -> tuple[type[Links], tuple[dict[str, str]]]:
        return Links, (dict(self._ids),)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("links cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("links cannot be changed")


def as_links(ids: Mapping[str, str]) -> Mapping[str, str]:
    """Return the ids as `Links`; `Links` are returned as they are."""
    return ids if type(ids) is Links else Links(ids)


NO_LINKS: Final = Links({})
"""The links of a voucher that belongs to nothing else at the vendor."""


RawObject = Mapping[str, Any]
"""The vendor's own JSON object. Numbers in it are int or Decimal, never float. May hold codes: never print it."""


class Status(enum.StrEnum):
    """The status of a voucher, as the vendor reports it.

    Attributes:
        ACTIVE: it can be spent, unless it has expired or is empty.
        INACTIVE: it cannot be spent until it is activated. The vendor does not say whether it was ever sold.
        PENDING: it was never sold: it has no value until it is activated.
        BLOCKED: it cannot be spent for now. Its owner keeps its value.
        DEACTIVATED: it cannot be spent and cannot be activated again.
        EXPIRED: the vendor says that its validity has ended.
        USED_UP: the vendor says that no value is left.
        UNKNOWN: the vendor reported a status that we do not know; it is in ``raw``.
    """

    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"
    BLOCKED = "blocked"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    USED_UP = "used_up"
    UNKNOWN = "unknown"

    @property
    def spendable(self) -> bool | None:
        """Whether a voucher with this status can be spent, if it is valid and has value; None if it is not known."""
        return _SPENDABLE.get(self, False)


_SPENDABLE: Final[Mapping[Status, bool | None]] = {Status.ACTIVE: True, Status.UNKNOWN: None}


class Medium(enum.StrEnum):
    """The form in which a voucher was handed out.

    Attributes:
        DIGITAL: as a code, such as in an e-mail.
        PRINT: as a printed card.
        UNKNOWN: the vendor reported a form that we do not know.
    """

    DIGITAL = "digital"
    PRINT = "print"
    UNKNOWN = "unknown"


class Interval(enum.StrEnum):
    """The unit of a `Validity`.

    Attributes:
        DAYS: calendar days.
        WEEKS: seven days.
        MONTHS: calendar months.
        YEARS: calendar years.
        UNKNOWN: the vendor reported a unit that we do not know.
    """

    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"
    UNKNOWN = "unknown"


class MovementKind(enum.StrEnum):
    """The direction and reason of a `Movement`.

    Attributes:
        ISSUE: the voucher was created with this value.
        ACTIVATION: the voucher was activated; its value came with that, where the movement has an amount.
        REDEMPTION: value was taken from the voucher.
        REFUND: value of a redemption was given back.
        TOP_UP: value was added.
        ADJUSTMENT_UP: value was added by a correction, which is not a sale.
        ADJUSTMENT_DOWN: value was taken by a correction, which is not a sale.
        EXPIRY: value was taken because the validity ended.
        TRANSFER_IN: value came from another voucher.
        TRANSFER_OUT: value went to another voucher.
        CASH_OUT: the owner was paid the value in money.
        REVERSAL_UP: a movement that took value was undone, so that the value is back.
        REVERSAL_DOWN: a movement that added value was undone, so that the value is gone.
        BLOCK: the voucher was blocked for now. No value moved.
        UNBLOCK: a block was lifted. No value moved.
        DEACTIVATION: the voucher was deactivated. No value moved.
        UNKNOWN: the vendor reported a reason that we do not know.
    """

    ISSUE = "issue"
    ACTIVATION = "activation"
    REDEMPTION = "redemption"
    REFUND = "refund"
    TOP_UP = "top_up"
    ADJUSTMENT_UP = "adjustment_up"
    ADJUSTMENT_DOWN = "adjustment_down"
    EXPIRY = "expiry"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"
    CASH_OUT = "cash_out"
    REVERSAL_UP = "reversal_up"
    REVERSAL_DOWN = "reversal_down"
    BLOCK = "block"
    UNBLOCK = "unblock"
    DEACTIVATION = "deactivation"
    UNKNOWN = "unknown"

    @property
    def sign(self) -> int | None:
        """1 if it adds value, -1 if it takes value, 0 if it moves nothing; None if it is not known."""
        return _SIGNS.get(self, 1)

    @property
    def opens(self) -> bool:
        """Whether it can be the value with which a voucher begins, so that no initial value is added to it."""
        return self in (MovementKind.ISSUE, MovementKind.ACTIVATION)


_SIGNS: Final[Mapping[MovementKind, int | None]] = {
    MovementKind.REDEMPTION: -1,
    MovementKind.ADJUSTMENT_DOWN: -1,
    MovementKind.EXPIRY: -1,
    MovementKind.TRANSFER_OUT: -1,
    MovementKind.CASH_OUT: -1,
    MovementKind.REVERSAL_DOWN: -1,
    MovementKind.BLOCK: 0,
    MovementKind.UNBLOCK: 0,
    MovementKind.DEACTIVATION: 0,
    MovementKind.UNKNOWN: None,
}


class MovementState(enum.StrEnum):
    """Whether a `Movement` has happened.

    Attributes:
        PENDING: the vendor will complete or cancel it later. It has not moved value yet.
        COMPLETED: it has happened.
        CANCELLED: it will not happen. It moved nothing.
    """

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@attrs.frozen
class Validity:
    """How long a voucher lasts from its activation on, e.g. 3 years.

    Attributes:
        value: how many.
        interval: of what.
    """

    value: int
    interval: Interval


@attrs.frozen(kw_only=True)
class Voucher:
    """One voucher as an account sees it. A field that the vendor does not show is None.

    Attributes:
        account: the account's name in the config.
        id: the vendor's id.
        code: what a customer enters; None where the vendor hides it.
        pin: the covered second secret of a printed card.
        initial: the face value (JTL: amount).
        remaining: what is left of it (JTL: remaining_amount; ticketing: balance).
        status: active or not; None if the vendor has no status.
        medium: digital or print (JTL: type).
        valid_until: the end of validity, in UTC; None for never, not yet known or not shown.
        validity: the validity that activation will start, where it is relative.
        taxable: the vendor's flag, carried and not interpreted.
        tax_rate: the vendor's text, in percent.
        sku: the article the voucher was sold as.
        batch: a campaign or group.
        order: the order it was sold with.
        metadata: the shop's own data, where it is JSON; anything else stays in ``raw``.
        login: the vendor-side login that issued it (JTL: client_id).
        origin: how it was created, in the vendor's word.
        links: the vendor's ids of what it belongs to or came from, by names that the page of the provider lists, such
            as ``customer_id``. The mapping cannot be changed.
        created_at: in UTC.
        updated_at: in UTC.
        deletable: whether the vendor would delete it now.
        raw: the vendor's own object.
        replayed: whether the journal returned this from an earlier call, without asking the vendor.
        unread: the fields that are None although the vendor has a value, because it is not a value of this interface.
    """

    account: str
    id: str
    code: Code | None = None
    pin: Pin | None = None
    initial: Money | None = None
    remaining: Money | None = None
    status: Status | None = None
    medium: Medium | None = None
    valid_until: datetime | None = None
    validity: Validity | None = None
    taxable: bool | None = None
    tax_rate: str | None = None
    sku: str | None = None
    batch: str | None = None
    order: str | None = None
    metadata: Metadata | None = attrs.field(default=None, hash=False)
    login: str | None = None
    origin: str | None = None
    links: Mapping[str, str] = attrs.field(default=NO_LINKS, converter=as_links)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deletable: bool | None = None
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)
    replayed: bool = attrs.field(default=False, repr=False, eq=False)
    unread: frozenset[str] = attrs.field(default=frozenset(), repr=False, eq=False)
