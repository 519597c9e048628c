"""Whose voucher a code is: which accounts are asked, side by side, and what is said when one cannot be asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from voucher_gateway import (
    Account,
    AuthenticationFailed,
    Gateway,
    Money,
    NewVoucher,
    ProviderUnavailable,
    VoucherGatewayError,
)
from voucher_gateway.simulator import RunningSimulator

TEN = Money("10", "EUR")


@pytest.fixture
def both(
    jtl: RunningSimulator,
    ticketing: RunningSimulator,
    account_at: Callable[..., dict[str, Any]],
    open_gateway: Callable[..., Gateway],
) -> Gateway:
    """`shop` at JTL has codes that begin with JTL-, `events` at the ticketing vendor such that begin with EV-."""
    gateway = open_gateway(
        shop=account_at(jtl, code_pattern="^JTL-", tries=1),
        events=account_at(ticketing, code_pattern="^(EV|BOTH)-", currency="EUR", tries=1),
    )
    gateway.issue("shop", NewVoucher(initial=TEN, code="JTL-0001", active=True), reference="i-1")
    gateway.issue("shop", NewVoucher(initial=TEN, code="BOTH-0001", active=True), reference="i-2")
    gateway.issue("events", NewVoucher(initial=TEN, code="EV-0001"), reference="i-3")
    gateway.issue("events", NewVoucher(initial=TEN, code="BOTH-0001"), reference="i-4")
    return gateway


def test_only_accounts_whose_pattern_matches_are_asked(both: Gateway, ticketing: RunningSimulator) -> None:
    before = len(ticketing.requests)
    lookup = both.find("JTL-0001")
    assert lookup.state == "found"
    assert lookup.voucher is not None
    assert (lookup.voucher.account, lookup.voucher.remaining) == ("shop", TEN)
    assert (lookup.asked, lookup.left_out, lookup.failed) == (("shop",), ("events",), {})
    assert len(ticketing.requests) == before


def test_a_code_that_no_pattern_matches_is_shown_to_nobody(
    both: Gateway, jtl: RunningSimulator, ticketing: RunningSimulator
) -> None:
    before = len(jtl.requests), len(ticketing.requests)
    lookup = both.find("XY-0001")
    assert (lookup.state, lookup.asked, lookup.left_out) == ("not_found", (), ("shop", "events"))
    assert (len(jtl.requests), len(ticketing.requests)) == before


def test_an_account_without_a_pattern_is_asked_only_by_broadcast(
    jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    gateway = open_gateway(shop=account_at(jtl))
    gateway.issue("shop", NewVoucher(initial=TEN, code="JTL-0001"), reference="i-1")
    assert gateway.find("JTL-0001").left_out == ("shop",)
    assert gateway.find("JTL-0001", broadcast=True).state == "found"


def test_a_broadcast_asks_everybody(both: Gateway) -> None:
    lookup = both.find("EV-0001", broadcast=True)
    assert lookup.voucher is not None
    assert (lookup.voucher.account, lookup.asked, lookup.left_out) == ("events", ("shop", "events"), ())


def test_a_pattern_may_match_anywhere_unless_it_is_anchored(
    jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    gateway = open_gateway(anywhere=account_at(jtl, code_pattern="JTL"), start=account_at(jtl, code_pattern="^JTL"))
    assert gateway.find("MY-JTL-1").asked == ("anywhere",)
    assert gateway.find("JTL-1").asked == ("anywhere", "start")


def test_what_everybody_asked_does_not_know_is_not_found(both: Gateway) -> None:
    lookup = both.find("JTL-none", broadcast=True)
    assert (lookup.state, lookup.voucher, lookup.vouchers) == ("not_found", None, ())
    assert lookup.asked == ("shop", "events")


def test_a_code_at_two_vendors_is_found_twice_and_none_of_the_two_is_picked(both: Gateway) -> None:
    lookup = both.find("BOTH-0001", broadcast=True)
    assert lookup.state == "found"
    assert {voucher.account for voucher in lookup.vouchers} == {"shop", "events"}
    assert lookup.voucher is None


def test_who_could_not_be_asked_is_named_and_makes_not_found_incomplete(
    both: Gateway, ticketing: RunningSimulator
) -> None:
    ticketing.inject("error-before", "GET *", times=None)
    lookup = both.find("JTL-none", broadcast=True)
    assert (lookup.state, lookup.asked, tuple(lookup.failed)) == ("incomplete", ("shop",), ("events",))
    assert isinstance(lookup.failed["events"], ProviderUnavailable)


def test_what_was_found_counts_even_if_another_could_not_be_asked(both: Gateway, ticketing: RunningSimulator) -> None:
    ticketing.inject("error-before", "GET *", times=None)
    lookup = both.find("JTL-0001", broadcast=True)
    assert (lookup.state, tuple(lookup.failed)) == ("found", ("events",))
    assert lookup.voucher is not None


def test_a_vendor_that_is_gone_or_refuses_the_login_is_one_that_could_not_be_asked(
    jtl: RunningSimulator,
    start_vendor: Callable[..., RunningSimulator],
    account_at: Callable[..., dict[str, Any]],
    open_gateway: Callable[..., Gateway],
) -> None:
    gone = start_vendor("jtl")
    gateway = open_gateway(
        gone=account_at(gone, tries=1), locked=account_at(jtl, client_secret="not-the-secret"), shop=account_at(jtl)
    )
    gone.close()
    lookup = gateway.find("JTL-0001", broadcast=True)
    failed: dict[str, type[VoucherGatewayError]] = {name: type(error) for name, error in lookup.failed.items()}
    assert failed == {"gone": ProviderUnavailable, "locked": AuthenticationFailed}
    assert (lookup.state, lookup.asked) == ("incomplete", ("shop",))


def test_a_vendor_that_cannot_have_such_a_code_has_it_not(both: Gateway, jtl: RunningSimulator) -> None:
    before = len(jtl.requests)
    lookup = both.find("JTL-" + "1" * 300, broadcast=True)  # JTL's codes have 255 characters at most
    assert (lookup.state, lookup.asked, lookup.failed) == ("not_found", ("shop", "events"), {})
    assert len(jtl.requests) == before


def test_a_text_that_is_too_long_for_any_code_is_shown_to_nobody(both: Gateway, ticketing: RunningSimulator) -> None:
    before = len(ticketing.requests)
    lookup = both.find("EV-" + "1" * 1000, broadcast=True)
    assert (lookup.state, lookup.asked, lookup.left_out) == ("not_found", (), ("shop", "events"))
    assert len(ticketing.requests) == before


def test_two_slow_vendors_are_asked_side_by_side(
    start_vendor: Callable[..., RunningSimulator],
    account_at: Callable[..., dict[str, Any]],
    open_gateway: Callable[..., Gateway],
) -> None:
    slow_ms = 800
    vendors = {name: start_vendor("jtl", latency_ms=slow_ms) for name in ("first", "second", "third")}
    gateway = open_gateway(**{name: account_at(running) for name, running in vendors.items()})
    gateway.find("JTL-0001", broadcast=True)  # gets the access tokens
    start = time.monotonic()
    assert gateway.find("JTL-0001", broadcast=True).asked == ("first", "second", "third")
    assert slow_ms <= (time.monotonic() - start) * 1000 < 2.5 * slow_ms  # one after the other, it would be 3


def test_the_pin_is_passed_on(
    jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    gateway = open_gateway(shop=account_at(jtl, scopes=["read-lists", "read-secrets", "read", "manage"]))
    gateway.issue("shop", NewVoucher(initial=TEN, code="JTL-0001", pin="0815"), reference="i-1")
    assert gateway.find("JTL-0001", "0815", broadcast=True).state == "found"
    assert gateway.find("JTL-0001", "4711", broadcast=True).vouchers == ()


def test_the_code_shows_nowhere_in_a_lookup(both: Gateway, ticketing: RunningSimulator) -> None:
    ticketing.inject("error-before", "GET *", times=None)
    text = repr(both.find("BOTH-0001", broadcast=True)) + repr(both.find("JTL-0001"))
    assert "BOTH-0001" not in text
    assert "JTL-0001" not in text


def test_accounts_can_be_put_together_in_code(both: Gateway) -> None:
    shop = both.account("shop")
    with_another_name = Gateway([Account(name="elsewhere", provider=shop.provider, code_pattern=shop.code_pattern)])
    assert with_another_name.find("JTL-0001").asked == ("elsewhere",)
