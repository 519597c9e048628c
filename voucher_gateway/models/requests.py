"""The arguments of calls: a new voucher, changes to a voucher, a query, and the text of a reference or an order."""

from __future__ import annotations

import enum
import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from voucher_gateway.errors import InvalidRequest, UnsupportedOperation
from voucher_gateway.instants import require_aware
from voucher_gateway.masking import SEARCHED_FROM, Code, Pin, contains_secret, hide_init_arguments
from voucher_gateway.models.voucher import Medium, Metadata, Status, Validity
from voucher_gateway.money import Money

# --- references and order numbers ---
# "ü" can be one character or two. A keyboard, a database and a file system may each write it in another way, so an
# order number may come back in another form than it was sent. Unicode's normal form C (NFC) makes both the same.

MAX_REFERENCE_LENGTH: Final = 200
"""Characters of a reference or an order. The name that a vendor sees is derived and has the vendor's own limit."""

# Unicode's Default_Ignorable_Code_Point, as far as `str.isprintable` calls it printable.
_IGNORABLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def nfc(text: str) -> str:
    """Return a text in normal form C, and anything else unchanged: `require_name` rejects that."""
    given: object = text
    return unicodedata.normalize("NFC", text) if isinstance(given, str) else text


def nfc_or_none(text: str | None) -> str | None:
    """Return a text in normal form C, and None for None."""
    return None if text is None else nfc(text)


def is_visible(text: str) -> bool:
    """Whether each character of a text is visible: not a control, and not one that displays ignore."""
    return text.isprintable() and _IGNORABLE.search(text) is None


def require_name(name: str, field: str) -> None:
    """Check that a text can be a reference or an order.

    Args:
        name: the text.
        field: the argument that it was given for.

    Raises:
        TypeError: if it is not a str.
        InvalidRequest: if it is empty, longer than `MAX_REFERENCE_LENGTH`, or has invisible characters or white space
            around it.
    """
    if not isinstance(name, str):
        raise TypeError(f"{field} is a str, not {type(name).__name__}")
    if not 1 <= len(name) <= MAX_REFERENCE_LENGTH or not is_visible(name) or name != name.strip():
        rule = f"1 to {MAX_REFERENCE_LENGTH} printable characters without white space around"
        raise InvalidRequest(f"{field} must have {rule}", field=field, rule=rule)


def require_no_secret(name: str | None, field: str, code: Code | None, pin: Pin | None = None) -> None:
    """Check that a name does not contain the code or the PIN of its call: names are stored and logged in plain text.

    Args:
        name: a reference, an order or the name of a sale; None for none.
        field: the argument that it was given for.
        code: the voucher's code; None if the call has none.
        pin: the PIN, if there is one.

    Raises:
        InvalidRequest: if it contains one of them, as `contains_secret` says.
    """
    for secret, word in ((code, "code"), (pin, "PIN")):
        if name is not None and secret is not None and contains_secret(name, secret):
            rule = f"without the voucher's {word} ({word}s from {SEARCHED_FROM} letters and digits on are searched for)"
            raise InvalidRequest(
                f"{field} must not contain the voucher's {word}: it is stored and logged in plain text",
                field=field,
                rule=rule,
            )


# --- new vouchers, changes and queries ---


def _code(text: str | Code | None) -> Code | None:
    return None if text is None else Code.of(text)


def _pin(text: str | Pin | None) -> Pin | None:
    return None if text is None else Pin.of(text)


def _utc(instant: datetime | None) -> datetime | None:
    if isinstance(instant, datetime) and instant.utcoffset() is not None:
        with suppress(OverflowError):
            return instant.astimezone(UTC)
    return instant  # the validator, which knows the field's name, refuses what is left


def _aware(_: object, field: attrs.Attribute[Any], instant: datetime | None) -> None:
    if instant is not None:
        require_aware(instant, field.name)


