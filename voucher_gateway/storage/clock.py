"""The clock of a database: one for all machines that share it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.instants import now

_CLOCK: Final = sa.select(sa.func.clock_timestamp())


def read_clock(connection: Connection) -> datetime:
    """Return the present moment by the database's clock. An SQLite file is used by one machine, and has its clock."""
    if connection.dialect.name == "sqlite":
        return now()
    moment: datetime = connection.execute(_CLOCK).scalar_one()
    return moment.astimezone(UTC)
