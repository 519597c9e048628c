"""Connections to PostgreSQL that do not wait for ever for a server that has stopped to answer.

A machine that is lost in a failover closes no connection, and a server whose disk hangs sends nothing. Limits of the
server, such as its statement_timeout, do not help then. So the system gives up a dead connection, and the waiting for a
server that is silent ends here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from typing import Any, Final

import psycopg
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from voucher_gateway.storage.waits import BATCH_WAIT_S, limit_statements, longest_statement_s

CONNECT_OPTIONS: Final[Mapping[str, int]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds; Linux alone has it
}
"""What a connection is opened with, if the URL does not say it."""


def connect(*arguments: Any, **options: Any) -> BoundedConnection:
    """Open a connection, as the driver does.

    Raises:
        psycopg.OperationalError: if that fails, or the time of the call is over.
    """
    options = {**CONNECT_OPTIONS, **options}
    if (longest := longest_statement_s()) is not None:
        seconds = max(1, math.ceil(longest))  # zero would stand for no limit
        options["connect_timeout"] = min(int(options["connect_timeout"]) or seconds, seconds)
    return BoundedConnection.connect(*arguments, **options)


class BoundedPool(QueuePool):
    """Connections that are waited for, tested and opened within the time of one statement, whatever others do."""

    # SQLAlchemy names the logger of a pool by this: its lines stay below ``sqlalchemy``, not below our loggers.
    __module__ = QueuePool.__module__

    def connect(self) -> PoolProxiedConnection:
        """Give a connection, as SQLAlchemy's pool does."""
        longest = longest_statement_s()
        if longest is None:
            return super().connect()
        with limit_statements(longest):
            return super().connect()

    @property
    def _timeout(self) -> float:
        # `QueuePool` reads it at each wait, and has one for all of them.
        longest = longest_statement_s()
        return BATCH_WAIT_S if longest is None else longest

    @_timeout.setter
    def _timeout(self, _: float) -> None:
        """Leave it as it is."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose waiting for the server has an end."""

    def wait(self, gen: Generator[Any, Any, Any], *options: Any, **more_options: Any) -> Any:
        """Wait for the server, as the driver does.

        Raises:
            psycopg.OperationalError: if the time is over. The connection is closed then.
        """
        longest = longest_statement_s()
        if longest is None:
            return super().wait(gen, *options, **more_options)
        steps = _steps_until(gen, time.monotonic() + longest)
        try:
            return super().wait(steps, *options, **more_options)
        except _TimeOverError:
            self.pgconn.finish()  # what the server would answer belongs to no statement any more
        raise psycopg.OperationalError(f"the server did not answer within {longest:.0f} s")


class _TimeOverError(Exception):
    """The time is over, and the server has not answered."""


def _steps_until(gen: Generator[Any, Any, Any], moment: float) -> Generator[Any, Any, Any]:
    """Take the steps of a generator of the driver, which is told at least ten times a second that nothing came."""
    try:
        state = next(gen)
        while True:
            ready = yield state
            if not ready and time.monotonic() >= moment:
                raise _TimeOverError
            state = gen.send(ready)
    except StopIteration as end:
        return end.value
