"""Strict JSON: what is read, what is refused, and that digits survive."""

from __future__ import annotations

import enum
import json
import re
from decimal import Decimal, FloatOperation, InvalidOperation, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import InvalidRequest, MalformedResponse
from voucher_gateway.masking import Code
from voucher_gateway.wire.json import decode, encode

SECRET = "SECRET-4711"

NUMBERS = st.from_regex(
    re.compile(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII), fullmatch=True
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


def kinds_in(value: object) -> set[type]:
    match value:
        case dict():
            return {dict}.union(*map(kinds_in, value), *map(kinds_in, value.values()))
        case list():
            return {list}.union(*map(kinds_in, value))
        case _:
            return {type(value)}


@given(NUMBERS)
def test_a_number_keeps_every_digit_it_was_written_with(text: str) -> None:
    number = decode(text.encode())
    assert type(number) is (Decimal if set(text) & set(".eE") else int)
    assert Decimal(str(number)).as_tuple() == Decimal(text if text != "-0" else "0").as_tuple()


@given(VALUES)
def test_what_is_written_is_read_back_equal(value: Any) -> None:
    assert decode(encode(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_a_decimal_is_written_as_a_plain_number_of_its_own_digits(number: Decimal) -> None:
    written = encode(number).decode()
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", written)
    assert Decimal(written) == number
    assert Decimal(written).as_tuple().exponent == min(number.as_tuple().exponent, 0)


@pytest.mark.parametrize(
    ("number", "written"),
    [("10.50", "10.50"), ("10.5", "10.5"), ("1E+1", "10"), ("0E+5", "0"), ("1E-7", "0.0000001"), ("-0.00", "-0.00")],
)
def test_decimals_are_never_written_with_an_exponent(number: str, written: str) -> None:
    assert encode({"amount": Decimal(number)}) == f'{{"amount":{written}}}'.encode()


@given(VALUES)
def test_no_float_comes_out_of_a_reply(value: Any) -> None:
    with localcontext() as context:
        context.traps[FloatOperation] = True
        assert float not in kinds_in(decode(encode(value)))


def test_a_number_that_binary_floats_cannot_hold_comes_through() -> None:
    body = b"[0.1,29.999999999999996,9007199254740993.01,1e400,5e-324]"
    assert decode(body) == [
        Decimal("0.1"),
        Decimal("29.999999999999996"),
        Decimal("9007199254740993.01"),
        Decimal("1E+400"),
        Decimal("5E-324"),
    ]


@pytest.mark.parametrize("number", ["1e1000", "1e-1000", "0e1000", "0e-1999", "9." + "9" * 999 + "e-1000"])
def test_every_number_that_is_read_can_be_written(number: str) -> None:
    value = decode(number.encode())
    assert decode(encode(value)) == value


def test_the_callers_decimal_context_changes_nothing() -> None:
    with localcontext() as context:
        context.prec = 2
        context.traps[InvalidOperation] = False
        assert decode(b"123.456789") == Decimal("123.456789")
        assert encode(Decimal("123.456789")) == b"123.456789"
        with pytest.raises(MalformedResponse):
            decode(b"1e9999999999999999999")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"code": "SECRET-4711"', id="cut off"),
        pytest.param(b'{"code": "SECRET-47', id="cut off within a text"),
        pytest.param(b'{"code": "SECRET-4711"} {}', id="something follows"),
        pytest.param(b'{"code": "SECRET-4711",}', id="a comma too many"),
        pytest.param(b"{'code': 'SECRET-4711'}", id="single quotes"),
        pytest.param(b"SECRET-4711", id="no JSON at all"),
        pytest.param(b'{"code": "SECRET-4711", "amount": NaN}', id="NaN"),
        pytest.param(b'{"code": "SECRET-4711", "amount": Infinity}', id="infinity"),
        pytest.param(b'{"code": "SECRET-4711", "amount": -Infinity}', id="negative infinity"),
        pytest.param(b'{"code": "SECRET-4711", "amount": ' + b"7" * 5000 + b"}", id="5000 digits"),
        pytest.param(b'{"code": "SECRET-4711", "amount": 1e9999999999999999999}', id="exponent out of bounds"),
        pytest.param(b'{"code": "SECRET-4711", "amount": 1e-9999999999999999999}', id="exponent below bounds"),
        *(
            pytest.param(b'{"code": "SECRET-4711", "amount": %s}' % number, id=number.decode())
            for number in (b"1e-999999", b"0e999999", b"0e-999999", b"-0.0e-2000", b"1e-999999999999999999", b"1e1001")
        ),
        pytest.param(b'{"code": "SECRET-4711", "amount": 0.' + b"0" * 1200 + b"1}", id="1200 decimals"),
        pytest.param(b'{"code": "SECRET-4711", "amount": 01}', id="leading zero"),
        pytest.param(b'{"code": "SECRET-4711", "amount": .5}', id="no digit before the point"),
        pytest.param(b'{"code": "SECRET-4711", "amount": 1, "amount": 2}', id="a name twice"),
        pytest.param(b'{"code": "SECRET-4711", "x": ' + b"[" * 100_000, id="nested deeply and cut off"),
        pytest.param(b'{"code": "SECRET-4711", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nested deeply"),
        pytest.param(b'{"code": "SECRET-4711\xff"}', id="no UTF-8"),
        pytest.param('{"code": "SECRET-4711"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"code": "SECRET-4711", "x": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"code": "SECRET-4711", "\\uDC00": 1}', id="half a surrogate pair as a name"),
    ],
)
def test_what_is_no_strict_json_is_malformed_and_not_quoted(body: bytes) -> None:
    with pytest.raises(MalformedResponse) as caught:
        decode(body, what="voucher list")
    assert str(caught.value).startswith("the voucher list is not strict JSON: ")
    assert "SECRET" not in str(caught.value)
    assert len(str(caught.value)) < 120
    assert caught.value.__context__ is None, "the context would carry the payload into tracebacks"


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode(b'\xef\xbb\xbf{"id":"a"}') == {"id": "a"}


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert decode(b'"\\ud83c\\udf81"') == "\N{WRAPPED PRESENT}"


def test_text_is_written_compactly_and_as_utf_8() -> None:
    assert encode({"a": [1, "ä", None, True], "b": ("x",)}) == '{"a":[1,"ä",null,true],"b":["x"]}'.encode()


class Colour(enum.StrEnum):
    RED = "red"


class Rank(enum.IntEnum):
    FIRST = 1


def test_members_of_enums_are_written_as_their_values() -> None:
    assert encode([Colour.RED, Rank.FIRST]) == b'["red",1]'


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), {1: "a"}, {"a"}, b"a", Code("SECRET-4711"), pytest.param(object(), id="object")],
    ids=repr,
)
def test_what_has_no_exact_form_in_json_is_never_written(value: object) -> None:
    with pytest.raises(TypeError) as caught:
        encode({"fields": [value]})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "0E+1000000", "1E-999999"])
def test_a_number_without_a_reasonable_plain_form_is_never_written(number: str) -> None:
    with pytest.raises(ValueError, match=r"finite number|exponent"):
        encode(Decimal(number))


def test_half_a_surrogate_pair_is_never_sent() -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode({"order_number": f"{SECRET}\ud800"})
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_standard_reader_agrees_on_what_is_written() -> None:
    value = {"text": 'quote " backslash \\ line \n', "list": [1, -2, {"deep": []}]}
    assert json.loads(encode(value)) == value


def test_a_text_with_more_values_than_allowed_is_refused_before_it_is_read() -> None:
    assert decode(b'["a,b", {"c": [1]}]', max_values=5) == ["a,b", {"c": [1]}]
    with pytest.raises(MalformedResponse, match="the page has more than 4 values"):
        decode(b'["a,b", {"c": [1]}]', what="page", max_values=4)
    with pytest.raises(MalformedResponse, match="more than 4 values"):
        decode(b"[,,,,,,,", max_values=4)