def _names_but(cls: type[attrs.AttrsInstance], *allowed: str) -> list[str]:
    """Return the names of a class's fields without the allowed ones.

    Raises:
        TypeError: if an allowed name is not a field.
    """
    names = [field.name for field in attrs.fields(cls)]
    unknown = [name for name in allowed if name not in names]
    if unknown:
        raise TypeError(f"{cls.__name__} has no field {', '.join(unknown)}; it has {', '.join(names)}")
    return [name for name in names if name not in allowed]


_TEXT: Final = attrs.validators.optional(attrs.validators.instance_of(str))


@hide_init_arguments
@attrs.frozen(kw_only=True)
class NewVoucher:
    """A voucher to issue. The vendor decides what is None. A field that the vendor cannot store is an error.

    Attributes:
        initial: the value.
        id: an id of the caller's choice, where the vendor takes one.
        code: a code of the caller's choice.
        pin: a PIN.
        active: True or False asks for that status; None takes the vendor's default.
        medium: digital or print.
        valid_until: an absolute end of validity.
        validity: a validity counted from activation.
        taxable: the tax flag, carried.
        tax_rate: in percent, as text.
        sku: the article.
        batch: a campaign or group.
        order: the order it is sold with.
        metadata: the shop's own data, any JSON value without floats; `JSON_NULL` for null.
    """

    initial: Money = attrs.field(validator=attrs.validators.instance_of(Money))
    id: str | None = attrs.field(default=None, validator=_TEXT)
    code: Code | None = attrs.field(default=None, converter=_code)
    pin: Pin | None = attrs.field(default=None, converter=_pin)
    active: bool | None = None
    medium: Medium | None = None
    valid_until: datetime | None = attrs.field(default=None, converter=_utc, validator=_aware)
    validity: Validity | None = None
    taxable: bool | None = None
    tax_rate: str | None = attrs.field(default=None, validator=_TEXT)
    sku: str | None = attrs.field(default=None, validator=_TEXT)
    batch: str | None = attrs.field(default=None, validator=_TEXT)
    order: str | None = attrs.field(default=None, converter=nfc_or_none, validator=_TEXT)
    metadata: Metadata | None = attrs.field(default=None, hash=False)

    def refuse_all_but(self, *fields: str) -> None:
        """Refuse every field that is set, but the value and the named ones. A provider calls this first.

        Args:
            fields: the fields that the vendor stores: those of `Capabilities.stored_fields`, and ``code``, ``id``,
                ``valid_until`` and ``validity``, as far as the vendor has them.

        Raises:
            UnsupportedOperation: if another field is set. The message names it.
            TypeError: if a name is not a field of a new voucher.
        """
        names = _names_but(NewVoucher, "initial", *fields)
        lacking = [name for name in names if getattr(self, name) is not None]
        if lacking:
            raise UnsupportedOperation(
                f"the vendor does not store {' and '.join(lacking)} of a new voucher", operation="issue"
            )


class _Keep(enum.Enum):
    KEEP = "keep"

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = _Keep.KEEP
"""A field of `VoucherChanges` that stays as it is; None, in contrast, clears it."""


def _aware_or_kept(instant: datetime | _Keep | None) -> datetime | _Keep | None:
    return instant if instant is None or isinstance(instant, _Keep) else require_aware(instant, "valid_until")


@attrs.frozen(kw_only=True)
class VoucherChanges:
    """The changes to a voucher; everything else stays as it is.

    Attributes:
        sku: the article.
        batch: a campaign or group.
        valid_until: an absolute end of validity, None for never.
    """

    sku: str | _Keep | None = KEEP
    batch: str | _Keep | None = KEEP
    valid_until: datetime | _Keep | None = attrs.field(default=KEEP, converter=_aware_or_kept)

    def fields_to_change(self) -> dict[str, Any]:
        """Return the fields that are to change, by name."""
        return {k: v for k, v in attrs.asdict(self, recurse=False).items() if v is not KEEP}

    def refuse_all_but(self, *fields: str) -> None:
        """Refuse every field that is to change, but the named ones.

        Raises:
            UnsupportedOperation: if another field is to change. The message names it.
            TypeError: if a name is not a field of the changes.
        """
        lacking = [name for name in _names_but(VoucherChanges, *fields) if getattr(self, name) is not KEEP]
        if lacking:
            raise UnsupportedOperation(
                f"the vendor cannot change {' and '.join(lacking)} of a voucher", operation="update"
            )


