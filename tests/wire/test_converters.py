"""Strict converters: what each type takes, what it refuses, and how bodies are written."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

import attrs
import cattrs
import pytest
from cattrs import override
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import AmountPrecisionError, ConfigurationError, InvalidRequest
from voucher_gateway.instants import format_milliseconds, parse_instant
from voucher_gateway.masking import Code, Pin, Secret
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money
from voucher_gateway.wire.amounts import DecimalText, JsonNumber, WireError
from voucher_gateway.wire.converter import configure, rename_to_camel, strict_converter, unstructure
from voucher_gateway.wire.json import encode
from voucher_gateway.wire.scalars import Currency, read_instant
from voucher_gateway.wire.validation import structure

Amount = Annotated[Decimal, DecimalText()]


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(str, enum.Enum):  # noqa: UP042 - the older spelling has to work, too
    RED = "red"


@attrs.define
class Inner:
    id: str


NOON = datetime(2030, 1, 23, 12, tzinfo=UTC)

TAKEN: list[tuple[Any, Any, Any]] = [
    (str, "", ""),
    (str, "Order 66", "Order 66"),
    (int, 0, 0),
    (int, -7, -7),
    (bool, True, True),
    (bool, False, False),
    (Decimal, Decimal("7.90"), Decimal("7.90")),
    (Decimal, 7, Decimal(7)),
    (Amount, "10.53", Decimal("10.53")),
    (Annotated[Decimal, JsonNumber()], Decimal("10.5"), Decimal("10.5")),
    (datetime, "2030-01-23T12:00:00Z", NOON),
    (datetime, "2030-01-23T13:00:00.000+01:00", NOON),
    (Currency, "EUR", "EUR"),
    (Code, "GIFT-4711-ABCD", Code("GIFT-4711-ABCD")),
    (Pin, "4711", Pin("4711")),
    (Secret, "hush", Secret("hush")),
    (Status, "active", Status.ACTIVE),
    (Status, "frozen", Status.UNKNOWN),
    (Level, 2, Level.HIGH),
    (Mixed, "red", Mixed.RED),
    (str | None, None, None),
    (str | None, "a", "a"),
    (Status | None, None, None),
    (Status | None, "frozen", Status.UNKNOWN),
    (Amount | None, None, None),
    (Amount | None, "0.00", Decimal("0.00")),
    (list[str], [], []),
    (list[Status], ["inactive", "frozen"], [Status.INACTIVE, Status.UNKNOWN]),
    (list[int] | None, None, None),
    (list[Inner], [{"id": "a"}, {"id": "b", "new": 1}], [Inner("a"), Inner("b")]),
    (Inner, {"id": "a"}, Inner("a")),
    (Inner | None, None, None),
    (Mapping[str, Any], {"a": [1, {}]}, {"a": [1, {}]}),
    (dict[str, Any] | None, {"a": None}, {"a": None}),
    (Any, {"a": [None]}, {"a": [None]}),
]

EVERYTHING: list[Any] = [
    None, True, False, 0, 1, 3, 7.9, Decimal("7.9"), Decimal(1), "", "true", "false", "1", "7.9", "red", "10.53", "EUR",
    "10.5", "None", "2030-01-23", "2030-01-23T12:00:00", [], ["a"], [None], {}, {"id": None}, {"id": 1}, b"a", 1.0,
]  # fmt: skip

ACCEPTED: dict[Any, Any] = {
    str: lambda v: type(v) is str,
    int: lambda v: type(v) is int,
    bool: lambda v: type(v) is bool,
    Decimal: lambda v: type(v) in (int, Decimal),
    Amount: lambda v: v == "10.53",
    Annotated[Decimal, JsonNumber()]: lambda v: type(v) in (int, Decimal),
    datetime: lambda v: False,
    Currency: lambda v: v == "EUR",
    Code: lambda v: type(v) is str,
    Pin: lambda v: type(v) is str,
    Secret: lambda v: type(v) is str,
    Status: lambda v: type(v) is str,
    Mixed: lambda v: v == "red",
    Level: lambda v: type(v) is int and v == 1,
    str | None: lambda v: v is None or type(v) is str,
    list[str]: lambda v: v in ([], ["a"]),
    Inner: lambda v: False,
    Mapping[str, Any]: lambda v: type(v) is dict,
    Any: lambda v: True,
}


def read(kind: Any, value: Any) -> Any:
    return strict_converter().get_structure_hook(kind)(value, kind)


@pytest.mark.parametrize(("kind", "value", "taken"), TAKEN)
def test_a_type_takes_its_own_json_form(kind: Any, value: Any, taken: Any) -> None:
    result = read(kind, value)
    assert result == taken
    assert type(result) is type(taken)


@pytest.mark.parametrize("kind", ACCEPTED, ids=str)
def test_nothing_else_is_coerced_into_it(kind: Any) -> None:
    hook = strict_converter().get_structure_hook(kind)
    for value in EVERYTHING:
        try:
            hook(value, kind)
            accepted = True
        except (WireError, KeyError, TypeError):
            accepted = False
        assert accepted == ACCEPTED[kind](value), f"{value!r} for {kind}"


def test_instants_become_utc() -> None:
    assert read(datetime, "2030-01-23T13:00:00+01:00").tzinfo is UTC


def test_a_voucher_code_is_masked_from_here_on() -> None:
    assert "GIFT" not in repr(read(Code, "GIFT-4711-ABCD"))


@pytest.mark.parametrize(
    "kind",
    [
        float,
        bytes,
        complex,
        set[str],
        tuple[str, ...],
        list,
        dict,
        dict[str, int],
        str | int,
        Money,
        Annotated[Money, JsonNumber()],
        object,
    ],
    ids=str,
)
def test_a_type_without_a_strict_rule_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="use a type that is listed"):
        read(kind, "1")


SHAPES = [
    "2017-07-21T17:32:28+00:00", "2017-07-21T17:32:28+02:00", "2030-01-23T23:00:00.123Z", "2030-01-23T23:00:00Z",
    "2016-12-31T23:59:60+00:00", "2016-12-31T23:59:60.123Z", "2017-07-21T17:32:60+00:00",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59+00:00",
    "2017-02-29T17:32:28+00:00", "2017-07-21T24:00:00+00:00", "2017-07-21t17:32:28z", "2025-W30-1T17:32:28+00:00",
]  # fmt: skip


ALMOST = [
    "2017-07-21T17:32:28+0000", "2017-07-21T17:32:28+00", "2017-07-21T17:32:28+000000", "2017-07-21T17:32:28+0000.",
    "2017-07-21T17:32:28+00:00:00", "2017-07-21T17:32:28.12Z", "2017-07-21T17:32:28.1234567Z", "2017-07-21T17:32Z",
    "2017-07-21T17:32:28,123Z", "2017-07-21T17:32:28+00.00", "2017-07-21T17:32:28+00:90", "2017-07-21T17:32:28",
    "2017-07-21 17:32:28+00:00", "20170721T173228Z", "2017-07-21", "",
]  # fmt: skip


def agree(text: str) -> None:
    try:
        expected = parse_instant(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - that it is one is all that matters
            read_instant(text)
    else:
        assert read_instant(text) == expected
        assert read_instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", SHAPES + ALMOST)
def test_the_short_way_to_read_instants_agrees_with_the_long_one(text: str) -> None:
    agree(text)


@given(
    st.sampled_from(SHAPES),
    st.lists(st.tuples(st.integers(0, 25), st.sampled_from("0123456789-+:.TZW, _\u0663\n") | st.just("")), max_size=3),
)
def test_they_agree_on_damaged_ones_too(text: str, changes: list[tuple[int, str]]) -> None:
    for place, character in changes:
        text = text[:place] + character + text[place + 1 :]
    agree(text)


# --- classes ---


@attrs.define(kw_only=True)
class Thing:
    id: str
    valid_until: datetime | None
    amount: Amount | None = None
    tags: list[str] = attrs.Factory(list)
    status: Status = Status.ACTIVE
    raw_data: Mapping[str, Any] | None = None


@pytest.fixture
def converter() -> cattrs.Converter:
    converter = strict_converter()
    configure(converter, Thing, **rename_to_camel(Thing, id="_id"))
    return converter


def test_renamed_fields_are_found_and_unknown_ones_ignored(converter: cattrs.Converter) -> None:
    payload: dict[str, Any] = {
        "_id": "a",
        "validUntil": None,
        "rawData": {"x": 1},
        "id": 5,
        "valid_until": 5,
        "more": [],
    }
    assert structure(converter, Thing, payload, what="thing") == Thing(id="a", valid_until=None, raw_data={"x": 1})


def test_a_missing_field_takes_its_default(converter: cattrs.Converter) -> None:
    first, second = (structure(converter, Thing, {"_id": "a", "validUntil": None}, what="thing") for _ in range(2))
    assert (first.amount, first.tags, first.status) == (None, [], Status.ACTIVE)
    assert first.tags is not second.tags


def test_an_override_of_a_field_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="Thing has no field valid_til"):
        configure(strict_converter(), Thing, valid_til=override(rename="validTil"))
    with pytest.raises(ConfigurationError, match="Thing has no field idd"):
        rename_to_camel(Thing, idd="_id")


def test_converters_do_not_share_declarations(converter: cattrs.Converter) -> None:
    other = strict_converter()
    assert structure(other, Inner, {"id": "a"}, what="thing") == Inner("a")
    assert structure(other, Thing, {"id": "a", "valid_until": None}, what="thing").id == "a"


def test_a_hook_of_ones_own_for_one_field_is_used() -> None:
    converter = strict_converter()
    configure(converter, Inner, id=override(struct_hook=lambda value, _: value.upper()))
    assert structure(converter, Inner, {"id": "a"}, what="thing") == Inner("A")


# --- bodies ---


@attrs.define(kw_only=True)
class Update:
    amount: Annotated[Money, JsonNumber()]
    valid_until: datetime | None
    code: Code | None = None
    note: str | None = None
    deposit: Annotated[Money, DecimalText()] | None = None
    status: Status | None = None
    parts: list[Inner] = attrs.Factory(list)


@pytest.fixture
def writer() -> cattrs.Converter:
    converter = strict_converter(instants=format_milliseconds)
    configure(converter, Update, **rename_to_camel(Update))
    return converter


def test_a_field_without_a_default_is_written_even_when_it_is_null(writer: cattrs.Converter) -> None:
    body = unstructure(writer, Update(amount=Money("10.50", "EUR"), valid_until=None))
    assert encode(body) == b'{"amount":10.5,"validUntil":null}'


def test_amounts_and_instants_go_out_the_vendors_way(writer: cattrs.Converter) -> None:
    body = unstructure(
        writer,
        Update(
            amount=Money("10", "EUR"),
            valid_until=datetime(2030, 1, 24, 1, tzinfo=timezone(timedelta(hours=2))),
            code=Code("GIFT-4711-ABCD"),
            deposit=Money("500", "JPY"),
            status=Status.INACTIVE,
            parts=[Inner("a")],
        ),
    )
    assert encode(body) == (
        b'{"amount":10,"validUntil":"2030-01-23T23:00:00.000Z","code":"GIFT-4711-ABCD","deposit":"500.00",'
        b'"status":"inactive","parts":[{"id":"a"}]}'
    )


@attrs.define
class Reason:
    comment: str
    detail: str | None = None


def test_a_class_that_is_not_declared_leaves_out_its_defaults_too(writer: cattrs.Converter) -> None:
    assert unstructure(writer, Reason("lost")) == {"comment": "lost"}


def test_an_amount_that_the_dialect_lacks_stops_the_body(writer: cattrs.Converter) -> None:
    with pytest.raises(AmountPrecisionError):
        unstructure(writer, Update(amount=Money("1", "EUR"), valid_until=None, deposit=Money("1.234", "BHD")))


def test_a_naive_datetime_stops_the_body(writer: cattrs.Converter) -> None:
    with pytest.raises(InvalidRequest):
        unstructure(writer, Update(amount=Money("1", "EUR"), valid_until=datetime(2030, 1, 1)))  # noqa: DTZ001 - meant


@attrs.define
class Careless:
    amount: Money


def test_money_without_a_dialect_is_never_written() -> None:
    with pytest.raises(ConfigurationError, match="without a format"):
        unstructure(strict_converter(), Careless(Money("1", "EUR")))
