"""Money is exact or refused: never rounded, never a float, whatever decimal context the caller has set."""

from __future__ import annotations

import copy
import decimal
import operator
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency as IsoCurrency

from voucher_gateway.errors import AmountOutOfRange, AmountPrecisionError, InvalidRequest
from voucher_gateway.money import MAX_DIGITS, WITHDRAWN, Money, exponent, parse_plain, positive

DECIMALS = {"JPY": 0, "EUR": 2, "BHD": 3, "CLF": 4}
currencies = st.sampled_from(sorted(DECIMALS))

# Contexts that a caller may have set, in which plain Decimal arithmetic rounds, overflows or raises.
CONTEXTS = [
    decimal.Context(prec=1),
    decimal.Context(prec=3, rounding=decimal.ROUND_UP),
    decimal.Context(prec=3, Emax=2, Emin=-2, traps=[decimal.Overflow, decimal.Underflow]),
    decimal.Context(prec=5, traps=[decimal.Inexact, decimal.Rounded, decimal.FloatOperation, decimal.Subnormal]),
    decimal.Context(prec=60, capitals=0, clamp=1),
]
contexts = st.sampled_from(CONTEXTS)


@contextmanager
def context(chosen: decimal.Context) -> Iterator[None]:
    with decimal.localcontext(chosen):
        yield


def minor_units(currency: str) -> st.SearchStrategy[int]:
    most = 10 ** (MAX_DIGITS + DECIMALS[currency]) - 1
    return st.integers(-most, most)


amounts = currencies.flatmap(lambda currency: st.tuples(minor_units(currency), st.just(currency)))


def text_of(units: int, currency: str) -> str:
    """Write the amount by integer arithmetic alone, as a reference."""
    places = DECIMALS[currency]
    whole, part = divmod(abs(units), 10**places)
    return ("-" if units < 0 else "") + str(whole) + (f".{part:0{places}d}" if places else "")


@given(amount=amounts, chosen=contexts)
def test_every_amount_of_a_currency_comes_through_in_every_form(
    amount: tuple[int, str], chosen: decimal.Context
) -> None:
    units, currency = amount
    text = text_of(units, currency)
    with context(chosen):
        money = Money.from_minor(units, currency)
        assert money.minor == units
        assert str(money) == f"{text} {currency}"
        assert repr(money) == f"Money({text!r}, {currency!r})"
        assert money.amount.as_tuple().exponent == -DECIMALS[currency]
        same = [Money(text, currency), Money(money.amount, currency), Money.from_exact(money.amount, currency)]
        same += [eval(repr(money)), copy.deepcopy(money), attrs.evolve(money), pickle.loads(pickle.dumps(money))]
        for other in same:
            assert other == money
            assert hash(other) == hash(money)
            assert str(other) == str(money)
        assert bool(money) is (units != 0)


@given(whole=st.integers(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1), currency=currencies, chosen=contexts)
def test_an_int_is_whole_units(whole: int, currency: str, chosen: decimal.Context) -> None:
    with context(chosen):
        assert Money(whole, currency).minor == whole * 10 ** DECIMALS[currency]


@given(amount=amounts, zeros=st.integers(0, 30), chosen=contexts)
def test_zeros_behind_change_nothing(amount: tuple[int, str], zeros: int, chosen: decimal.Context) -> None:
    units, currency = amount
    text = text_of(units, currency)
    longer = text + ("" if "." in text or not zeros else ".") + "0" * zeros
    with context(chosen):
        assert Money(longer, currency) == Money(Decimal(longer), currency) == Money(text, currency)
        assert str(Money(longer, currency)) == f"{text} {currency}"


@given(amount=amounts, extra=st.text("0123456789", min_size=1, max_size=30), chosen=contexts)
def test_more_decimals_than_the_currency_are_refused(
    amount: tuple[int, str], extra: str, chosen: decimal.Context
) -> None:
    units, currency = amount
    text = text_of(units, currency) + ("." if not DECIMALS[currency] else "") + extra + "1"
    with context(chosen):
        for finer in (text, Decimal(text)):
            with pytest.raises(AmountPrecisionError) as refused:
                Money(finer, currency)
            assert refused.value.field == "amount"
            assert refused.value.rule == f"at most {DECIMALS[currency]} decimals"


