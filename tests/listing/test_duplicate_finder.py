"""Digests that come more than once are found, whether they are in memory or in a temporary file."""

from __future__ import annotations

import random
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voucher_gateway.listing import duplicate_finder
from voucher_gateway.listing.duplicate_finder import DuplicateFinder

DIGESTS = st.integers(0, 50) | st.integers(2**64 - 50, 2**64 - 1) | st.integers(0, 2**64 - 1)


def twice(digests: list[int]) -> set[int]:
    return {digest for digest, count in Counter(digests).items() if count > 1}


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few digests are kept in memory, so that a test needs few."""
    monkeypatch.setattr(duplicate_finder, "_RUN", 8)


@given(first=st.lists(DIGESTS, max_size=40), rest=st.lists(DIGESTS, max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_digests_that_come_more_than_once_are_found(first: list[int], rest: list[int]) -> None:
    with DuplicateFinder() as finder:
        for digest in first:
            finder.add(digest)
        finder.update(rest)
        assert finder.duplicates() == twice([*first, *rest])
        finder.update(first)
        assert finder.duplicates() == twice([*first, *rest, *first])


def test_a_full_disk_takes_nothing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [random.Random(3).getrandbits(64) for _ in range(30)] * 2
    with DuplicateFinder() as finder:
        finder.update(digests[:10])

        def refuse(*_: object) -> NoReturn:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(duplicate_finder, "_write", refuse)
        for digest in digests[10:]:
            finder.add(digest)
        assert finder.duplicates() == twice(digests)


def test_no_temporary_file_can_be_made_and_all_are_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with DuplicateFinder() as finder:
        for digest in [*range(20), 7]:
            finder.add(digest)
        assert finder.duplicates() == {7}


def test_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with DuplicateFinder() as finder:
        finder.update(range(100))
        assert not [*tmp_path.iterdir()]  # it has no name, so a killed process leaves none either
        finder.close()
        assert finder.duplicates() == set()


def test_memory_does_not_grow_with_the_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate_finder, "_RUN", 1000)
    draw = random.Random(5)
    with DuplicateFinder() as finder:
        finder.update(draw.getrandbits(64) for _ in range(1000))
        tracemalloc.start()
        try:
            for _ in range(50):
                finder.update([draw.getrandbits(64) for _ in range(1000)])
            finder.duplicates()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 200_000  # 51,000 digests would take two megabytes in a set
