"""Movements are counted to the side of a reading on which the balances agree with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.memory_vendor import NOON
from voucher_gateway.provider_api import Money, Movement, MovementKind, MovementState
from voucher_gateway.reports.movements import MARGIN, MovementSums, ReadingPeriod, balance_change, sum_movements
from voucher_gateway.reports.roll_forward import Line

MINUTE: Final = timedelta(minutes=1)
OPENING: Final = ReadingPeriod(NOON, NOON + 2 * MINUTE)
CLOSING: Final = ReadingPeriod(NOON + 60 * MINUTE, NOON + 62 * MINUTE)
KINDS: Final = (MovementKind.REDEMPTION, MovementKind.REFUND, MovementKind.TOP_UP)
OTHER_LINES: Final = {
    MovementKind.ADJUSTMENT_UP: Line.ADJUSTED_UP,
    MovementKind.ADJUSTMENT_DOWN: Line.ADJUSTED_DOWN,
    MovementKind.EXPIRY: Line.EXPIRED,
    MovementKind.TRANSFER_IN: Line.TRANSFERRED_IN,
    MovementKind.TRANSFER_OUT: Line.TRANSFERRED_OUT,
    MovementKind.CASH_OUT: Line.CASHED_OUT,
    MovementKind.REVERSAL_UP: Line.REVERSED_UP,
    MovementKind.REVERSAL_DOWN: Line.REVERSED_DOWN,
    MovementKind.ISSUE: Line.ISSUED,
    MovementKind.ACTIVATION: Line.ISSUED,
}


def movement(kind: MovementKind, cents: int, at: datetime | None) -> Movement:
    return Movement(account="shop", kind=kind, money=Money.from_minor(cents, "EUR"), created_at=at)


def test_each_kind_has_its_line() -> None:
    between = NOON + 30 * MINUTE
    all_three = [movement(kind, cents, between) for kind, cents in zip(KINDS, (700, 50, 3), strict=True)]
    assert sum_movements(all_three, OPENING, CLOSING, -647) == MovementSums(
        {Line.REDEEMED: 700, Line.REFUNDED: 50, Line.TOPPED_UP: 3}
    )


@pytest.mark.parametrize("kind", OTHER_LINES)
def test_a_kind_that_moves_value_explains_the_change_on_its_own_line(kind: MovementKind) -> None:
    line = OTHER_LINES[kind]
    change = line.sign * 700
    sums = sum_movements([movement(kind, 700, NOON + 30 * MINUTE)], OPENING, CLOSING, change)
    assert sums == MovementSums({line: 700})
    assert sums.net == change


def test_every_kind_that_moves_value_has_a_line() -> None:
    moving = {kind for kind in MovementKind if kind.sign}
    assert moving == {*OTHER_LINES, *KINDS}


@pytest.mark.parametrize("state", [MovementState.PENDING, MovementState.CANCELLED])
def test_a_movement_that_has_not_happened_explains_nothing(state: MovementState) -> None:
    waiting = [attrs.evolve(movement(KINDS[0], 700, NOON + 30 * MINUTE), state=state)]
    assert sum_movements(waiting, OPENING, CLOSING, 0) == MovementSums()
    assert sum_movements(waiting, OPENING, CLOSING, -700).explained is False


def test_a_movement_without_an_amount_changes_nothing() -> None:
    block = Movement(account="shop", kind=MovementKind.BLOCK, created_at=NOON + 30 * MINUTE)
    assert sum_movements([block], OPENING, CLOSING, 0) == MovementSums()


def test_what_happened_before_and_after_does_not_count() -> None:
    outside = [movement(KINDS[0], 700, NOON - MINUTE), movement(KINDS[0], 900, NOON + 70 * MINUTE)]
    assert sum_movements(outside, OPENING, CLOSING, 0) == MovementSums()


@pytest.mark.parametrize("change", [0, -700])
def test_what_happened_during_a_reading_counts_as_the_balances_say(change: int) -> None:
    for span in (OPENING, CLOSING):
        during = [movement(KINDS[0], 700, span.began_at + MINUTE)]
        found = sum_movements(during, OPENING, CLOSING, change)
        assert found == MovementSums({Line.REDEEMED: -change} if change else {})


def test_a_movement_whose_time_is_off_by_seconds_is_still_found() -> None:
    seconds = timedelta(seconds=2)
    before, after = (
        movement(KINDS[0], 700, OPENING.began_at - seconds),
        movement(KINDS[0], 9, CLOSING.finished_at + seconds),
    )
    assert sum_movements([before, after], OPENING, CLOSING, -709) == MovementSums({Line.REDEEMED: 709})
    assert sum_movements([before, after], OPENING, CLOSING, 0) == MovementSums()
    far = [movement(KINDS[0], 700, OPENING.began_at - MINUTE), movement(KINDS[0], 9, CLOSING.finished_at + MINUTE)]
    assert sum_movements(far, OPENING, CLOSING, -709) == MovementSums(explained=False)


def test_what_no_movement_accounts_for_stays_unexplained_beside_those_that_surely_happened() -> None:
    surely = [movement(KINDS[0], 700, NOON + 30 * MINUTE), movement(KINDS[1], 1, CLOSING.began_at + MINUTE)]
    assert sum_movements(surely, OPENING, CLOSING, -1) == MovementSums({Line.REDEEMED: 700}, explained=False)


def test_a_kind_that_is_not_known_explains_nothing() -> None:
    strange = [movement(MovementKind.UNKNOWN, 700, NOON + 30 * MINUTE)]
    assert sum_movements(strange, OPENING, CLOSING, -700).explained is False
    assert sum_movements(strange, OPENING, CLOSING, 0).explained is True


def test_a_movement_without_a_time_counts_only_where_the_voucher_is_new() -> None:
    timeless = [movement(KINDS[0], 700, None)]
    assert sum_movements(timeless, OPENING, CLOSING, -700).explained is False
    assert sum_movements(timeless, None, CLOSING, -700) == MovementSums({Line.REDEEMED: 700})


@given(
    st.lists(st.tuples(st.integers(-5000, 8000), st.sampled_from(KINDS), st.integers(1, 99_999)), max_size=25),
    st.integers(0, 120_000),
    st.integers(0, 120_000),
    st.booleans(),
)
def test_the_lines_come_to_the_change_whenever_the_vendor_wrote_everything_down(
    happened: list[tuple[int, MovementKind, int]], first: int, second: int, existed: bool
) -> None:
    """Both readings took two minutes; the voucher's turn came at a moment of them that nobody kept."""
    read_first = OPENING.began_at + timedelta(milliseconds=first)
    read_second = CLOSING.began_at + timedelta(milliseconds=second)
    true = [(NOON + timedelta(seconds=at, milliseconds=at % 1000), kind, cents) for at, kind, cents in sorted(happened)]
    shown = [movement(kind, cents, at.replace(microsecond=0)) for at, kind, cents in true]
    since = read_first if existed else NOON - timedelta(days=1)
    change = sum(balance_change(one) for one, (at, _, _) in zip(shown, true, strict=True) if since < at <= read_second)
    found = sum_movements(shown, OPENING if existed else None, CLOSING, change)
    assert found.explained
    assert found.net == change


