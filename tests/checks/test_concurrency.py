"""Many workers at once never try more codes than the limits allow, all together."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from tests.support.forked_child import WITH_HOOKS, fork
from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from tests.support.threads import run_in_threads
from voucher_gateway.checks.guard import CheckGuard
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.errors import TooManyChecks
from voucher_gateway.journal.journal import open_journal

LIMITS = CheckLimits(caller_guesses=7, total_guesses=11, unusable_time_s=0)


def try_codes(guard: CheckGuard, callers: list[str], times: int, *, usable: bool = False) -> Counter[str]:
    """Try codes, and count those that were not refused."""
    passed: Counter[str] = Counter()
    for caller in callers * times:
        try:
            with guard.attempt(caller) as attempt:
                time.sleep(0.001)  # the vendor is asked
                if not usable:
                    attempt.reject()
            passed[caller] += 1
        except TooManyChecks:
            passed["refused"] += 1
    return passed


def try_in_a_process(url: str, callers: list[str], times: int) -> str:
    journal = open_journal(url, make_journal_keys(JOURNAL_KEYS))
    guard = CheckGuard(journal, LIMITS)
    try:
        results = run_in_threads([partial(try_codes, guard, callers, times) for _ in range(4)])
        total = sum(results, Counter[str]())
        return " ".join(f"{name}={count}" for name, count in total.items())
    finally:
        journal.close()


def total_of(texts: list[str]) -> Counter[str]:
    total: Counter[str] = Counter()
    for text in texts:
        for name, count in re.findall(r"(\S+)=(\d+)", text):
            total[name] += int(count)
    return total


def test_threads_and_processes_at_once_let_one_caller_try_no_more_than_its_limit(
    either_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    open_journal(either_url, make_journal_keys(JOURNAL_KEYS)).close()
    total = total_of(at_once(partial(try_in_a_process, either_url, ["one"], 3), 3))
    assert total == {"one": 7, "refused": 3 * 4 * 3 - 7}


def test_threads_and_processes_at_once_let_many_callers_try_no_more_than_the_limit_of_all(
    either_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    open_journal(either_url, make_journal_keys(JOURNAL_KEYS)).close()
    callers = [f"198.51.100.{number}" for number in range(5)]
    total = total_of(at_once(partial(try_in_a_process, either_url, callers, 1), 3))
    assert total.pop("refused") == 3 * 4 * 5 - 11
    assert sum(total.values()) == 11
    assert max(total.values()) <= 7


def test_threads_that_all_have_good_codes_are_not_refused(
    either_url: str, open_guard: Callable[..., CheckGuard]
) -> None:
    guard = open_guard(either_url, caller_guesses=8, total_guesses=100)  # 5 in flight, and 20 good ones are 2 more
    results = run_in_threads([partial(try_codes, guard, ["one"], 4, usable=True) for _ in range(5)])
    assert sum(results, Counter[str]()) == {"one": 20}


def test_a_worker_that_is_killed_while_it_asks_leaves_a_guess(
    either_url: str, open_guard: Callable[..., CheckGuard]
) -> None:
    guard = open_guard(either_url, caller_guesses=2)
    for _ in range(2):
        child = fork(WITH_HOOKS)
        if child == 0:
            with guard.attempt("one"):
                os.kill(os.getpid(), signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert try_codes(guard, ["one", "two"], 1, usable=True) == {"refused": 1, "two": 1}
