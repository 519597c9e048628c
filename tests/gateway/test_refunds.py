"""Refunds never give back more than the redemption took, whether or not the vendor counts them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.simulators import BY_UPDATE, account_table
from voucher_gateway import AlreadyRefunded, Gateway, Money, NewVoucher, OutcomeUnknown, Redemption
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.errors import ReferenceConflict
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.provider_api import (
    ConfigurationError,
    DatabaseUnavailable,
    InvalidRequest,
    Operation,
    OperationInProgress,
    VoucherGatewayError,
)
from voucher_gateway.simulator import RunningSimulator, start

CODE = "REFUND-0001"


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


@attrs.frozen
class Counter:
    """A vendor, and gateways on one journal to it."""

    vendor: RunningSimulator
    url: str
    open: Callable[..., Gateway]
    gateway: Gateway

    def redeemed(self, amount: str = "20.00") -> Redemption:
        """Issue a voucher of 50 EUR and redeem a part of it."""
        voucher = self.gateway.issue("events", NewVoucher(initial=euros("50.00"), code=CODE), reference="sale")
        if self.vendor.announcement["provider"] == "jtl":
            self.gateway.activate("events", voucher.id, reference="sale")
        return self.gateway.redeem("events", CODE, euros(amount), reference="purchase", order="1001")

    def remaining(self) -> str:
        (entry,) = self.vendor.ledger()
        return str(entry["remaining"])

    def put_count(self) -> int:
        return sum(request.method == "PUT" for request in self.vendor.requests)


def _config(vendor: RunningSimulator, url: str | None) -> dict[str, Any]:
    account = account_table(vendor, tries=1)
    if account["provider"] == "ticketing":
        account |= {"currency": "EUR", "accept_risks": sorted(BY_UPDATE)}
    return {"accounts": {"events": account}, **({} if url is None else {"journal": url})}


@pytest.fixture
def counter_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Counter]]:
    """Starts a vendor and opens a gateway to it on the journal of a URL."""
    monkeypatch.setenv("VOUCHER_GATEWAY_JOURNAL_KEY", "a-key-for-the-tests-of-journals")
    with ExitStack() as stack:

        def make(name: str, url: str) -> Counter:
            vendor = stack.enter_context(start(name))

            def another(journal: str | None = url) -> Gateway:
                return stack.enter_context(Gateway.from_config(_config(vendor, journal)))

            return Counter(vendor, url, another, another())

        yield make


@pytest.fixture(params=["ticketing", "jtl"])
def counter(request: pytest.FixtureRequest, counter_at: Callable[[str, str], Counter], sqlite_url: str) -> Counter:
    """Each vendor in turn: one that counts refunds, and one that does not."""
    return counter_at(request.param, sqlite_url)


@pytest.fixture
def seller(counter_at: Callable[[str, str], Counter], either_url: str) -> Counter:
    """The vendor that does not count refunds, on each kind of journal in turn."""
    return counter_at("ticketing", either_url)


def test_a_refund_without_an_amount_gives_the_rest_back(counter: Counter) -> None:
    taken = counter.redeemed("20.00")
    counter.gateway.refund("events", taken, euros("5.00"), reference="b1")
    assert counter.gateway.refundable(taken) == euros("15.00")
    assert counter.gateway.refund("events", taken, reference="b2").money == euros("15.00")
    assert counter.gateway.refundable(taken) == euros("0.00")
    assert counter.remaining() == "50.00"


def test_more_than_the_rest_is_refused_with_what_is_left(counter: Counter) -> None:
    taken = counter.redeemed("20.00")
    counter.gateway.refund("events", taken, euros("5.00"), reference="b1")
    with pytest.raises(AlreadyRefunded, match=r"15\.00 EUR of it are left to give back"):
        counter.gateway.refund("events", taken, euros("15.01"), reference="b2")
    assert counter.gateway.operation("events", "refund", "b2") is None
    counter.gateway.refund("events", taken, euros("15.00"), reference="b3")
    with pytest.raises(AlreadyRefunded, match=r"0\.00 EUR of it are left"):
        counter.gateway.refund("events", taken, reference="b4")
    with pytest.raises(AlreadyRefunded):
        counter.gateway.refund("events", taken, euros("20.00"), reference="b5")
    assert counter.remaining() == "50.00"


def test_more_than_was_redeemed_at_all_is_a_wrong_request(counter: Counter) -> None:
    taken = counter.redeemed("20.00")
    with pytest.raises(InvalidRequest, match="more than the"):
        counter.gateway.refund("events", taken, euros("20.01"), reference="b1")
    inflated = attrs.evolve(taken, money=euros("40.00"))  # the journal knows better
    with pytest.raises(InvalidRequest, match=r"more than the 20\.00 EUR redeemed"):
        counter.gateway.refund("events", inflated, euros("40.00"), reference="b2")
    assert counter.remaining() == "30.00"
    assert counter.gateway.refund("events", inflated, reference="b3").money == euros("20.00")


def test_the_rest_under_the_same_reference_is_replayed(counter: Counter) -> None:
    taken = counter.redeemed("20.00")
    first = counter.gateway.refund("events", taken, euros("5.00"), reference="b1")
    rest = counter.gateway.refund("events", taken, reference="b2")
    again = counter.gateway.refund("events", taken, reference="b2")
    assert (again.replayed, again.money, again.id) == (True, euros("15.00"), rest.id)
    assert counter.gateway.refund("events", taken, euros("15.00"), reference="b2").replayed
    assert counter.gateway.refund("events", taken, euros("5.00"), reference="b1").id == first.id
    with pytest.raises(ReferenceConflict):  # it stood for a part, and now for the rest
        counter.gateway.refund("events", taken, reference="b1")
    assert counter.remaining() == "50.00"


def test_the_whole_and_no_amount_are_the_same_call_while_nothing_was_given_back(counter: Counter) -> None:
    taken = counter.redeemed("20.00")
    counter.gateway.refund("events", taken, euros("20.00"), reference="b1")
    assert counter.gateway.refund("events", taken, reference="b1").replayed


def test_a_refund_in_doubt_counts_until_it_is_resolved(seller: Counter) -> None:
    taken = seller.redeemed("20.00")
    seller.vendor.inject("drop-before", "PUT *")
    with pytest.raises(OutcomeUnknown):
        seller.gateway.refund("events", taken, euros("15.00"), reference="b1")
    assert seller.gateway.refundable(taken) == euros("5.00")
    with pytest.raises(OperationInProgress, match="'b1'"):
        seller.gateway.refund("events", taken, euros("6.00"), reference="b2")
    seller.gateway.decide(
        OperationKey("events", Operation.REFUND, "b1"), succeeded=False, by="Ada", reason="asked the vendor"
    )
    assert seller.gateway.refundable(taken) == euros("20.00")
    seller.gateway.refund("events", taken, reference="b3")
    assert seller.remaining() == "50.00"


@pytest.mark.parametrize("by", ["recover", "a person"])
def test_a_redemption_whose_result_could_not_be_recorded_is_given_back_once(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The shop has the redemption that it was given, and the journal has the one that was found later."""

    def full(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the database is full")

    counter.gateway.issue("events", NewVoucher(initial=euros("50.00"), code=CODE), reference="sale")
    if counter.vendor.announcement["provider"] == "jtl":
        counter.gateway.activate("events", str(counter.vendor.ledger()[0]["id"]), reference="sale")
    with monkeypatch.context() as broken:
        broken.setattr(Journal, "close_operation", full)
        given = counter.gateway.redeem("events", CODE, euros("20.00"), reference="purchase")
    if by == "a person":
        counter.vendor.inject("error-before", "GET *", times=None)
        key = OperationKey("events", Operation.REDEEM, "purchase")
        counter.gateway.decide(key, succeeded=True, by="ann", reason="the shop has its redemption")
        counter.vendor.clear_faults()
    counter.gateway.recover(everything=True)
    counter.gateway.refund("events", given, reference="b1")
    with suppress(VoucherGatewayError):  # another id, where the vendor has ids of its own and a person decided
        counter.gateway.refund("events", counter.gateway.redemption("events", "purchase"), reference="b2")
    assert counter.remaining() == "50.00"


def test_two_processes_that_refund_at_once_stay_within_the_redemption(
    seller: Counter, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    taken = seller.redeemed("20.00")

    def refund_all() -> str:
        with seller.open() as gateway:
            return str(gateway.refund("events", taken, euros("20.00"), reference=f"p-{os.getpid()}", wait=20).money)

    said = at_once(refund_all, 4)
    assert sorted(one.partition(":")[0] for one in said) == ["20.00 EUR", *["AlreadyRefunded"] * 3]
    assert seller.remaining() == "50.00"


def test_a_redemption_that_the_journal_does_not_know_is_bounded_by_its_id(seller: Counter) -> None:
    taken = seller.redeemed("20.00")
    foreign = Redemption(account="events", id="from-elsewhere", voucher_id=taken.voucher_id, money=euros("10.00"))
    seller.gateway.refund("events", foreign, euros("6.00"), reference="f1")
    with pytest.raises(AlreadyRefunded, match=r"4\.00 EUR of it are left"):
        seller.gateway.refund("events", foreign, euros("4.01"), reference="f2")
    assert seller.gateway.refund("events", foreign, reference="f3").money == euros("4.00")
    assert seller.gateway.refundable(taken) == euros("20.00")


def test_without_a_journal_nothing_can_be_summed_and_the_risk_says_so(seller: Counter) -> None:
    taken = seller.redeemed("20.00")
    with seller.open(None) as gateway, pytest.raises(ConfigurationError, match="needs a journal"):
        gateway.refundable(taken)
    assert "without a journal" in RISKS["refund-by-update"]


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["r1", "r2", "r3", "r4", "r5"]),
        st.one_of(st.none(), st.integers(1, 2500)),
        st.sampled_from(["", "", "", "commit-then-drop", "drop-before", "error-before", "rate-limit"]),
        st.sampled_from(["", "", "recover", "decide"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_no_sequence_of_refunds_sums_above_the_redemption(
    calls: list[tuple[str, int | None, str, str]], counter_at: Callable[[str, str], Counter]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seller = counter_at("ticketing", f"sqlite:///{Path(folder) / 'journal.db'}")
        taken = seller.redeemed("20.00")
        given_back: dict[str, Decimal] = {}
        for reference, minor, fault, then in calls:
            if fault:
                seller.vendor.inject(fault, "PUT *")
            before = Decimal(seller.remaining())
            with suppress(VoucherGatewayError):
                money = None if minor is None else Money.from_minor(minor, "EUR")
                seller.gateway.refund("events", taken, money, reference=reference)
            seller.vendor.clear_faults()
            given_back[reference] = given_back.get(reference, Decimal(0)) + Decimal(seller.remaining()) - before
            entry = seller.gateway.operation("events", "refund", reference)
            if then == "recover":
                seller.gateway.recover(everything=True)
            elif then == "decide" and entry is not None and entry.state is OperationState.UNKNOWN:
                with suppress(InvalidRequest):  # it is looked up first, and found
                    happened = given_back[reference] > 0
                    seller.gateway.decide(entry.key, succeeded=happened, by="Ada", reason="asked the vendor")
            assert sum(given_back.values()) <= Decimal("20.00")
            assert seller.gateway.refundable(taken).amount <= Decimal("20.00") - sum(given_back.values())
