"""When to try again, and how long to wait before.

The arithmetic (exponential backoff with jitter, both forms of Retry-After) is urllib3's `Retry`; which calls may be
repeated at all is ours alone to say, so urllib3's own retries are off.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from voucher_gateway.errors import DatabaseUnavailable, NotExecuted, RateLimited

T = TypeVar("T")

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 5.0

_reader: Final = Retry()
# It would cut a vendor's day to six hours, and we only report what we do not wait for.
_reader.retry_after_max = sys.maxsize


def retry_after_s(header: str | None) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date; None if there is none that can be read."""
    if header is None:
        return None
    try:
        return float(_reader.parse_retry_after(header))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def backoff_seconds(tries: int) -> float:
    """Return a wait before the next try, drawn anew each time so that many callers do not come back together."""
    return random.uniform(0.5, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (tries - 1))  # noqa: S311 - no secret


def retry(call: Callable[[], T], *, tries: int, deadline: float) -> T:
    """Make a call, and make it again while it surely was not executed and tries and time last.

    Args:
        call: the call; it raises `NotExecuted` only if a repeat is safe.
        tries: at most so many times.
        deadline: no wait goes beyond this moment of ``time.monotonic``.
    """
    for tried in range(1, tries + 1):
        try:
            return call()
        except DatabaseUnavailable:  # ours, and it has waited long enough by itself
            raise
        except NotExecuted as error:
            asked = error.retry_after if isinstance(error, RateLimited) else None
            wait = backoff_seconds(tried) if asked is None else asked
            if tried == tries or time.monotonic() + wait >= deadline:
                raise
        time.sleep(wait)
    raise AssertionError("tries is at least one")