@given(st.lists(st.tuples(st.integers(-5000, 12_000), st.sampled_from(KINDS), st.integers(1, 9)), max_size=12))
def test_two_periods_count_together_what_one_over_both_counts(happened: list[tuple[int, MovementKind, int]]) -> None:
    third = ReadingPeriod(NOON + 120 * MINUTE, NOON + 122 * MINUTE)
    spans = (OPENING, CLOSING, third)
    shown = [movement(kind, cents, NOON + timedelta(seconds=at)) for at, kind, cents in sorted(happened)]

    def balance(span: ReadingPeriod) -> int:
        return sum(
            balance_change(one) for one in shown if one.created_at is not None and one.created_at <= span.finished_at
        )

    def of(opening: ReadingPeriod, closing: ReadingPeriod) -> MovementSums:
        return sum_movements(shown, opening, closing, balance(closing) - balance(opening))

    halves, whole = [of(spans[0], spans[1]), of(spans[1], spans[2])], of(spans[0], spans[2])
    for line in Line:
        assert sum(half.lines.get(line, 0) for half in halves) == whole.lines.get(line, 0)


def test_the_margin_is_wider_than_a_vendors_whole_seconds() -> None:
    assert timedelta(seconds=2) <= MARGIN <= timedelta(seconds=10)
