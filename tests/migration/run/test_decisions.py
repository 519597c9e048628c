"""What a person decided about the creation of a voucher: found, corrected and freed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from tests.migration.run.test_crash_points import _CODES, prepared
from tests.migration.run.vendor_pair import SpendableValues, VendorPair
from tests.support.ledger import Ledger
from voucher_gateway.execution.decisions import Decision
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.migration import RowState, rollback_plan, status_of, verify_plan
from voucher_gateway.migration.run import context
from voucher_gateway.provider_api import Operation, Status, VoucherChanges, now


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_PAUSES_S", (0.01,))


def decide_without_id(pair: VendorPair, key: OperationKey) -> None:
    """Decide that a voucher was issued as versions before did it, without its id and without reading it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Decision, "check", lambda *_: None)
        pair.gateway.decide(key, succeeded=True, by="an engineer", reason="seen in the vendor's pages")


def doubtful_creation(pair: VendorPair, fault: str) -> OperationKey:
    """Run a plan with a fault at one creation, and return the operation that stays in doubt."""
    pair.target.inject(fault, "POST */vouchers", times=1)
    (doubt,) = [row.reason for row in pair.run(workers=1).noted if "the operation is" in row.reason]
    return OperationKey("target", Operation.ISSUE, doubt.rpartition(" ")[2])


def test_a_creation_that_was_wrongly_decided_is_freed_by_a_rollback(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    before = SpendableValues.of(pair)
    decide_without_id(pair, doubtful_creation(pair, "drop-before"))
    (noted,) = pair.run(workers=1).noted
    assert (
        "an engineer decided that the target has it, but it is not found there. Correct that decision" in noted.reason
    )
    report = rollback_plan(pair.gateway, pair.path)
    assert (report.undone, report.not_undone) == (2, 0)
    assert SpendableValues.of(pair).source == before.source
    source_id = noted.source_id
    assert pair.gateway.activate("source", source_id, reference="free-again").status is Status.ACTIVE


def test_a_wrong_decision_about_a_creation_is_corrected_and_the_run_goes_on(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    before = SpendableValues.of(pair)
    key = doubtful_creation(pair, "drop-before")
    decide_without_id(pair, key)
    pair.gateway.decide(key, succeeded=False, by="another engineer", reason="the vendor has no such voucher")
    assert set(pair.run(workers=1).counts) == {RowState.MOVED}
    assert SpendableValues.of(pair).all == before.all
    entry = pair.gateway.operation(key.account, key.verb, key.reference)
    assert entry is not None
    assert entry.state is OperationState.SUCCEEDED


def test_a_creation_that_a_person_decided_is_found_by_its_code(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.target.inject("commit-then-drop", "POST */vouchers", times=1)
    pair.target.inject("error-before", "GET /*", times=0, after=1)  # the first is the check at the begin
    (doubt,) = [one.reason for one in pair.run(workers=1).noted if "the operation is" in one.reason]
    key = OperationKey("target", Operation.ISSUE, doubt.rpartition(" ")[2])
    decide_without_id(pair, key)
    pair.target.clear_faults()
    assert set(pair.run(workers=1).counts) == {RowState.MOVED}
    assert status_of(pair.gateway, pair.path).count(RowState.MOVED) == 2


def arrives_after_decision(pair: VendorPair) -> OperationKey:
    """Let a creation be lost, be decided as not executed, and arrive at the vendor after that."""
    key = doubtful_creation(pair, "drop-before")
    pair.gateway.decide(key, succeeded=False, by="Ann", reason="not in the vendor's list")
    (lost,) = [request for request in pair.target.requests if "drop-before" in request.faults]
    answer = requests.request(
        lost.method,
        pair.target.announcement["base_url"] + lost.path.removeprefix("/v1"),
        data=lost.body,
        headers={"Authorization": dict(lost.headers)["Authorization"], "Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.status_code == 201
    return key


def test_a_voucher_that_arrives_after_a_decision_is_not_spendable_twice_after_a_run(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    before = SpendableValues.of(pair)
    key = arrives_after_decision(pair)
    report = pair.run(workers=1)
    assert report.in_doubt == 1
    (reason,) = [voucher.reason for voucher in report.noted]
    assert "Ann decided that it was not issued" in reason
    assert SpendableValues.of(pair).all == before.all
    # the reason names the voucher, so that the decision can be corrected
    voucher_id = Ledger(pair.target).entry(code=_CODES[0])["id"]
    assert voucher_id in reason
    pair.gateway.decide(key, succeeded=True, by="Ben", reason="it arrived", voucher_id=voucher_id)
    assert pair.run(workers=1).in_doubt == 0
    assert SpendableValues.of(pair).all == before.all
    assert status_of(pair.gateway, pair.path).count(RowState.MOVED) == 2
    assert verify_plan(pair.gateway, pair.path).proved


def test_a_voucher_that_arrives_after_a_decision_is_not_spendable_twice_after_a_rollback(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    before = SpendableValues.of(pair)
    key = arrives_after_decision(pair)
    report = rollback_plan(pair.gateway, pair.path)
    assert report.in_doubt == 1
    assert SpendableValues.of(pair).all == before.all
    voucher_id = Ledger(pair.target).entry(code=_CODES[0])["id"]
    pair.gateway.decide(key, succeeded=True, by="Ben", reason="it arrived", voucher_id=voucher_id)
    assert rollback_plan(pair.gateway, pair.path).not_undone == 0
    assert SpendableValues.of(pair).source == before.source
    assert verify_plan(pair.gateway, pair.path).proved


def test_a_voucher_that_arrived_after_a_decision_and_was_stopped_by_hand_is_in_the_way_of_no_rollback(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    before = SpendableValues.of(pair)
    arrives_after_decision(pair)
    voucher_id = Ledger(pair.target).entry(code=_CODES[0])["id"]
    past = VoucherChanges(valid_until=now() - timedelta(days=30))
    pair.gateway.update("target", voucher_id, past, reference="by-hand")
    assert rollback_plan(pair.gateway, pair.path).not_undone == 0
    assert SpendableValues.of(pair).source == before.source
