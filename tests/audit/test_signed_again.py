"""The library does not sign what something else changed: it stays found after the library goes on with the journal."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.audit.edited_journal import EditedJournal
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.erase import drop_chain_start
from voucher_gateway.journal.events.kinds import EventKind

LATE = datetime(2999, 1, 1, tzinfo=UTC).isoformat()


def go_on(edited: EditedJournal, times: int = 2) -> None:
    journal = edited.open()
    for _ in range(times):
        with journal.database.write() as connection:
            append_event(connection, journal.keys, EventKind.ACCOUNT_RESUMED, "shop", {"account": "shop"})
    journal.close()


def drop_start(edited: EditedJournal) -> int:
    journal = edited.open()
    with journal.database.write() as connection:
        count = drop_chain_start(connection, journal.keys, 1, LATE, limit=100)
    journal.close()
    return count


def test_events_removed_from_the_end_with_the_row_of_their_chain_made_to_fit(edited: EditedJournal) -> None:
    edited.edit("DELETE FROM voucher_gateway_sales")
    edited.edit("DELETE FROM voucher_gateway_events WHERE kind LIKE 'sale.%' AND number > 6")
    edited.edit(
        "DELETE FROM voucher_gateway_events WHERE number > (SELECT min(number) FROM voucher_gateway_events) + 20"
    )
    edited.edit(
        "UPDATE voucher_gateway_chains SET length = 21,"
        " head = (SELECT digest FROM voucher_gateway_events WHERE number = 21)"
    )
    assert "chains" in {difference.table for difference in edited.verify().differences}

    go_on(edited)

    assert ("changed", "chains", "1") in named(edited)


def test_a_number_of_chains_that_somebody_wrote(edited: EditedJournal) -> None:
    edited.edit("UPDATE voucher_gateway_facts SET value = '0:1:forged' WHERE name = 'event-chains'")
    edited.edit("UPDATE voucher_gateway_chains SET mac = 'forged'")

    go_on(edited)

    assert ("changed", "chains", "count") in named(edited)


def test_the_library_goes_on_with_one_chain_beside_the_changed_one(edited: EditedJournal) -> None:
    edited.edit("UPDATE voucher_gateway_chains SET mac = 'ü', key_id = 'another'")

    go_on(edited, times=5)

    assert edited.select("SELECT length FROM voucher_gateway_chains ORDER BY id")[1:] == [5]
    assert named(edited) == [("changed", "chains", "1")]


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
