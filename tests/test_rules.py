"""The rules of codes and amounts: what passes, and what is said about the rest."""

from __future__ import annotations

import random
import string
import traceback
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import AmountOutOfRange, AmountPrecisionError, InvalidRequest
from voucher_gateway.masking import Code
from voucher_gateway.money import Money
from voucher_gateway.rules.amounts import AmountKind, AmountRules
from voucher_gateway.rules.codes import CodeNormalization, CodeRules, describe_alphabet, normalize_code

LETTERS_AND_DIGITS = string.ascii_letters + string.digits
GAN = CodeRules(choosable=True, readable=True, min_length=8, max_length=20, alphabet=LETTERS_AND_DIGITS)
LOYALTY = CodeRules(choosable=True, readable=True, pattern="77[0-9]{14}", example="7712345678901234")

# --- amounts ---


@pytest.mark.parametrize("amount", ["0.00", "0.01", "99999.99"])
def test_amounts_within_the_rules_of_a_vendor_pass(amount: str) -> None:
    AmountRules(decimals=2, maximum=Decimal("99999.99")).check(Money(amount, "EUR"))


def test_a_decimal_that_is_zero_does_not_count_against_a_vendor_with_fewer() -> None:
    AmountRules(decimals=2).check(Money("1.230", "BHD"))


@pytest.mark.parametrize(
    ("money", "error"),
    [
        (Money("1.234", "BHD"), AmountPrecisionError),
        (Money("100000.00", "EUR"), AmountOutOfRange),
        (Money("-0.01", "EUR"), AmountOutOfRange),
    ],
)
def test_amounts_outside_of_the_rules_of_a_vendor_are_refused_with_the_field(
    money: Money, error: type[InvalidRequest]
) -> None:
    with pytest.raises(error) as refused:
        AmountRules(decimals=2, maximum=Decimal("99999.99")).check(money)
    assert refused.value.field == "amount"


SQUARE = AmountRules(
    minimum=Decimal("0.01"),
    maximum=Decimal(2000),
    movement_minimum=Decimal("0.5"),
    movement_maximum=Decimal(500),
    balance_maximum=Decimal(1000),
    by_currency={"JPY": AmountRules(minimum=Decimal(1), maximum=Decimal(100_000))},
)


@pytest.mark.parametrize(
    ("kind", "currency", "smallest", "largest"),
    [
        (AmountKind.INITIAL, "EUR", "0.01", "1000.00"),  # more than a balance may be cannot be issued
        (AmountKind.MOVEMENT, "EUR", "0.50", "500.00"),
        (AmountKind.BALANCE, "EUR", "0.00", "1000.00"),
        (AmountKind.INITIAL, "JPY", "1", "100000"),
        (AmountKind.MOVEMENT, "JPY", "0", None),
    ],
)
def test_limits_are_by_kind_and_by_currency(
    kind: AmountKind, currency: str, smallest: str, largest: str | None
) -> None:
    assert str(SQUARE.smallest(currency, kind).amount) == smallest
    most = SQUARE.largest(currency, kind)
    assert (None if most is None else str(most.amount)) == largest
    if largest is not None:
        step = Money.from_minor(1, currency)
        SQUARE.check(Money(largest, currency), kind)
        with pytest.raises(AmountOutOfRange, match=f"from {smallest} {currency} to {largest} {currency}") as refused:
            SQUARE.check(Money(largest, currency) + step, kind)
        assert refused.value.rule == f"from {smallest} {currency} to {largest} {currency}"


@pytest.mark.parametrize(("currency", "smallest"), [("JPY", "1"), ("EUR", "0.01"), ("KWD", "0.005")])
def test_a_limit_that_is_no_amount_of_the_currency_is_rounded_inwards(currency: str, smallest: str) -> None:
    rules = AmountRules(minimum=Decimal("0.005"), maximum=Decimal("10.995"))
    assert str(rules.smallest(currency).amount) == smallest
    with pytest.raises(AmountOutOfRange):
        rules.check(Money(smallest, currency) - Money.from_minor(1, currency))
    largest = rules.largest(currency)
    assert largest is not None
    assert largest.amount <= Decimal("10.995")


# --- codes ---


