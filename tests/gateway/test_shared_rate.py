"""The rate of an account holds for all processes with one journal, and its checkouts come first."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.shop import Shop
from tests.support.simulators import JOURNAL_KEYS
from voucher_gateway.http.provider import HttpProvider

RATE, BURST = 40.0, 8
ROOT = Path(__file__).parents[2]

WORKER = """
import json, sys, threading, time
from tests.support.simulators import make_journal_keys, make_provider
from voucher_gateway import Gateway, VoucherGatewayError
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.limits.work_class import WorkClass, use_work_class

announcement, url, keys, code, kind, seconds, rate, burst, threads = json.loads(sys.argv[1])
provider = make_provider(announcement, "shop", requests_per_second=rate, burst=burst, total_timeout_s=30.0)
counts = []
with Gateway({"shop": provider}, journal=open_journal(url, make_journal_keys(keys))) as gateway:
    with use_work_class(WorkClass[kind]):
        gateway.balance("shop", code)
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds

    def work():
        with use_work_class(WorkClass[kind]):
            while time.monotonic() < end:
                gateway.balance("shop", code, timeout=max(0.05, end - time.monotonic()))
                counts.append(time.monotonic())

    def work_on():
        try:
            work()
        except VoucherGatewayError:
            pass  # the time is over

    workers = [threading.Thread(target=work_on) for _ in range(threads)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
print(json.dumps(len(counts)), flush=True)
"""


class Worker:
    """A process that asks for the balance of a voucher as often as it may."""

    def __init__(self, stack: ExitStack, shop: Shop, code: str, kind: str, seconds: float, threads: int = 2) -> None:
        argument = [shop.running.announcement, shop.url, JOURNAL_KEYS, code, kind, seconds, RATE, BURST, threads]
        command = [sys.executable, "-c", WORKER, json.dumps(argument)]
        self.process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        )
        stack.callback(self.process.kill)

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


def most_at_once(moments: list[float], seconds: float) -> int:
    return max(sum(1 for moment in moments if start <= moment < start + seconds) for start in moments)


@pytest.mark.long
def test_processes_together_keep_to_the_rate_and_checkouts_come_first(either_shop: Shop) -> None:
    _, code = either_shop.voucher()
    with ExitStack() as stack:
        workers = [Worker(stack, either_shop, code, kind, 4.0) for kind in ("CHECKOUT", "CHECKOUT", "MIGRATE")]
        assert [worker.read() for worker in workers] == ["ready"] * 3
        count = len(either_shop.running.requests)
        for worker in workers:
            worker.begin()
        counts = [int(worker.read()) for worker in workers]
    moments = [request.at.timestamp() for request in either_shop.running.requests[count:]]
    assert sum(counts) >= RATE * 4.0 * 0.7
    assert sum(counts[:2]) >= 0.75 * sum(counts)
    for seconds in (0.5, 1.0, 2.0):
        assert most_at_once(moments, seconds) <= BURST + RATE * (seconds + 0.1) + 1


@pytest.mark.long
def test_a_frozen_and_a_killed_process_do_not_block_the_others(either_shop: Shop) -> None:
    import signal

    _, code = either_shop.voucher()
    with ExitStack() as stack:
        frozen, killed, other = (Worker(stack, either_shop, code, "CHECKOUT", 3.0) for _ in range(3))
        assert [worker.read() for worker in (frozen, killed, other)] == ["ready"] * 3
        frozen.begin()
        killed.begin()
        time.sleep(0.5)
        if either_shop.journal.database.is_sqlite:
            # The write lock of a file is freed first: whoever is frozen with it stops all writers, as it always did.
            with either_shop.journal.database.write():
                frozen.process.send_signal(signal.SIGSTOP)
        else:
            frozen.process.send_signal(signal.SIGSTOP)
        killed.process.kill()
        other.begin()
        assert int(other.read()) >= RATE * 3.0 * 0.7
        frozen.process.send_signal(signal.SIGKILL)


def test_the_provider_of_a_gateway_with_a_journal_shares_its_rate(shop: Shop) -> None:
    _, code = shop.voucher()
    gateways = [shop.another_gateway(requests_per_second=10.0, burst=1) for _ in range(2)]
    for gateway in gateways:
        gateway.balance("shop", code)  # each has its token
    began = time.monotonic()
    for _ in range(3):
        for gateway in gateways:
            gateway.balance("shop", code)
    assert time.monotonic() - began >= 5 / 10
    assert isinstance(gateways[0].provider("shop"), HttpProvider)
