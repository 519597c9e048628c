"""Decides which calls are sent again, and how long to wait before.

urllib3's `Retry` reads Retry-After. Its own retries are off: only this module knows which calls may be repeated.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final

from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from voucher_gateway.errors import DatabaseUnavailable, NotExecuted, RateLimited, VoucherGatewayError
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.http")

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 5.0

_reader: Final = Retry()
# urllib3 cuts a wait to six hours. We report the vendor's own number, even if we do not wait that long.
_reader.retry_after_max = sys.maxsize


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date; None if it has neither."""
    if header is None:
        return None
    try:
        return float(_reader.parse_retry_after(header))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def backoff_seconds(attempts: int) -> float:
    """Return a random wait after so many attempts. It differs each time, so that many callers do not come together."""
    return random.uniform(0.5, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempts - 1))  # noqa: S311 - no secret


class RequestAttempt:
    """One attempt of a call, as a context manager. It swallows the error after which another attempt follows."""

    def __init__(
        self,
        number: int,
        *,
        is_last: bool,
        deadline: float,
        may_repeat: Callable[[object], bool],
        retry_after_seconds: Callable[[object], float | None],
    ) -> None:
        self.wait_s: float | None = None
        self._may_repeat = may_repeat
        self._retry_after_seconds = retry_after_seconds
        self._number = number
        self._is_last = is_last
        self._deadline = deadline

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        # The database is ours, and its own time-out is over.
        if self._is_last or isinstance(error, DatabaseUnavailable) or not self._may_repeat(error):
            return False
        requested = self._retry_after_seconds(error)
        wait = backoff_seconds(self._number) if requested is None else requested
        if time.monotonic() + wait >= self._deadline:
            return False
        self.wait_s = wait
        message = error.message if isinstance(error, VoucherGatewayError) else type(error).__name__
        log.debug("%s; attempt %d follows in %.2f s", message, self._number + 1, wait)
        return True


def was_not_executed(error: object) -> bool:
    """Whether an error says that a request was certainly not executed, and may not be so next time."""
    return isinstance(error, NotExecuted)


def retry_after_seconds(error: object) -> float | None:
    """Return the seconds that a vendor asks us to wait; None if it asks for none."""
    return error.retry_after if isinstance(error, RateLimited) else None


def attempts(
    limit: int,
    *,
    deadline: float,
    may_repeat: Callable[[object], bool] = was_not_executed,
    retry_after_seconds: Callable[[object], float | None] = retry_after_seconds,
) -> Iterator[RequestAttempt]:
    """Yield attempts for as long as a repeat is safe, and wait between them.

    Send the call inside of ``with attempt:`` and return its result from there. An error leaves the block if
    `may_repeat` says no, or if no attempt or no time is left.

    Args:
        limit: the highest number of attempts, at least 1.
        deadline: no wait goes beyond this moment of ``time.monotonic``.
        may_repeat: whether another attempt may follow an error.
        retry_after_seconds: the seconds to wait after an error, where the vendor asks for some.
    """
    for number in range(1, limit + 1):
        attempt = RequestAttempt(
            number,
            is_last=number == limit,
            deadline=deadline,
            may_repeat=may_repeat,
            retry_after_seconds=retry_after_seconds,
        )
        yield attempt
        if attempt.wait_s is not None:
            time.sleep(attempt.wait_s)
