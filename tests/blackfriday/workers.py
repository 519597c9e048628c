"""The processes of the shop: each takes its orders one after another, is killed now and then, and starts again."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs

from tests.blackfriday.places import IssuedVoucher, Places
from tests.blackfriday.plan import OrderPlan, Plan
from tests.blackfriday.shop import Worker
from tests.payment_crash.world import WatchedCard
from voucher_gateway.http import retry
from voucher_gateway.testing.harness.child_process import CrashPoints

_MEET_S: Final = 1.0
"""How long a worker waits for the other one that has the same order."""

_POLL_S: Final = 0.01


@attrs.frozen
class Log:
    """What one process did, in a file that survives it.

    Attributes:
        path: the file.
    """

    path: Path

    def write(self, **entry: str) -> None:
        """Add an entry."""
        line = json.dumps(entry).encode() + b"\n"
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def read(self) -> list[dict[str, str]]:
        """Return all entries."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []


@attrs.define
class Process:
    """One process of the shop.

    Attributes:
        number: its number.
        log: what it did.
        left: the orders that it still has, the next one first.
        pid: of the process that runs now; 0 for none.
        killed: the orders at which it was killed.
    """

    number: int
    log: Log
    left: list[OrderPlan]
    pid: int = 0
    killed: set[str] = attrs.field(factory=set)

    def start(self, run: Callable[[Process], None]) -> None:
        """Fork a process that takes the orders."""
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                run(self)
                code = 0
            except BaseException:  # noqa: BLE001 - written down for the parent, and never raised into its code
                self.log.write(defect=traceback.format_exc())
            finally:
                os._exit(code)

    def check(self) -> bool:
        """Return whether it has ended, and strike off the orders that it has done."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.pid = 0
        entries = self.log.read()
        done = {entry["end"] for entry in entries if "end" in entry}
        begun = [entry["begin"] for entry in entries if "begin" in entry]
        self.left = [plan for plan in self.left if plan.number not in done]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and self.left and begun:
            plan = self.left[0]
            if plan.number == begun[-1]:
                self.killed.add(plan.number)
                if not plan.retries:
                    self.log.write(end=plan.number, how="killed")
                    self.left = self.left[1:]
        return True


@attrs.frozen
class Day:
    """One Black Friday: the shop's processes at work.

    Attributes:
        places: the vendors and the card.
        plan: the plan.
        vouchers: the vouchers, as they were issued.
        folder: for the logs.
        processes: how many processes there are.
    """

    places: Places
    plan: Plan
    vouchers: Sequence[IssuedVoucher]
    folder: Path
    processes: int

    def run(self) -> Counter[str]:
        """Let the processes do all orders, disturb them, and return how often each thing happened."""
        workers = [
            Process(number, Log(self.folder / f"process-{number}.jsonl"), self._orders_of(number))
            for number in range(self.processes)
        ]
        waiting = list(self.plan.disturbances)
        seen: Counter[str] = Counter()
        try:
            for worker in workers:
                worker.start(self._work)
            while any(worker.pid for worker in workers):
                begun = sum(self._begun(worker) for worker in workers)
                while waiting and waiting[0].at <= begun:
                    disturbance = waiting.pop(0)
                    self.places.disturb(disturbance)
                    seen[disturbance.kind] += 1
                for worker in workers:
                    if worker.pid and worker.check() and worker.left:
                        worker.start(self._work)
                time.sleep(_POLL_S)
        finally:
            for worker in workers:
                if worker.pid:
                    os.kill(worker.pid, signal.SIGKILL)
                    os.waitpid(worker.pid, 0)
        for worker in workers:
            seen["kill"] += len(worker.killed)
            for entry in worker.log.read():
                assert "defect" not in entry, entry["defect"]
                if "how" in entry:
                    seen[entry["how"]] += 1
        return seen

    def _orders_of(self, number: int) -> list[OrderPlan]:
        return [plan for plan in self.plan.orders if number in plan.workers]

    def _begun(self, worker: Process) -> int:
        try:
            return worker.log.path.read_bytes().count(b'"begin"')
        except FileNotFoundError:
            return 0

    def _work(self, process: Process) -> None:
        """Take the orders of a process, in the process itself."""
        retry.FIRST_WAIT_S = 0.01  # type: ignore[misc]  # a test's own haste
        gateway = self.places.gateway()
        worker = Worker(self.places, gateway, self.vouchers)
        for plan in process.left:
            second = plan.workers.index(process.number) == 1
            self._meet(plan, process.number)
            process.log.write(begin=plan.number)
            how = self._serve(worker, plan, second=second, killable=plan.number not in process.killed)
            process.log.write(end=plan.number, how=how)

    def _serve(self, worker: Worker, plan: OrderPlan, *, second: bool, killable: bool) -> str:
        card: Any = worker.card(plan)
        if plan.kill_at is None or second or not killable:
            return worker.serve(plan, card, second=second)
        points = CrashPoints(plan.kill_at)
        with ExitStack() as stack:
            stack.enter_context(points.watching())
            return worker.serve(plan, WatchedCard(card, points.reach))

    def _meet(self, plan: OrderPlan, number: int) -> None:
        """Wait a moment until the other worker that has the order is there."""
        if len(plan.workers) < 2:
            return
        (self.folder / f"order-{plan.number}-{number}").touch()
        deadline = time.monotonic() + _MEET_S
        others = [self.folder / f"order-{plan.number}-{other}" for other in plan.workers]
        while not all(path.exists() for path in others) and time.monotonic() < deadline:
            time.sleep(0.005)
