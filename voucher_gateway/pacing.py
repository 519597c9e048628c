"""Who is asked before a request of any kind goes out, so that a vendor's rate limit is kept.

Between whoever knows the limit and the HTTP client lies the adapter, which need not know; so it travels in a context
variable, as the hook of `voucher_gateway.request_hooks` does. Threads that an adapter starts do not inherit it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_pace: ContextVar[Callable[[str], None] | None] = ContextVar("pace", default=None)


def wait_for_rate_limit(account: str) -> None:
    """Wait until another request of an account may go out. `HttpClient` calls this before each."""
    wait = _pace.get()
    if wait is not None:
        wait(account)


@contextmanager
def use_rate_limiter(wait: Callable[[str], None]) -> Iterator[None]:
    """Let the requests of this context wait for `wait`, which is given the account's name."""
    token = _pace.set(wait)
    try:
        yield
    finally:
        _pace.reset(token)
