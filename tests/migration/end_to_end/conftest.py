"""Places of every kind, for whole migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.migration.end_to_end.places import Own, Paper, Place, Simulated


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Makes a place of a kind with that many vouchers."""
    with ExitStack() as stack:

        def make(kind: str, vouchers: int = 0, **options: object) -> Place:
            if kind == "own":
                return Own(tmp_path, stack, vouchers)
            if kind == "paper":
                return Paper(tmp_path, vouchers)
            return Simulated(kind, stack, vouchers, **options)

        yield make
