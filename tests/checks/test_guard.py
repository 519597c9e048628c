"""How codes are counted: what each costs, when the next one is refused, and until when."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulators import make_journal_keys
from voucher_gateway import errors
from voucher_gateway.checks import guard as guard_module
from voucher_gateway.checks.guard import GUESS, USABLE, CheckGuard, find_retry_at
from voucher_gateway.checks.schema import checks
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.errors import (
    CurrencyMismatch,
    DatabaseUnavailable,
    InvalidRequest,
    MalformedResponse,
    ProviderUnavailable,
    TooManyChecks,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.journal.journal import Journal, open_journal

if TYPE_CHECKING:
    from tests.checks.conftest import Clock

CALLER = "203.0.113.7"
LIMITS = CheckLimits(caller_guesses=3, caller_period_s=600, total_guesses=5, unusable_time_s=0)


@pytest.fixture
def guard(journal: Journal) -> CheckGuard:
    """Three guesses of a caller in 10 minutes, five of all callers in an hour."""
    return CheckGuard(journal, LIMITS)


def guess(guard: CheckGuard, caller: str = CALLER) -> None:
    with guard.attempt(caller) as attempt:
        attempt.reject()


def try_usable(guard: CheckGuard, caller: str = CALLER) -> None:
    with guard.attempt(caller):
        pass


def fail(guard: CheckGuard, error: BaseException, caller: str = CALLER) -> None:
    with pytest.raises(type(error)) as raised, guard.attempt(caller):
        raise error
    assert raised.value is error


def refusal(guard: CheckGuard, caller: str = CALLER) -> TooManyChecks:
    with pytest.raises(TooManyChecks) as refused, guard.attempt(caller):
        raise AssertionError("a refused code was looked up")
    return refused.value


def costs(journal: Journal) -> list[int]:
    with journal.database.read() as connection:
        return list(connection.scalars(sa.select(checks.c.cost).order_by(checks.c.checked_at)))


# --- one caller ---


def test_a_caller_may_try_as_many_codes_as_the_limit_says(guard: CheckGuard, clock: Clock) -> None:
    for _ in range(3):
        guess(guard)
    assert refusal(guard).retry_at == clock.now + timedelta(seconds=600)


def test_it_may_go_on_at_the_moment_that_the_error_names_and_not_before(guard: CheckGuard, clock: Clock) -> None:
    for _ in range(3):
        guess(guard)
        clock.move(100)
    assert refusal(guard).retry_at == clock.now + timedelta(seconds=300)
    clock.move(299.999999)
    assert refusal(guard).retry_at == clock.now + timedelta(microseconds=1)
    clock.move(0.000001)
    guess(guard)
    assert refusal(guard).retry_at == clock.now + timedelta(seconds=100)


def test_the_moment_is_told_in_whole_seconds_and_never_too_early(guard: CheckGuard, clock: Clock) -> None:
    clock.move(0.25)
    for _ in range(3):
        guess(guard)
    error = refusal(guard)
    assert error.retry_at == clock.now + timedelta(seconds=600.75)
    assert error.message == "too many codes were tried: try the next one at 2026-11-27T12:10:01Z or later"


def test_another_caller_is_not_refused(guard: CheckGuard, clock: Clock) -> None:
    for _ in range(3):
        guess(guard)
    guess(guard, "203.0.113.8")


def test_a_refused_code_costs_nothing(guard: CheckGuard, clock: Clock, journal: Journal) -> None:
    for _ in range(3):
        guess(guard)
    for _ in range(20):
        clock.move(10)
        refusal(guard)
    assert costs(journal) == [GUESS] * 3


def test_a_customer_with_good_codes_is_not_refused_soon(guard: CheckGuard, clock: Clock, journal: Journal) -> None:
    for _ in range(20):
        try_usable(guard)
    guess(guard)
    assert costs(journal) == [USABLE] * 20 + [GUESS]
    assert isinstance(refusal(guard), TooManyChecks)  # 2 + 1 of 3 are spent: there is no room for another guess


def test_by_the_defaults_a_customer_may_try_91_good_codes_or_10_bad_ones(clock: Clock, journal: Journal) -> None:
    guard = CheckGuard(journal, CheckLimits(unusable_time_s=0))
    for _ in range(91):
        try_usable(guard, "good")
    refusal(guard, "good")
    for _ in range(10):
        guess(guard, "bad")
    refusal(guard, "bad")


def test_a_code_counts_as_a_guess_while_the_vendor_is_asked(guard: CheckGuard, clock: Clock) -> None:
    with guard.attempt(CALLER), guard.attempt(CALLER), guard.attempt(CALLER):
        refusal(guard)
    try_usable(guard)


# --- all callers together ---


def test_all_callers_together_may_try_as_many_as_their_limit_says(guard: CheckGuard, clock: Clock) -> None:
    for number in range(5):
        guess(guard, f"198.51.100.{number}")
    assert refusal(guard, "192.0.2.1").retry_at == clock.now + timedelta(seconds=3600)
    clock.move(3600)
    guess(guard, "192.0.2.1")


def test_good_codes_of_many_customers_do_not_use_up_what_is_for_guesses(guard: CheckGuard, clock: Clock) -> None:
    for number in range(50):
        try_usable(guard, f"198.51.100.{number}")
    guess(guard)


def test_the_later_one_of_both_moments_is_told(guard: CheckGuard, clock: Clock) -> None:
    for number in range(2):
        guess(guard, f"198.51.100.{number}")
    for _ in range(3):
        guess(guard)
    assert refusal(guard).retry_at == clock.now + timedelta(seconds=3600)


def test_the_operator_is_warned_once_a_minute_and_without_a_caller(
    guard: CheckGuard, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "_last_warning", -1e9)
    for number in range(5):
        guess(guard, f"198.51.100.{number}")
    with caplog.at_level(logging.DEBUG, "voucher_gateway"):
        for _ in range(3):
            refusal(guard)
    assert [record.getMessage() for record in caplog.records] == [
        "all callers together tried 5 codes that cannot be used in 3600 seconds: no caller may try one now"
    ]


# --- errors ---


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnavailable("down"),
        errors.RateLimited("slow down"),
        errors.AuthenticationFailed("no"),
        errors.MissingScope("no"),
        DatabaseUnavailable("full"),
        errors.OperationInProgress("busy"),
        errors.ConfigurationError("wrong"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_code_that_no_vendor_could_be_asked_about_costs_nothing(
    guard: CheckGuard, clock: Clock, journal: Journal, error: VoucherGatewayError
) -> None:
    for _ in range(10):
        fail(guard, error)
    assert costs(journal) == []


def test_a_vendor_that_is_down_is_not_a_way_to_guess_at_another(
    guard: CheckGuard, clock: Clock, journal: Journal
) -> None:
    def look_up() -> None:
        with guard.attempt(CALLER) as attempt:
            attempt.reject()
            raise ProviderUnavailable("the other vendor is down")

    with pytest.raises(ProviderUnavailable):
        look_up()
    assert costs(journal) == [GUESS]


@pytest.mark.parametrize(
    "error",
    [
        VoucherNotFound("no"),
        errors.VoucherExpired("no"),
        errors.WrongPin("no"),
        InvalidRequest("no", field="pin", rule="4 digits"),
        MalformedResponse("odd"),
        RuntimeError("a bug"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_other_error_is_a_guess(guard: CheckGuard, clock: Clock, journal: Journal, error: BaseException) -> None:
    fail(guard, error)
    assert costs(journal) == [GUESS]


def test_a_voucher_in_another_currency_is_a_good_one(guard: CheckGuard, clock: Clock, journal: Journal) -> None:
    fail(guard, CurrencyMismatch("USD"))
    assert costs(journal) == [USABLE]


def test_the_answer_is_not_lost_if_its_cost_cannot_be_written(
    guard: CheckGuard,
    clock: Clock,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(**_: object) -> None:
        raise DatabaseUnavailable("the disk is full")

    with guard.attempt(CALLER):
        monkeypatch.setattr(journal.database, "write", refuse)
    monkeypatch.undo()
    assert costs(journal) == [GUESS]
    assert "a check of a code stays counted as a guess: the disk is full" in caplog.text


def test_no_code_is_looked_up_uncounted(
    guard: CheckGuard, clock: Clock, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise DatabaseUnavailable("the disk is full")

    monkeypatch.setattr(journal.database, "write", refuse)
    with pytest.raises(DatabaseUnavailable), guard.attempt(CALLER):
        raise AssertionError("looked up")


# --- the time of an answer ---


class FakeTime:
    """The module `time`, whose clock only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.3

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(guard_module, "time", fake)
    return fake


