"""Amounts and instants as the JTL simulator reads and writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway_jtl.simulator import scalars


@given(st.integers(0, scalars.LARGEST_CENTS))
def test_every_amount_survives_writing_and_reading(cents: int) -> None:
    assert scalars.to_cents(scalars.from_cents(cents)) == cents


@given(st.text("0123456789.-+eE_ \n٣", max_size=12))
def test_a_text_is_an_amount_only_if_it_reads_back_as_the_same_value(text: str) -> None:
    cents = scalars.to_cents(text)
    if cents is not None:
        expected = text.lstrip("0")
        assert scalars.from_cents(cents) == (f"0{expected}" if expected.startswith(".") else expected)


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_survives_writing_and_reading_with_whole_seconds(instant: datetime) -> None:
    assert scalars.instant_from_text(scalars.instant_to_text(instant)) == instant.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2017-07-21T17:32:28+00:00", 28),
        ("2017-07-21t17:32:28z", 28),
        ("2017-07-21T19:32:28.5+02:00", 28.5),
        ("2017-07-21T17:32:28.123456789Z", 28.123456),
    ],
)
def test_rfc_3339_is_understood_with_offsets_and_fractions(text: str, seconds: float) -> None:
    instant = scalars.instant_from_text(text)
    assert instant is not None
    assert instant.timestamp() == datetime(2017, 7, 21, 17, 32, tzinfo=UTC).timestamp() + seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2017-07-21",
        "2017-07-21T17:32:28",
        "2017-07-21T17:32:61Z",
        "2017-07-21T17:32:28+0000",
        "9999-12-31T23:59:59-01:00",
        "２017-07-21T17:32:28Z",
    ],
)
def test_anything_else_is_no_instant(text: str) -> None:
    assert scalars.instant_from_text(text) is None
