"""The recipe of docs/celery.md, run by a real worker with its own processes and a broker of files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from voucher_gateway import Gateway, Money, NewVoucher, OutcomeUnknown
from voucher_gateway.simulator import RunningSimulator, start

pytestmark = pytest.mark.long

PAGE: Final = (Path(__file__).parents[2] / "docs" / "celery.md").read_text("utf-8")
CHARGE: Final = "POST /v1/reservations/*/charge"
WORKER: Final = """
import os
from pathlib import Path

import signal

import tasks
from celery.signals import task_prerun
from tasks import app, capture_order


@task_prerun.connect
def note_process(task, args, **_):
    Path("process.txt").write_text(str(os.getpid()))
    if task.name == "tasks.handle_event":
        with open("handled.txt", "a") as file:
            print(args[0]["cursor"], file=file)


publish_event = tasks.publish_event


def publish_event_and_die(event):
    publish_event(event)
    deaths = Path("deaths.txt")
    if deaths.exists() and (left := int(deaths.read_text())) > 0:
        deaths.write_text(str(left - 1))
        os.kill(os.getpid(), signal.SIGKILL)  # published, and not committed


tasks.publish_event = publish_event_and_die
app.conf.broker_transport_options = {
    "data_folder_in": "messages", "data_folder_out": "messages", "control_folder": "control"
}
app.conf.beat_schedule["recover"]["schedule"] = 1.0
app.conf.beat_schedule["events"]["schedule"] = 3600.0  # this broker takes a second for each message
"""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"a minute has passed without: {what}"
        time.sleep(0.05)


class Shop:
    """A shop with a worker of Celery in a folder."""

    def __init__(self, folder: Path, vendor: RunningSimulator) -> None:
        self.folder = folder
        self.vendor = vendor
        known = vendor.announcement
        keys = ("base_url", "client_id", "client_secret")
        login = "\n".join(f'{key} = "{known[key]}"' for key in keys)
        (folder / "shop.toml").write_text(
            f'journal = "sqlite:///journal.db"\n[accounts.shop]\nprovider = "jtl"\ncode_pattern = "."\n{login}\n'
        )
        (recipe,) = re.findall(r"^```py\n(# tasks\.py\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        (folder / "tasks.py").write_text(recipe)
        (folder / "worker.py").write_text(WORKER)
        for name in "messages", "control":
            (folder / name).mkdir()
        self.gateway = Gateway.from_config(str(folder / "shop.toml"))

    def start_worker(self, *options: str) -> subprocess.Popen[bytes]:
        command = ("celery", "-A", "worker", "worker", "--concurrency", "1", "--loglevel", "INFO", *options)
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "BROKER_URL": "filesystem://", "VOUCHER_GATEWAY_CONFIG": "shop.toml"}

    def authorize(self, order: str) -> None:
        voucher = NewVoucher(initial=Money("5.00", "EUR"), code=f"CELERY-{order}", active=True)
        self.gateway.issue("shop", voucher, reference=f"{order}-issue")
        payment = self.gateway.payment(order, total=Money("1.00", "EUR"))
        payment.add(f"CELERY-{order}")
        payment.authorize()

    def send(self, order: str) -> None:
        self.call(f"capture_order.delay({order!r})")

    def call(self, call: str) -> None:
        program = f"from worker import capture_order, tasks; {call}"
        subprocess.run([sys.executable, "-c", program], cwd=self.folder, env=self.environment, check=True, timeout=60)

    def wait_for(self, order: str) -> None:
        wait_until(lambda: self.state(order) == "captured", f"order {order} is captured")

    def state(self, order: str) -> str:
        payment = self.gateway.find_payment(order)
        return "" if payment is None else str(payment.state)

    def count_requests(self, fault: str) -> int:
        return sum(fault in request.faults for request in self.vendor.requests)

    def count_charges(self) -> int:
        charges = [request for request in self.vendor.requests if request.path.endswith("/charge")]
        return len(charges)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with start("jtl") as vendor:
        shop = Shop(tmp_path, vendor)
        yield shop
        shop.gateway.close()


@pytest.fixture
def worker(shop: Shop, request: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = shop.start_worker(*getattr(request, "param", ()))
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def test_a_task_whose_process_is_killed_in_a_capture_is_run_again_and_takes_once(
    shop: Shop, worker: subprocess.Popen[bytes]
) -> None:
    shop.authorize("1001")
    shop.vendor.inject("commit-then-hang", CHARGE)
    shop.send("1001")
    wait_until(lambda: shop.count_requests("commit-then-hang") == 1, "the charge arrives")
    process = int((shop.folder / "process.txt").read_text())
    assert process != worker.pid
    os.kill(process, signal.SIGKILL)
    shop.wait_for("1001")
    assert shop.count_charges() == 1


def test_a_task_that_was_not_executed_is_tried_again(shop: Shop, worker: subprocess.Popen[bytes]) -> None:
    shop.authorize("1002")
    shop.vendor.inject("rate-limit", CHARGE, times=3, retry_after_s=1)
    shop.send("1002")
    shop.wait_for("1002")
    assert shop.count_requests("rate-limit") == 3
    assert "Retry in" in (shop.folder / "worker.log").read_text()


@pytest.mark.parametrize("worker", [("--beat",)], indirect=True)
def test_beat_completes_a_payment_whose_reply_was_lost(shop: Shop, worker: subprocess.Popen[bytes]) -> None:
    shop.authorize("1003")
    shop.vendor.inject("commit-then-drop", CHARGE)
    payment = shop.gateway.find_payment("1003")
    assert payment is not None
    with pytest.raises(OutcomeUnknown):
        payment.capture()
    shop.wait_for("1003")
    assert shop.count_charges() == 1


def test_a_task_publishes_every_event_though_its_process_is_killed(shop: Shop, worker: subprocess.Popen[bytes]) -> None:
    handled = shop.folder / "handled.txt"
    handled.touch()
    (shop.folder / "deaths.txt").write_text("2")
    shop.gateway.issue("shop", NewVoucher(initial=Money("5.00", "EUR")), reference="1004-issue")
    first, second = [event.cursor for event in shop.gateway.events()]
    shop.call("tasks.publish_events.delay()")
    wait_until(lambda: second in handled.read_text().split(), "all events are handled")
    # What was published and not committed came again.
    assert handled.read_text().split() == [first, first, first, second]