@pytest.mark.parametrize(("lasts_s", "answered_s"), [(0.0, 1.0), (0.25, 1.0), (0.75, 1.0), (1.25, 2.0), (2.5, 3.0)])
def test_an_answer_that_a_code_cannot_be_used_takes_a_multiple_of_a_time(
    journal: Journal, fake_time: FakeTime, lasts_s: float, answered_s: float
) -> None:
    guard = CheckGuard(journal, CheckLimits())

    def find_nothing() -> None:
        with guard.attempt(CALLER):
            fake_time.sleep(lasts_s)
            raise VoucherNotFound("no")

    start = fake_time.now_s
    with guard.attempt(CALLER) as attempt:
        fake_time.sleep(lasts_s)
        attempt.reject()
    assert fake_time.now_s - start == pytest.approx(answered_s)
    start = fake_time.now_s
    with pytest.raises(VoucherNotFound):
        find_nothing()
    assert fake_time.now_s - start == pytest.approx(answered_s)


def test_no_other_answer_is_delayed(journal: Journal, fake_time: FakeTime) -> None:
    guard = CheckGuard(journal, CheckLimits(caller_guesses=1))
    start = fake_time.now_s
    with guard.attempt("good"):
        pass
    fail(guard, ProviderUnavailable("down"), "down")
    fail(guard, CurrencyMismatch("USD"), "other currency")
    fail(guard, MalformedResponse("odd"), "odd")
    refusal(guard, "odd")
    assert fake_time.now_s == start


