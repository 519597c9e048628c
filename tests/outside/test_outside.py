"""What shops, scripts and stored files rely on is as the files in ``recorded/`` say.

Whoever changes it on purpose writes the files again with ``pytest tests/outside --write-outside`` and commits them.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

import pytest

from tests.outside.declared import SECTIONS
from tests.outside.runs import record_runs

RECORDED: Final = Path(__file__).parent / "recorded"


def difference(name: str, text: str) -> str:
    """Return how a text differs from the recorded one; nothing if it does not."""
    file = RECORDED / f"{name}.txt"
    recorded = file.read_text("utf-8") if file.exists() else ""
    lines = difflib.unified_diff(
        recorded.splitlines(), text.splitlines(), f"recorded {name}", f"{name} of the code", n=2, lineterm=""
    )
    return "\n".join(lines)


def check(texts: dict[str, str], config: pytest.Config) -> None:
    """Compare texts with the recorded ones, by their names; or record them, where that is asked for."""
    if config.getoption("--write-outside"):
        for name, text in texts.items():
            (RECORDED / f"{name}.txt").write_text(text, "utf-8")
    if changes := [change for name, text in texts.items() if (change := difference(name, text))]:
        advice = "If that is meant, record it: pytest tests/outside --write-outside"
        pytest.fail("\n\n".join([*changes, advice]), pytrace=False)


@pytest.mark.parametrize("name", SECTIONS)
def test_what_is_declared_is_as_recorded(name: str, pytestconfig: pytest.Config) -> None:
    check({name: SECTIONS[name]()}, pytestconfig)


def test_what_commands_print_and_how_they_end_is_as_recorded(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    check(record_runs(tmp_path), pytestconfig)
