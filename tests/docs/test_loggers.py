"""The table of loggers in docs/error-trackers.md, compared with the calls of loggers in the source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "error-trackers.md").read_text("utf-8")
ROWS: Final = set(re.findall(r"^\| `(voucher_gateway\.\w+)` \| ([A-Z]+) \|", PAGE, re.MULTILINE))
_LOGGER: Final = re.compile(r'^log: Final = get_logger\("(voucher_gateway\.\w+)"\)', re.MULTILINE)
_CALL: Final = re.compile(r"\blog\.(debug|info|warning|error)\(")


def find_lines(source: str) -> set[tuple[str, str]]:
    """Return the loggers and levels of the lines that a module writes."""
    names = _LOGGER.findall(source)
    return {(name, level.upper()) for name in names for level in _CALL.findall(source)}


def test_the_table_has_every_logger_with_its_levels() -> None:
    modules = [path for path in (ROOT / "voucher_gateway").rglob("*.py") if "simulator" not in path.parts]
    lines = set().union(*(find_lines(path.read_text("utf-8")) for path in modules))
    assert len(lines) > 15
    assert sorted(lines - ROWS) == []


@pytest.mark.parametrize("name", sorted({name for name, _ in ROWS}))
def test_every_logger_of_the_table_is_in_the_source(name: str) -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "voucher_gateway").rglob("*.py")]
    assert any(f'get_logger("{name}")' in source for source in sources)
