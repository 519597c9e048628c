"""Instants: RFC 3339 in and out, always UTC, never naive."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.instants import (
    format_instant,
    format_micros,
    format_milliseconds,
    format_seconds,
    now,
    parse_instant,
    require_aware,
)

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=offsets)  # noqa: DTZ001 - bounds are naive


@given(instants)
def test_an_instant_comes_back_from_its_text_as_it_was(instant: datetime) -> None:
    for write in (format_instant, format_micros):
        again = parse_instant(write(instant))
        assert again == instant
        assert again.tzinfo is UTC


@given(instants)
def test_every_form_has_the_shape_that_vendors_want(instant: datetime) -> None:
    date = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    assert re.fullmatch(date + r"(\.\d{6})?Z", format_instant(instant))
    assert re.fullmatch(date + r"\+00:00", format_seconds(instant))
    assert re.fullmatch(date + r"\.\d{3}Z", format_milliseconds(instant))
    assert re.fullmatch(date + r"\.\d{6}Z", format_micros(instant))


@given(instants)
def test_shorter_forms_cut_the_fraction_and_never_round_up(instant: datetime) -> None:
    whole = parse_instant(format_seconds(instant))
    assert timedelta(0) <= instant - whole < timedelta(seconds=1)
    thousandth = parse_instant(format_milliseconds(instant))
    assert timedelta(0) <= instant - thousandth < timedelta(milliseconds=1)


@given(one=instants, other=instants)
def test_texts_with_microseconds_sort_as_the_moments_do(one: datetime, other: datetime) -> None:
    assert (format_micros(one) < format_micros(other)) is (one < other)


@given(instants)
def test_any_offset_is_read_as_the_same_moment_in_utc(instant: datetime) -> None:
    again = parse_instant(instant.isoformat())
    assert again == instant
    assert again.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-01-31T23:59:59Z", "2026-01-31T23:59:59Z"),
        ("2026-01-31t23:59:59z", "2026-01-31T23:59:59Z"),
        ("2026-01-31 23:59:59Z", "2026-01-31T23:59:59Z"),
        ("2026-01-31T23:59:59+00:00", "2026-01-31T23:59:59Z"),
        ("2026-01-31T23:59:59-00:00", "2026-01-31T23:59:59Z"),
        ("2026-02-01T00:59:59+01:00", "2026-01-31T23:59:59Z"),
        ("2026-01-31T00:00:00-23:59", "2026-01-31T23:59:00Z"),
        ("2030-01-23T23:00:00.123Z", "2030-01-23T23:00:00.123000Z"),
        ("2030-01-23T23:00:00.1Z", "2030-01-23T23:00:00.100000Z"),
        ("2030-01-23T23:00:00.123456789123456789Z", "2030-01-23T23:00:00.123456Z"),
        ("2030-01-23T23:00:00.9999999Z", "2030-01-23T23:00:00.999999Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.999Z", "2017-01-01T00:00:00Z"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z"),
        ("2015-06-30T23:59:60Z", "2015-07-01T00:00:00Z"),
        ("2015-06-30T16:29:60.5-07:30", "2015-07-01T00:00:00Z"),
        ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_rfc_3339_is_read(text: str, written: str) -> None:
    assert format_instant(parse_instant(text)) == written


NO_INSTANT = [
    "", "now", "0", "1767225599", "2026-01-31", "23:59:59Z", "2026-01-31T23:59:59", "2026-01-31T23:59Z",
    "20260131T235959Z",
    "2026-W05-6T23:59:59Z", "2026-031T23:59:59Z", "2026-1-31T23:59:59Z", "26-01-31T23:59:59Z", "12026-01-31T23:59:59Z",
    "-2026-01-31T23:59:59Z", "2026-01-31T23:59:59,5Z", "2026-01-31T23:59:59.Z", "2026-01-31T23:59:59+0100",
    "2026-01-31T23:59:59+01", "2026-01-31T23:59:59+01:00:00", "2026-01-31T23:59:59 Z", "2026-01-31T23:59:59UTC",
    "2026-01-31T23:59:59Z\n", " 2026-01-31T23:59:59Z", "2026-01-31T23:59:59Z[Europe/Berlin]", "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T23:60:00Z", "2026-01-31T23:59:61Z", "2026-01-31T23:59:59+24:00", "2026-01-31T23:59:59+01:60",
    "2026-01-31T23:59:59+01:75", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    "2017-07-21T17:32:60Z", "2017-07-21T23:59:60Z", "2015-06-30T22:59:60Z", "2015-06-30T23:58:60Z",
    "2015-03-31T23:59:60Z", "2015-12-30T23:59:60Z", "2016-12-31T23:59:60+01:00", "2017-01-01T00:59:60+02:00",
    "9999-12-31T23:59:60Z", "٢٠٢٦-01-31T23:59:59Z", "2026-01-31T23:59:5９Z", "2026-01-31Ｔ23:59:59Z",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_INSTANT, ids=ascii)
def test_what_is_no_rfc_3339_instant_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


@given(st.text() | st.text("0123456789-:.TZtz+ ", min_size=15, max_size=35))
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    try:
        instant = parse_instant(text)
    except ValueError:
        return
    assert instant.tzinfo is UTC


class Nowhere(tzinfo):
    """A time zone that does not know its offset: such a datetime is naive too."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None

    def dst(self, when: datetime | None) -> timedelta | None:
        return None

    def tzname(self, when: datetime | None) -> str:
        return "nowhere"


WRITERS = [format_instant, format_seconds, format_milliseconds, format_micros, lambda it: require_aware(it, "instant")]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("naive", [datetime(2026, 1, 31), datetime(2026, 1, 31, tzinfo=Nowhere())])  # noqa: DTZ001 - the case
def test_a_naive_datetime_is_refused(write: Callable[[datetime], object], naive: datetime) -> None:
    with pytest.raises(InvalidRequest) as refused:
        write(naive)
    assert (refused.value.field, refused.value.rule) == ("instant", "an aware datetime")


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    "edge",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_an_instant_beyond_the_years_in_utc_is_refused(write: Callable[[datetime], object], edge: datetime) -> None:
    with pytest.raises(InvalidRequest) as refused:
        write(edge)
    assert refused.value.field == "instant"


@pytest.mark.parametrize("wrong", ["2026-01-31T23:59:59Z", 0, None, datetime(2026, 1, 31, tzinfo=UTC).date()], ids=repr)
def test_only_a_datetime_is_an_instant(wrong: Any) -> None:
    with pytest.raises(TypeError, match="valid_until is a datetime"):
        require_aware(wrong, "valid_until")


@given(instants)
def test_an_aware_datetime_comes_back_in_utc(instant: datetime) -> None:
    assert require_aware(instant, "valid_until") == instant
    assert require_aware(instant, "valid_until").tzinfo is UTC


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= now() <= datetime.now(UTC)
    assert now().tzinfo is UTC
