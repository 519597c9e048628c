"""The marker that joins a test to its promise, and the error that reports a broken promise."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import attrs
import pytest

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.testing.promises import PROMISES

P = ParamSpec("P")
R = TypeVar("R")

PROMISE_ATTRIBUTE: Final = "__promise__"
"""The attribute of a test that holds the number of its promise."""


class PromiseViolation(AssertionError):
    """An observation that breaks the promise of a test; `for_promise` makes a `BrokenPromise` of it."""


class MissingTestData(PromiseViolation):
    """The vendor lacks the data that a test needs, so nothing was tried."""


class NotTried(Exception):
    """The run gave a promise nothing to be tried on: it is neither kept nor broken. The message says why."""


class BrokenPromise(AssertionError):
    """A promise that a provider does not keep, or that could not be tried: its number, and what to change."""


class RedactedCause(Exception):
    """The original exception with secrets removed from its message; keeps the original traceback."""


def require(holds: object, seen: str) -> None:
    """Break the promise of the test unless a condition holds.

    Args:
        holds: the condition.
        seen: the observation that breaks the promise, as the end of "Seen: ...". Never a code, a PIN or a secret.
    """
    __tracebackhide__ = True
    if not holds:
        raise PromiseViolation(seen)


def fail(seen: str) -> NoReturn:
    """Break the promise of the test."""
    __tracebackhide__ = True
    raise PromiseViolation(seen)


def not_tried(why: str) -> NoReturn:
    """End the test of a promise that cannot be tried at this provider: it is neither kept nor broken.

    Use it only after everything that could be tried was tried.

    Args:
        why: why nothing could be tried, as the end of "not tried: ...". Never a code, a PIN or a secret.
    """
    raise NotTried(why)


def for_promise(number: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a test as the test of a promise, and report its failures as that promise broken.

    pytest skips a test that ends by `not_tried`, and reports the reason.

    Raises:
        LookupError: when the test runs, if no promise has this number.
    """

    def mark(test: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(test)
        def run_test(*args: P.args, **kwargs: P.kwargs) -> R:
            __tracebackhide__ = True
            broken: BrokenPromise | None = None
            cause: RedactedCause | None = None
            why = ""
            try:
                return test(*args, **kwargs)
            except NotTried as nothing:
                why = _mask_secrets(str(nothing), secrets_in([*args, *kwargs.values()]))
            except Exception as error:  # noqa: BLE001 - whatever a stranger's provider raises breaks the promise
                broken = _explain_failure(number, error, secrets_in([*args, *kwargs.values()]))
                cause = RedactedCause(
                    _mask_secrets(f"{type(error).__name__}: {error}", secrets_in([*args, *kwargs.values()]))
                )
                cause.with_traceback(error.__traceback__)
            if broken is None:
                pytest.skip(f"promise {number} was not tried: {why}")
            raise broken from cause

        setattr(run_test, PROMISE_ATTRIBUTE, number)
        return run_test

    return mark


def _explain_failure(number: str, error: Exception, hidden: Iterable[str]) -> BrokenPromise:
    promise = PROMISES[number]
    if isinstance(error, MissingTestData):
        return BrokenPromise(
            f"promise {number} ({promise.level.label} level) could not be tried.\n"
            f"  Promise: {promise.says}\n"
            f"  Lacking: {_mask_secrets(str(error), hidden)}\n"
            f"  More: docs/contract.md, the vouchers to spend"
        )
    if isinstance(error, PromiseViolation):
        seen = str(error)
    elif isinstance(error, VoucherGatewayError):
        seen = f"{type(error).__name__} was raised: {error}"
    else:
        seen = f"{type(error).__name__} was raised, which is not an error of voucher_gateway: {error}"
    return BrokenPromise(
        f"promise {number} ({promise.level.label} level) is broken.\n"
        f"  Promise: {promise.says}\n"
        f"  Seen: {_mask_secrets(seen, hidden)}\n"
        f"  To change: {promise.advice}\n"
        f"  More: docs/contract.md, {number}"
    )


def secrets_in(around: Iterable[Any]) -> list[str]:
    """Return the codes, PINs and secrets that the arguments of a test know of, the longest first."""
    secrets: set[str] = set()
    for argument in around:
        if callable(getattr(argument, "ledger", None)):
            secrets.update(text for entry in argument.ledger() for text in (entry["code"], entry.get("pin")) if text)
        if callable(getattr(argument, "secrets", None)):
            secrets.update(argument.secrets())
        if isinstance(argument, VoucherProvider):
            secrets.update(settings_secrets(argument.settings))
    return sorted((text for text in secrets if len(text) >= 4), key=len, reverse=True)


def settings_secrets(settings: Any) -> Iterator[str]:
    """Yield the plain secrets of a provider's settings."""
    if attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            value = getattr(settings, field.name)
            if isinstance(value, SecretSource):
                yield value.get().reveal()


def _mask_secrets(text: str, hidden: Iterable[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, "••••")
    return text
