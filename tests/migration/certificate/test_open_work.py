"""A certificate is never complete while the journal records something that has begun and not ended."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from tests.migration.run.run_process import running_process
from tests.migration.run.test_killed import finish
from tests.migration.run.vendor_pair import VendorPair
from voucher_gateway.migration import RowState, rollback_plan
from voucher_gateway.migration.certificate import make
from voucher_gateway.migration.certificate.make import make_certificate
from voucher_gateway.migration.certificate.model import Certificate, Verdict
from voucher_gateway.migration.certificate.sentences import verdict_sentences
from voucher_gateway.migration.plan.plan_file import open_plan
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import record_run
from voucher_gateway.migration.schema import Work, vouchers
from voucher_gateway.money import Money
from voucher_gateway.provider_api import OutcomeUnknown


def state_of(pair: VendorPair) -> MigrationState:
    with open_plan(pair.path) as plan:
        return MigrationState.of(pair.gateway, plan.summary)


def certificate_of(pair: VendorPair) -> Certificate:
    return make_certificate(pair.gateway, pair.path)


def set_first_row(pair: VendorPair, **values: object) -> None:
    """Write into the row of the first moved voucher, as a run that was interrupted leaves it."""
    state = state_of(pair)
    first = next(state.rows(RowState.MOVED, RowState.UNDONE))
    with state.database.write() as connection:
        connection.execute(
            sa.update(vouchers)
            .where(vouchers.c.plan_id == state.plan_id, vouchers.c.number == first.number)
            .values(**values)
        )


@pytest.mark.parametrize(
    "row",
    [
        {"state": "in-doubt"},
        {"state": "working", "owner": "0123456789abcdef0123456789abcdef"},
        {"state": "planned"},
        {"owner": "0123456789abcdef0123456789abcdef"},
        {"undo_target_state": "undone"},
    ],
    ids=str,
)
def test_a_voucher_in_doubt_is_not_complete_although_both_vendors_are_as_planned(
    pair: VendorPair, row: dict[str, object]
) -> None:
    pair.move()
    set_first_row(pair, **row)
    certificate = certificate_of(pair)
    assert (certificate.verdict, certificate.unfinished, certificate.difference_count) == (Verdict.IN_DOUBT, 1, 0)
    assert any("`migrate run` with this plan" in sentence for sentence in verdict_sentences(certificate))


def test_a_rollback_that_was_interrupted_at_its_last_voucher_is_in_doubt(pair: VendorPair) -> None:
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    set_first_row(pair, state="moved", owner="0123456789abcdef0123456789abcdef", undo_target_state="undone")
    certificate = certificate_of(pair)
    assert certificate.verdict is Verdict.IN_DOUBT
    assert any("`migrate rollback` with this plan" in sentence for sentence in verdict_sentences(certificate))
    rollback_plan(pair.gateway, pair.path)
    assert certificate_of(pair).verdict is Verdict.ROLLED_BACK


def test_a_purchase_at_the_target_whose_outcome_is_not_known_is_named(pair: VendorPair) -> None:
    pair.move()
    moved = next(state_of(pair).rows(RowState.MOVED))
    assert moved.target_id is not None
    code = pair.gateway.get("target", moved.target_id, secrets=True).code
    assert code is not None
    pair.target.inject("hang", "PUT */vouchers/*")
    with pytest.raises(OutcomeUnknown):
        pair.gateway.redeem("target", code, Money("0.01", moved.value.currency), reference="till-7", timeout=1)
    certificate = certificate_of(pair)
    assert (certificate.verdict, certificate.unfinished) == (Verdict.IN_DOUBT, 0)
    (operation,) = certificate.open_operations
    assert (operation.account, operation.verb, operation.reference) == ("target", "redeem", "till-7")
    assert not operation.of_plan
    assert any("`resolve target redeem till-7`" in sentence for sentence in verdict_sentences(certificate))


def test_a_run_that_is_under_way_or_ends_while_the_accounts_are_read_is_said(
    pair: VendorPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.move()
    state = state_of(pair)
    with record_run(state.database, state.plan_id, Work.RUN, "Ann"):
        certificate = certificate_of(pair)
    assert (certificate.verdict, certificate.run_in_progress) == (Verdict.IN_DOUBT, True)
    read = vars(make)["read_and_compare"]

    def read_beside_a_run(*arguments: Any, **options: Any) -> Any:
        with record_run(state.database, state.plan_id, Work.RUN, "Ann"):
            pass
        return read(*arguments, **options)

    monkeypatch.setattr(make, "read_and_compare", read_beside_a_run)
    assert certificate_of(pair).verdict is Verdict.IN_DOUBT
    monkeypatch.undo()
    assert certificate_of(pair).verdict is Verdict.COMPLETE


def test_right_after_a_kill_the_request_in_flight_is_in_doubt(pair: VendorPair) -> None:
    """The vendor carries out what the dead process has sent, after the certificate was made."""
    pair.plan()
    pair.run(limit=3)
    pair.target.inject("slow", "POST */vouchers", times=0, delay_s=1.0)
    posted = len(posts(pair))
    with running_process(pair.accounts, pair.url, pair.path, workers=2) as process:
        deadline = time.monotonic() + 20
        while len(posts(pair)) < posted + 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.join(20)
    certificate = certificate_of(pair)
    assert certificate.verdict is Verdict.IN_DOUBT
    issues = [operation for operation in certificate.open_operations if operation.verb == "issue"]
    assert len(issues) >= 1
    assert all(operation.of_plan for operation in issues)
    assert certificate.unfinished >= len(issues)
    pair.target.clear_faults()
    with suppress(OutcomeUnknown):
        finish(pair)
    assert certificate_of(pair).verdict is Verdict.COMPLETE


def posts(pair: VendorPair) -> list[object]:
    return [request for request in pair.target.requests if request.method == "POST"]
