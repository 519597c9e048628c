"""What may be kept at all. Nothing is dropped, cut or changed on the way in: what cannot be kept is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from voucher_gateway.provider_api import (
    Code,
    Interval,
    InvalidRequest,
    Medium,
    Metadata,
    NewVoucher,
    Pin,
    Secret,
    Validity,
    encode,
    hide_frames,
    json_value,
)
from voucher_gateway_local.capabilities import DECLARED
from voucher_gateway_local.settings import LONGEST_TEXT

LONGEST_REASON: Final = 1000
LONGEST_VALIDITY: Final = 100_000
"""Of whichever interval; an end beyond the year 9999 is refused besides."""

# Half of a surrogate pair cannot be written as UTF-8, and PostgreSQL's text holds no NUL.
_NOT_KEPT: Final = re.compile(r"[\x00\ud800-\udfff]")
_TEXTS: Final = ("id", "tax_rate", "sku", "batch", "order")
_DAYS: Final = {Interval.DAYS: 1, Interval.WEEKS: 7}
_MONTHS: Final = {Interval.MONTHS: 1, Interval.YEARS: 12}


def text(value: str, field: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text that can be kept as it is.

    Raises:
        TypeError: if it is not a str.
        InvalidRequest: if it is empty, too long, or holds what no database keeps.
    """
    if not isinstance(value, str):
        raise TypeError(f"{field} is a str, not {type(value).__name__}")
    if not 1 <= len(value) <= longest:
        rule = f"1 to {longest} characters"
        raise InvalidRequest(f"{field} must have {rule}, not {len(value)}", field=field, rule=rule)
    if _NOT_KEPT.search(value):
        raise InvalidRequest(f"{field} is no text that can be kept", field=field, rule="valid Unicode without NUL")
    return value


def code_and_pin(code: Code | None, pin: Pin | None) -> None:
    """Make sure that a voucher here can have this code and this PIN. They are never trimmed, nor their case changed.

    Raises:
        InvalidRequest: if it cannot.
    """
    if code is not None:
        with hide_frames():
            text(code.reveal(), "code")
    if pin is not None:
        with hide_frames():
            text(pin.reveal(), "pin")


def names(reference: str, order: str | None) -> None:
    """Make sure that a call's reference and order can be kept."""
    text(reference, "reference")
    if order is not None:
        text(order, "order")


def new_voucher(new: NewVoucher, currency: str | None) -> None:
    """Make sure that a voucher can be issued as it stands.

    Args:
        new: the voucher.
        currency: the only currency of the account, if it has one.

    Raises:
        InvalidRequest: if it cannot.
    """
    DECLARED.amounts.check(new.initial)
    if currency not in (None, new.initial.currency):
        raise InvalidRequest(
            f"the vouchers of this account are in {currency}, not in {new.initial.currency}",
            field="currency",
            rule=f"{currency}, the currency of the account",
        )
    for field in _TEXTS:
        if (value := getattr(new, field)) is not None:
            text(value, field)
    code_and_pin(new.code, new.pin)
    if new.medium is Medium.UNKNOWN:
        raise InvalidRequest("medium must be digital or print", field="medium", rule="digital or print")
    if new.validity is not None:
        _validity(new.validity)
        if new.valid_until is not None:
            raise InvalidRequest(
                "a voucher has either valid_until or validity", field="validity", rule="not both of them"
            )
    metadata_text(new.metadata)


def _validity(validity: Validity) -> None:
    number = validity.value
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"validity has an int, not {type(number).__name__}")
    if not 1 <= number <= LONGEST_VALIDITY or validity.interval is Interval.UNKNOWN:
        rule = f"1 to {LONGEST_VALIDITY} days, weeks, months or years"
        raise InvalidRequest(f"validity must be {rule}", field="validity", rule=rule)


def end_of(validity: Validity, start: datetime) -> datetime:
    """Return when a validity ends that starts now. A month that is too short for the day ends it on its last day.

    Raises:
        InvalidRequest: if that is beyond the year 9999.
    """
    try:
        if validity.interval in _DAYS:
            return start + timedelta(days=validity.value * _DAYS[validity.interval])
        months = start.year * 12 + start.month - 1 + validity.value * _MONTHS[validity.interval]
        for day in range(start.day, start.day - 4, -1):
            try:
                return start.replace(year=months // 12, month=months % 12 + 1, day=day)
            except ValueError:
                continue
    except OverflowError:
        pass
    raise InvalidRequest("validity ends beyond the year 9999", field="validity", rule="an end up to the year 9999")


def metadata_text(metadata: Metadata | None) -> str | None:
    """Return the JSON text of a voucher's metadata; numbers keep all their digits.

    Raises:
        InvalidRequest: if it holds what JSON does not know.
    """
    if metadata is None:
        return None
    try:
        return encode(json_value(metadata)).decode()
    except (TypeError, ValueError):
        rule = "text, int, Decimal, true, false, null, lists and objects of them"
    raise InvalidRequest(f"metadata must be JSON: {rule}", field="metadata", rule=rule)


def content_of(new: NewVoucher) -> list[str | Secret]:
    """Return all that a new voucher asks for, in a fixed order and form, for a keyed digest."""
    return [
        str(new.initial),
        Secret(json.dumps([None if masked is None else masked.reveal() for masked in (new.code, new.pin)])),
        json.dumps([new.id, new.active, new.medium, new.taxable, new.tax_rate, new.sku, new.batch, new.order]),
        str(new.valid_until),
        str(new.validity),
        str(metadata_text(_in_order(new.metadata))),
    ]


def _in_order(value: Any) -> Any:
    """Return a value with the members of its objects sorted: their order says nothing."""
    if isinstance(value, Mapping):
        return {name: _in_order(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_in_order(item) for item in value]
    return value
