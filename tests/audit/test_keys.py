"""The audit of a journal that was written with several keys, or that was pruned."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.audit.edited_journal import EditedJournal
from tests.support.simulators import JOURNAL_KEYS
from voucher_gateway import ConfigurationError
from voucher_gateway.audit.anchors import write_anchor
from voucher_gateway.audit.verify import verify_journal
from voucher_gateway.errors import OperationInProgress
from voucher_gateway.instants import now
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.upkeep.forget import forget
from voucher_gateway.upkeep.prune import prune

ROTATED = {**JOURNAL_KEYS, "2": "another-key-for-the-tests"}


def test_events_under_a_second_key_continue_the_chain(edited: EditedJournal) -> None:
    with closing(edited.open(ROTATED)) as journal:
        with journal.database.write() as connection:
            append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, "shop", {})
        anchor = write_anchor(journal)
        report = verify_journal(journal, anchors=[anchor])

    assert report.differences == ()
    assert edited.select("SELECT DISTINCT key_id FROM voucher_gateway_events ORDER BY 1") == ["1", "2"]
    with closing(edited.open()) as journal, pytest.raises(ConfigurationError, match="journal key '2' is missing"):
        verify_journal(journal)


def test_an_event_of_the_old_key_is_not_forged_with_the_new_one(edited: EditedJournal) -> None:
    """The id of the key of an event is changed to one that the journal has."""
    edited.open(ROTATED).close()
    edited.edit("UPDATE voucher_gateway_events SET key_id = '2' WHERE number = 5")

    with closing(edited.open(ROTATED)) as journal:
        assert verify_journal(journal).differences[0].table == "events"


def test_a_journal_without_any_operation_is_clean(tmp_path: Path) -> None:
    report = EditedJournal(tmp_path / "journal.db").verify()

    assert (report.differences, report.events, report.chains) == ((), 0, 0)


def test_a_pruned_journal_is_clean_and_edits_are_found_as_before(edited: EditedJournal) -> None:
    with closing(edited.open()) as journal:
        assert prune(journal, now()).operations > 3
    report = edited.verify()

    assert report.differences == ()
    assert 0 < report.events < 57
    edited.edit("UPDATE voucher_gateway_chains SET first_number = first_number - 1")
    assert not edited.verify().is_clean


def test_a_journal_that_forgot_an_order_is_clean(edited: EditedJournal) -> None:
    with closing(edited.open()) as journal:
        assert forget(journal, "1001").operations > 0
    report = edited.verify()

    assert report.differences == ()


def test_an_operation_that_was_pruned_is_found_if_somebody_inserts_it_again(edited: EditedJournal) -> None:
    kept = "(SELECT id FROM voucher_gateway_operations WHERE reference = 'r-1')"
    edited.edit(f"CREATE TABLE kept AS SELECT * FROM voucher_gateway_operations WHERE id = {kept}")
    with closing(edited.open()) as journal:
        forget(journal, "1001")
    edited.edit("INSERT INTO voucher_gateway_operations SELECT * FROM kept")

    (difference,) = edited.verify().differences

    assert (difference.kind.value, difference.table, difference.reference) == ("inserted", "operations", "r-1")


def test_an_audit_waits_for_no_prune(edited: EditedJournal) -> None:
    with (
        closing(edited.open()) as pruning,
        closing(edited.open()) as journal,
        pruning.database.locks.hold("upkeep", wait_s=0),
        pytest.raises(OperationInProgress, match="another process removes old rows"),
    ):
        verify_journal(journal)
