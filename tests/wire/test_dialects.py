"""Amount dialects: what vendors write, what goes out, and that nothing is rounded on the way."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal, FloatOperation, localcontext
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from iso4217 import Currency as IsoCurrency

from voucher_gateway.errors import AmountOutOfRange, AmountPrecisionError, MalformedResponse
from voucher_gateway.money import Money, exponent
from voucher_gateway.wire.amounts import (
    AmountFormat,
    DecimalText,
    FixedScale,
    JsonNumber,
    MinorUnits,
    NotRepresentable,
    WireError,
)
from voucher_gateway.wire.json import decode, encode
from voucher_gateway.wire.validation import money_from

JTL = DecimalText()
NUMBER = JsonNumber()
DIALECTS = [DecimalText(integer_digits_out=16, integer_digits_in=16), NUMBER, MinorUnits(), FixedScale()]

CURRENCIES = st.sampled_from(sorted(c.code for c in IsoCurrency if c.exponent is not None))
MONEY = st.builds(Money.from_minor, st.integers(0, 10**15), CURRENCIES)


@given(st.integers(0, 9_999_999))
def test_every_amount_that_jtl_takes_goes_out_in_its_pattern_and_comes_back_equal(cents: int) -> None:
    money = Money.from_minor(cents, "EUR")
    text = JTL.write(money)
    assert re.fullmatch(r"[0-9]+\.[0-9]{2}", text)
    assert 4 <= len(text) <= 9
    assert text.isascii()
    assert JTL.read(text, "EUR") == money


@given(MONEY)
def test_jtl_gets_an_amount_exactly_or_not_at_all(money: Money) -> None:
    try:
        text = JTL.write(money)
    except AmountOutOfRange:
        assert money.amount >= 100_000
    except AmountPrecisionError:
        assert money.amount != round(money.amount, 2)
    else:
        assert re.fullmatch(r"[0-9]{1,5}\.[0-9]{2}", text)
        assert Decimal(text) == money.amount


@given(st.text() | st.from_regex(r"^[0-9]{0,8}[.,]?[0-9]{0,4}$"))
def test_text_that_is_not_in_the_pattern_is_refused(text: str) -> None:
    assume(not re.fullmatch(r"[0-9]{1,6}\.[0-9]{2}", text, re.ASCII))
    with pytest.raises(WireError):
        JTL.parse(text)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (("0", "EUR"), "0.00"),
        (("99999.99", "EUR"), "99999.99"),
        (("500", "JPY"), "500.00"),
        (("1.23", "BHD"), "1.23"),
        (("1.230", "BHD"), "1.23"),
        (("7.5", "CLF"), "7.50"),
    ],
)
def test_money_of_any_currency_goes_out_with_two_decimals(money: tuple[str, str], text: str) -> None:
    assert JTL.write(Money(*money)) == text
    assert JTL.read(text, money[1]) == Money(*money)


@pytest.mark.parametrize("value", ["999999.99", "100000.00", "000010.53"])
def test_six_digits_are_read_although_five_are_sent(value: str) -> None:
    assert JTL.read(value, "EUR").amount == Decimal(value)


@pytest.mark.parametrize(
    "value",
    [
        "1000000.00", "10", "10.5", "10.530", "1e1", "10,53", " 10.53", "10.53\n", "+1.00", "-1.00", ".50", "1.", "",
        "١٠.٥٣", "１０.５３", "1_0.53", "NaN", 10, Decimal("10.53"), 10.53, True, None, ["10.53"], {"amount": "10.53"},
    ],
    ids=repr,
)  # fmt: skip
def test_jtl_amounts_in_any_other_form_are_refused(value: object) -> None:
    with pytest.raises(WireError) as caught:
        JTL.parse(value)
    assert str(caught.value) == "expected a string of 1 to 6 ASCII digits, a point and exactly 2 decimals"


@pytest.mark.parametrize(
    ("dialect", "value", "currency"),
    [
        (JTL, "500.50", "JPY"),
        (NUMBER, Decimal("500.5"), "JPY"),
        (NUMBER, Decimal("10.505"), "EUR"),
        (NUMBER, Decimal("0.0001"), "BHD"),
        (FixedScale(), 50050, "JPY"),
        (JTL, "1.00", "XYZ"),
        (JTL, "1.00", "XAU"),
        (NUMBER, 1, "eur"),
    ],
)
def test_an_amount_that_its_currency_lacks_is_off_the_grid(dialect: AmountFormat, value: Any, currency: str) -> None:
    with pytest.raises(NotRepresentable):
        dialect.read(value, currency)


@pytest.mark.parametrize("dialect", [JTL, *DIALECTS], ids=repr)
def test_a_negative_amount_is_never_sent(dialect: AmountFormat) -> None:
    with pytest.raises(AmountOutOfRange):
        dialect.write(Money("-0.01", "EUR"))


@pytest.mark.parametrize("amount", ["100000", "100000.00", "999999999999999999"])
def test_what_is_too_large_for_jtl_is_never_sent(amount: str) -> None:
    with pytest.raises(AmountOutOfRange):
        JTL.write(Money(amount, "EUR"))


@pytest.mark.parametrize("dialect", [JTL, FixedScale()], ids=repr)
def test_a_third_decimal_is_never_dropped(dialect: AmountFormat) -> None:
    with pytest.raises(AmountPrecisionError):
        dialect.write(Money("1.234", "BHD"))


@given(MONEY, st.sampled_from(DIALECTS))
def test_every_dialect_gives_back_the_money_it_was_given(money: Money, dialect: AmountFormat) -> None:
    try:
        sent = encode(dialect.write(money))
    except AmountPrecisionError:
        assert exponent(money.currency) > 2
        return
    back = dialect.read(decode(sent), money.currency)
    assert back == money
    assert back.amount.as_tuple() == money.amount.as_tuple()


@given(MONEY, st.sampled_from(DIALECTS))
def test_no_float_and_no_context_of_the_caller_has_a_part_in_it(money: Money, dialect: AmountFormat) -> None:
    with localcontext() as context:
        context.prec, context.rounding = 1, ROUND_UP
        context.traps = dict.fromkeys(context.traps, False)
        context.traps[FloatOperation] = True
        try:
            sent = encode(dialect.write(money))
        except AmountPrecisionError:
            return
        assert dialect.read(decode(sent), money.currency).amount.as_tuple() == money.amount.as_tuple()


@given(MONEY)
def test_a_json_number_has_no_more_digits_than_it_needs(money: Money) -> None:
    written = encode(NUMBER.write(money)).decode()
    assert re.fullmatch(r"0|[1-9][0-9]*|(0|[1-9][0-9]*)\.[0-9]*[1-9]", written)
    assert len(written.partition(".")[2]) <= exponent(money.currency)


@pytest.mark.parametrize(
    ("money", "written"),
    [
        (("10.50", "EUR"), b"10.5"),
        (("100", "EUR"), b"100"),
        (("0", "EUR"), b"0"),
        (("500", "JPY"), b"500"),
        (("0", "JPY"), b"0"),
        (("0.010", "BHD"), b"0.01"),
    ],
)
def test_json_numbers_as_they_go_out(money: tuple[str, str], written: bytes) -> None:
    assert encode(NUMBER.write(Money(*money))) == written


@given(MONEY, st.decimals("-0.000000000999", "0.000000000999", places=14))
def test_the_noise_of_a_vendor_that_computes_in_floats_is_read_as_the_amount_it_means(
    money: Money, noise: Decimal
) -> None:
    with localcontext() as context:
        context.prec = 60
        noisy = money.amount + noise
    assert NUMBER.read(noisy, money.currency) == money


@given(st.integers(0, 10**9), st.decimals("0.000000001", "0.005", places=12))
def test_an_amount_as_far_off_as_the_tolerance_is_refused(cents: int, off: Decimal) -> None:
    for number in (Decimal(cents) / 100 + off, Decimal(cents) / 100 - off):
        with pytest.raises(NotRepresentable):
            NUMBER.read(number, "EUR")


@pytest.mark.parametrize(
    ("number", "amount"),
    [
        ("29.999999999999996", "30.00"),
        ("0.30000000000000004", "0.30"),
        ("10", "10.00"),
        ("10.5", "10.50"),
        ("1e1", "10.00"),
        ("105e-1", "10.50"),
        ("-0.0", "0.00"),
        ("-5.25", "-5.25"),
        ("999999999999999999.99", "999999999999999999.99"),
    ],
)
def test_json_numbers_become_amounts(number: str, amount: str) -> None:
    money = NUMBER.read(decode(number.encode()), "EUR")
    assert str(money.amount) == amount


@pytest.mark.parametrize("number", ["1e18", "1e999999", "-1e999999", "999999999999999999.9999999999", "9" * 4000])
def test_an_absurd_number_costs_no_memory(number: str) -> None:
    with pytest.raises(NotRepresentable, match="at most 18 digits"):
        NUMBER.read(Decimal(number), "EUR")


@pytest.mark.parametrize(
    "value", ["10.5", True, None, [10], {}, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")], ids=repr
)
def test_what_is_no_json_number_is_refused(value: object) -> None:
    with pytest.raises(WireError, match="expected a number"):
        NUMBER.parse(value)


def test_a_float_trips_the_wire() -> None:
    with pytest.raises(TypeError, match="not an exact amount"):
        NUMBER.read(10.5, "EUR")


@pytest.mark.parametrize("value", ["1053", Decimal(1053), Decimal("10.53"), 1053.0, True, None], ids=repr)
@pytest.mark.parametrize("dialect", [MinorUnits(), FixedScale()], ids=repr)
def test_only_a_whole_number_counts_units(dialect: AmountFormat, value: object) -> None:
    with pytest.raises(WireError, match="expected an integer"):
        dialect.parse(value)


@pytest.mark.parametrize(
    ("dialect", "units", "money"),
    [
        (MinorUnits(), 1053, ("10.53", "EUR")),
        (MinorUnits(), 500, ("500", "JPY")),
        (MinorUnits(), 1230, ("1.230", "BHD")),
        (FixedScale(), 50000, ("500", "JPY")),
        (FixedScale(), 123, ("1.23", "BHD")),
        (FixedScale(scale=4), 105300, ("10.53", "EUR")),
    ],
)
def test_units_stand_for_money(dialect: AmountFormat, units: int, money: tuple[str, str]) -> None:
    assert dialect.read(units, money[1]) == Money(*money)
    assert dialect.write(Money(*money)) == units


def test_money_from_names_the_field_in_the_vendors_words_and_not_the_value() -> None:
    with pytest.raises(MalformedResponse) as caught:
        money_from(JTL, JTL.parse("471.15"), "JPY", "remaining_amount")
    assert caught.value.problems == ("remaining_amount: expected an amount with at most the 0 decimals of JPY",)
    assert "471" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("dialect", [JTL, *DIALECTS], ids=repr)
def test_dialects_are_values(dialect: Any) -> None:
    assert dialect == attrs.evolve(dialect)
    assert hash(dialect) == hash(attrs.evolve(dialect))
    field = next(iter(attrs.fields_dict(type(dialect))), "places")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(dialect, field, 3)
