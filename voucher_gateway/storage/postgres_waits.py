"""Connections to PostgreSQL that do not wait for ever for a server that has stopped to answer.

A machine that is lost in a failover closes no connection, and a server whose disk hangs sends nothing. Limits of the
server, such as its statement_timeout, do not help then. So the system gives up a dead connection, and a call with a
time-out ends its waiting here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from typing import Any, Final

import psycopg

from voucher_gateway.limits.call_deadline import seconds_left

SHORTEST_WAIT_S: Final = 3.0
"""How long the server may take for one statement, also if the time of the call is over. It may record an outcome."""

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
    if (left := seconds_left()) is not None:
        longest = math.ceil(max(left, SHORTEST_WAIT_S))
        options["connect_timeout"] = min(int(options["connect_timeout"]) or longest, longest)
    return BoundedConnection.connect(*arguments, **options)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose waiting for the server ends with the time-out of the call."""

    def wait(self, gen: Generator[Any, Any, Any], *options: Any, **more_options: Any) -> Any:
        """Wait for the server, as the driver does.

        Raises:
            psycopg.OperationalError: if the time is over. The connection is closed then.
        """
        left = seconds_left()
        if left is None:
            return super().wait(gen, *options, **more_options)
        steps = _steps_until(gen, time.monotonic() + max(left, SHORTEST_WAIT_S))
        try:
            return super().wait(steps, *options, **more_options)
        except _TimeOverError:
            self.pgconn.finish()  # what the server would answer belongs to no statement any more
        raise psycopg.OperationalError("the server did not answer within the time-out of the call")


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
