"""Commands for the upkeep of the journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.support.many_operations import write_operations
from voucher_gateway import Gateway
from voucher_gateway.simulator import RunningSimulator

OLD = datetime(2020, 1, 1, tzinfo=UTC)
COUNT = 60
"""How many old operations there are. One of them is unknown."""
REDEEM = ["redeem", "shop", "JTL-7K2M-9QXD-4HTP", "10.53", "EUR", "--order", "1001", "--reference"]


@pytest.fixture
def old(run: Any, kept: RunningSimulator) -> Path:
    """The folder of a shop with old operations in its journal, and one of today."""
    folder = Path.cwd()
    run(*REDEEM, "today").done()
    with Gateway.from_config("voucher-gateway.toml") as gateway:
        assert gateway.journal is not None
        write_operations(gateway.journal, COUNT, begin=OLD)
    assert kept.crashes == []
    return folder


def test_a_prune_says_what_it_would_remove_and_then_removes_it(run: Any, old: Path) -> None:
    assert old.is_dir()
    would = run("--json", "journal", "prune", "--older-than", "400d", "--dry-run").done().object
    assert would["dry_run"] is True
    assert (would["pruned"]["operations"], would["pruned"]["kept"]) == (COUNT - 1, 1)
    done = run("journal", "prune", "--older-than", "400d").done()
    assert done.out.startswith(f"Removed {COUNT - 1} operations, 0 payments and 0 sales that changed last before 20")
    assert done.err == "1 old operation may still change, and stay.\n"
    left = {each["reference"] for each in run("--json", "operations", "list").done().objects}
    assert {"today", "reference-000049"} <= left
    assert "reference-000048" not in left


def test_an_age_that_is_not_a_number_of_days_or_too_short_is_refused(run: Any, old: Path) -> None:
    assert old.is_dir()
    for age, rule in (("400", "a number of days, such as 400d"), ("29d", "at least 30 days")):
        ran = run("journal", "prune", "--older-than", age)
        assert ran.code == 2
        assert rule in ran.err


def test_a_pruned_reference_is_refused_with_the_month(run: Any, old: Path) -> None:
    assert old.is_dir()
    run("journal", "prune", "--older-than", "400d").done()
    ran = run("operations", "show", "shop", "issue", "reference-000004")
    assert ran.code == 2
    assert "was begun in 2020-01 and succeeded" in " ".join(ran.err.split())


def test_an_archive_is_written_before_and_can_be_listed(run: Any, old: Path) -> None:
    file = old / "journal-2020.jsonl.gz"
    ran = run("--json", "journal", "archive", str(file), "--older-than", "400d").done().object
    assert ran["archive"]["operations"] == COUNT - 1
    run("journal", "prune", "--older-than", "400d", "--archive", str(file)).done()
    of_order = run("--json", "operations", "list", "--archive", str(file), "--order", "order-000002").done().objects
    assert [each["reference"] for each in of_order] == ["reference-000004", "reference-000005"]
    limited = run("--json", "operations", "list", "--archive", str(file), "--verb", "issue", "--limit", "3").done()
    assert len(limited.objects) == 3
    wrong = run("operations", "list", "--archive", str(file), "--code", "JTL-7K2M-9QXD-4HTP")
    assert (wrong.code, "JTL-7K2M" in wrong.err) == (2, False)
    file.write_bytes(file.read_bytes()[:-20])
    assert run("operations", "list", "--archive", str(file)).code == 2


def test_an_order_is_forgotten(run: Any, old: Path) -> None:
    assert old.is_dir()
    assert run("journal", "forget", "--order", "1001").done().out == "Erased 1 operation, 0 payments and 0 sales.\n"
    assert run("explain", "--order", "1001").done().out == "The data of this order was erased from the journal.\n"
    assert run("journal", "forget", "--order", "1OO1").done().out == (
        "Erased nothing: the journal holds nothing of this order.\n"
    )
    assert run("explain", "--order", "1OO1").code == 1
    ran = run(*REDEEM, "today")
    assert ran.code == 2
    assert "never sent again" in " ".join(ran.err.split())
    in_doubt = run("journal", "forget", "--order", "order-000024")
    assert in_doubt.code == 3
    assert "1 operation may still change" in " ".join(in_doubt.err.split())


def test_the_status_fits_a_terminal_of_80_columns(run: Any, old: Path) -> None:
    assert old.is_dir()
    out = run("journal", "status").done().out
    assert "oldest" in out
    assert max(cell_len(line) for line in out.splitlines() if "sqlite" not in line) <= 80
    status = run("--json", "journal", "status").done().object
    assert (status["rows"]["operations"] > COUNT, status["schemas"][0]["revision"]) == (True, "0001")


def test_an_upgrade_that_is_not_due_is_said(run: Any, old: Path) -> None:
    assert old.is_dir()
    for option in ([], ["--check"]):
        ran = run("journal", "upgrade", *option).done()
        assert ran.out.startswith("journal: revision 0001, up to date\n")