@pytest.mark.parametrize("tiny", ["1E-3", "1E-27", "1E-999999", "-1E-999999999", "9.999999999999999999999999999E-1"])
def test_an_amount_too_fine_is_never_rounded_to_zero(tiny: str) -> None:
    with pytest.raises(AmountPrecisionError):
        Money(Decimal(tiny), "EUR")


@pytest.mark.parametrize(
    "huge",
    [10**18, -(10**18), int("9" * 4000), 10**5000, "1" + "0" * 18, "9" * 5000, Decimal("1E+18"), Decimal("1E+999999")],
    ids=lambda huge: f"{type(huge).__name__} {huge!s:.20}" if not isinstance(huge, int) else f"int {huge.bit_length()}",
)
def test_an_amount_beyond_eighteen_digits_is_out_of_range(huge: str | int | Decimal) -> None:
    with pytest.raises(AmountOutOfRange) as refused:
        Money(huge, "EUR")
    assert refused.value.field == "amount"
    assert refused.value.rule == "at most 18 digits"
    assert len(str(refused.value)) < 100


def test_minor_units_beyond_the_range_are_out_of_range_too() -> None:
    assert Money.from_minor(10**20 - 1, "EUR").minor == 10**20 - 1
    for units in (10**20, -(10**20), 10**5000):
        with pytest.raises(AmountOutOfRange):
            Money.from_minor(units, "EUR")


NOT_PLAIN = [
    "", " ", ".", "-", "+1", "+1.00", "1.", ".5", "-.5", "--1", "1-", " 10.53", "10.53 ", "10.53\n", "\n10.53", "10 53",
    "10,53", "1,000.00", "1.000,00", "1.2.3", "1_000", "1e2", "1E2", "1e-2", "0x10", "1/2", "٣.٠٠", "１０.５３",
    "10.5٣", "²", "NaN", "nan", "sNaN", "-NaN", "Infinity", "inf", "-Inf", "EUR 10", "10 EUR", "10.53€", "None",
    "\x0010", "10\x00", "−10.53",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_PLAIN, ids=ascii)
def test_text_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Money(text, "EUR")
    assert type(refused.value) is InvalidRequest
    assert refused.value.field == "amount"
    assert refused.value.rule == "ASCII digits with at most one point"


@given(st.text() | st.text("0123456789.-+eE_ ,"))
def test_any_text_is_an_exact_amount_or_an_invalid_request(text: str) -> None:
    try:
        money = Money(text, "EUR")
    except InvalidRequest:
        return
    assert text.isascii()
    assert set(text) <= set("-0123456789.")
    assert Fraction(text) == Fraction(money.minor, 100)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-NaN123", "Infinity", "-Infinity"])
def test_a_decimal_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Money(Decimal(text), "EUR")
    assert (refused.value.field, refused.value.rule) == ("amount", "a finite number")


@pytest.mark.parametrize(
    "wrong",
    [10.53, 0.0, float("nan"), True, False, None, b"10.53", Fraction(1, 2), 1 + 0j, [10], Money("1", "EUR")],
    ids=repr,
)
def test_a_float_a_bool_or_anything_else_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError):
        Money(wrong, "EUR")


@pytest.mark.parametrize("wrong", [10.0, True, "10", Decimal(10), None], ids=repr)
def test_minor_units_are_an_int(wrong: Any) -> None:
    with pytest.raises(TypeError):
        Money.from_minor(wrong, "EUR")


@given(st.floats())
def test_no_float_is_ever_taken(number: float) -> None:
    for make in (Money, Money.from_minor):
        with pytest.raises(TypeError):
            make(number, "EUR")  # type: ignore[arg-type]  # what a caller may not do


@pytest.mark.parametrize(("currency", "places"), DECIMALS.items())
def test_decimals_follow_iso_4217(currency: str, places: int) -> None:
    assert exponent(currency) == places


