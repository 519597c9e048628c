"""Promises about issuing vouchers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from voucher_gateway.errors import (
    AmountOutOfRange,
    AmountPrecisionError,
    DuplicateCode,
    InvalidRequest,
    UnsupportedOperation,
)
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Interval, Medium, Status, Validity, Voucher
from voucher_gateway.money import Money, exponent
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.rules.codes import CodeRules
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.harness.calls import CaughtError, expect_error, expect_no_request
from voucher_gateway.testing.harness.ledger import NEW, LedgerSnapshot, is_near
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import FACE, VoucherFactory
from voucher_gateway.testing.promises.checks import for_promise, require

ODD_CODES: Final = ("ODD CODE 1", "ODD/..%2F?#&+", "odd'\"\\<>", "ÖDD-ß-€-礼", "OD:D=1@2~")
"""Codes that a careless path, query or form would change."""

_KEPT: Final[tuple[Mapping[str, Any], ...]] = (
    {"id": "contract/id 1"},
    {"pin": "48 15/16"},
    {"medium": Medium.DIGITAL},
    {"medium": Medium.PRINT},
    {"taxable": False},
    {"taxable": True, "tax_rate": "7"},
    {"sku": "SKU-1"},
    {"batch": "B-1"},
    {"order": "O-1001"},
    {"metadata": {"shop": "north", "lines": [1, 2]}},
)
"""The fields of new vouchers, tried one set after the other. Another promise is about validity."""

_WITH: Final[Mapping[str, Mapping[str, Any]]] = {"tax_rate": {"taxable": True}}
"""The fields that another field needs."""


class IssueContract(SpendContract):
    """Issuing."""

    @for_promise("I1")
    def test_issue_makes_one_voucher_of_the_value(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        before = factory.snapshot()
        new = factory.new(FACE)
        issued = provider_.issue(new, reference=factory.reference(), order="O-1")
        after = factory.snapshot()
        require(after.differences(before) == {issued.id: {NEW}}, "issuing did something else than add the one voucher")
        for part in ("initial", "remaining"):
            amount = after.part(issued.id, part)
            require(
                amount == new.initial, f"{new.initial} was asked for, and {part} is {amount} in the vendor's ledger"
            )
        _check_issued_voucher(issued, after, new)
        require(issued.account == provider_.account, "the result names another account")
        status = provider_.get(issued.id).status
        require(issued.status in (None, status), f"the result has the status {issued.status}, and `get` has {status}")

    @for_promise("I2")
    def test_a_chosen_code_is_kept_as_it_is(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        rules = provider_.declared.codes
        if not rules.choosable:
            with expect_no_request(vendor, "a code that cannot be chosen"):
                new = NewVoucher(initial=factory.money(FACE), code="CONTRACT-1")
                with _expect_refusal("a code that cannot be chosen"):
                    provider_.issue(new, reference=factory.reference())
            return
        accepted_count = 0
        for text in (
            factory.code().reveal(),
            *ODD_CODES,
            *_codes_of_length(factory, rules.max_length),
            *_codes_of_length(factory, rules.min_length),
        ):
            if rules.find_broken_rule(text) is not None:
                continue
            issued = provider_.issue(NewVoucher(initial=factory.money(FACE), code=text), reference=factory.reference())
            require(factory.snapshot().entries[issued.id]["code"] == text, "a chosen code reached the vendor changed")
            require(issued.code in (None, Code(text)), "the result has another code than the chosen one")
            accepted_count += 1
        require(accepted_count, "the declared rules leave no code that could be chosen")

    @for_promise("I3")
    def test_a_code_outside_of_the_rules_is_refused_before_it_is_sent(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        rules = provider_.declared.codes
        unusual = [character for text in ODD_CODES for character in text] if rules.alphabet is not None else []
        wrong = {
            f"the forbidden {character!r}": f"{factory.code().reveal()[:-1]}{character}"
            for character in dict.fromkeys((*rules.forbidden, *unusual))
            if character not in (rules.alphabet or "") or character in rules.forbidden
        }
        if rules.pattern is not None:
            wrong["another pattern"] = _text_without_pattern(rules, factory)
        if rules.min_length > 1:
            wrong["too few characters"] = factory.code().reveal()[: rules.min_length - 1]
        if rules.max_length is not None:
            wrong["too many characters"] = (factory.code().reveal() * rules.max_length)[: rules.max_length + 1]
        for what, text in wrong.items():
            new = NewVoucher(initial=factory.money(FACE), code=text)
            with (
                expect_no_request(vendor, f"a code with {what}"),
                expect_error(f"a code with {what}", InvalidRequest) as caught,
            ):
                provider_.issue(new, reference=factory.reference())
            error = caught.error
            assert isinstance(error, InvalidRequest)
            require(error.field == "code", f"the refusal names the field {error.field!r}, not 'code'")
            require(error.rule, "the refusal names no rule")

    @for_promise("I4")
    def test_a_code_or_id_that_is_taken_is_refused(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        codes = provider_.declared.codes
        existing = factory.unspent_voucher()
        duplicates = [("code", NewVoucher(initial=factory.money(FACE), code=existing.code))]
        if codes.ids_choosable:
            duplicates.append(("id", factory.new(FACE, id=existing.id)))
        for what, new in duplicates:
            before = factory.snapshot()
            with expect_error(f"a voucher with a {what} that is taken", DuplicateCode):
                provider_.issue(new, reference=factory.reference())
            factory.snapshot().require_unchanged(before, f"a {what} that is taken was refused")

    @for_promise("I5")
    def test_what_a_new_voucher_is_to_have_is_kept_or_refused(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for fields in _KEPT:
            new, names = factory.new(FACE, **fields), " and ".join(fields)
            if not fields.keys() <= provider_.declared.stored_fields:
                what = f"{names} of a new voucher, which `stored_fields` does not name,"
                with expect_no_request(vendor, what), _expect_refusal(what):
                    provider_.issue(new, reference=factory.reference())
                continue
            issued = provider_.issue(new, reference=factory.reference())
            voucher = provider_.get(issued.id, secrets=True)
            for name, value in fields.items():
                equal = _is_equal(getattr(voucher, name), value)
                require(equal, f"{name} of a new voucher is declared to be kept, and `get` does not give it back")

    @for_promise("I9")
    def test_texts_are_kept_up_to_the_declared_length(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for name, longest in provider_.declared.max_text_lengths.items():
            if name == "code":
                continue  # the rules of codes apply to it
            fitting = {name: _text(longest, name), **_WITH.get(name, {})}
            issued = provider_.issue(factory.new(FACE, **fitting), reference=factory.reference())
            equal = _is_equal(getattr(provider_.get(issued.id, secrets=True), name), fitting[name])
            require(equal, f"{name} of {longest} characters is declared to be kept, and `get` does not give it back")
            new = factory.new(FACE, **{**fitting, name: _text(longest + 1, name)})
            what = f"{name} of {longest + 1} characters"
            with expect_no_request(vendor, what), _expect_refusal(what):
                provider_.issue(new, reference=factory.reference())

    @for_promise("I6")
    def test_amounts_outside_of_the_rules_are_refused_before_they_are_sent(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for what, money, kind in _amounts_outside_rules(provider_, factory.currency):
            new = _of(factory, money)
            with (
                expect_no_request(vendor, f"an amount {what}"),
                expect_error(f"an amount {what} ({money})", kind) as caught,
            ):
                provider_.issue(new, reference=factory.reference())
            error = caught.error
            assert isinstance(error, InvalidRequest)
            require(error.field == "amount", f"the refusal of {money} names the field {error.field!r}, not 'amount'")
            require(error.rule, f"the refusal of {money} names no rule")

    @for_promise("I7")
    def test_the_declared_amounts_can_be_issued(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        rules = provider_.declared.amounts
        largest = rules.largest(factory.currency)
        for money in (rules.smallest(factory.currency), *([] if largest is None else [largest])):
            issued = provider_.issue(_of(factory, money), reference=factory.reference())
            initial = factory.snapshot().part(issued.id, "initial")
            require(initial == money, f"{money} is within the declared amounts, and became {initial} at the vendor")

    @for_promise("I8")
    def test_an_expiry_is_kept_or_refused_as_declared(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        expiry = provider_.declared.expiry
        resolution = provider_.declared.expiry_resolution
        until = factory.vendor_now() + timedelta(days=400, hours=3, microseconds=123_456)
        absolute, relative = (
            factory.new(FACE, valid_until=until),
            factory.new(FACE, validity=Validity(3, Interval.DAYS)),
        )
        if not expiry.takes_instants:
            with expect_no_request(vendor, "a date of expiry"), _expect_refusal("a date of expiry"):
                provider_.issue(absolute, reference=factory.reference())
        else:
            issued = provider_.issue(absolute, reference=factory.reference())
            valid_until = factory.snapshot().valid_until(issued.id)
            correct = valid_until is not None and valid_until <= until < valid_until + resolution
            require(correct, f"a date of expiry reached the vendor changed: {until} became {valid_until}")
        if not expiry.takes_lengths:
            with expect_no_request(vendor, "a validity in days"), _expect_refusal("a validity in days"):
                provider_.issue(relative, reference=factory.reference())
        else:
            issued = provider_.issue(relative, reference=factory.reference())
            if issued.status is Status.INACTIVE:
                provider_.activate(issued.id, reference=factory.reference())
            valid_until = factory.snapshot().valid_until(issued.id)
            due = factory.vendor_now() + timedelta(days=3)
            require(
                valid_until is not None and is_near(valid_until, due, timedelta(days=1, minutes=5)),
                "a validity of three days did not end three days after the activation",
            )


def _of(factory: VoucherFactory, money: Money) -> NewVoucher:
    return NewVoucher(initial=money, code=factory.code() if factory.declared.codes.choosable else None)


def _check_issued_voucher(voucher: Voucher, after: LedgerSnapshot, new: NewVoucher) -> None:
    require(voucher.initial in (None, new.initial), f"the result has {voucher.initial}, and {new.initial} was issued")
    remaining = after.remaining(voucher.id)
    require(
        voucher.remaining in (None, remaining), f"the result says that {voucher.remaining} is left, and {remaining} is"
    )
    code = Code(str(after.entries[voucher.id]["code"]))
    require(voucher.code in (None, code), "the result has another code than the voucher has")


def _expect_refusal(what: str) -> AbstractContextManager[CaughtError]:
    """Check that the call inside the block is refused as invalid or not supported."""
    return expect_error(what, InvalidRequest, UnsupportedOperation)


def _codes_of_length(factory: VoucherFactory, length: int | None) -> list[str]:
    return [] if length is None else [(factory.code().reveal() * length)[-length:]]


def _text_without_pattern(rules: CodeRules, factory: VoucherFactory) -> str:
    """Return a text of a possible code's characters and length that does not match the pattern."""
    code = factory.code().reveal()
    letters = rules.alphabet or code
    texts = (code[::-1], *(letter * len(code) for letter in letters), letters[-1] + code[:-1])
    for text in texts:
        if (rules.find_broken_rule(text) or "").startswith("the pattern"):
            return text
    return f"{code[:-1]}\x00"


def _text(length: int, name: str) -> str:
    return ("7" if name == "tax_rate" else "ü") * length


def _is_equal(reading: Any, value: Any) -> bool:
    if isinstance(value, str) and hasattr(reading, "reveal"):
        return bool(reading.reveal() == value)
    return bool(reading == value)


def _amounts_outside_rules(provider: VoucherProvider, currency: str) -> list[tuple[str, Money, type[InvalidRequest]]]:
    rules = provider.declared.amounts
    step = Decimal(1).scaleb(-exponent(currency))
    problems: list[tuple[str, Money, type[InvalidRequest]]] = []
    unit = Money(step, currency)
    largest = rules.largest(currency)
    if largest is not None:
        problems.append(("above the largest", largest + unit, AmountOutOfRange))
    problems.append(("below the smallest", rules.smallest(currency) - unit, AmountOutOfRange))
    if rules.decimals is not None and rules.decimals < 3 and provider.declared.currency_from == "voucher":
        # Dinars have three decimals; a vendor with fewer would lose the last one.
        problems.append(("with a decimal too many", Money("1.001", "BHD"), AmountPrecisionError))
    return problems
