"""Makes the record of a new voucher."""

from __future__ import annotations

import secrets
from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from voucher_gateway.provider_api import Interval, InvalidRequest, NewVoucher, Status, Validity, Voucher, now
from voucher_gateway_file.formats import FileFormat
from voucher_gateway_file.records import LONGEST, NewLine
from voucher_gateway_file.voucher_record import Object, make_voucher, object_from

_DAYS: Final = {Interval.DAYS: 1, Interval.WEEKS: 7}
_MONTHS: Final = {Interval.MONTHS: 1, Interval.YEARS: 12}


def voucher_to_write(account: str, new: NewVoucher, order: str | None) -> Voucher:
    """Return the voucher to write. Its remaining value is its initial value.

    A validity begins now, unless the voucher is inactive: then its end is not known yet.

    Args:
        account: the account's name.
        new: the requested voucher. Without an id it gets one here, without a code it has none.
        order: the order of the call, if the voucher names none.

    Raises:
        InvalidRequest: if a validity would end beyond the year 9999.
    """
    at, until = now(), new.valid_until
    if until is None and new.validity is not None and new.active is not False:
        until = _end_of(new.validity, at)
    return Voucher(
        account=account,
        id=f"file-{secrets.token_hex(10)}" if new.id is None else new.id,
        code=new.code,
        pin=new.pin,
        initial=new.initial,
        remaining=new.initial,
        status=None if new.active is None else Status.ACTIVE if new.active else Status.INACTIVE,
        medium=new.medium,
        valid_until=until,
        validity=new.validity,
        taxable=new.taxable,
        tax_rate=new.tax_rate,
        sku=new.sku,
        batch=new.batch,
        order=order if new.order is None else new.order,
        metadata=new.metadata,
        created_at=at,
    )


def _end_of(validity: Validity, start: datetime) -> datetime | None:
    """Return when a validity ends that begins at `start`. 31 January plus a month is the last day of February."""
    months = start.year * 12 + start.month - 1 + validity.value * _MONTHS.get(validity.interval, 0)
    try:
        if validity.interval in _DAYS:
            return start + timedelta(days=validity.value * _DAYS[validity.interval])
        if validity.interval in _MONTHS:
            year, month = months // 12, months % 12 + 1
            return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))
    except (OverflowError, ValueError):
        pass
    else:
        return None
    raise InvalidRequest("validity ends beyond the year 9999", field="validity", rule="an end up to the year 9999")


def record(form: FileFormat, columns: Sequence[str], voucher: Voucher, *, reveal: bool) -> NewLine:
    """Return the record of a voucher. Reading it returns the same voucher.

    Args:
        form: the file's format.
        columns: the file's columns.
        voucher: the voucher.
        reveal: whether its code and PIN are written, or their masks.

    Raises:
        InvalidRequest: if a field could not be read back.
    """
    try:
        body = form.line(object_from(voucher, reveal=reveal), columns)
    except (TypeError, ValueError):
        body = b""  # raised below: the error's text may hold any value
    if not body:
        raise InvalidRequest("metadata must be JSON values, and no floats", field="metadata", rule="JSON values")
    if len(body) > LONGEST:
        raise InvalidRequest(f"the voucher has more than {LONGEST} bytes", field="metadata", rule="shorter")
    if lost := _find_lost_field(form, columns, body, voucher, reveal=reveal):
        raise InvalidRequest(f"the file cannot keep the {lost}", field=lost, rule="what can be read back")
    return NewLine(body)


def _find_lost_field(
    form: FileFormat, columns: Sequence[str], body: bytes, voucher: Voucher, *, reveal: bool
) -> str | None:
    """Return the first field that reading the record would not return, or None."""
    parsed = form.read(body, columns)
    if parsed.problems:
        return parsed.problems[0][0].partition(".")[0] or "voucher"
    read_back = make_voucher(voucher.account, parsed, id=voucher.id)
    expected = voucher if reveal else attrs.evolve(voucher, code=None, pin=None)
    return next((name for name in _fields(parsed.given) if getattr(read_back, name) != getattr(expected, name)), None)


def _fields(given: Object) -> list[str]:
    return [name for name in given if name != "metadata"]  # a tuple comes back as a list
