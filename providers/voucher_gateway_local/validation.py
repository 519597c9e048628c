"""Checks that the database can store a value unchanged. Other values are refused, never cut or changed."""

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
"""The maximum number of any interval. An end beyond the year 9999 is refused too."""

# UTF-8 cannot encode half of a surrogate pair, and the text of PostgreSQL cannot contain NUL.
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_TEXT_FIELDS: Final = ("id", "tax_rate", "sku", "batch", "order")
_DAYS: Final = {Interval.DAYS: 1, Interval.WEEKS: 7}
_MONTHS: Final = {Interval.MONTHS: 1, Interval.YEARS: 12}


def check_text(value: str, field: str, longest: int = LONGEST_TEXT) -> str:
    """Return the text, if it can be stored unchanged.

    Raises:
        TypeError: if it is not a str.
        InvalidRequest: if it is empty, too long, or has a character that a database cannot store.
    """
    if not isinstance(value, str):
        raise TypeError(f"{field} must be a str, not {type(value).__name__}")
    if not 1 <= len(value) <= longest:
        rule = f"1 to {longest} characters"
        raise InvalidRequest(f"{field} must have {rule}, but has {len(value)}", field=field, rule=rule)
    if _UNSTORABLE.search(value):
        raise InvalidRequest(
            f"{field} has a character that cannot be stored", field=field, rule="valid Unicode without NUL"
        )
    return value


def check_code_and_pin(code: Code | None, pin: Pin | None) -> None:
    """Check that a voucher can have this code and this PIN. They are never trimmed, and their case is never changed.

    Raises:
        InvalidRequest: if it cannot be stored.
    """
    if code is not None:
        with hide_frames():
            check_text(code.reveal(), "code")
    if pin is not None:
        with hide_frames():
            check_text(pin.reveal(), "pin")


def check_reference_and_order(reference: str, order: str | None) -> None:
    """Check that the reference and the order of a call can be stored."""
    check_text(reference, "reference")
    if order is not None:
        check_text(order, "order")


def check_new_voucher(new: NewVoucher, currency: str | None) -> None:
    """Check that a voucher can be issued exactly as requested.

    Args:
        new: the voucher.
        currency: the only currency of the account, if it has one.

    Raises:
        InvalidRequest: if it cannot be stored.
    """
    DECLARED.amounts.check(new.initial)
    if currency not in (None, new.initial.currency):
        raise InvalidRequest(
            f"the vouchers of this account are in {currency}, not in {new.initial.currency}",
            field="currency",
            rule=f"{currency}, the currency of the account",
        )
    for field in _TEXT_FIELDS:
        if (value := getattr(new, field)) is not None:
            check_text(value, field)
    check_code_and_pin(new.code, new.pin)
    if new.medium is Medium.UNKNOWN:
        raise InvalidRequest("medium must be digital or print", field="medium", rule="digital or print")
    if new.validity is not None:
        _check_validity(new.validity)
        if new.valid_until is not None:
            raise InvalidRequest(
                "a voucher can have valid_until or validity, but not both", field="validity", rule="not both of them"
            )
    metadata_text(new.metadata)


def _check_validity(validity: Validity) -> None:
    number = validity.value
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"the value of validity must be an int, not {type(number).__name__}")
    if not 1 <= number <= LONGEST_VALIDITY or validity.interval is Interval.UNKNOWN:
        rule = f"1 to {LONGEST_VALIDITY} days, weeks, months or years"
        raise InvalidRequest(f"validity must be {rule}", field="validity", rule=rule)


def end_of_validity(validity: Validity, start: datetime) -> datetime:
    """Return the end of a validity. If the last month is too short for the day, it ends on the last day of the month.

    Raises:
        InvalidRequest: if the end is beyond the year 9999.
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
    """Return the JSON text of the metadata of a voucher. Numbers keep all their digits.

    Raises:
        InvalidRequest: if it has a value that is not JSON.
    """
    if metadata is None:
        return None
    try:
        return encode(json_value(metadata)).decode()
    except (TypeError, ValueError):
        rule = "text, int, Decimal, true, false, null, lists and objects of them"
    raise InvalidRequest(f"metadata must be JSON: {rule}", field="metadata", rule=rule)


def request_content(new: NewVoucher) -> list[str | Secret]:
    """Return all fields of a requested voucher in a fixed order and form, for a keyed digest."""
    return [
        str(new.initial),
        Secret(json.dumps([None if masked is None else masked.reveal() for masked in (new.code, new.pin)])),
        json.dumps([new.id, new.active, new.medium, new.taxable, new.tax_rate, new.sku, new.batch, new.order]),
        str(new.valid_until),
        str(new.validity),
        str(metadata_text(_sort_members(new.metadata))),
    ]


def _sort_members(value: Any) -> Any:
    """Return a value with the members of its objects sorted, because their order has no meaning."""
    if isinstance(value, Mapping):
        return {name: _sort_members(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sort_members(item) for item in value]
    return value