NativeValue = str | Money | Sequence[str]
"""A value of a vendor's own filter: text, or an amount or several texts where the vendor's page says so."""


def _names(native: Mapping[str, NativeValue]) -> str:
    return repr(sorted(native))  # not the values: a vendor's own filter may hold a code


@hide_init_arguments
@attrs.frozen(kw_only=True)
class VoucherQuery:
    """Which vouchers to list. The provider refuses a filter that its vendor lacks.

    Attributes:
        code: exactly this code.
        status: this status.
        created_from: created at this instant or later.
        created_to: created up to this instant.
        valid_until_from: valid until this instant or later.
        valid_until_to: valid until this instant at the latest.
        sku: this article.
        batch: this campaign or group.
        has_value: True for those with remaining value, False for those without.
        native: the vendor's own filters, by the vendor's names. The provider checks the values.
        newest_first: the order by creation; None takes the order that pages most safely.
        limit: the highest number of vouchers.
        resume: the `resume_token` of an earlier listing of the same query, to continue where that one stopped.
    """

    code: Code | None = attrs.field(default=None, converter=_code)
    status: Status | None = None
    created_from: datetime | None = attrs.field(default=None, converter=_utc, validator=_aware)
    created_to: datetime | None = attrs.field(default=None, converter=_utc, validator=_aware)
    valid_until_from: datetime | None = attrs.field(default=None, converter=_utc, validator=_aware)
    valid_until_to: datetime | None = attrs.field(default=None, converter=_utc, validator=_aware)
    sku: str | None = None
    batch: str | None = None
    has_value: bool | None = None
    native: Mapping[str, NativeValue] = attrs.field(factory=dict, hash=False, repr=_names)
    newest_first: bool | None = None
    limit: int | None = attrs.field(default=None)
    resume: str | None = None

    @limit.validator
    def _positive_limit(self, _: object, value: object) -> None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InvalidRequest("limit must be an integer above zero", field="limit", rule="at least 1")

    def common(self) -> dict[str, Any]:
        """Return the common filters that are set, by name."""
        values = attrs.asdict(self, recurse=False)
        for name in ("native", "limit", "newest_first", "resume"):
            del values[name]
        return {name: value for name, value in values.items() if value is not None}

    def refuse_all_but(self, *filters: str, native: Collection[str] = ()) -> None:
        """Refuse every filter that is set, and an order, but the named ones.

        Args:
            filters: the common filters that the vendor has, and ``newest_first`` where the order can be chosen.
            native: the vendor's own filters that it has.

        Raises:
            UnsupportedOperation: if another common filter is set, or an order. The message names it.
            InvalidRequest: if another native filter is set.
            TypeError: if a name is not a filter.
        """
        names = _names_but(VoucherQuery, "native", "limit", "resume", *filters)
        lacking = [name for name in names if getattr(self, name) is not None]
        if lacking:
            raise UnsupportedOperation(f"the vendor cannot list by {' and '.join(lacking)}", operation="vouchers")
        for name in self.native:
            if name not in native:
                rule = f"one of {', '.join(sorted(native))}" if native else "no native filter"
                raise InvalidRequest(
                    f"the vendor has no filter {name!r:.40}; expected {rule}", field=f"native.{name:.40}", rule=rule
                )

    def fingerprint(self, *fields: str) -> str:
        """Return a short text that differs between queries, so that a resume token fits only its own query.

        Args:
            *fields: other data that the listing depends on: the account, the host, the page size.
        """
        common = {k: v.reveal() if isinstance(v, Code) else str(v) for k, v in self.common().items()}
        native = [(name, self.native[name]) for name in sorted(self.native)]
        what = repr((sorted(common.items()), native, self.newest_first, fields))
        return hashlib.blake2b(what.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
