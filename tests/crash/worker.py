"""The process that is struck: it makes one call on the journal, and says what it came to."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import attrs

from tests.crash.points import Points
from tests.crash.vendors import Site
from tests.crash.verbs import VERBS, Prepared
from voucher_gateway.provider_api import VoucherGatewayError

PATIENCE_S: Final = 30.0

# What every process would otherwise import anew when it opens its journal or sends its first request.
_IMPORTED_LATE: Final = (
    "voucher_gateway_jtl.provider",
    "voucher_gateway_ticketing.provider",
    "sqlite3",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
    "encodings.idna",
)


@attrs.frozen
class Job:
    """What the process is to do.

    Attributes:
        site: where.
        verb: a key of `VERBS`.
        prepared: what the verb needs.
        at: the number of the point where it is struck; None for none.
        strike: how.
    """

    site: Site
    verb: str
    prepared: Prepared
    at: int | None = None
    strike: str = "kill"


def work(job: Job, said: Connection) -> None:
    """Make the call, and say at which point it is struck, or else what it came to; then wait until told to end."""
    gc.disable()  # it would copy every page that is shared with the process this one was forked from
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gateway = job.site.gateway()
    points = Points(job.at, job.strike, lambda label: said.send(("struck", label)))
    try:
        with points.watched():
            VERBS[job.verb].perform(gateway, job.site.account, job.prepared)
        came_to = "succeeded"
    except VoucherGatewayError as error:
        came_to = type(error).__name__
    except KeyboardInterrupt:
        came_to = "KeyboardInterrupt"
    said.send(("over", came_to, points.passed))
    said.recv()
    os._exit(0)


def warm() -> ForkServerContext:
    """Return the maker of processes: each is forked from a process of one thread that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_IMPORTED_LATE])
    root = str(Path(__file__).parents[2])
    if root not in sys.path:
        sys.path.append(root)  # the process finds this very module by it
    return context


class Victim:
    """A running `work`."""

    def __init__(self, process: BaseProcess, ours: Connection) -> None:
        self.process = process
        self._ours = ours

    def heard(self) -> tuple[Any, ...]:
        """Return the next thing that it says."""
        assert self._ours.poll(PATIENCE_S), "the process says nothing"
        said: tuple[Any, ...] = self._ours.recv()
        return said

    def wait_frozen(self) -> None:
        """Wait until it is stopped."""
        deadline = time.monotonic() + PATIENCE_S
        while _state_of(self.process.pid) != "T":
            assert time.monotonic() < deadline, "the process does not stop"
            time.sleep(0.002)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def wait_killed(self) -> None:
        """Wait until SIGKILL has ended it."""
        self.process.join(PATIENCE_S)
        assert self.process.exitcode == -signal.SIGKILL

    def let_end(self) -> None:
        """Let it end by itself."""
        self._ours.send("end")
        self.process.join(PATIENCE_S)
        assert self.process.exitcode == 0


@contextmanager
def at_work(job: Job) -> Iterator[Victim]:
    """Start the process, and make sure that it is gone at the end."""
    context = warm()
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Victim(process, ours)
    finally:
        process.kill()
        process.join(PATIENCE_S)
        process.close()
        ours.close()


def _state_of(pid: int | None) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
