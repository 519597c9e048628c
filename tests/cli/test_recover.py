"""`recover`: look up every operation in doubt, also after a restore of the journal."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.cli.redemption_in_doubt import CHARGE, PROGRAM, REDEEM, left, outcomes, wait_until
from voucher_gateway.simulator import RunningSimulator


def test_recover_looks_everything_up_and_ends_with_4_while_something_stays_unknown(
    run: Any, taken: RunningSimulator
) -> None:
    taken.inject("drop-before", CHARGE)
    assert run(*REDEEM, "b").code == 4
    ran = run("--json", "recover")
    assert ran.code == 4
    assert [(one["reference"], one["outcome"]) for one in ran.objects] == [("a", "succeeded"), ("b", "unknown")]
    again = run("recover")  # not due yet
    assert (again.code, again.err) == (0, "No operation in doubt is due for a look-up. --all looks up all of them.\n")
    taken.clock.advance(1900)
    found = run("recover", "--all").done().out.splitlines()[1]
    assert found.split()[:5] == ["shop", "redeem", "b", "not", "executed"]
    assert "every movement that could be this one belongs to another operation" in " ".join(found.split())
    assert run("recover", "--all").done().err == "No operation is in doubt.\n"
    assert outcomes(run) == [("b", "not_executed"), ("a", "succeeded")]


def test_a_killed_command_leaves_an_operation_that_recover_resolves(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    kept.inject("commit-then-hang", CHARGE)
    with subprocess.Popen([*PROGRAM, *REDEEM, "a"], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: left(kept) == "39.47")
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert outcomes(run) == [("a", "open")]
    assert run("--json", "recover").done().object["outcome"] == "succeeded"
    assert left(kept) == "39.47"


def test_a_restored_journal_sends_nothing_until_it_has_been_recovered(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    run("operations", "backup", "backup.db").done()
    assert run("operations", "backup", "backup.db").code == 2  # never overwritten
    run(*REDEEM, "a").done()
    for file in tmp_path.glob("voucher-gateway.db*"):
        if file.suffix != ".key":
            file.unlink()
    (tmp_path / "backup.db").rename(tmp_path / "voucher-gateway.db")
    before = left(kept)
    stopped = run(*REDEEM, "a")
    assert stopped.code == 3
    assert "run `voucher-gateway recover --after-restore`" in stopped.err
    doctor = run("--json", "doctor").done().object["journal"]
    assert (doctor["ok"], doctor["restored"]) == (False, True)
    recovered = run("--json", "recover", "--after-restore").done()
    assert recovered.objects[0] == {"adoption": {"account": "shop", "vouchers": 1, "adopted": 1}}
    assert "migrate verify PLAN" in recovered.error["warnings"][0]  # the vendors do not know what was moved
    assert run("--json", *REDEEM, "a").done().object["replayed"] is True
    run(*REDEEM, "b").done()
    assert (before, left(kept)) == ("39.47", "28.94")
