"""The measurement of migrations, at a tiny size: its commands end well only if its copies are as a run writes them."""

from __future__ import annotations

import pytest

from tests.benchmarks.growth.moves import Sizes, measure_size

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


def test_copied_moves_are_verified_and_certified_as_planned_and_the_next_vouchers_move() -> None:
    [figures] = measure_size(["sqlite"], Sizes(400, sample=100, rest=200, next=20))
    assert {name.partition(",")[0] for name in figures} >= {"plan", "status", "verify", "certificate", "codes"}
    assert all(figure.value > 0 for figure in figures.values())


def test_sizes_that_copies_cannot_fill_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be filled with copies"):
        Sizes(450, sample=100, rest=200, next=20).copies  # noqa: B018 - it is calculated
