"""The API reference has a page entry for each public name, and each public verb explains itself."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

DOCS: Final = Path(__file__).parents[2] / "docs"
SCRIPT: Final = runpy.run_path(str(DOCS / "api_reference.py"))
PAGES: Final[dict[str, str]] = SCRIPT["reference_pages"]()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_what_the_script_would_write(name: str) -> None:
    assert (DOCS / "api" / name).read_text("utf-8") == PAGES[name], "run make docs"


def test_every_documented_name_of_the_library_is_on_a_page() -> None:
    documented_names: Callable[[str], list[str]] = SCRIPT["documented_names"]
    path_of: Callable[[str, str], str] = SCRIPT["path_of"]
    entries = {line.removeprefix("::: ") for text in PAGES.values() for line in text.splitlines()}
    assert {path_of("voucher_gateway", name) for name in documented_names("voucher_gateway")} <= entries
