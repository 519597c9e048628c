"""Databases that are empty: what makes the tables is the subject here."""

from __future__ import annotations

import pytest


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    """The URL of an empty PostgreSQL database of this test's own."""
    return empty_postgres_url
