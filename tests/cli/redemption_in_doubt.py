"""A redemption whose outcome nobody heard of, and what became of it."""

from __future__ import annotations

import sys
import time
from typing import Any

from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
CHARGE = "POST /v1/reservations/*/charge"
REDEEM = ["redeem", "shop", CODE, "10.53", "EUR", "--order", "1001", "--reference"]
PROGRAM = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]


def left(running: RunningSimulator) -> str:
    (voucher,) = running.ledger()
    return str(voucher["remaining"])


def outcomes(run: Any) -> list[tuple[str, str]]:
    told = run("--json", "operations", "list").done().objects
    return [(one["reference"], one["outcome"]) for one in told if one["verb"] == "redeem"]


def wait_until(true: Any) -> None:
    limit = time.monotonic() + 15
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.02)
