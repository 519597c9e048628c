"""A prune does not sign what somebody changed: it stays found afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.audit.edited_journal import EditedJournal
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.erase import drop_chain_start
from voucher_gateway.journal.events.kinds import EventKind

LATE = datetime(2999, 1, 1, tzinfo=UTC).isoformat()


def go_on(edited: EditedJournal) -> None:
    journal = edited.open()
    with journal.database.write() as connection:
        append_event(connection, journal.keys, EventKind.ACCOUNT_RESUMED, "shop", {"account": "shop"})
    journal.close()


def drop_start(edited: EditedJournal) -> int:
    journal = edited.open()
    with journal.database.write() as connection:
        count = drop_chain_start(connection, journal.keys, 1, LATE, limit=100)
    journal.close()
    return count


def test_a_prune_deletes_no_event_that_somebody_marked_as_erased(edited: EditedJournal) -> None:
    edited.edit(
        "UPDATE voucher_gateway_events SET erased = 'forged', data = NULL, order_number = NULL, row_digest = NULL"
        " WHERE number <= 3"
    )

    assert drop_start(edited) == 0
    assert len(named(edited)) >= 3


def test_a_prune_deletes_no_event_that_somebody_gave_another_kind_or_age(edited: EditedJournal) -> None:
    edited.edit("UPDATE voucher_gateway_events SET kind = 'journal.pruned', at = '2001' WHERE number = 1")

    assert drop_start(edited) == 0
    assert ("changed", "events", "1") in named(edited)


def test_a_prune_does_not_shorten_a_chain_whose_row_was_changed(edited: EditedJournal) -> None:
    go_on(edited)
    edited.edit("DELETE FROM voucher_gateway_events WHERE kind NOT LIKE 'account.%'")
    edited.edit(
        "UPDATE voucher_gateway_chains SET first_number ="
        " (SELECT min(number) FROM voucher_gateway_events), first_digest = 'forged'"
    )

    assert drop_start(edited) == 0
    assert ("changed", "chains", "1") in named(edited)


def named(edited: EditedJournal) -> list[tuple[str, str, str]]:
    return [(difference.kind.value, difference.table, difference.id) for difference in edited.verify().differences]
