"""Verification says of every voucher whether it can be spent, and at which end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import attrs
import pytest

from tests.migration.run.test_crash_points import prepared
from tests.migration.run.test_verify import at_target, code_of, first_carried, kinds, redeem_there
from tests.migration.run.vendor_pair import ANYTHING, VendorPair
from tests.support.simulators import BY_UPDATE, make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.migration import (
    Action,
    DifferenceKind,
    Recode,
    RowState,
    read_vouchers,
    rollback_plan,
    verify_plan,
)
from voucher_gateway.provider_api import Money, NewVoucher, VoucherChanges

_OVER: Final = datetime(2025, 1, 1, tzinfo=UTC)
_LONG_S: Final = 900_000_000


def end_by_hand(pair: VendorPair, account: str, id: str, until: datetime | None) -> None:
    """Change the end of validity at a vendor as a colleague does."""
    pair.gateway.provider(account).update(id, VoucherChanges(valid_until=until), reference="by-hand")


def add_by_hand(pair: VendorPair, account: str, id: str, amount: str) -> None:
    """Write a higher value at the ticketing vendor as a colleague does."""
    provider = pair.gateway.provider(account)
    stored = provider.read_value(id=id)
    by_hand = provider.intent("update", reference="by-hand")  # type: ignore[arg-type]  # what a colleague does
    provider.write_value(stored, stored.value + Money(amount, "EUR"), intent=by_hand)


def recoded(make_pair: Callable[..., VendorPair], *, copy: bool = False) -> VendorPair:
    """Return a pair with two vouchers, one of which has to get another code."""
    pair = prepared(make_pair, "jtl", "ticketing", None)
    taken = NewVoucher(initial=Money("1.00", "EUR"), code=code_of(pair, first_carried(pair)))
    pair.gateway.issue("target", taken, reference="other")
    pair.plan(attrs.evolve(ANYTHING, code_taken=Recode.NEW_CODE), copy=copy)
    destinations = [one.destination for one in read_vouchers(pair.path)]
    assert sorted(one.new_code for one in destinations if one is not None) == [False, True]
    return pair


# --- at the target ---


def test_a_voucher_without_end_that_is_over_at_the_target_is_not_proved(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "ticketing", "ticketing", None)
    pair.run()
    planned = first_carried(pair)
    assert planned.valid_until is None
    end_by_hand(pair, "target", at_target(pair, planned), _OVER)
    found = verify_plan(pair.gateway, pair.path)
    assert [one.kind for one in found.differences] == [DifferenceKind.EXPIRY, DifferenceKind.TOTAL]
    assert "should have no end" in found.differences[0].explanation
    assert found.totals["EUR"].left == Money("10.53", "EUR")  # of two vouchers only the other one


def test_a_voucher_without_end_that_will_end_at_the_target_is_a_difference(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "ticketing", "ticketing", None)
    pair.run()
    end_by_hand(pair, "target", at_target(pair, first_carried(pair)), datetime(2090, 1, 1, tzinfo=UTC))
    assert kinds(pair) == [DifferenceKind.EXPIRY]


def test_a_voucher_whose_end_was_taken_away_at_the_target_is_a_difference(pair: VendorPair) -> None:
    pair.move()
    planned = next(one for one in read_vouchers(pair.path) if one.action is Action.CARRY and one.valid_until)
    end_by_hand(pair, "target", at_target(pair, planned), None)
    assert kinds(pair) == [DifferenceKind.EXPIRY]


def test_a_plan_is_still_proved_when_its_vouchers_are_over_by_now(pair: VendorPair) -> None:
    pair.move()
    for simulator in (pair.source, pair.target):
        simulator.clock.advance(_LONG_S)
    assert verify_plan(pair.gateway, pair.path).proved


def test_vouchers_that_were_inactive_or_over_already_need_not_be_spendable(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("jtl", "jtl", 60)
    pair.plan(attrs.evolve(ANYTHING, inactive=Action.CARRY))
    assert any(one.action is Action.CARRY and one.kind.value == "inactive" for one in read_vouchers(pair.path))
    assert set(kinds(pair)) == {DifferenceKind.NOT_MOVED, DifferenceKind.TOTAL}
    pair.run()
    assert verify_plan(pair.gateway, pair.path).proved


# --- at the source ---


def test_a_voucher_that_changed_and_stays_spendable_is_not_lost(pair: VendorPair) -> None:
    pair.plan()
    planned = first_carried(pair)
    pin = pair.gateway.get("source", planned.source_id, secrets=True).pin
    assert planned.remaining is not None
    pair.gateway.redeem("source", code_of(pair, planned), Money("0.01", "EUR"), pin, reference="a-purchase")
    pair.run()
    first, total = verify_plan(pair.gateway, pair.path).differences
    assert (first.kind, total.kind) == (DifferenceKind.NOT_MOVED, DifferenceKind.TOTAL)
    left = planned.remaining - Money("0.01", "EUR")
    assert first.explanation == f"it is still at the source, with {left} and not {planned.remaining}"


def test_a_voucher_that_was_used_up_at_the_source_is_not_lost(pair: VendorPair) -> None:
    pair.plan()
    planned = first_carried(pair)
    pin = pair.gateway.get("source", planned.source_id, secrets=True).pin
    assert planned.remaining is not None
    pair.gateway.redeem("source", code_of(pair, planned), planned.remaining, pin, reference="a-purchase")
    pair.run()
    assert kinds(pair) == [DifferenceKind.NOT_MOVED, DifferenceKind.TOTAL]


def test_a_frozen_voucher_that_is_not_at_the_target_is_lost(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.gateway.deactivate("source", first_carried(pair).source_id, reference="by-hand")
    assert kinds(pair) == [DifferenceKind.LOST, DifferenceKind.NOT_MOVED, DifferenceKind.TOTAL]


def test_value_that_reached_an_expired_source_is_a_difference(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "ticketing", "jtl", None)
    pair.run()
    add_by_hand(pair, "source", first_carried(pair).source_id, "3.00")
    (found,) = verify_plan(pair.gateway, pair.path).differences
    assert found.kind is DifferenceKind.SOURCE
    assert found.explanation == "it has 13.53 EUR at the source, and should have 10.53 EUR"


def test_value_that_reached_an_emptied_source_is_a_difference(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "jtl", "empty")
    pair.run()
    vendor, id = pair.gateway.provider("source"), first_carried(pair).source_id
    vendor.top_up(id, Money("3.00", "EUR"), reference="by-hand")
    vendor.deactivate(id, reference="by-hand")
    (found,) = verify_plan(pair.gateway, pair.path).differences
    assert found.kind is DifferenceKind.SOURCE
    assert found.explanation == "it has 3.00 EUR at the source, and should have 0.00 EUR"


# --- after a rollback ---


def test_a_source_that_is_over_after_a_rollback_is_not_proved(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "ticketing", "jtl", None)
    pair.run()
    rollback_plan(pair.gateway, pair.path)
    assert verify_plan(pair.gateway, pair.path).proved
    end_by_hand(pair, "source", first_carried(pair).source_id, _OVER)
    found = verify_plan(pair.gateway, pair.path)
    assert [one.kind for one in found.differences] == [DifferenceKind.SOURCE, DifferenceKind.TOTAL]
    assert found.totals["EUR"].at_source == Money("10.53", "EUR")


def test_a_voucher_that_could_not_be_brought_back_is_spendable_once(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.run()
    redeem_there(pair, first_carried(pair), "1.00")
    assert [one.state for one in rollback_plan(pair.gateway, pair.path).kept] == [RowState.KEPT]
    found = verify_plan(pair.gateway, pair.path)
    first, total = found.differences
    assert (first.kind, total.kind) == (DifferenceKind.NOT_BACK, DifferenceKind.TOTAL)
    assert first.explanation == "it can be spent at the target only, where it has 9.53 EUR"
    assert found.as_expected == 1
    sums = found.totals["EUR"]
    assert [str(one.amount) for one in (sums.at_target, sums.used, sums.left, sums.at_source)] == [
        "21.06",
        "-1.00",
        "9.53",
        "10.53",
    ]


def test_a_voucher_that_was_brought_back_and_revived_at_the_target_is_spendable_twice(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.run()
    there = at_target(pair, first_carried(pair))
    rollback_plan(pair.gateway, pair.path)
    end_by_hand(pair, "target", there, None)
    assert kinds(pair) == [DifferenceKind.SPENDABLE_TWICE, DifferenceKind.TOTAL]


# --- found without its code ---


@pytest.fixture
def unreadable(make_pair: Callable[..., VendorPair]) -> VendorPair:
    """From JTL to JTL, where the login at the target may not read codes."""
    pair = make_pair("jtl", "jtl", 30)
    scopes = ("manage", "use", "read", "read-lists", "update", "recharge")
    source, target = pair.accounts
    accounts = [
        Account(name="source", provider=source.provider(), accept_risks=BY_UPDATE),
        Account(name="target", provider=target.provider(scopes=scopes), accept_risks=BY_UPDATE),
    ]
    pair.gateway.close()
    pair.gateway = Gateway(accounts, journal=open_journal(pair.url, make_journal_keys()))
    return pair


def test_codes_that_cannot_be_read_are_told_and_the_rest_is_proved(unreadable: VendorPair) -> None:
    with unreadable.gateway:
        unreadable.move()
        found = verify_plan(unreadable.gateway, unreadable.path)
        assert found.proved
        assert found.codes_not_compared == found.vouchers > 0


def test_codes_that_can_be_read_are_all_compared(either_pair: VendorPair) -> None:
    either_pair.move()
    assert verify_plan(either_pair.gateway, either_pair.path).codes_not_compared == 0


def test_vouchers_with_new_codes_are_found_in_a_copy_too(make_pair: Callable[..., VendorPair]) -> None:
    pair = recoded(make_pair, copy=True)
    pair.run()
    assert verify_plan(pair.gateway, pair.path).proved


def test_vouchers_with_new_codes_are_found_after_a_rollback_too(make_pair: Callable[..., VendorPair]) -> None:
    pair = recoded(make_pair)
    pair.run()
    there = at_target(pair, first_carried(pair))
    rollback_plan(pair.gateway, pair.path)
    assert verify_plan(pair.gateway, pair.path).proved
    end_by_hand(pair, "target", there, None)
    assert kinds(pair) == [DifferenceKind.SPENDABLE_TWICE, DifferenceKind.TOTAL]


def test_a_difference_is_found_where_codes_cannot_be_read(unreadable: VendorPair) -> None:
    with unreadable.gateway:
        unreadable.move()
        there = at_target(unreadable, first_carried(unreadable))
        unreadable.gateway.provider("target").deactivate(there, reference="by-hand")
        assert kinds(unreadable) == [DifferenceKind.STATUS, DifferenceKind.TOTAL]


def test_without_codes_to_read_it_is_not_claimed_that_a_voucher_is_not_there(unreadable: VendorPair) -> None:
    with unreadable.gateway:
        unreadable.plan()
        unreadable.gateway.deactivate("source", first_carried(unreadable).source_id, reference="by-hand")
        (lost,) = (
            one
            for one in verify_plan(unreadable.gateway, unreadable.path).differences
            if one.kind is DifferenceKind.LOST
        )
        assert lost.explanation.startswith("the target does not show codes")
