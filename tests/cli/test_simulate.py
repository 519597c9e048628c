"""The command that runs a vendor's simulator."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib
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
    assert "the simulators are jtl, pretix, square, ticketing" in run("simulate", "nobody").err


def test_a_configuration_is_written_for_the_simulator_and_never_over_another_file(tmp_path: Path) -> None:
    target = tmp_path / "voucher-gateway.toml"
    command = [sys.executable, "-c", "from voucher_gateway.cli import main; main()", "simulate", "ticketing"]
    options = ["--write-config", str(target), "--account", "events"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        announcement = json.loads(running.stdout.readline())
        running.terminate()
    account = tomllib.loads(target.read_text("utf-8"))["accounts"]["events"]
    assert (account["provider"], account["base_url"]) == ("ticketing", announcement["base_url"])
    assert target.stat().st_mode & 0o777 == 0o600
    again = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 2
    assert f"{target} exists already" in again.stderr
