"""The journal that crashed processes and their successors share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.vendors import KEYS
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.open import open_journal


@pytest.fixture
def journal(either_url: str) -> Iterator[Journal]:
    """A journal in SQLite, and one in PostgreSQL."""
    journal = open_journal(either_url, KEYS)
    yield journal
    journal.close()


@pytest.fixture
def sqlite_journal(sqlite_url: str) -> Iterator[Journal]:
    """A journal in SQLite."""
    journal = open_journal(sqlite_url, KEYS)
    yield journal
    journal.close()


@pytest.fixture
def postgres_journal(postgres_url: str) -> Iterator[Journal]:
    """A journal in PostgreSQL."""
    journal = open_journal(postgres_url, KEYS)
    yield journal
    journal.close()
