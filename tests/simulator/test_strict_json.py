from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.simulator import InvalidJson, read_json, write_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_is_read_again_exactly(value: object) -> None:
    assert read_json(write_json(value)) == value


@given(JSON)
def test_other_readers_understand_what_is_written(value: object) -> None:
    json.loads(write_json(value))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("10.50", b"10.50"),
        ("1E+3", b"1000"),
        ("0.10", b"0.10"),
        ("-7", b"-7"),
        ("29.999999999999996", b"29.999999999999996"),
        ("1E-999999", b"1E-999999"),
        ("0E+999999", b"0E+999999"),
    ],
)
def test_decimals_appear_with_their_own_digits(number: str, text: bytes) -> None:
    assert write_json({"amount": Decimal(number)}) == b'{"amount":' + text + b"}"


def test_fractions_are_read_as_decimals_and_others_as_integers() -> None:
    assert read_json(b"[0.1, 1e2, 7]") == [Decimal("0.1"), Decimal("1e2"), 7]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1, "a": 1}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'"\xff"',
        b'\xef\xbb\xbf{"a": 1}',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b'[["x \\udc00"]]',
        b'{"a": "' + b"\x00" + b'"}',
        b"[" * 100_000,
        b"1" * 10_000,
        b"1e9999999999999999999999",
    ],
)
def test_anything_else_is_refused_without_quoting_it(body: bytes) -> None:
    with pytest.raises(InvalidJson) as refusal:
        read_json(body)
    assert len(str(refusal.value)) < 60


def test_a_proper_surrogate_pair_is_read() -> None:
    assert read_json(b'"\\ud83c\\udf81"') == "🎁"


@pytest.mark.parametrize("value", [Decimal("NaN"), float("nan"), {1, 2}, b"bytes"])
def test_what_json_cannot_say_is_a_mistake_of_the_writer(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_json(value)
