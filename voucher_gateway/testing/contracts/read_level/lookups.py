"""The read level: vouchers by code and id, their histories and their other fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import Declined, InvalidRequest, VoucherGatewayError, VoucherNotFound
from voucher_gateway.instants import parse_instant
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.presentation import Presentation
from voucher_gateway.models.results import History, Movement
from voucher_gateway.models.voucher import MovementKind, MovementState, Status, Voucher
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.ledger import (
    ExpectedVoucher,
    by_id,
    can,
    check_voucher,
    is_near,
    ledger_vouchers,
    readings,
    richest,
)
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway.testing.promises.checks import fail, for_promise, require

ODD_TEXTS: Final = (
    "no/such/voucher",
    "../vouchers",
    "..",
    ".",
    "%2e%2e%2f",
    "a?b=c&d=e#f",
    "a b  c",
    "ünknown-🎁",
    "100%",
    "*",
    "quo'te\"s",
    "a;b,c",
)
"""Codes and ids that no vendor has, and that break a path or query without encoding."""
ODD_ENDS: Final = ("?x=1", "&x=1", "#x", "/", "/.", "%00", "%20", ";x=1")
"""Suffixes that make an unknown code or id of a known one, if the client encodes them."""

_BESIDE_THE_VALUE: Final = ("taxable", "tax_rate", "order", "login", "origin", "links")
"""The fields of a voucher besides its value and its origin."""

_READS: Final = frozenset(operation.value for operation in Operation if not operation.changes)


class LookupsContract(Contract):
    """Vouchers and their histories are as the vendor has them."""

    @for_promise("R1")
    def test_find_gives_the_voucher_with_the_code(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        for true in ledger_vouchers(vendor):
            voucher = provider_.find(true.code)
            require(isinstance(voucher, Voucher), f"find gave a {type(voucher).__name__}, not a Voucher")
            check_voucher(voucher, true, "find")
            require(voucher.account == ACCOUNT, f"find named the account {voucher.account!r}, not {ACCOUNT!r}")
            check_voucher(provider_.find(Code(true.code)), true, "find with a Code")

    @for_promise("R2")
    def test_a_code_finds_nothing_but_its_own_voucher(
        self, vendor: VendorUnderTest, provider_: VoucherProvider
    ) -> None:
        everything = ledger_vouchers(vendor)
        codes = {true.code for true in everything}
        for true in everything[:12]:
            for how, other in _variants(true.code):
                if other in codes:
                    continue
                try:
                    voucher = provider_.find(other)
                except (VoucherNotFound, InvalidRequest):
                    continue
                fail(f"{how} of the code of {true.id!r} found the voucher {voucher.id!r}")

    @for_promise("R3")
    def test_codes_and_ids_of_any_characters(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        for true in ledger_vouchers(vendor):
            if not (true.code + true.id).isalnum():
                check_voucher(provider_.find(true.code), true, "find with an unusual code")
                check_voucher(provider_.get(true.id), true, "get with an unusual id")
        known = {text for true in ledger_vouchers(vendor) for text in (true.code, true.id)}
        for true in ledger_vouchers(vendor)[:4]:
            for name, call, text in (("find", provider_.find, true.code), ("get", provider_.get, true.id)):
                for odd in (*ODD_TEXTS, *(f"{text}{end}" for end in ODD_ENDS), f"../vouchers/{text}", f"x/../{text}"):
                    if odd in known:
                        continue
                    try:
                        result = call(odd)
                    except (VoucherNotFound, InvalidRequest):
                        continue
                    printable = odd.replace(text, "...")
                    fail(f"{name} of {printable!r} gave the voucher {result.id!r}; nothing has this code or id")

    @for_promise("R4")
    def test_get_gives_the_voucher_with_the_id(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        for true in ledger_vouchers(vendor):
            by_code, got = provider_.find(true.code), provider_.get(true.id)
            check_voucher(got, true, "get")
            require(got.account == ACCOUNT, f"get named the account {got.account!r}, not {ACCOUNT!r}")
            for name in ("initial", "remaining", "status", "medium", "valid_until", "sku", "batch", "created_at"):
                value, other = getattr(by_code, name), getattr(got, name)
                require(value == other or None in (value, other), f"of {true.id!r}, find and get tell different {name}")

    @for_promise("R5")
    def test_what_is_not_there_is_not_found(self, provider_: VoucherProvider) -> None:
        calls: dict[str, Callable[[str], object]] = {"find": provider_.find, "get": provider_.get}
        if can(provider_, Operation.BALANCE):
            calls["balance"] = provider_.balance
        if can(provider_, Operation.HISTORY):
            calls["history"] = provider_.history
        if can(provider_, Operation.PRESENTATION):
            calls["presentation"] = provider_.presentation
        for name, call in calls.items():
            try:
                call("NOSUCHVOUCHER1234")
            except VoucherNotFound as error:
                _check_named(error, name)
            else:
                fail(f"{name} of an unknown code or id did not raise")

    @for_promise("R6")
    def test_codes_and_pins_can_be_read_back(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        for true in ledger_vouchers(vendor):
            got = provider_.get(true.id, secrets=True)
            require(got.code == Code(true.code), f"get(secrets=True) did not give the code of {true.id!r}")
            require(type(got.code) is Code, "the code is not a Code, so it would not mask itself")
            if true.pin is not None:
                require(got.pin == Pin(true.pin), f"get(secrets=True) did not give the PIN of {true.id!r}")

    @for_promise("R7")
    def test_the_status_is_the_vendors(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        readings_by_word: dict[str | None, Status] = {}
        seen, words = set(), set()
        for true in ledger_vouchers(vendor):
            expected = self.statuses.get(str(true.status), _status_of(true.status))
            words.add(expected)
            for by, reading in readings(provider_, true):
                seen.add(reading.status)
                if reading.status is None:
                    continue
                require(type(reading.status) is Status, f"{by} says {reading.status!r}, which is not a Status")
                # A word of the vendor's own need not be one of ours, but always means the same.
                right = expected or readings_by_word.setdefault(true.status, reading.status)
                require(
                    reading.status is right and right is not Status.UNKNOWN,
                    f"{by} says {reading.status.value} of {true.id!r}; the vendor's word is {true.status!r}, which is"
                    f" {'not unknown' if right is Status.UNKNOWN else right.value}",
                )
        require(
            not {Status.ACTIVE, Status.INACTIVE} <= words or None not in seen,
            "the vendor has active and inactive vouchers; the provider does not distinguish them",
        )

    @for_promise("R11")
    def test_the_history_is_the_vendors(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        self._check_histories(provider_, ledger_vouchers(vendor))

    @for_promise("R11")
    def test_a_history_of_years_is_read_to_its_end(self) -> None:
        vendor = self.make_old_vendor()
        if vendor is None:
            return  # the vouchers of the other test are all that the vendor has
        with closing(vendor):
            longest = max(ledger_vouchers(vendor), key=lambda voucher: len(voucher.movements))
            self._check_histories(vendor.provider(), [longest])

    def _check_histories(self, provider_: VoucherProvider, vouchers: list[ExpectedVoucher]) -> None:
        for true in vouchers:
            history = provider_.history(true.id)
            _check_times(history, true)
            _check_states(history, true)
            require(
                history.voucher_id == true.id, f"the history of {true.id!r} is said to be of {history.voucher_id!r}"
            )
            amounts = sorted(_amount(movement) for movement in history)
            true_amounts = sorted(Decimal(movement["amount"]) for movement in true.movements)
            require(
                amounts == true_amounts,
                f"the history of {true.id!r} has {len(amounts)} movements, the vendor's {len(true_amounts)}, or others",
            )
            for movement in history:
                if movement.money is None:
                    require(
                        not movement.kind.sign or movement.kind is MovementKind.ACTIVATION,
                        f"a movement of the kind {movement.kind.value} moves value, and has no amount",
                    )
                    continue
                require(
                    movement.money.currency == true.initial.currency, "a movement has another currency than its voucher"
                )
                require(
                    movement.money.amount >= 0, "a movement has a negative amount: the direction belongs in its kind"
                )
            for entry in true.movements:
                if entry.get("reference") is not None:
                    require(
                        any(movement.reference == entry["reference"] for movement in history),
                        f"the history of {true.id!r} lacks the reference of a movement, or has another in its place",
                    )
            _check_sum(true, history)

    @for_promise("R12")
    def test_the_history_says_whether_it_is_whole_and_of_when(
        self, vendor: VendorUnderTest, provider_: VoucherProvider
    ) -> None:
        true = richest(ledger_vouchers(vendor))
        before = provider_.history(true.id)
        require(isinstance(before.complete, bool), "complete is neither True nor False")
        vendor.advance(7200)
        after = provider_.history(true.id)
        if before.as_of is not None or after.as_of is not None:
            require(None not in (before.as_of, after.as_of), "as_of is missing from some answers")
            assert before.as_of is not None
            assert after.as_of is not None
            require(
                is_near(after.as_of - timedelta(hours=2), before.as_of, timedelta(seconds=30)),
                "the vendor's clock was put forward by two hours, and as_of was not: it is another clock's",
            )

    @for_promise("R24")
    def test_what_the_vendor_says_beside_the_value_has_its_place(
        self, vendor: VendorUnderTest, provider_: VoucherProvider
    ) -> None:
        lists = can(provider_, Operation.VOUCHERS)
        listed = by_id(provider_.vouchers()) if lists else {}
        for true in ledger_vouchers(vendor):
            voucher_readings = [*readings(provider_, true), *([("the list", listed[true.id])] if lists else [])]
            for name in _BESIDE_THE_VALUE:
                values = {
                    by: value for by, voucher in voucher_readings if (value := getattr(voucher, name)) not in (None, {})
                }
                first = next(iter(values.values()), None)
                require(
                    all(value == first for value in values.values()),
                    f"of {true.id!r}, {' and '.join(values)} tell different {name}",
                )
                plain = type(first) is bool or all(type(text) is str for text in _texts(first))
                require(plain, f"{name} of {true.id!r} is a {type(first).__name__}, which no journal brings back")

    @for_promise("R24")
    def test_a_presentation_shows_the_voucher_that_has_the_code(
        self, vendor: VendorUnderTest, provider_: VoucherProvider
    ) -> None:
        if not can(provider_, Operation.PRESENTATION):
            return
        everything = ledger_vouchers(vendor)
        for true, other in zip(everything, [*everything[1:], everything[0]], strict=True):
            for presentation in (
                provider_.presentation(true.code),
                provider_.presentation(Code(true.code), id=true.id),
            ):
                require(isinstance(presentation, Presentation), f"presentation gave a {type(presentation).__name__}")
                check_voucher(presentation.voucher, true, "presentation")
                require(
                    presentation.voucher.code == Code(true.code), "presentation lacks the code, which is to be printed"
                )
                require(
                    presentation.account == ACCOUNT,
                    f"presentation named the account {presentation.account!r}, not {ACCOUNT!r}",
                )
            if other.id == true.id:
                continue
            try:
                presentation = provider_.presentation(true.code, id=other.id)
            except (VoucherNotFound, InvalidRequest):
                continue
            fail(f"presentation of the code of {true.id!r} with the id {other.id!r} gave {presentation.voucher.id!r}")


def _amount(movement: Movement) -> Decimal:
    return Decimal(0) if movement.money is None else movement.money.amount


def _check_sum(true: ExpectedVoucher, history: History) -> None:
    """Check that the movements add up to what is left: from nothing, if one of them is the first value."""
    changes = [movement.change for movement in history]
    known = [change for change in changes if change is not None]
    if len(known) < len(changes):
        return
    opened = any(movement.kind.opens and movement.change for movement in history)
    first = Decimal(0) if opened else true.initial.amount
    require(
        first + sum(known, Decimal(0)) == true.remaining.amount,
        f"{'the' if opened else 'initial value and'} movements of {true.id!r} do not add up to what is left: a kind or"
        " a state is wrong",
    )


def _check_states(history: History, true: ExpectedVoucher) -> None:
    """Check that each movement is pending, completed or cancelled as in the ledger."""
    states = Counter((_amount(movement), movement.state.value) for movement in history)
    completed = MovementState.COMPLETED.value
    true_states = Counter((Decimal(entry["amount"]), str(entry.get("state") or completed)) for entry in true.movements)
    for amount, state in true_states - states:
        others = " and ".join(sorted({other for other_amount, other in states - true_states if other_amount == amount}))
        require(not others, f"a movement of {true.id!r} is {state} at the vendor, and {others} in the history")


def _check_times(history: History, true: ExpectedVoucher) -> None:
    """Check that each movement is of the moment that the ledger has, as far as the vendor shows ids and times."""
    moments = {entry["id"]: parse_instant(entry["at"]) for entry in true.movements}
    for movement in history:
        if movement.id in moments and movement.created_at is not None:
            moment = moments[movement.id]
            require(
                is_near(movement.created_at, moment),
                f"the history of {true.id!r} says {movement.created_at} of a movement, the vendor {moment}",
            )


def _status_of(word: str | None) -> Status | None:
    """Return the status that has the vendor's word in another spelling; None for a word of the vendor's own."""
    spelling = str(word).lower().replace("-", "_").replace(" ", "_")
    return next((status for status in Status if status.value == spelling), None)


def _texts(value: object) -> list[object]:
    """Return the texts of a field: the text itself, or the names and texts of links."""
    if isinstance(value, Mapping):
        return [text for pair in value.items() for text in pair]
    return [] if value is None else [value]


def _variants(code: str) -> list[tuple[str, str]]:
    swapped = code.swapcase()
    return [
        (how, text)
        for how, text in (
            ("all but the last character", code[:-1]),
            ("the beginning", code[: len(code) // 2]),
            ("another case", swapped),
            ("a longer text", f"{code}X"),
            ("the code with a blank before it", f" {code}"),
            ("the code with a blank behind it", f"{code} "),
            ("the code with a wildcard", f"{code[:-1]}*"),
            ("the code with a wildcard", f"{code[:-1]}%"),
            ("the code with a wildcard", f"{code[:-1]}_"),
        )
        if text not in ("", code)
    ]


def _check_named(error: VoucherGatewayError, operation: str) -> None:
    require(isinstance(error, Declined) and error.outcome == "declined", "the error's outcome is not declined")
    require(error.account == ACCOUNT, f"the error of {operation} names the account {error.account!r}")
    # A provider may make one read of another: a balance of find, a history of get and a list of movements.
    require(error.operation in _READS, f"the error of {operation} names the operation {error.operation!r}")
