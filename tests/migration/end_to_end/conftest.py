"""Stores of vouchers of every kind, for whole migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.migration.end_to_end.stores import FileStore, LocalStore, SimulatedStore, VoucherStore


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[Callable[..., VoucherStore]]:
    """Make a store of a kind with that many vouchers."""
    with ExitStack() as stack:

        def make(kind: str, vouchers: int = 0, **options: object) -> VoucherStore:
            if kind == "own":
                return LocalStore(tmp_path, stack, vouchers)
            if kind == "paper":
                return FileStore(tmp_path, vouchers)
            return SimulatedStore(kind, stack, vouchers, **options)

        yield make
