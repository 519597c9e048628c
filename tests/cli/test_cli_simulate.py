"""The command that runs a vendor's simulator."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]


def test_a_simulator_announces_itself_in_json_serves_and_stops_when_told(tmp_path: Path) -> None:
    arguments = ["simulate", "jtl", "--port", "0", "--vouchers", "3", "--seed", "1", "--state", "ledger.json"]
    faults = ["--fault", "rate-limit:GET /v1/vouchers:1", "--latency-ms", "1", "--strict"]
    command = [*PROGRAM, *arguments, *faults]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["provider"] == "jtl"
        assert len(_ledger(told)) == 3
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert len(json.loads((tmp_path / "ledger.json").read_text())["ledger"]["vouchers"]) == 3


def _ledger(told: dict[str, str]) -> list[Any]:
    with urllib.request.urlopen(f"{told['control_url']}/ledger", timeout=10) as answer:
        ledger: list[Any] = json.load(answer)
    return ledger


def test_an_unknown_simulator_fault_or_port_is_wrong_usage(run: Any) -> None:
    for arguments in (
        ("nobody",),
        ("jtl", "--fault", "nonsense"),
        ("jtl", "--port", "70000"),
        ("jtl", "--host", "no.such.host.invalid"),
    ):
        assert run("simulate", *arguments).code == 2
    assert "there are jtl, ticketing" in run("simulate", "nobody").err
