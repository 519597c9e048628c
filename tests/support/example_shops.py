"""The shops of docs/examples as processes: their vendors, their card processor, and what is left on all sides."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import attrs

from tests.support.card import EXAMPLES, RunningProcessor, kept
from voucher_gateway.testing.simulated_vendor import SimulatedVendor

START_S: Final = 60.0
LIMITS: Final[dict[str, Any]] = {"connect_timeout_s": 2.0, "read_timeout_s": 2.0, "total_timeout_s": 6.0}


@attrs.frozen
class ExampleShop:
    """A running shop, its two vendors and its card processor.

    Attributes:
        base_url: where the shop listens.
        folder: its databases, its configuration and its mails.
        process: the server.
        log: what the server prints.
        environment: of the server and of the shop's commands.
        jtl: the vendor of the account ``shop``.
        tickets: the vendor of the account ``events``, which cannot reserve.
        cards: the card processor.
        earlier: the keys of charges that were there before the test.
    """

    base_url: str
    folder: Path
    process: subprocess.Popen[bytes]
    log: Path
    environment: Mapping[str, str]
    jtl: SimulatedVendor
    tickets: SimulatedVendor
    cards: RunningProcessor
    earlier: frozenset[str] = frozenset()

    def begin(self) -> Self:
        """Return the same shop for a new test: without faults, and without the charges that there are."""
        self.jtl.clear_faults()
        self.tickets.clear_faults()
        self.cards.clear_faults()
        return attrs.evolve(self, earlier=frozenset(charge["key"] for charge in self.cards.charges()))

    def run(self, *command: str) -> str:
        """Run a command of the shop, such as the one for cron; return what it prints."""
        ran = subprocess.run(
            [sys.executable, *command],
            cwd=EXAMPLES,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout + ran.stderr

    def kill_workers(self) -> None:
        """Kill the children of the server with SIGKILL. The server starts new ones."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        assert children
        for child in children:
            os.kill(int(child), signal.SIGKILL)

    def vouchers(self, *amounts: str) -> list[str]:
        """Return the codes of new vouchers: the first of the account ``shop``, the second of ``events``, and so on."""
        codes = []
        for place, amount in enumerate(amounts):
            vendor, prefix = ((self.jtl, "JTL-"), (self.tickets, "EVENT-"))[place % 2]
            code = prefix + os.urandom(6).hex().upper()
            vendor.voucher(amount, code=code)
            codes.append(code)
        return codes

    def left(self, *codes: str) -> list[str]:
        """Return what is truly left on vouchers."""
        return [str((self.jtl if code.startswith("JTL-") else self.tickets).remaining(code).amount) for code in codes]

    def card(self) -> list[str]:
        """Return what the charges of this test are: their states, with what was taken and not given back."""
        mine = [charge for charge in self.cards.charges() if charge["key"] not in self.earlier]
        return [f"{charge['status']} {kept(charge)}" for charge in mine]

    def mail(self) -> str:
        """Return the one mail that the shop sent."""
        (mail,) = [path for path in (self.folder / "mails").iterdir() if path.is_file()]
        return mail.read_text("utf-8")


def write_config(folder: Path, jtl: SimulatedVendor, tickets: SimulatedVendor) -> None:
    """Write the configuration of a shop with the accounts ``shop`` and ``events``."""
    risks = ["redeem-by-update", "refund-by-update"]
    accounts = {
        "shop": jtl.account(code_pattern="^JTL-", **LIMITS),
        "events": tickets.account(code_pattern="^EVENT-", accept_risks=risks, **LIMITS),
    }
    lines = [f'journal = "sqlite:///{folder}/voucher-gateway.db"']
    for name, table in accounts.items():
        lines += ["", f"[accounts.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    (folder / "voucher-gateway.toml").write_text("\n".join(lines), "utf-8")


@contextmanager
def serve(
    command: list[str], environment: Mapping[str, str], log: Path, announced: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a server; give its process and the address that it prints after some words."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=EXAMPLES, env=dict(environment), stdout=output, stderr=output
        )
    try:
        yield process, _address(process, log, announced)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path, announced: str) -> str:
    deadline = time.monotonic() + START_S
    while True:
        text = log.read_text(errors="replace")
        address = re.search(rf"{announced} (http://127\.0\.0\.1:\d+)", text)
        if address:
            return address[1]
        assert process.poll() is None, text[-3000:]
        assert time.monotonic() < deadline, f"the server did not start within {START_S} s: {text[-3000:]}"
        time.sleep(0.05)


def environment_of(folder: Path, cards: RunningProcessor, **names: str) -> dict[str, str]:
    """Return the environment of a shop."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    return {**mine, "SHOP_FOLDER": str(folder), "CARDS_URL": cards.base_url, **names}


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.02)
