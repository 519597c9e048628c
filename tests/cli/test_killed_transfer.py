"""An `export` and an `import` that are killed go on with the same command."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.voucher_files import count_changes
from tests.support.long import first
from voucher_gateway.simulator import RunningSimulator


@pytest.mark.parametrize("seed", first([0.3, 0.0, 0.8]))
@pytest.mark.long
def test_a_killed_export_and_import_go_on_with_the_same_command(
    accounts: dict[str, RunningSimulator], run: Run, tmp_path: Path, seed: float
) -> None:
    Path("in.csv").write_text(
        "remaining,currency,code\n" + "".join(f"1.{number:02},EUR,GIFT-{number:04}\n" for number in range(60))
    )

    def killed(*arguments: str) -> None:
        command = [sys.executable, "-c", "from voucher_gateway.cli import main; main()", *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while process.poll() is None and not _begun(accounts, arguments, seed) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()

    killed("import", "events", "in.csv")
    ran = run("import", "events", "in.csv")
    in_doubt = ran.out.count(" in-doubt: ")  # killed between the note in the journal and the request
    assert ran.code == (4 if in_doubt else 0), ran.err
    ledger = accounts["events"].ledger()
    issued = {str(voucher["code"]): str(voucher["remaining"]) for voucher in ledger}
    assert 60 - in_doubt <= len(issued) == len(ledger)
    assert issued == {code: f"1.{code[-2:]}" for code in issued}

    killed("export", "events", "out.csv", "--reveal")
    run("export", "events", "out.csv", "--reveal").done()
    assert len(Path("out.csv").read_text().splitlines()) == len(ledger) + 1


def _begun(accounts: dict[str, RunningSimulator], arguments: tuple[str, ...], share: float) -> bool:
    """Whether about this share of sixty vouchers is through."""
    if arguments[0] == "import":
        return count_changes(accounts["events"]) > 60 * share
    path = Path("out.csv")
    return path.exists() and path.read_bytes().count(b"\n") > 60 * share
