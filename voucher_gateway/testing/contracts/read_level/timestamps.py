"""The read level: instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from operator import attrgetter
from typing import Any, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import MalformedResponse
from voucher_gateway.instants import parse_instant
from voucher_gateway.models.results import History
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.contracts.read_level.amounts import calls_of
from voucher_gateway.testing.harness.ledger import can, ledger_vouchers, readings
from voucher_gateway.testing.harness.reply_changes import each_leaf
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promises.checks import for_promise, require
from voucher_gateway.testing.simulated_vendor import SimulatedVendor

_OFFSETS: Final = (timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8)))
"""Offsets other than zero, one of them not of whole hours."""


class TimestampsContract(Contract):
    """Instants are aware and exact."""

    @for_promise("T1")
    def test_every_instant_is_aware_and_in_utc(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        for true in ledger_vouchers(vendor):
            for by, reading in readings(provider_, true):
                for name in ("valid_until", "created_at", "updated_at"):
                    _check_utc(getattr(reading, name), f"{name} of {true.id!r} by {by}")
            if can(provider_, Operation.BALANCE):
                _check_utc(provider_.balance(true.code).valid_until, f"valid_until of {true.id!r} by balance")
            if can(provider_, Operation.PRESENTATION):
                _check_utc(provider_.presentation(true.code).voucher.valid_until, "valid_until by presentation")
            if can(provider_, Operation.HISTORY):
                history = provider_.history(true.id)
                _check_utc(history.as_of, f"as_of of the history of {true.id!r}")
                for movement in history:
                    _check_utc(movement.created_at, f"created_at of a movement of {true.id!r}")
        _check_utc(provider_.vendor_now(), "vendor_now()")

    @for_promise("T2")
    def test_the_end_of_validity_is_the_vendors(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        for true in ledger_vouchers(vendor):
            values = dict(readings(provider_, true))
            for by, value in values.items():
                require(
                    value.valid_until in (None, true.valid_until),
                    f"{by} says that {true.id!r} is valid until {value.valid_until}; the vendor says"
                    f" {true.valid_until}",
                )
            has_end = true.valid_until is None or any(value.valid_until is not None for value in values.values())
            require(has_end, f"{true.id!r} is valid until {true.valid_until}, and neither find nor get shows it")

    @for_promise("T3")
    def test_a_timestamp_without_an_offset_is_malformed(self, vendor: SimulatedVendor) -> None:
        _check_malformed(vendor, _without_offset, "without an offset")

    @for_promise("T5")
    def test_an_instant_is_the_same_in_every_offset(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        for true in [voucher for voucher in ledger_vouchers(vendor) if voucher.valid_until is not None][:4]:
            calls: dict[str, Callable[[], Any]] = dict(calls_of(provider, true))
            if can(provider, Operation.HISTORY):
                calls["history"] = partial(provider.history, true.id)
            if can(provider, Operation.VOUCHERS):
                calls["vouchers"] = lambda: sorted(provider.vouchers(), key=attrgetter("id"))
            vendor.tamper(None)
            right = {by: _instants_of(call()) for by, call in calls.items()}
            for offset in _OFFSETS:
                vendor.tamper(each_leaf(partial(_in_offset, offset=offset)))
                for by, call in calls.items():
                    try:
                        instants = _instants_of(call())
                    except MalformedResponse:
                        continue
                    require(
                        instants == right[by],
                        f"{by} gave another moment for a timestamp that was written with the offset {offset}",
                    )

    @for_promise("T4")
    def test_a_second_60_that_cannot_be_a_leap_second_is_malformed(self, vendor: SimulatedVendor) -> None:
        _check_malformed(vendor, _with_second_60, "with a second 60 that is not a leap second")


def _in_offset(value: Any, offset: timezone) -> Any:
    """Return a timestamp as the same moment in another offset, and any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse_instant(value).astimezone(offset).isoformat()
    except (ValueError, OverflowError):
        return value


def _instants_of(result: Any) -> list[datetime | None]:
    """Return the instants of a voucher, a balance, a listing or a history."""
    if isinstance(result, list | History):
        return [instant for item in result for instant in _instants_of(item)]
    return [getattr(result, name, None) for name in ("valid_until", "created_at", "updated_at")]


def _check_malformed(vendor: SimulatedVendor, change: Callable[[Any], Any], what: str) -> None:
    """Check that a changed timestamp never becomes an instant."""
    provider = vendor.provider()
    for true in [voucher for voucher in ledger_vouchers(vendor) if voucher.valid_until is not None][:6]:
        vendor.tamper(None)
        right_results = {by: call() for by, call in calls_of(provider, true).items()}
        vendor.tamper(each_leaf(change))
        for by, call in calls_of(provider, true).items():
            try:
                result = call()
            except MalformedResponse:
                continue
            for name in ("valid_until", "created_at", "updated_at"):
                instant, right = getattr(result, name, None), getattr(right_results[by], name, None)
                require(instant is None or right is None, f"{by} made {instant} of a {name} {what}")


def _check_utc(instant: datetime | None, what: str) -> None:
    if instant is None:
        return
    require(isinstance(instant, datetime), f"{what} is a {type(instant).__name__}, not a datetime")
    require(instant.utcoffset() is not None, f"{what} is naive: it has no time zone")
    require(instant.utcoffset() == timedelta(0), f"{what} is not in UTC")


def _without_offset(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        parse_instant(value)
    except ValueError:
        return value
    return value.removesuffix("Z") if value.endswith("Z") else value[:-6]


def _with_second_60(value: Any) -> Any:
    """Return a timestamp at half past eleven with the second 60, which no offset of whole hours makes a leap second."""
    if not isinstance(value, str):
        return value
    try:
        parse_instant(value)
    except ValueError:
        return value
    return f"{value[:11]}11:30:60{value[19:]}"
