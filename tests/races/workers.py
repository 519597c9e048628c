"""Many workers at one moment: threads of this process, and processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection

import attrs

from tests.support.forkserver import forkserver
from tests.support.simulators import SimulatorAccount, make_gateway
from voucher_gateway import Gateway
from voucher_gateway.provider_api import Money, VoucherGatewayError

PATIENCE_S = 30.0
"""How long a worker may take to start, in seconds."""
WAIT_S = 60.0
"""How long a call waits for another worker on the same reference."""


@attrs.frozen
class RedeemTask:
    """One redemption that a worker tries, with its own gateway on the journal if it is another process."""

    account: SimulatorAccount
    journal: str
    code: str
    amount: str
    reference: str

    def run(self, gateway: Gateway) -> str:
        """Redeem, and return the outcome: the redemption's id, or the name of the error."""
        money = Money(self.amount, "EUR")
        try:
            redemption = gateway.redeem(
                self.account.name,
                self.code,
                money,
                reference=self.reference,
                wait=WAIT_S,
                if_held="replace",
            )
        except VoucherGatewayError as error:
            return type(error).__name__
        assert redemption.money == money
        return f"redeemed as {redemption.id}"


def _run_tasks(tasks: Sequence[RedeemTask], line: Connection) -> None:
    with make_gateway((tasks[0].account,), tasks[0].journal) as gateway:
        line.send("ready")
        line.recv()
        line.send([task.run(gateway) for task in tasks])


def run_in_processes(tasks: Sequence[Sequence[RedeemTask]]) -> list[str]:
    """Run each row of tasks in a new process. All start at the same moment."""
    context = forkserver()
    lines, processes = [], []
    for row in tasks:
        line, sender = context.Pipe()
        process = context.Process(target=_run_tasks, args=(row, sender), daemon=True)
        process.start()
        sender.close()
        lines.append(line)
        processes.append(process)
    try:
        for line in lines:
            assert line.poll(PATIENCE_S)
            assert line.recv() == "ready"
        for line in lines:
            line.send("go")
        outcomes: list[str] = []
        for line in lines:
            assert line.poll(2 * WAIT_S)
            outcomes += line.recv()
        return outcomes
    finally:
        for process, line in zip(processes, lines, strict=True):
            process.join(PATIENCE_S)
            process.kill()
            process.join()
            process.close()
            line.close()
