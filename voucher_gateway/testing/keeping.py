"""Keeping promises: how a test says which one it is about, and how a broken one is told."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import attrs

from voucher_gateway.adapter import SecretSource, VoucherGatewayError, VoucherProvider
from voucher_gateway.testing.promises import PROMISES

P = ParamSpec("P")
R = TypeVar("R")

PROMISE_ATTRIBUTE: Final = "__promise__"
"""The attribute of a test by which the hooks know which promise it is about."""


class Seen(AssertionError):
    """What a test saw that breaks its promise; `keeps` adds the rest."""


class Shortage(Seen):
    """What a test needed and the stage does not have, so that nothing was tried."""


class BrokenPromise(AssertionError):
    """A promise that a provider does not keep, or that could not be tried: its number, and what to change."""


class Behind(Exception):
    """What a provider or a test raised, in words that give no secret away; the traceback is the original one."""


def must(holds: object, seen: str) -> None:
    """Break the promise of the test unless something holds.

    Args:
        holds: what should be true.
        seen: what was seen instead, as the end of "Seen: ...". Never a code, a PIN or a secret.
    """
    __tracebackhide__ = True
    if not holds:
        raise Seen(seen)


def broke(seen: str) -> NoReturn:
    """Break the promise of the test."""
    __tracebackhide__ = True
    raise Seen(seen)


def keeps(number: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a test as the one of a promise, and tell its failures as that promise broken.

    Raises:
        LookupError: when the test runs, if there is no such promise.
    """

    def mark(test: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(test)
        def kept(*args: P.args, **named: P.kwargs) -> R:
            __tracebackhide__ = True
            try:
                return test(*args, **named)
            except Exception as error:  # noqa: BLE001 - whatever a stranger's provider raises breaks the promise
                told = _told(number, error, hidden_texts([*args, *named.values()]))
                behind = Behind(_masked(f"{type(error).__name__}: {error}", hidden_texts([*args, *named.values()])))
                behind.with_traceback(error.__traceback__)
            raise told from behind

        setattr(kept, PROMISE_ATTRIBUTE, number)
        return kept

    return mark


def _told(number: str, error: Exception, hidden: Iterable[str]) -> BrokenPromise:
    promise = PROMISES[number]
    if isinstance(error, Shortage):
        return BrokenPromise(
            f"promise {number} ({promise.level.word} level) could not be tried.\n"
            f"  Promise: {promise.says}\n"
            f"  Lacking: {_masked(str(error), hidden)}\n"
            f"  More: docs/contract.md, the vouchers to spend"
        )
    if isinstance(error, Seen):
        seen = str(error)
    elif isinstance(error, VoucherGatewayError):
        seen = f"{type(error).__name__} was raised: {error}"
    else:
        seen = f"{type(error).__name__} was raised, which is no error of voucher_gateway: {error}"
    return BrokenPromise(
        f"promise {number} ({promise.level.word} level) is broken.\n"
        f"  Promise: {promise.says}\n"
        f"  Seen: {_masked(seen, hidden)}\n"
        f"  To change: {promise.advice}\n"
        f"  More: docs/contract.md, {number}"
    )


def hidden_texts(around: Iterable[Any]) -> list[str]:
    """Return the codes, PINs and secrets that the arguments of a test know of, the longest first."""
    found: set[str] = set()
    for one in around:
        if callable(getattr(one, "ledger", None)):
            found.update(text for entry in one.ledger() for text in (entry["code"], entry.get("pin")) if text)
        if callable(getattr(one, "secrets", None)):
            found.update(one.secrets())
        if isinstance(one, VoucherProvider):
            found.update(settings_secrets(one.settings))
    return sorted((text for text in found if len(text) >= 4), key=len, reverse=True)


def settings_secrets(settings: Any) -> Iterator[str]:
    """Yield the plain secrets of a provider's settings."""
    if attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            value = getattr(settings, field.name)
            if isinstance(value, SecretSource):
                yield value.get().reveal()


def _masked(text: str, hidden: Iterable[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, "••••")
    return text