@pytest.mark.parametrize(
    ("rules", "text", "rule"),
    [
        (GAN, "ABC1234", "8 to 20 characters"),
        (GAN, "A" * 21, "8 to 20 characters"),
        (GAN, "Grüße123", "only the characters 0-9 A-Z a-z"),
        (GAN, "ABCD-1234", "only the characters 0-9 A-Z a-z"),
        (CodeRules(choosable=True, readable=True, min_length=4), "abc", "4 or more characters"),
        (CodeRules(choosable=True, readable=True, forbidden=";"), "a;b", "none of the characters ';'"),
        (LOYALTY, "7812345678901234", "the pattern 77[0-9]{14}"),
        (LOYALTY, "77123456789012345", "the pattern 77[0-9]{14}"),
        (LOYALTY, "7712345678901234\n", "the pattern 77[0-9]{14}"),
    ],
)
def test_a_code_that_breaks_a_rule_is_refused_by_the_rule_and_not_shown(rules: CodeRules, text: str, rule: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rules.check(Code(text))
    assert (refused.value.field, refused.value.rule) == ("code", rule)
    assert text not in "".join(traceback.format_exception(refused.value))
    frames = traceback.walk_tb(refused.value.__traceback__)
    assert all(text not in map(str, frame.f_locals.values()) for frame, _ in list(frames)[1:])


@pytest.mark.parametrize(("rules", "text"), [(GAN, "Ab345678"), (GAN, "A" * 20), (LOYALTY, "7700000000000000")])
def test_a_code_that_keeps_all_rules_passes(rules: CodeRules, text: str) -> None:
    rules.check(Code(text))


def test_a_pattern_needs_an_example_that_keeps_the_rules() -> None:
    for example in (None, "7812345678901234"):
        with pytest.raises(ValueError, match="needs an example"):
            CodeRules(choosable=True, readable=True, pattern="77[0-9]{14}", example=example)


@pytest.mark.parametrize(
    "rules", [GAN, LOYALTY, CodeRules(choosable=True, readable=True, forbidden="ABC", max_length=9)]
)
def test_codes_for_tests_keep_the_rules_and_differ(rules: CodeRules) -> None:
    draw = random.Random(7)
    codes = {rules.make_code(draw.choice, "ABCDEF23456789") for _ in range(50)}
    assert len(codes) == 50
    assert [code for code in codes if rules.find_broken_rule(code)] == []


@pytest.mark.parametrize(
    ("alphabet", "text"),
    [("abcd19", "1 9 a-d"), (LETTERS_AND_DIGITS + "-", "- 0-9 A-Z a-z"), ("acegikmoqs", "'acegikmoqs'"), ("x", "x")],
)
def test_an_alphabet_is_described_by_ranges(alphabet: str, text: str) -> None:
    assert describe_alphabet(alphabet) == text


LIMITS = st.builds(
    CodeRules,
    choosable=st.just(True),
    readable=st.just(True),
    min_length=st.integers(1, 3),
    max_length=st.none() | st.integers(3, 5),
    alphabet=st.none() | st.sampled_from(["abc", "abcd", "ab"]),
    forbidden=st.sampled_from(["", "a", "cd"]),
)


@given(LIMITS, LIMITS, st.text("abcd", max_size=6))
def test_rules_that_allow_all_codes_of_others_allow_each_of_them(ours: CodeRules, others: CodeRules, text: str) -> None:
    if ours.allows_all_of(others) and others.find_broken_rule(text) is None:
        assert ours.find_broken_rule(text) is None


# --- normalization ---


@pytest.mark.parametrize(
    ("typed", "names", "form"),
    [
        (" ab cd\u00a01234\t", "no-blanks", "abcd1234"),
        ("ab-cd\u20131\u2014234\u2212", "no-dashes", "abcd1234"),
        ("Straße-é1", "upper-case", "STRAßE-é1"),
        ("ABÉ1", "lower-case", "abÉ1"),
        (" gift\u2010 7 x ", "no-blanks no-dashes upper-case", "GIFT7X"),
        ("Gift-7 x", "", "Gift-7 x"),
    ],
)
def test_a_typed_code_is_brought_into_the_vendors_form(typed: str, names: str, form: str) -> None:
    assert normalize_code(Code(typed), [CodeNormalization(name) for name in names.split()]) == Code(form)


@given(st.text(), st.sets(st.sampled_from(CodeNormalization)))
def test_a_code_in_the_vendors_form_stays_as_it_is(text: str, names: set[CodeNormalization]) -> None:
    form = normalize_code(Code(text), names)
    assert normalize_code(form, names) == form


@pytest.mark.parametrize(
    ("rules", "amount", "movable"),
    [
        (AmountRules(), "10.53", "10.53"),
        (AmountRules(decimals=1), "10.53", "10.50"),
        (AmountRules(decimals=0), "0.99", "0.00"),
        (AmountRules(movement_minimum=Decimal("1.005")), "1.00", "0.00"),
        (AmountRules(movement_minimum=Decimal("1.005")), "1.01", "1.01"),
        (AmountRules(movement_maximum=Decimal("5.009")), "10.53", "5.00"),
        (AmountRules(by_currency={"EUR": AmountRules(decimals=0)}), "10.53", "10.00"),
    ],
)
def test_an_amount_is_rounded_down_to_what_one_call_may_move(rules: AmountRules, amount: str, movable: str) -> None:
    assert rules.round_down(Money(amount, "EUR")) == Money(movable, "EUR")
