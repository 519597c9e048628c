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
        INACTIVE: it cannot be spent until it is activated.
        UNKNOWN: the vendor reported a status that we do not know; it is in ``raw``.
    """

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


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
        REDEMPTION: value was taken from the voucher.
        REFUND: value of a redemption was given back.
        TOP_UP: value was added.
        UNKNOWN: the vendor reported a reason that we do not know.
    """

    REDEMPTION = "redemption"
    REFUND = "refund"
    TOP_UP = "top_up"
    UNKNOWN = "unknown"


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
