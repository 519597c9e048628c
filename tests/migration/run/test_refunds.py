"""A redemption from before the move can still be given back: the value reaches the voucher where it is now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.migration.run.vendor_pair import ANYTHING, VendorPair
from tests.support.ledger import Ledger
from tests.support.simulators import SimulatorAccount, make_gateway
from voucher_gateway.errors import ReferenceConflict
from voucher_gateway.journal.records import OperationState
from voucher_gateway.migration import make_plan, rollback_plan, run_plan
from voucher_gateway.provider_api import (
    AlreadyRefunded,
    InvalidRequest,
    Money,
    NewVoucher,
    Operation,
    OperationInProgress,
    OutcomeUnknown,
    Redemption,
    UnsupportedOperation,
    VoucherInactive,
)

CODE = "MOVED-CODE-0001"
TEN = Money("10.00", "EUR")


def redeemed_and_moved(pair: VendorPair) -> Redemption:
    """Issue, redeem in part, and move."""
    new = NewVoucher(initial=Money("50.00", "EUR"), code=CODE, active=None)
    made = pair.gateway.issue("source", new, reference="sale")
    if pair.source.announcement["provider"] == "jtl":
        pair.gateway.activate("source", made.id, reference="sale")
    redemption = pair.gateway.redeem("source", CODE, TEN, reference="purchase", order="1001")
    pair.move()
    return redemption


def left(pair: VendorPair) -> str:
    return str(Ledger(pair.target).entry(code=CODE)["remaining"])


def test_a_refund_reaches_the_voucher_where_it_is_now(either_pair: VendorPair) -> None:
    redemption = redeemed_and_moved(either_pair)
    refund = either_pair.gateway.refund("source", redemption, reference="return", order="1001")
    there = either_pair.gateway.find_moved("source", str(redemption.voucher_id))
    assert there is not None
    assert (refund.account, refund.voucher_id) == ("target", there.to_voucher_id)
    assert (refund.money, refund.redemption_id, refund.reference) == (TEN, redemption.id, "return")
    assert left(either_pair) == "50.00"


def test_a_repeated_refund_is_replayed(either_pair: VendorPair) -> None:
    redemption = redeemed_and_moved(either_pair)
    first = either_pair.gateway.refund("source", redemption, reference="return")
    sent = either_pair.changes()
    again = either_pair.gateway.refund("source", redemption, reference="return")
    assert (again.replayed, again.id, again.reference) == (True, first.id, "return")
    assert either_pair.changes() == sent
    assert left(either_pair) == "50.00"


def test_no_more_is_given_back_than_was_redeemed(pair: VendorPair) -> None:
    redemption = redeemed_and_moved(pair)
    pair.gateway.refund("source", redemption, Money("6.00", "EUR"), reference="one")
    with pytest.raises(AlreadyRefunded, match=r"6\.00 EUR of the 10\.00 EUR"):
        pair.gateway.refund("source", redemption, Money("4.01", "EUR"), reference="two")
    with pytest.raises(InvalidRequest, match="more than"):
        pair.gateway.refund("source", redemption, Money("10.01", "EUR"), reference="three")
    pair.gateway.refund("source", redemption, Money("4.00", "EUR"), reference="four")
    assert left(pair) == "50.00"


def test_what_was_given_back_before_the_move_counts_too(pair: VendorPair) -> None:
    new = NewVoucher(initial=Money("50.00", "EUR"), code=CODE, active=True)
    pair.gateway.issue("source", new, reference="sale")
    redemption = pair.gateway.redeem("source", CODE, TEN, reference="purchase")
    early = pair.gateway.refund("source", redemption, Money("6.00", "EUR"), reference="early")
    pair.move()
    with pytest.raises(AlreadyRefunded, match=r"4\.00 EUR of it are left to give back"):
        pair.gateway.refund("source", redemption, Money("4.01", "EUR"), reference="too-much")
    assert pair.gateway.refundable(redemption) == Money("4.00", "EUR")
    again = pair.gateway.refund("source", redemption, Money("6.00", "EUR"), reference="early")
    assert (again.account, again.id, again.replayed) == ("source", early.id, True)  # it stays where it was made
    assert left(pair) == "46.00"
    assert pair.gateway.refund("source", redemption, reference="late").money == Money("4.00", "EUR")
    assert pair.gateway.refundable(redemption) == Money("0.00", "EUR")
    assert left(pair) == "50.00"


def test_a_refund_is_replayed_after_both_accounts_were_renamed(pair: VendorPair) -> None:
    redemption = redeemed_and_moved(pair)
    first = pair.gateway.refund("source", redemption, Money("6.00", "EUR"), reference="return")
    names = {"source": "old-shop", "target": "events"}
    renamed = pair.renamed_gateway(names)
    redemption = renamed.redemption("old-shop", "purchase")
    again = renamed.refund("old-shop", redemption, Money("6.00", "EUR"), reference="return")
    assert (again.replayed, again.id, again.account) == (True, first.id, "events")
    with pytest.raises(AlreadyRefunded):
        renamed.refund("old-shop", redemption, Money("6.00", "EUR"), reference="another")
    there = renamed.find_moved("old-shop", str(redemption.voucher_id))
    assert there is not None
    assert there.to_account == "events"
    assert left(pair) == "46.00"


def test_the_same_reference_for_another_refund_is_a_conflict(pair: VendorPair) -> None:
    redemption = redeemed_and_moved(pair)
    pair.gateway.refund("source", redemption, Money("1.00", "EUR"), reference="return")
    with pytest.raises(ReferenceConflict):
        pair.gateway.refund("source", redemption, Money("2.00", "EUR"), reference="return")


def test_where_nothing_can_be_added_the_error_says_where_the_voucher_is(pair: VendorPair) -> None:
    redemption = redeemed_and_moved(pair)
    timid = pair.another_gateway(risks=frozenset())
    with pytest.raises(
        UnsupportedOperation,
        match=r"moved to the account target, where its id is \w+.*accept_risks.*in the account target",
    ):
        timid.refund("source", redemption, reference="return")
    assert left(pair) == "40.00"


def test_the_old_code_keeps_its_errors(pair: VendorPair) -> None:
    redeemed_and_moved(pair)
    with pytest.raises(VoucherInactive):
        pair.gateway.redeem("source", CODE, TEN, reference="too-late")


def test_a_voucher_that_was_never_moved_is_nowhere_else(pair: VendorPair) -> None:
    assert pair.gateway.find_moved("source", "nobody") is None


def test_a_refund_in_doubt_is_resolved_where_it_was_sent(reverse_pair: VendorPair) -> None:
    """At JTL a recharge under our reference proves it."""
    redemption = redeemed_and_moved(reverse_pair)
    reverse_pair.target.inject("commit-then-drop", "POST */recharge")
    with pytest.raises(OutcomeUnknown):
        reverse_pair.gateway.refund("source", redemption, reference="return")
    resolved = [one for one in reverse_pair.gateway.recover(everything=True) if one.verb == Operation.REFUND]
    assert [one.state for one in resolved] == [OperationState.SUCCEEDED]
    found = reverse_pair.gateway.refund("source", redemption, reference="return")
    assert (found.money, found.redemption_id) == (TEN, redemption.id)
    assert left(reverse_pair) == "50.00"


def test_while_a_voucher_is_under_way_nothing_is_given_back_on_it(pair: VendorPair) -> None:
    new = NewVoucher(initial=Money("50.00", "EUR"), code=CODE, active=True)
    pair.gateway.issue("source", new, reference="sale")
    redemption = pair.gateway.redeem("source", CODE, TEN, reference="purchase")
    pair.plan()
    pair.target.inject("error-before", "POST */vouchers", times=0)  # whether it was created stays open
    pair.run()
    with pytest.raises(OperationInProgress, match="being moved"):
        pair.gateway.refund("source", redemption, reference="return")


def test_a_refund_follows_a_voucher_over_two_moves(make_pair: Callable[..., VendorPair], tmp_path: Path) -> None:
    """A refund made after the first move is replayed after the second, and a new one goes on to the end."""
    pair = make_pair("jtl", "jtl", 0)
    redemption = redeemed_and_moved(pair)
    between = pair.gateway.refund("source", redemption, Money("1.00", "EUR"), reference="between")
    onwards = tmp_path / "back.jsonl"
    third = make_pair("ticketing", "ticketing", 0, url=f"{pair.url}-unused")
    accounts = (*pair.accounts, SimulatorAccount("third", third.target.announcement))
    with make_gateway(accounts, pair.url) as gateway:
        make_plan(gateway, "target", "third", onwards, policy=ANYTHING)
        run_plan(gateway, onwards)
        again = gateway.refund("source", redemption, Money("1.00", "EUR"), reference="between")
        assert (again.replayed, again.id, again.account) == (True, between.id, "target")
        later = gateway.refund("source", redemption, Money("2.00", "EUR"), reference="later")
        assert later.account == "third"
        with pytest.raises(AlreadyRefunded):
            gateway.refund("source", redemption, Money("7.01", "EUR"), reference="too-much")
        there = gateway.find_moved("source", str(redemption.voucher_id))
        assert there is not None
        assert (there.account, there.to_account) == ("source", "third")
    assert str(Ledger(third.target).entry(code=CODE)["remaining"]) == "43.00"


def test_after_a_rollback_a_refund_goes_to_the_source_again(pair: VendorPair) -> None:
    redemption = redeemed_and_moved(pair)
    rollback_plan(pair.gateway, pair.path)
    refund = pair.gateway.refund("source", redemption, reference="return")
    assert refund.account == "source"
    assert str(Ledger(pair.source).entry(code=CODE)["remaining"]) == "50.00"
