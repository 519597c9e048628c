"""A process that runs a plan, to be killed; or several that share one."""

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

from tests.migration.run.scene import Side, gateway_of
from voucher_gateway.migration import rollback_plan, run_plan
from voucher_gateway.provider_api import VoucherGatewayError
from voucher_gateway.testing.harness.child_process import CrashPoints

_PATIENCE_S: Final = 60.0
INTERRUPTED: Final = 130


def work(sides: tuple[Side, ...], url: str, plan: str, settings: dict[str, Any], workers: int) -> None:
    """Run the plan, and end at once."""
    gc.disable()  # it would copy every page that is shared with the process this one was forked from
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run_plan(gateway_of(sides, url, **settings), Path(plan), workers=workers)
    except VoucherGatewayError:
        pass
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    os._exit(0)


def struck(sides: tuple[Side, ...], url: str, plan: str, rollback: bool, at: int | None, passed: Connection) -> None:
    """Run or roll back the plan with one worker, be killed at a point, or else tell how many points there are."""
    gc.disable()
    points = CrashPoints(at)
    gateway = gateway_of(sides, url)
    with points.watching():
        if rollback:
            rollback_plan(gateway, Path(plan))
        else:
            run_plan(gateway, Path(plan), workers=1)
    passed.send(len(points.passed))
    os._exit(0)


def points_of(
    sides: tuple[Side, ...], url: str, plan: Path, *, rollback: bool = False, at: int | None = None
) -> int | None:
    """Run a plan in a process of its own; return how many points it came by, or None if it was killed at one."""
    ours, theirs = warm().Pipe()
    process = warm().Process(target=struck, args=(sides, url, str(plan), rollback, at, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        process.join(_PATIENCE_S)
        return int(ours.recv()) if process.exitcode == 0 else None
    finally:
        process.kill()
        process.join(_PATIENCE_S)
        process.close()
        ours.close()


def warm() -> ForkServerContext:
    """Return the maker of processes: each is forked from a process of one thread that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    late = ("sqlite3", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg", "encodings.idna")
    context.set_forkserver_preload([__name__, "voucher_gateway.migration.run.runner", *late])
    root = str(Path(__file__).parents[3])
    if root not in sys.path:
        sys.path.append(root)  # the process finds this very module by it
    return context


@contextmanager
def running(
    sides: tuple[Side, ...], url: str, plan: Path, *, workers: int = 4, **settings: Any
) -> Iterator[BaseProcess]:
    """Start a process, and make sure that it is gone at the end."""
    process = warm().Process(target=work, args=(sides, url, str(plan), settings, workers), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(_PATIENCE_S)
        process.close()


def killed_after(process: BaseProcess, seconds: float) -> bool:
    """Kill a process after a while, and return whether it was still at work."""
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    alive = process.is_alive()
    process.kill()
    process.join(_PATIENCE_S)
    return alive
