"""A process that runs a plan, to be killed; or several that share one."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from tests.support.forkserver import forkserver
from tests.support.simulators import SimulatorAccount, make_gateway
from voucher_gateway.migration import rollback_plan, run_plan
from voucher_gateway.provider_api import VoucherGatewayError
from voucher_gateway.testing.harness.child_process import CrashPoints

_PATIENCE_S: Final = 60.0
INTERRUPTED: Final = 130


def run_to_end(
    accounts: tuple[SimulatorAccount, ...], url: str, plan: str, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    """Run the plan, and end at once."""
    gc.disable()  # it would copy every page that is shared with the process this one was forked from
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line does
    rollback, gateway = options.pop("rollback", False), make_gateway(accounts, url, **settings)
    try:
        if rollback:
            rollback_plan(gateway, Path(plan), processes=options["processes"])
        else:
            run_plan(gateway, Path(plan), **options)
    except VoucherGatewayError:
        pass
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    os._exit(0)


def run_and_report(
    accounts: tuple[SimulatorAccount, ...],
    url: str,
    plan: str,
    rollback: bool,
    options: dict[str, Any],
    answer: Connection,
) -> None:
    """Run or roll back the plan, and send the report."""
    gc.disable()
    work: Callable[..., object] = rollback_plan if rollback else run_plan
    answer.send(work(make_gateway(accounts, url), Path(plan), **options))
    os._exit(0)


def run_in_fresh_process(
    accounts: tuple[SimulatorAccount, ...],
    url: str,
    plan: Path,
    *,
    rollback: bool = False,
    act: Callable[[int], None] | None = None,
    **options: Any,
) -> Any:
    """Run or roll back a plan in a new process, which has one thread, and return the report.

    Args:
        accounts: both accounts.
        url: of the journal.
        plan: the plan's file.
        rollback: whether it is rolled back.
        act: is called with the id of the process while it runs.
        **options: of `run_plan`.
    """
    answer, sender = forkserver().Pipe()
    process = forkserver().Process(
        target=run_and_report, args=(accounts, url, str(plan), rollback, options, sender), daemon=True
    )
    process.start()
    sender.close()
    try:
        if act is not None:
            assert process.pid is not None
            act(process.pid)
        assert answer.poll(_PATIENCE_S)
        return answer.recv()
    finally:
        process.kill()
        process.join(_PATIENCE_S)
        process.close()
        answer.close()


def run_to_point(
    accounts: tuple[SimulatorAccount, ...], url: str, plan: str, rollback: bool, at: int | None, answer: Connection
) -> None:
    """Run or roll back the plan with one worker, and be killed at a point, or send how many points there are."""
    gc.disable()
    points = CrashPoints(at)
    gateway = make_gateway(accounts, url)
    with points.watching():
        if rollback:
            rollback_plan(gateway, Path(plan))
        else:
            run_plan(gateway, Path(plan), workers=1)
    answer.send(len(points.passed))
    os._exit(0)


def run_in_process(
    accounts: tuple[SimulatorAccount, ...], url: str, plan: Path, *, rollback: bool = False, at: int | None = None
) -> int | None:
    """Run a plan in a new process. Return how many points it passed, or None if it was killed at one."""
    answer, sender = forkserver().Pipe()
    process = forkserver().Process(
        target=run_to_point, args=(accounts, url, str(plan), rollback, at, sender), daemon=True
    )
    process.start()
    sender.close()
    try:
        process.join(_PATIENCE_S)
        return int(answer.recv()) if process.exitcode == 0 else None
    finally:
        process.kill()
        process.join(_PATIENCE_S)
        process.close()
        answer.close()


@contextmanager
def running_process(
    accounts: tuple[SimulatorAccount, ...],
    url: str,
    plan: Path,
    *,
    workers: int = 4,
    processes: int = 1,
    rollback: bool = False,
    **settings: Any,
) -> Iterator[BaseProcess]:
    """Start a process, and make sure that it is gone at the end."""
    options = {"workers": workers, "processes": processes, "rollback": rollback}
    process = forkserver().Process(target=run_to_end, args=(accounts, url, str(plan), settings, options), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(_PATIENCE_S)
        process.close()


def kill_after(process: BaseProcess, seconds: float) -> bool:
    """Kill a process after a while, and return whether it was still at work."""
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    alive = process.is_alive()
    process.kill()
    process.join(_PATIENCE_S)
    return alive
