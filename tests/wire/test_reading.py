"""From decoded JSON to wire objects and the domain: one error names all that is wrong, and nothing of the values."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import MalformedResponse
from voucher_gateway.masking import Code
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money
from voucher_gateway.wire.amounts import DecimalText, JsonNumber
from voucher_gateway.wire.converter import configure, rename_to_camel, strict_converter
from voucher_gateway.wire.scalars import Currency
from voucher_gateway.wire.validation import _with_detailed_validation, map_page, money_from, structure

SECRET = "SECRET-4711"
AMOUNT = DecimalText()


@attrs.define(kw_only=True)
class Voucher:
    id: str
    amount: Annotated[Decimal, AMOUNT]
    currency: Currency
    code: Code | None = None
    valid_until: datetime | None = None
    status: Status | None = None
    lasts: int | None = None
    taxable: bool | None = None
    raw_data: Mapping[str, Any] | None = None


@attrs.define(kw_only=True)
class Meta:
    total: int
    last_page: int = 1


@attrs.define(kw_only=True)
class Page:
    data: list[Voucher]
    meta: Meta
    links: list[str] = attrs.Factory(list)


@attrs.frozen
class Frozen:
    id: str
    code: Code | None = None


@attrs.define
class Numbered:
    amount: Annotated[Decimal, JsonNumber()]


@attrs.define
class Positive:
    value: int = attrs.field()

    @value.validator
    def _check(self, _: object, value: int) -> None:
        if value < 1:
            raise ValueError(f"{value} is not above zero")


@pytest.fixture(scope="module")
def converter() -> cattrs.Converter:
    converter = strict_converter()
    for cls in (Voucher, Meta):
        configure(converter, cls, **rename_to_camel(cls))
    return converter


GOOD = {"id": "a", "amount": "10.53", "currency": "EUR"}


def problems(converter: cattrs.Converter, cls: Any, payload: object) -> set[str]:
    with pytest.raises(MalformedResponse) as caught:
        structure(converter, cls, payload, what="voucher list")
    assert SECRET not in str(caught.value) + repr(caught.value.problems)
    return set(caught.value.problems)


def test_a_page_becomes_wire_objects(converter: cattrs.Converter) -> None:
    page = structure(converter, Page, {"data": [GOOD], "meta": {"total": 1}}, what="voucher list")
    assert page == Page(data=[Voucher(id="a", amount=Decimal("10.53"), currency=Currency("EUR"))], meta=Meta(total=1))


def test_every_wrong_field_is_named_at_once_by_its_path_in_the_vendors_words(converter: cattrs.Converter) -> None:
    wrong = {
        "amount": SECRET,
        "currency": SECRET,
        "code": 4711,
        "validUntil": SECRET,
        "status": None,
        "lasts": SECRET,
        "taxable": SECRET,
        "rawData": [SECRET],
    }
    payload = {"data": [GOOD, wrong, SECRET, {**GOOD, "validUntil": 1}], "meta": {"lastPage": None}, "links": [None]}
    assert problems(converter, Page, payload) == {
        "data[1].id: is missing",
        "data[1].amount: expected a string of 1 to 6 ASCII digits, a point and exactly 2 decimals",
        "data[1].currency: expected an ISO 4217 currency",
        "data[1].code: expected a string",
        "data[1].validUntil: expected an RFC 3339 timestamp",
        "data[1].lasts: expected an integer",
        "data[1].taxable: expected a boolean",
        "data[1].rawData: expected an object",
        "data[2]: expected an object",
        "data[3] (id a).validUntil: expected an RFC 3339 timestamp",
        "meta.total: is missing",
        "meta.lastPage: expected an integer",
        "links[0]: expected a string",
    }


def test_the_message_names_the_first_few_and_counts_the_rest(converter: cattrs.Converter) -> None:
    with pytest.raises(MalformedResponse) as caught:
        structure(converter, list[Meta], [{"total": None}] * 1000, what="list")
    assert len(caught.value.problems) == 1000
    assert str(caught.value) == (
        "the list breaks the vendor's contract: "
        + "; ".join(f"[{index}].total: expected an integer" for index in range(5))
        + " and 995 more"
    )


@pytest.mark.parametrize("payload", [None, "{}", "data", [], [GOOD], 1, True])
def test_what_is_no_object_at_all_is_one_problem(converter: cattrs.Converter, payload: object) -> None:
    assert problems(converter, Page, payload) == {"the whole: expected an object"}


@pytest.mark.parametrize("payload", [None, "abc", {}, {"0": GOOD}, 1])
def test_what_is_no_array_is_one_problem(converter: cattrs.Converter, payload: object) -> None:
    assert problems(converter, list[Voucher], payload) == {"the whole: expected an array"}


@pytest.mark.parametrize("text", ["id", "idcodevalidUntil", ["id", "code"]])
def test_a_text_that_contains_the_names_is_no_object(converter: cattrs.Converter, text: object) -> None:
    assert problems(converter, Frozen, text) == {"the whole: expected an object"}


def test_a_validator_of_the_class_is_asked_and_not_quoted(converter: cattrs.Converter) -> None:
    assert structure(converter, Positive, {"value": 1}, what="thing").value == 1
    assert problems(converter, Positive, {"value": -4711}) == {"the whole: breaks a rule of the class"}


def test_a_mistake_of_ours_is_not_blamed_on_the_vendor() -> None:
    with pytest.raises(TypeError, match="a float is not an exact amount"):
        structure(strict_converter(), Numbered, {"amount": 1.5}, what="thing")


def test_nothing_of_the_payload_hangs_on_to_the_error(converter: cattrs.Converter) -> None:
    payload = {"data": [{**GOOD, "code": [SECRET], "validUntil": SECRET}], "meta": {"total": SECRET}}
    with pytest.raises(MalformedResponse) as caught:
        structure(converter, Page, payload, what="voucher list")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems


def outcome(hook: Any, cls: Any, payload: object) -> Any:
    try:
        return hook(payload, cls)
    except Exception:  # noqa: BLE001 - cattrs raises groups and single errors, here it only matters that it does
        return "refused"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 30) | st.decimals(-5, 5, places=1)
    | st.sampled_from(["", "a", "10.53", "EUR", "active", "frozen", "2030-01-23T23:00:00.123Z"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([*map(str, rename_to_camel(Voucher)), "validUntil", "rawData", "total", "lastPage", "value"]),
        inner,
        max_size=9,
    ),
    max_leaves=12,
)  # fmt: skip
MOSTLY_GOOD = st.builds(
    lambda good, changes: {**good, **changes}, st.just(GOOD), JSON.filter(lambda v: isinstance(v, dict))
)


@given(JSON | MOSTLY_GOOD, st.sampled_from([Voucher, Meta, Frozen, Positive, list[Voucher], list[Meta]]))
def test_the_quick_way_and_the_one_that_names_the_fields_agree(payload: Any, cls: Any) -> None:
    converter = strict_converter()
    for renamed in (Voucher, Meta):
        configure(converter, renamed, **rename_to_camel(renamed))
    quick = outcome(converter.get_structure_hook(cls), cls, payload)
    slow = outcome(_with_detailed_validation(converter).get_structure_hook(cls), cls, payload)
    assert quick == slow
    if quick == "refused":
        assert problems(converter, cls, payload)


def test_an_object_is_made_without_its_constructor_only_where_that_makes_no_difference() -> None:
    made = structure(strict_converter(), Frozen, {"id": "a"}, what="thing")
    assert made == Frozen("a")
    assert hash(made) == hash(Frozen("a"))
    assert json.dumps(attrs.asdict(made)) == '{"id": "a", "code": null}'


@attrs.define
class Counting:
    id: str
    length: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.length = len(self.id)


def test_what_a_class_does_after_its_constructor_is_done() -> None:
    assert structure(strict_converter(), Counting, {"id": "abc"}, what="thing").length == 3


def trim(text: str) -> str:
    return text.strip()


@attrs.define
class Trimmed:
    id: str = attrs.field(converter=trim, on_setattr=attrs.setters.NO_OP)


def test_a_converter_of_the_class_is_used() -> None:
    assert structure(strict_converter(), Trimmed, {"id": " a "}, what="thing") == Trimmed("a")


# --- on to the domain ---


def to_money(wire: Voucher, raw: Mapping[str, Any]) -> tuple[Money, Any]:
    return money_from(AMOUNT, wire.amount, wire.currency, "amount"), raw


def read_all(converter: cattrs.Converter, payload: list[Any]) -> list[tuple[Money, Any]]:
    wires = structure(converter, list[Voucher], payload, what="voucher list")
    return map_page(to_money, wires, payload, what="voucher list", at="data")


def test_each_wire_object_is_mapped_with_the_vendors_own(converter: cattrs.Converter) -> None:
    payload = [GOOD, {"id": "b", "amount": "500.00", "currency": "JPY"}]
    assert read_all(converter, payload) == [(Money("10.53", "EUR"), payload[0]), (Money("500", "JPY"), payload[1])]


def test_all_objects_that_cannot_be_mapped_are_named(converter: cattrs.Converter) -> None:
    yen = {"id": SECRET, "amount": "471.15", "currency": "JPY"}
    with pytest.raises(MalformedResponse) as caught:
        read_all(converter, [GOOD, yen, GOOD, yen])
    rule = "expected an amount with at most the 0 decimals of JPY"
    assert caught.value.problems == (f"data[1].amount: {rule}", f"data[3].amount: {rule}")
    assert "471" not in str(caught.value)
    assert caught.value.__context__ is None


def test_no_object_is_lost_where_the_lists_differ(converter: cattrs.Converter) -> None:
    wires = structure(converter, list[Voucher], [GOOD, GOOD], what="voucher list")
    with pytest.raises(ValueError, match="zip"):
        map_page(to_money, wires, [GOOD], what="voucher list", at="data")


def test_a_complaint_without_single_problems_is_kept(converter: cattrs.Converter) -> None:
    def refuse(wire: Voucher, raw: object) -> None:
        raise MalformedResponse("the voucher has no owner")

    wires = structure(converter, list[Voucher], [GOOD], what="voucher list")
    with pytest.raises(MalformedResponse) as caught:
        map_page(refuse, wires, [GOOD], what="voucher list", at="data")
    assert caught.value.problems == ("data[0]: the voucher has no owner",)
