"""Many workers at one moment: threads of this process, and processes of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import TypeVar

import attrs

from tests.races.site import PATIENCE_S, Site, warm
from voucher_gateway import Gateway
from voucher_gateway.provider_api import Money, VoucherGatewayError

T = TypeVar("T")

WAIT_S = 60.0
"""How long a call waits for another worker on the same reference."""


@attrs.frozen
class Redeeming:
    """One redemption that a worker tries."""

    site: Site
    code: str
    amount: str
    reference: str

    def by(self, gateway: Gateway) -> str:
        """Do it, and return what it came to: the redemption's id, or the name of the error."""
        money = Money(self.amount, "EUR")
        try:
            made = gateway.redeem(
                self.site.account,
                self.code,
                money,
                reference=self.reference,
                wait=WAIT_S,
                if_held="replace",
            )
        except VoucherGatewayError as error:
            return type(error).__name__
        assert made.money == money
        return f"redeemed as {made.id}"


def at_once(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run every task in a thread of its own, all let loose at the same moment."""
    ready = threading.Barrier(len(tasks))

    def start(task: Callable[[], T]) -> T:
        ready.wait(PATIENCE_S)
        return task()

    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        return list(pool.map(start, tasks))


def _in_process(tasks: Sequence[Redeeming], line: Connection) -> None:
    with tasks[0].site.gateway() as gateway:
        line.send("ready")
        line.recv()
        line.send([task.by(gateway) for task in tasks])


def in_processes(tasks: Sequence[Sequence[Redeeming]]) -> list[str]:
    """Run each row of tasks in a process of its own, all let loose at the same moment."""
    context = warm()
    lines, processes = [], []
    for row in tasks:
        ours, theirs = context.Pipe()
        process = context.Process(target=_in_process, args=(row, theirs), daemon=True)
        process.start()
        theirs.close()
        lines.append(ours)
        processes.append(process)
    try:
        for line in lines:
            assert line.poll(PATIENCE_S)
            assert line.recv() == "ready"
        for line in lines:
            line.send("go")
        came_to: list[str] = []
        for line in lines:
            assert line.poll(2 * WAIT_S)
            came_to += line.recv()
        return came_to
    finally:
        for process, line in zip(processes, lines, strict=True):
            process.join(PATIENCE_S)
            process.kill()
            process.join()
            process.close()
            line.close()
