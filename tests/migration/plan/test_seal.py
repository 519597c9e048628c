"""A plan belongs to the journal under whose key it was made, and is not changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from voucher_gateway import Code, ConfigurationError, Gateway, Money, NewVoucher
from voucher_gateway.migration import make_plan, rollback_plan, run_plan, status_of, verify_plan
from voucher_gateway_file import FileProvider, FileSettings
from voucher_gateway_local import LocalProvider, LocalSettings

OTHER = "another key"
EDITED = "the seal of the plan is wrong: the file was changed after it was made"
UNSEALED = "the plan has no seal of the journal's key"


def open_gateway(folder: Path, journal: str = "journal") -> Gateway:
    source = FileProvider("source", FileSettings(path=folder / "source.jsonl", reveal=True))
    target = LocalProvider("target", LocalSettings(url=f"sqlite:///{folder}/target.db"))
    return Gateway({"source": source, "target": target}, journal=f"sqlite:///{folder}/{journal}.db")


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    with open_gateway(tmp_path) as gateway:
        for number in range(3):
            code = Code(f"GIFT-{number:04}-ABCD")
            gateway.issue("source", NewVoucher(initial=Money(10, "EUR"), code=code), reference=f"r-{number}")
        make_plan(gateway, "source", "target", tmp_path / "move.plan")
    return tmp_path / "move.plan"


def edit(plan: Path, change: Callable[[list[dict[str, object]]], None]) -> None:
    """Change the lines of a plan and hash them again, as somebody without the key can."""
    lines = [json.loads(line) for line in plan.read_text().splitlines()]
    change(lines)
    body = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines[:-1])
    last = {**lines[-1], "sha256": hashlib.sha256(body).hexdigest()}
    plan.write_bytes(body + json.dumps(last).encode() + b"\n")


ALL = (run_plan, status_of, verify_plan, rollback_plan)


@pytest.mark.parametrize("work", ALL)
def test_a_plan_under_the_key_of_its_journal_is_accepted(
    tmp_path: Path, plan: Path, work: Callable[[Gateway, Path], object]
) -> None:
    with open_gateway(tmp_path) as gateway:
        if work is rollback_plan:
            run_plan(gateway, plan)
        work(gateway, plan)


@pytest.mark.parametrize("work", ALL)
def test_a_plan_of_another_key_is_refused_in_these_words(
    tmp_path: Path, plan: Path, work: Callable[[Gateway, Path], object]
) -> None:
    with open_gateway(tmp_path, "new") as gateway, pytest.raises(ConfigurationError, match=OTHER):
        work(gateway, plan)


def test_a_plan_whose_journal_is_lost_is_proved_with_the_key_that_is_kept(tmp_path: Path, plan: Path) -> None:
    with open_gateway(tmp_path) as gateway:
        run_plan(gateway, plan)
    (tmp_path / "new.db.key").write_bytes((tmp_path / "journal.db.key").read_bytes())
    (tmp_path / "new.db.key").chmod(0o600)
    with open_gateway(tmp_path, "new") as gateway:
        assert verify_plan(gateway, plan).proved


def change_value(lines: list[dict[str, object]]) -> None:
    text = json.dumps(lines[1]).replace('"10.00"', '"90.00"')
    lines[1] = json.loads(text)


def remove_seal(lines: list[dict[str, object]]) -> None:
    del lines[-1]["seal"]


def remove_key(lines: list[dict[str, object]]) -> None:
    del lines[0]["key_id"]


@pytest.mark.parametrize("work", ALL)
@pytest.mark.parametrize(("change", "message"), [(change_value, EDITED), (remove_seal, EDITED), (remove_key, UNSEALED)])
def test_a_plan_that_was_edited_and_hashed_again_is_found_out(
    tmp_path: Path,
    plan: Path,
    change: Callable[[list[dict[str, object]]], None],
    message: str,
    work: Callable[[Gateway, Path], object],
) -> None:
    edit(plan, change)
    with open_gateway(tmp_path) as gateway, pytest.raises(ConfigurationError, match=message):
        work(gateway, plan)
