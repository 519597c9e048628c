"""Who is told before a changing request is sent.

A journal commits a row about each request before it leaves. Between the journal, which knows operations, and the HTTP
client, which knows requests, lies the adapter, which need not know of either; so the witness travels in a context
variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from voucher_gateway.outcome import Intent


class BeforeSendHook(Protocol):
    """Told of every changing request."""

    def before_send(self, intent: Intent) -> None:
        """Take note of a request that is about to be sent. It is not sent if this raises."""
        ...


_witness: ContextVar[BeforeSendHook | None] = ContextVar("witness", default=None)


def notify_before_send(intent: Intent) -> None:
    """Tell the witness, if there is one. Whatever sends a changing request calls this right before.

    `HttpClient.change` does so for every adapter that speaks HTTP.
    """
    witness = _witness.get()
    if witness is not None:
        witness.before_send(intent)


def has_before_send_hook() -> bool:
    """Whether somebody will keep the notes of an intent, so that it is worth a request to take them."""
    return _witness.get() is not None


@contextmanager
def use_before_send_hook(witness: BeforeSendHook) -> Iterator[None]:
    """Make `witness` the one that requests of this context are told to."""
    token = _witness.set(witness)
    try:
        yield
    finally:
        _witness.reset(token)


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
