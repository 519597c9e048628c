"""The backlogs of rates in a journal, for all processes that share it.

Each is one row, which one statement reads and changes. In PostgreSQL the statement commits by itself, so a process that
is killed or frozen holds no lock on the row. Time is that of the database. If its clock is set back, the backlog stays
as it was, and shrinks from then on.
"""

from __future__ import annotations

import time
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from voucher_gateway.journal.schema import rates
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.limits.shared_limits import Backlog
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S
from voucher_gateway.storage.engine import Database

_POSTGRES_CLOCK: Final[sa.ColumnElement[Any]] = sa.literal_column(
    "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
)
_GIVEN_CLOCK: Final[sa.ColumnElement[Any]] = sa.bindparam("at", type_=sa.BigInteger)


class Permits:
    """The backlogs of rates in a database.

    Args:
        database: the journal's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        clock = _GIVEN_CLOCK if database.is_sqlite else _POSTGRES_CLOCK
        passed = _above_zero(clock - rates.c.at_us)
        left = _above_zero(rates.c.backlog_us - passed)
        cost = sa.bindparam("cost", type_=sa.BigInteger)
        limit = sa.bindparam("limit", type_=sa.BigInteger)
        is_named = rates.c.name == sa.bindparam("rate")
        self._take = (
            sa.update(rates)
            .where(is_named, left + cost <= limit)
            .values(backlog_us=left + cost, at_us=clock)
            .returning(rates.c.backlog_us)
        )
        self._read = sa.select(left).where(is_named)
        insert = sqlite.insert(rates) if database.is_sqlite else postgresql.insert(rates)
        # Another process may add the row at the same time.
        self._insert = insert.values(name=sa.bindparam("rate"), backlog_us=0, at_us=clock).on_conflict_do_nothing()

    def take(self, name: str, *, cost_us: int, limit_us: int) -> Backlog:
        """Add to the backlog of a rate, if it then stays within a limit.

        Raises:
            DatabaseUnavailable: if it cannot be committed.
        """
        with self._database.statements(wait_s=seconds_within(BUSY_TIMEOUT_S)) as connection:
            parameters: dict[str, Any] = {"rate": name}
            if self._database.is_sqlite:
                parameters["at"] = time.time_ns() // 1000  # under the write lock of the file
            while True:
                taken = connection.scalar(self._take, {**parameters, "cost": cost_us, "limit": limit_us})
                if taken is not None:
                    return Backlog(is_taken=True, microseconds=taken)
                backlog = connection.scalar(self._read, parameters)
                if backlog is not None:
                    return Backlog(is_taken=False, microseconds=backlog)
                connection.execute(self._insert, parameters)


def _above_zero(value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.case((value > 0, value), else_=0)