# XXX is ISO 4217's own code for "no currency", XAU that of gold.
@pytest.mark.parametrize(
    "currency", ["", "eur", "EUR ", "Euro", "€", "978", "XXX", "XAU", "ＥＵＲ", "EUR\n", "A" * 999]
)
def test_a_currency_that_has_no_amounts_is_refused(currency: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Money("1", currency)
    assert refused.value.field == "currency"
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize("currency", [None, 978, b"EUR", ["EUR"]], ids=repr)
def test_a_currency_is_text(currency: Any) -> None:
    with pytest.raises(TypeError):
        Money("1", currency)


small = st.integers(-(10**19), 10**19)


@given(one=small, other=small, currency=st.sampled_from(["EUR", "BHD"]), chosen=contexts)
def test_sums_and_differences_are_exact_in_any_context(
    one: int, other: int, currency: str, chosen: decimal.Context
) -> None:
    with context(chosen):
        first, second = Money.from_minor(one, currency), Money.from_minor(other, currency)
        assert (first + second).minor == one + other
        assert (first - second).minor == one - other
        assert (-first).minor == -one
        assert first + second - second == first


def test_a_sum_beyond_the_range_is_refused_not_wrapped_or_rounded() -> None:
    most = Money("9" * MAX_DIGITS + ".99", "EUR")
    with pytest.raises(AmountOutOfRange):
        most + Money("0.01", "EUR")
    with pytest.raises(AmountOutOfRange):
        -most - Money("0.01", "EUR")


@given(one=small, other=small, chosen=contexts)
def test_comparisons_are_those_of_the_minor_units(one: int, other: int, chosen: decimal.Context) -> None:
    with context(chosen):
        first, second = Money.from_minor(one, "EUR"), Money.from_minor(other, "EUR")
        for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
            assert compare(first, second) is compare(one, other)
        if one == other:
            assert hash(first) == hash(second)


BINARY = [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("operation", BINARY)
def test_currencies_do_not_mix(operation: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        operation(Money("1", "EUR"), Money("1", "USD"))
    assert refused.value.field == "currency"
    assert Money("1", "EUR") != Money("1", "USD")


@pytest.mark.parametrize("operation", BINARY)
@pytest.mark.parametrize("other", [1, 1.0, Decimal(1), "1", None], ids=repr)
def test_money_and_bare_numbers_do_not_mix(operation: Callable[[Any, Any], Any], other: object) -> None:
    with pytest.raises(TypeError):
        operation(Money("1", "EUR"), other)
    with pytest.raises(TypeError):
        operation(other, Money("1", "EUR"))


@pytest.mark.parametrize("zero", ["-0", "-0.00", Decimal("-0"), Decimal("0E+50"), Decimal("0E-50"), 0])
def test_there_is_one_zero(zero: str | int | Decimal) -> None:
    assert str(Money(zero, "EUR")) == "0.00 EUR"
    assert Money(zero, "EUR") == Money.zero("EUR") == -Money.zero("EUR")
    assert str(-Money.zero("EUR")) == "0.00 EUR"


def test_money_cannot_be_changed() -> None:
    money = Money("1", "EUR")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        money.amount = Decimal(2)  # type: ignore[misc]  # what a caller may not do


def test_positive_money_passes_and_anything_else_does_not() -> None:
    cent = Money("0.01", "EUR")
    assert positive(cent) is cent
    for amount in ("0", "-0.01"):
        with pytest.raises(AmountOutOfRange) as refused:
            positive(Money(amount, "EUR"), field="money")
        assert (refused.value.field, refused.value.rule) == ("money", "above zero")
    with pytest.raises(TypeError, match="money is a Money, not str"):
        positive("10.53", field="money")  # type: ignore[arg-type]  # what a caller may not do


def test_plain_text_is_read_as_it_stands() -> None:
    with context(decimal.Context(prec=1)):
        assert parse_plain("-0012.3400").as_tuple() == Decimal("-12.3400").as_tuple()
    with pytest.raises(InvalidRequest) as refused:
        parse_plain("1e5", field="balance")
    assert refused.value.field == "balance"


@pytest.mark.parametrize(
    ("amount", "currency", "shown"), [("1.5", "BGN", "1.50 BGN"), ("500", "ITL", "500 ITL"), ("3", "HRK", "3.00 HRK")]
)
def test_a_withdrawn_currency_keeps_the_decimals_that_it_had_last(amount: str, currency: str, shown: str) -> None:
    assert str(Money(amount, currency)) == shown
    with pytest.raises(AmountPrecisionError):
        Money(f"{amount.partition('.')[0]}.001", currency)


def test_a_currency_is_active_or_withdrawn_and_not_both() -> None:
    assert not {currency.code for currency in IsoCurrency if currency.exponent is not None} & WITHDRAWN.keys()
