"""Hooks that run before a request is sent: the journal's record of it, and the rate limit.

A journal commits a row about each changing request before it is sent. The journal knows operations, and the HTTP client
knows requests. The adapter is between them and should know neither, so the hook is passed in a context variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from voucher_gateway.outcome import Intent


class BeforeSendHook(Protocol):
    """Called before each changing request."""

    def before_send(self, intent: Intent) -> None:
        """Record a request that is about to be sent. It is not sent if this raises."""
        ...


_before_send_hook: ContextVar[BeforeSendHook | None] = ContextVar("before_send_hook", default=None)
_rate_limiter: ContextVar[Callable[[str], None] | None] = ContextVar("rate_limiter", default=None)


def notify_before_send(intent: Intent) -> None:
    """Call the hook of this context, if there is one. Whatever sends a changing request calls this right before.

    `HttpClient.change` does so for every adapter that uses HTTP.
    """
    hook = _before_send_hook.get()
    if hook is not None:
        hook.before_send(intent)


def has_before_send_hook() -> bool:
    """Whether the notes of an intent will be recorded, so that it is worth a request to make them."""
    return _before_send_hook.get() is not None


@contextmanager
def use_before_send_hook(hook: BeforeSendHook) -> Iterator[None]:
    """Call this hook before each changing request of this context."""
    token = _before_send_hook.set(hook)
    try:
        yield
    finally:
        _before_send_hook.reset(token)


def wait_for_rate_limit(account: str) -> None:
    """Wait until an account may send another request. `HttpClient` calls this before each request."""
    wait = _rate_limiter.get()
    if wait is not None:
        wait(account)


@contextmanager
def use_rate_limiter(wait: Callable[[str], None]) -> Iterator[None]:
    """Call a function, with the account's name, before each request of this context. It waits until one may be sent."""
    token = _rate_limiter.set(wait)
    try:
        yield
    finally:
        _rate_limiter.reset(token)
