"""What a command in a separate process prints when its outcome is unknown."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.redemption_in_doubt import CHARGE, PROGRAM, REDEEM, left, wait_until
from voucher_gateway.simulator import RunningSimulator


def test_a_command_prints_no_warning_that_the_library_logs(kept: RunningSimulator, tmp_path: Path) -> None:
    kept.inject("commit-then-drop", CHARGE)
    command = [*PROGRAM, "--json", *REDEEM, "a"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (4, "")
    assert json.loads(ended.stderr)["error"] == "OutcomeUnknown"


@pytest.mark.long
def test_an_interrupted_command_says_which_command_finds_out(run: Any, kept: RunningSimulator, tmp_path: Path) -> None:
    kept.inject("commit-then-hang", CHARGE)
    with subprocess.Popen([*PROGRAM, *REDEEM, "a"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: left(kept) == "39.47")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "it is not known whether it happened. Find out with: voucher-gateway resolve shop redeem a\n" in err
    assert run("--json", "resolve", "shop", "redeem", "a").done().object["outcome"] == "succeeded"
