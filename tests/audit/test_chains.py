"""Events and chains that were changed, removed or inserted by hand are found and named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.audit.edited_journal import EditedJournal
from voucher_gateway.audit.report import AuditReport

FIFTH = "(SELECT id FROM voucher_gateway_events ORDER BY id LIMIT 1 OFFSET 4)"
LAST = "(SELECT max(id) FROM voucher_gateway_events)"

CHANGES = {
    "the data of an event": f"data = '{{}}' WHERE id = {FIFTH}",
    "the order of an event": f"order_number = 'other' WHERE id = {FIFTH}",
    "the moment of an event": f"at = '2020-01-01T00:00:00.000000Z' WHERE id = {FIFTH}",
    "the kind of an event": f"kind = 'operation.declined' WHERE id = {FIFTH}",
    "the subject of an event": f"subject = 'other' WHERE id = {FIFTH}",
    "the row digest of an event": f"row_digest = content WHERE id = {FIFTH}",
    "the content of an event": f"content = digest WHERE id = {FIFTH}",
    "the digest of an event": f"digest = content WHERE id = {FIFTH}",
    "the key of an event": f"key_id = '7' WHERE id = {FIFTH}",
    "the last event": f"data = '{{}}' WHERE id = {LAST}",
    "an event that is erased by hand": f"data = NULL, order_number = NULL, row_digest = NULL WHERE id = {FIFTH}",
    "an event with a forged proof": (
        f"data = NULL, order_number = NULL, row_digest = NULL, erased = content WHERE id = {FIFTH}"
    ),
}


def named(report: AuditReport) -> Sequence[tuple[str, str]]:
    return [(difference.kind.value, difference.table) for difference in report.differences]


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_event_is_found(edited: EditedJournal, what: str) -> None:
    assert edited.edit(f"UPDATE voucher_gateway_events SET {CHANGES[what]}") == 1

    assert ("changed", "events") in named(edited.verify())


def test_a_removed_event_is_found(edited: EditedJournal) -> None:
    edited.edit(f"DELETE FROM voucher_gateway_events WHERE id = {FIFTH}")

    report = edited.verify()

    assert ("removed", "events") in named(report)
    assert report.differences[0].explanation == "events 5 of chain 1 are not there any more"


def test_events_that_are_numbered_again_after_a_removal_are_found(edited: EditedJournal) -> None:
    edited.edit(f"DELETE FROM voucher_gateway_events WHERE id = {FIFTH}")
    edited.edit("UPDATE voucher_gateway_events SET number = number - 1 WHERE number > 5")
    edited.edit("UPDATE voucher_gateway_chains SET length = length - 1")

    assert ("changed", "events") in named(edited.verify())


def test_an_inserted_event_is_found(edited: EditedJournal) -> None:
    edited.insert_copy("voucher_gateway_events", f"id = {FIFTH}", id="NULL")

    assert ("inserted", "events") in named(edited.verify())


def test_an_event_that_is_inserted_at_the_end_is_found(edited: EditedJournal) -> None:
    edited.insert_copy("voucher_gateway_events", f"id = {LAST}", id="NULL", number="number + 1")

    found = named(edited.verify())

    assert ("changed", "events") in found
    assert ("inserted", "events") in found


def test_a_removed_tail_is_found(edited: EditedJournal) -> None:
    """An event with the rows that it tells of is removed, and the chain is shortened to fit."""
    edited.edit(f"DELETE FROM voucher_gateway_events WHERE id = {LAST}")
    assert ("removed", "events") in named(edited.verify())

    edited.edit(
        "UPDATE voucher_gateway_chains SET length = length - 1,"
        f" head = (SELECT digest FROM voucher_gateway_events WHERE id = {LAST})"
    )
    assert ("changed", "chains") in named(edited.verify())


@pytest.mark.parametrize("column", ["started_at", "first_number", "first_digest", "length", "head", "mac", "key_id"])
def test_a_changed_chain_is_found(edited: EditedJournal, column: str) -> None:
    value = "length + 1" if column in ("first_number", "length") else "'7'"
    edited.edit(f"UPDATE voucher_gateway_chains SET {column} = {value}")

    assert ("changed", "chains") in named(edited.verify())


def test_a_removed_chain_is_found(edited: EditedJournal) -> None:
    edited.edit("DELETE FROM voucher_gateway_chains")
    edited.edit("DELETE FROM voucher_gateway_events")

    report = edited.verify()

    assert ("removed", "chains") in named(report)
    assert ("inserted", "operations") in named(report)


def test_a_chain_that_was_inserted_is_found(edited: EditedJournal) -> None:
    edited.insert_copy("voucher_gateway_chains", "id = 1", id="2")

    assert ("inserted", "chains") in named(edited.verify())


@pytest.mark.parametrize("value", ["'0:1:forged'", "'2' || substr(value, 2)", "'nothing'"])
def test_a_changed_number_of_chains_is_found(edited: EditedJournal, value: str) -> None:
    edited.edit(f"UPDATE voucher_gateway_facts SET value = {value} WHERE name = 'event-chains'")

    assert ("changed", "chains") in named(edited.verify())


def test_a_journal_without_any_event_is_found(edited: EditedJournal) -> None:
    """Whoever removes all that the audit reads leaves operations that no event tells of."""
    edited.edit("DELETE FROM voucher_gateway_chains")
    edited.edit("DELETE FROM voucher_gateway_events")
    edited.edit("DELETE FROM voucher_gateway_facts WHERE name = 'event-chains'")

    assert named(edited.verify())[0] == ("inserted", "operations")
