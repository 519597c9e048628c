"""Records who has run, rolled back and verified a plan: when, where, with which version, and with what result.

A record is written at the start and completed at the end, so a process that was killed leaves a record without an end.
Each process writes its own record.
"""

from __future__ import annotations

import getpass
import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa

from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.instants import format_micros, now, parse_instant
from voucher_gateway.migration.schema import SCHEMA, Work, runs
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.schema_upgrade import upgrade_schema
from voucher_gateway.version import __version__

log: Final = get_logger("voucher_gateway.migration")

COMPLETED: Final = "completed"
"""The result of work that ended with nothing left to do."""

_MAX_NAME_LENGTH: Final = 255


@attrs.frozen(kw_only=True)
class RunRecord:
    """One run, rollback, verification or certificate of a plan, by one process.

    Attributes:
        work: what was done.
        performed_by: the name of the person.
        host: the name of the machine.
        version: the version of the library.
        began_at: when it began.
        ended_at: when it ended; None if the process works, or was killed.
        result: ``completed``, the reason why it stopped, or the type of the error; None without an end.
        working: whether the process works on it now.
        details: what it was asked for, and what it did.
    """

    work: Work
    performed_by: str
    host: str
    version: str
    began_at: datetime
    ended_at: datetime | None = None
    result: str | None = None
    working: bool = False
    details: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


class OpenRun:
    """The record of a run that is in progress. What is set here is written at its end.

    Attributes:
        result: `COMPLETED`, or the reason why it stops.
        details: what it was asked for, and what it did; JSON values.
    """

    def __init__(self, details: dict[str, Any]) -> None:
        self.result = COMPLETED
        self.details = details


@contextmanager
def record_run(
    database: Database, plan_id: str, work: Work, performed_by: str | None, **details: Any
) -> Iterator[OpenRun]:
    """Record the work of a ``with`` block. An exception that leaves the block is its result.

    Args:
        database: the database of the journal.
        plan_id: the hash of the plan.
        work: what is done.
        performed_by: the name of the person; by default the user of the operating system.
        **details: what was asked for; JSON values.
    """
    upgrade_schema(SCHEMA, database.read, database.write, database.locks)
    run_id, opened = secrets.token_hex(16), OpenRun(details)
    row = {
        "id": run_id,
        "plan_id": plan_id,
        "work": work.value,
        "performed_by": (performed_by or current_user())[:_MAX_NAME_LENGTH],
        "host": socket.gethostname()[:_MAX_NAME_LENGTH],
        "version": __version__,
        "owner": database.locks.owner(),
        "began_at": format_micros(now()),
        "details": json.dumps(details),
    }
    with database.write() as connection:
        connection.execute(sa.insert(runs), row)
    try:
        yield opened
    except BaseException as error:
        opened.result = type(error).__name__
        raise
    finally:
        _write_end(database, run_id, opened)


def _write_end(database: Database, run_id: str, opened: OpenRun) -> None:
    """Write the end of a run. If the database is not available, the record stays without an end."""
    end = {"ended_at": format_micros(now()), "result": opened.result[:64], "details": json.dumps(opened.details)}
    try:
        with database.write() as connection:
            connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**end))
    except DatabaseUnavailable:
        log.warning("the end of a run could not be recorded, as the database is not available")


def run_records(database: Database, plan_id: str) -> list[RunRecord]:
    """Return the records of a plan, the oldest first."""
    upgrade_schema(SCHEMA, database.read, database.write, database.locks)
    query = sa.select(runs).where(runs.c.plan_id == plan_id).order_by(runs.c.began_at, runs.c.id)
    with database.read() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [_record_of(row, database) for row in rows]


def _record_of(row: Mapping[str, Any], database: Database) -> RunRecord:
    ended_at = row["ended_at"]
    return RunRecord(
        work=Work(row["work"]),
        performed_by=row["performed_by"],
        host=row["host"],
        version=row["version"],
        began_at=parse_instant(row["began_at"]),
        ended_at=None if ended_at is None else parse_instant(ended_at),
        result=row["result"],
        working=ended_at is None and database.locks.alive(row["owner"]),
        details=json.loads(row["details"]),
    )


def current_user() -> str:
    """Return the name of the user of the operating system; ``unknown`` if it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
