from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.masking import Code, Pin, Secret
from voucher_gateway.money import Money
from voucher_gateway.serialization import make_converter, to_json


class Color(enum.Enum):
    RED = "red"


@attrs.frozen
class Sample:
    money: Money
    at: datetime
    length: timedelta
    color: Color = Color.RED
    names: frozenset[str] = frozenset()
    source: Any = attrs.field(default=None, eq=False)


SAMPLE = Sample(
    Money("10.50", "EUR"), datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), timedelta(seconds=1.5), names=frozenset("ba")
)
OBJECT = {
    "money": {"amount": "10.50", "currency": "EUR"},
    "at": "2026-01-31T23:59:59Z",
    "length": "1.5",
    "color": "red",
    "names": ["a", "b"],
}


def test_an_object_has_one_spelling_whichever_way_it_is_written() -> None:
    assert to_json(SAMPLE) == OBJECT
    assert make_converter().unstructure(SAMPLE) == {name: OBJECT[name] for name in ("money", "at", "length", "names")}


def test_an_object_is_read_back() -> None:
    converter = make_converter()
    assert converter.structure(converter.unstructure(SAMPLE), Sample) == SAMPLE


@given(st.timedeltas(), st.datetimes(timezones=st.just(UTC), allow_imaginary=False))
def test_times_lose_no_digit(length: timedelta, at: datetime) -> None:
    converter = make_converter()
    sample = Sample(Money("0.01", "EUR"), at, length)
    assert converter.structure(converter.unstructure(sample), Sample) == sample


@pytest.mark.parametrize(("seconds", "text"), [(0, "0"), (100, "100"), (-0.5, "-0.5"), (86_400, "86400")])
def test_a_length_of_time_is_its_seconds_without_an_exponent(seconds: float, text: str) -> None:
    assert to_json(timedelta(seconds=seconds)) == text


def test_codes_and_pins_show_only_on_demand_and_secrets_never() -> None:
    values = {"code": Code("ABCDEFGH1234"), "pin": Pin("9876"), "secret": Secret("long-enough-to-see")}
    masked = to_json(values)
    assert masked == {name: str(value) for name, value in values.items()}
    assert make_converter().unstructure(values) == masked
    assert to_json(values, reveal=True) == masked | {"code": "ABCDEFGH1234", "pin": "9876"}


def test_numbers_are_exact_or_text() -> None:
    assert to_json([1, True, Decimal("0.10"), Decimal("1E+5000")]) == [1, True, Decimal("0.10"), "1E+5000"]
    with pytest.raises(TypeError, match="float has no form in JSON"):
        to_json(0.1)
