"""Which whole groups of tests are `long`: `make test` leaves them out, `make test-all` runs them.

A single long test says so itself, by `@pytest.mark.long`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import pytest

Value = TypeVar("Value")

_TESTS: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_TESTS / "crash", _TESTS / "migration" / "end_to_end")
"""Every test there ends processes again and again. `make test` shows the same once for each promise of the contract."""

_OF_THE_FAULT_MATRIX: Final = ("E1", "E2", "E3", "E5", "E6", "E11", "E12", "E13", "U1", "U2", "U3", "U6")
_OF_KEYS: Final = frozenset({"K3", "K4"})
"""Promises that are tried with many faults as well. `make test` tries them for the vendor with keys of the tests."""
_PROMISES: Final = frozenset({"C1", "C2", "C3", *_OF_THE_FAULT_MATRIX, "E4", "E10", "R10", "R21"})
"""Promises that are tried with many points, faults or values. `make test` tries them for JTL."""
_QUICK_CONTRACT: Final = "TestJtl"
_QUICK_CONTRACT_OF_KEYS: Final = "TestKeyed"

_CONTRACTS_OF_OTHERS: Final = frozenset({"TestCorner"})
"""Contracts of providers that are not ours. The contracts of ours try each of their promises."""

_EXECUTION: Final = ("attempts", "replay", "reserve_again", "retry", "tax", "voucher_check")
_LOCAL: Final = ("listing", "references", "vouchers")
_SAME_ON_EITHER_DATABASE: Final = (
    *(_TESTS / "execution" / f"test_{name}.py" for name in _EXECUTION),
    *(_TESTS / "providers" / "local" / f"test_{name}.py" for name in _LOCAL),
    _TESTS / "migration" / "certificate" / "test_html.py",
    _TESTS / "reports",
)
"""Tests there send the same statements to PostgreSQL as to SQLite. `make test` tries PostgreSQL where databases
differ: schemas, transactions, locks, forks, races, recovery, keys, and payments with vouchers of our own."""


def mark_long_tests(items: Sequence[pytest.Item]) -> None:
    """Mark the tests of the long groups."""
    for item in items:
        in_long_folder = any(item.path.is_relative_to(folder) for folder in _FOLDERS)
        if in_long_folder or _is_long_in_contract(item) or _is_repeated_on_postgres(item):
            item.add_marker(pytest.mark.long)


def _is_long_in_contract(item: pytest.Item) -> bool:
    promise = getattr(getattr(item, "function", None), "__promise__", None)
    contract = getattr(getattr(item, "cls", None), "__name__", None)
    if promise in _OF_KEYS:
        return contract != _QUICK_CONTRACT_OF_KEYS
    return contract in _CONTRACTS_OF_OTHERS or (promise in _PROMISES and contract != _QUICK_CONTRACT)


def _is_repeated_on_postgres(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    parameters = () if callspec is None else callspec.params.values()
    return "postgres" in parameters and any(item.path.is_relative_to(path) for path in _SAME_ON_EITHER_DATABASE)


def first(values: Sequence[Value], count: int = 1) -> list[Value]:
    """Return parameters of which `make test` runs the first `count`, and `make test-all` runs each."""
    rest = [pytest.param(value, marks=pytest.mark.long) for value in values[count:]]
    return [*values[:count], *rest]  # type: ignore[list-item]  # pytest takes both
