"""A journal that was restored on another PostgreSQL server, whose transactions have smaller numbers."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from voucher_gateway.audit.verify import verify_journal
from voucher_gateway.journal.backup import import_missing_movements, mark_restored
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.keys.row_seals import CURSORS
from voucher_gateway.journal.schema import cursors, events
from voucher_gateway.setting_types import SecretSource

KEYS: Final = {"1": SecretSource.of("a-key-for-these-tests")}
FAR: Final = 10**12
"""A number that the server of the tests does not reach."""


def test_numbers_of_another_server_are_forgotten_and_no_event_is_left_out(postgres_url: str) -> None:
    journal = open_journal(postgres_url, KEYS)
    for subject in ("read", "unread", "read as well"):
        with journal.database.write() as connection:
            append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, subject, {})
    with journal.database.write() as connection:
        numbers = {1: FAR, 2: FAR + 2, 3: FAR + 1}  # the second was committed last
        for event_id, number in numbers.items():
            connection.execute(sa.update(events).where(events.c.id == event_id).values(transaction_id=number))
        place = {"name": "shop", "transaction_id": FAR + 1, "event_id": 3, "updated_at": ""}
        connection.execute(sa.insert(cursors), CURSORS.seal_row(journal.keys, place))
        CURSORS.add_to_count(connection, journal.keys, 1)

    mark_restored(journal)
    import_missing_movements(journal, [])

    with journal.database.read() as connection:
        rows = connection.execute(sa.select(events.c.kind, events.c.transaction_id).order_by(events.c.id)).all()
        cursor = connection.execute(sa.select(cursors)).mappings().one()
    assert [row.transaction_id for row in rows[:3]] == [0, 0, 0]
    assert rows[3].kind == "journal.restored"
    assert 0 < rows[3].transaction_id < FAR
    assert (cursor["transaction_id"], cursor["event_id"]) == (0, 1)
    assert verify_journal(journal).differences == ()
    journal.close()


def test_numbers_of_the_same_server_stay(postgres_url: str) -> None:
    journal = open_journal(postgres_url, KEYS)
    with journal.database.write() as connection:
        append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, "shop", {})
    mark_restored(journal)

    with journal.database.read() as connection:
        assert connection.scalars(sa.select(events.c.transaction_id)).one() > 0
    journal.close()
