"""What --json prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.cli.output import json_line
from voucher_gateway.provider_api import (
    Code,
    Interval,
    Medium,
    Money,
    Pin,
    Secret,
    Status,
    Validity,
    Voucher,
    decode,
    parse_instant,
)
from voucher_gateway.serialization import to_json

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
instants = st.datetimes(timezones=st.just(UTC))
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
money = st.builds(
    Money.from_minor, st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "BHD", "CHF", "UYW"])
)
metadata = st.recursive(
    st.none() | st.booleans() | st.integers() | decimals | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=5,
)
vouchers = st.builds(
    Voucher,
    account=texts,
    id=texts,
    code=st.none() | texts.map(Code),
    pin=st.none() | texts.map(Pin),
    initial=st.none() | money,
    remaining=st.none() | money,
    status=st.none() | st.sampled_from(Status),
    medium=st.none() | st.sampled_from(Medium),
    valid_until=st.none() | instants,
    validity=st.none() | st.builds(Validity, st.integers(), st.sampled_from(Interval)),
    taxable=st.none() | st.booleans(),
    tax_rate=st.none() | texts,
    sku=st.none() | texts,
    batch=st.none() | texts,
    order=st.none() | texts,
    metadata=st.none() | st.dictionaries(texts, metadata),
    login=st.none() | texts,
    origin=st.none() | texts,
    links=st.dictionaries(texts, texts),
    created_at=st.none() | instants,
    updated_at=st.none() | instants,
    deletable=st.none() | st.booleans(),
    raw=st.just({"code": "never shown"}),
)


def read_back(printed: dict[str, Any]) -> Voucher:
    """Make the voucher again that a line of JSON tells of."""
    kinds: dict[str, Any] = {
        "code": Code,
        "pin": Pin,
        "initial": lambda one: Money(one["amount"], one["currency"]),
        "remaining": lambda one: Money(one["amount"], one["currency"]),
        "status": Status,
        "medium": Medium,
        "valid_until": parse_instant,
        "created_at": parse_instant,
        "updated_at": parse_instant,
        "validity": lambda one: Validity(one["value"], Interval(one["interval"])),
    }
    fields = {k: v if v is None or k not in kinds else kinds[k](v) for k, v in printed.items()}
    return Voucher(**fields)


@given(vouchers)
def test_any_voucher_is_one_line_of_json_that_reads_back_as_the_same_voucher(voucher: Voucher) -> None:
    line = json_line(voucher, reveal=True)
    printed = decode(line.encode())
    assert isinstance(printed, dict)
    assert "\n" not in line
    assert printed.keys() == {one.name for one in attrs.fields(Voucher)} - {"raw", "replayed", "unread"}
    assert read_back(printed) == voucher


@given(vouchers)
def test_codes_and_pins_are_masks_unless_they_are_to_be_revealed(voucher: Voucher) -> None:
    printed = json.loads(json_line(voucher))
    assert printed["code"] == (None if voucher.code is None else str(voucher.code))
    assert printed["pin"] == (None if voucher.pin is None else "••••")


def test_a_secret_is_never_revealed() -> None:
    assert to_json({"key": Secret("long-enough-to-see")}, reveal=True) == {"key": "••••"}


def test_amounts_keep_their_digits_and_never_take_an_exponent() -> None:
    assert json_line(Money("0.10", "EUR")) == '{"amount":"0.10","currency":"EUR"}'
    assert json_line(Money(10**17, "JPY")) == '{"amount":"100000000000000000","currency":"JPY"}'
    assert json_line({"x": Decimal("1E+2"), "y": Decimal("1E+5000")}) == '{"x":100,"y":"1E+5000"}'


def test_a_float_is_not_printed() -> None:
    with pytest.raises(TypeError):
        json_line({"amount": 0.1})


def test_instants_are_rfc_3339_in_utc() -> None:
    assert json_line(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)) == '"2026-01-31T23:59:59Z"'


def test_json_may_come_after_the_command_but_not_after_a_double_dash(run: Any, gift: str) -> None:
    assert run("balance", "shop", "JTL-7K2M-9QXD-4HTP", "--json").done().object["voucher_id"] == gift
    ran = run("balance", "shop", "--", "--json")
    assert ran.code == 1
    assert ran.err.startswith("shop balance (step find): ")


def test_wrong_usage_is_json_too(run: Any, shop: object) -> None:
    ran = run("balance", "shop", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.error.keys() == {"error", "message", "outcome", "retry_safe", "ticket"}
    assert (ran.error["error"], ran.error["retry_safe"]) == ("WrongUsage", True)


def test_an_error_has_its_five_names_and_what_is_known_besides(run: Any, gift: str) -> None:
    error = run("--json", "redeem", "shop", "JTL-7K2M-9QXD-4HTP", "60", "EUR", "--reference", "r").error
    assert error["error"] == "InsufficientValue"
    assert error["message"] == "the voucher has 50.00 EUR left, less than 60.00 EUR"
    assert (error["outcome"], error["retry_safe"], error["ticket"]) == ("declined", True, None)
    assert (error["account"], error["http_status"]) == ("shop", 422)
    assert error["vendor_code"]
