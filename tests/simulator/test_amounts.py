"""Amounts become minor units and text again, exactly, for currencies of 0, 2 and 3 decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.simulator import NotAnAmount, amount_text, decimals_of, minor_units


@pytest.mark.parametrize(
    ("currency", "units", "text"),
    [
        ("JPY", 500, "500"),
        ("JPY", 0, "0"),
        ("EUR", 1053, "10.53"),
        ("EUR", 5, "0.05"),
        ("EUR", -1053, "-10.53"),
        ("EUR", -5, "-0.05"),
        ("KWD", 1234, "1.234"),
        ("KWD", 7, "0.007"),
    ],
)
def test_units_become_text_and_units_again(currency: str, units: int, text: str) -> None:
    assert amount_text(units, currency) == text
    assert minor_units(text, currency) == minor_units(Decimal(text), currency) == units


@given(st.integers(-(10**18), 10**18), st.sampled_from(["JPY", "EUR", "KWD"]))
def test_every_amount_comes_back(units: int, currency: str) -> None:
    text = amount_text(units, currency)
    assert minor_units(text, currency) == minor_units(Decimal(text), currency) == units
    assert Decimal(text) == Decimal(units).scaleb(-decimals_of(currency))


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("0.5", "JPY", "more than 0 decimals"),
        ("10.533", "EUR", "more than 2 decimals"),
        ("1.2345", "KWD", "more than 3 decimals"),
        (Decimal("0.001"), "EUR", "more than 2 decimals"),
        (Decimal("1e-999999"), "EUR", "more than 2 decimals"),
        (Decimal("1e999999"), "EUR", "too large"),
        (10**30, "EUR", "too large"),
        (Decimal("NaN"), "EUR", "not a number"),
        (Decimal("Infinity"), "EUR", "not a number"),
        ("1e2", "EUR", "such as"),
        ("+1", "EUR", "such as"),
        (" 1", "EUR", "such as"),
        ("1,50", "EUR", "such as"),
        ("1_000", "EUR", "such as"),
        ("١", "EUR", "such as"),
        (".5", "EUR", "such as"),
        ("5.", "EUR", "such as"),
        ("", "EUR", "such as"),
        ("9" * 31, "EUR", "such as"),
    ],
)
def test_any_other_text_or_number_is_refused(amount: Any, currency: str, reason: str) -> None:
    with pytest.raises(NotAnAmount, match=reason):
        minor_units(amount, currency)


def test_zeros_at_the_end_do_not_count() -> None:
    assert minor_units(Decimal("10.5" + "0" * 60), "EUR") == minor_units("10.5000", "EUR") == 1050
    assert minor_units(Decimal("1e2"), "EUR") == minor_units(100, "EUR") == 10_000
    assert minor_units(Decimal("0e-99999"), "EUR") == 0


@pytest.mark.parametrize("amount", [10.53, True, None])
def test_a_value_of_another_type_is_refused(amount: Any) -> None:
    with pytest.raises(TypeError, match="not a"):
        minor_units(amount, "EUR")


@pytest.mark.parametrize("currency", ["XXX", "EURO", "eur", ""])
def test_a_currency_without_a_minor_unit_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decimals_of(currency)


def test_pretix_writes_two_decimals_for_every_currency_and_signs_what_it_takes() -> None:
    assert amount_text(100, "JPY", decimals=2) == "100.00"
    assert minor_units("100.00", "JPY") == 100
    assert minor_units("-10.53", "EUR") == -1053
    assert amount_text(1230, "KWD", decimals=2) == "1.23"
    with pytest.raises(ValueError, match="does not fit into 2 decimals"):
        amount_text(1234, "KWD", decimals=2)


@pytest.mark.parametrize(
    ("amount", "currency", "text"), [(500, "JPY", "500"), (1053, "EUR", "10.53"), (1, "KWD", "0.001")]
)
def test_square_counts_the_smallest_unit_of_each_currency(amount: int, currency: str, text: str) -> None:
    assert amount_text(amount, currency) == text
