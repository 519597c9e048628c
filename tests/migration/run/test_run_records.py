"""Each run, rollback and verification of a plan is recorded: who, when, with which version, and with what result."""

from __future__ import annotations

import pytest

from tests.migration.run.vendor_pair import VendorPair
from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.migration import rollback_plan, verify_plan
from voucher_gateway.migration.run_records import RunRecord, record_run, run_records
from voucher_gateway.migration.schema import Work
from voucher_gateway.storage.engine import Database
from voucher_gateway.version import __version__


def records_of(pair: VendorPair) -> list[RunRecord]:
    return run_records(database_of(pair), plan_id_of(pair))


def database_of(pair: VendorPair) -> Database:
    assert pair.gateway.journal is not None
    return pair.gateway.journal.database


def plan_id_of(pair: VendorPair) -> str:
    return verify_plan(pair.gateway, pair.path, by="reader").plan_id


def test_a_pilot_a_run_a_verification_and_a_rollback_are_recorded_in_their_order(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=2, by="Ann")
    report = pair.run(by="Ben")
    verify_plan(pair.gateway, pair.path, by="Cleo")
    rollback_plan(pair.gateway, pair.path, by="Dan")
    records = records_of(pair)[:-1]
    assert [(record.work, record.performed_by, record.result) for record in records] == [
        (Work.RUN, "Ann", "limit"),
        (Work.RUN, "Ben", "completed"),
        (Work.VERIFY, "Cleo", "completed"),
        (Work.ROLLBACK, "Dan", "completed"),
    ]
    assert {record.version for record in records} == {__version__}
    assert all(record.ended_at is not None and record.began_at <= record.ended_at for record in records)
    assert records[0].details["counts"] == {"moved": 2}
    assert records[0].details["limit"] == 2
    assert records[1].details["money"] == {"EUR": f"{report.moved['EUR'].amount:f}"}


def test_an_error_is_the_result_of_the_work_that_it_ends(pair: VendorPair) -> None:
    database = database_of(pair)
    with pytest.raises(ZeroDivisionError), record_run(database, "p" * 64, Work.RUN, "Ann"):
        raise ZeroDivisionError
    assert [record.result for record in run_records(database, "p" * 64)] == ["ZeroDivisionError"]


def test_work_without_an_end_was_killed_or_is_in_progress(pair: VendorPair) -> None:
    database = database_of(pair)
    with record_run(database, "q" * 64, Work.RUN, "Ann"):
        (record,) = run_records(database, "q" * 64)
        assert (record.ended_at, record.result, record.working) == (None, None, True)


def test_a_database_that_is_gone_at_the_end_does_not_hide_the_result(
    pair: VendorPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable() -> None:
        raise DatabaseUnavailable("the disk is full")

    database = database_of(pair)
    with record_run(database, "r" * 64, Work.RUN, "Ann"):
        monkeypatch.setattr(database, "write", unavailable)
    monkeypatch.undo()
    assert [record.ended_at for record in run_records(database, "r" * 64)] == [None]
