"""The read level: instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from voucher_gateway.adapter import MalformedResponse, Operation, VoucherProvider, parse_instant
from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.keeping import keeps, must
from voucher_gateway.testing.money import calls_of
from voucher_gateway.testing.stage import SimulatorStage, Stage
from voucher_gateway.testing.tampering import each_leaf
from voucher_gateway.testing.truth import can, readings, truths


class TimesContract(Contract):
    """Instants are moments that everybody agrees on."""

    @keeps("T1")
    def test_every_instant_is_aware_and_in_utc(self, stage: Stage, provider_: VoucherProvider) -> None:
        for true in truths(stage):
            for by, said in readings(provider_, true):
                for name in ("valid_until", "created_at", "updated_at"):
                    _check_utc(getattr(said, name), f"{name} of {true.id!r} by {by}")
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

    @keeps("T2")
    def test_the_end_of_validity_is_the_vendors(self, stage: Stage, provider_: VoucherProvider) -> None:
        for true in truths(stage):
            said = dict(readings(provider_, true))
            for by, one in said.items():
                must(
                    one.valid_until in (None, true.valid_until),
                    f"{by} says that {true.id!r} is valid until {one.valid_until}; the vendor says {true.valid_until}",
                )
            told = true.valid_until is None or any(one.valid_until is not None for one in said.values())
            must(told, f"{true.id!r} is valid until {true.valid_until}, and neither find nor get tells so")

    @keeps("T3")
    def test_a_timestamp_without_an_offset_is_malformed(self, stage: SimulatorStage) -> None:
        _check_malformed(stage, _without_offset, "without an offset")

    @keeps("T4")
    def test_a_second_60_that_cannot_be_a_leap_second_is_malformed(self, stage: SimulatorStage) -> None:
        _check_malformed(stage, _with_second_60, "with a second 60 that is not a leap second")


def _check_malformed(stage: SimulatorStage, change: Callable[[Any], Any], what: str) -> None:
    """Make sure that no instant is made of changed timestamps."""
    provider = stage.provider()
    for true in [one for one in truths(stage) if one.valid_until is not None][:6]:
        stage.tamper(None)
        right_results = {by: call() for by, call in calls_of(provider, true).items()}
        stage.tamper(each_leaf(change))
        for by, call in calls_of(provider, true).items():
            try:
                result = call()
            except MalformedResponse:
                continue
            for name in ("valid_until", "created_at", "updated_at"):
                instant, right = getattr(result, name, None), getattr(right_results[by], name, None)
                must(instant is None or right is None, f"{by} made {instant} of a {name} {what}")


def _check_utc(instant: datetime | None, what: str) -> None:
    if instant is None:
        return
    must(isinstance(instant, datetime), f"{what} is a {type(instant).__name__}, not a datetime")
    must(instant.utcoffset() is not None, f"{what} is naive: it has no time zone")
    must(instant.utcoffset() == timedelta(0), f"{what} is not in UTC")


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
