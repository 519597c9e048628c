"""A snapshot shows a database as it was at its first statement."""

from __future__ import annotations

from contextlib import closing

import sqlalchemy as sa

from voucher_gateway.journal.schema import JOURNAL, facts
from voucher_gateway.storage.engine import Database


def insert(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(sa.insert(facts), {"name": name, "value": ""})


def test_a_snapshot_does_not_show_what_others_commit_while_it_is_open(either_url: str) -> None:
    names = sa.select(facts.c.name).where(facts.c.name.startswith("seen"))
    with closing(Database(either_url, JOURNAL)) as database, closing(Database(either_url, JOURNAL)) as other:
        insert(other, "seen before")
        with database.snapshot() as connection:
            before = list(connection.scalars(names))
            insert(other, "seen after")
            during = list(connection.scalars(names))
        with database.snapshot() as connection:
            after = list(connection.scalars(names))

    assert before == during == ["seen before"]
    assert sorted(after) == ["seen after", "seen before"]