# --- the rows ---


def test_old_rows_are_deleted(guard: CheckGuard, clock: Clock, journal: Journal) -> None:
    guess(guard)
    try_usable(guard)
    clock.move(3600)
    guess(guard, "other")
    assert costs(journal) == [GUESS]


def test_a_clock_that_was_wrong_locks_no_customer_out_for_long(
    guard: CheckGuard, clock: Clock, journal: Journal
) -> None:
    clock.move(10 * 24 * 3600)
    for _ in range(3):
        guess(guard)
    clock.move(-10 * 24 * 3600)
    guess(guard)
    assert costs(journal) == [GUESS]


def test_a_caller_is_stored_as_a_keyed_digest_only(guard: CheckGuard, clock: Clock, journal: Journal) -> None:
    guess(guard)
    with journal.database.read() as connection:
        (row,) = connection.execute(sa.select(checks)).mappings().all()
    assert set(row) == {"id", "caller", "checked_at", "cost"}
    assert len(row["caller"]) == 64
    assert CALLER not in str(row)
    assert journal.database.path is not None
    wal = journal.database.path.with_name(journal.database.path.name + "-wal")
    assert CALLER.encode() not in journal.database.path.read_bytes() + wal.read_bytes()


def test_with_another_key_the_digest_is_another(sqlite_url: str, tmp_path: object, journal: Journal) -> None:
    digest = journal.keys.caller_digest(CALLER)
    assert digest != journal.keys.caller_digest("203.0.113.8")
    other = open_journal(f"{sqlite_url}.other", make_journal_keys({"1": "another-key-of-another-journal"}))
    try:
        assert digest != other.keys.caller_digest(CALLER)
    finally:
        other.close()


def test_both_limits_hold_in_postgres_by_the_clock_of_the_server(
    postgres_url: str, open_guard: Callable[..., CheckGuard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "now", lambda: datetime(1999, 1, 1, tzinfo=UTC))  # this machine's clock is wrong
    guard = open_guard(postgres_url, caller_guesses=2, total_guesses=3)
    guess(guard)
    try_usable(guard)
    retry_at = refusal(guard).retry_at  # 1.1 of 2 are spent
    assert timedelta(seconds=590) < retry_at - datetime.now(UTC) <= timedelta(seconds=602)
    guess(guard, "198.51.100.1")
    guess(guard, "198.51.100.2")
    assert refusal(guard, "198.51.100.3").retry_at > retry_at + timedelta(seconds=2900)


# --- the rule ---

PERIOD = timedelta(seconds=20)
START = datetime(2026, 1, 1, tzinfo=UTC)
tries = st.lists(st.tuples(st.integers(0, 7), st.sampled_from([GUESS, USABLE])), max_size=40)


@given(tries, st.integers(1, 4))
def test_in_no_period_more_is_spent_than_the_limit_and_nothing_is_refused_that_has_room(
    tried: list[tuple[int, int]], guesses: int
) -> None:
    at, paid = START, list[tuple[datetime, int]]()
    for wait_s, cost in tried:
        at += timedelta(seconds=wait_s)
        recent = [(when, what) for when, what in reversed(paid) if when > at - PERIOD]
        retry_at = find_retry_at(recent, guesses * GUESS, PERIOD)
        has_room = sum(what for _, what in recent) + GUESS <= guesses * GUESS
        assert (retry_at is None) == has_room
        if retry_at is None:
            paid.append((at, cost))
        else:
            assert at < retry_at <= at + PERIOD
            then = [(when, what) for when, what in recent if when > retry_at - PERIOD]
            assert find_retry_at(then, guesses * GUESS, PERIOD) is None
            just_before = retry_at - timedelta(microseconds=1)
            then = [(when, what) for when, what in recent if when > just_before - PERIOD]
            assert find_retry_at(then, guesses * GUESS, PERIOD) is not None
    for end, _ in paid:
        assert sum(what for when, what in paid if end - PERIOD < when <= end) <= guesses * GUESS
