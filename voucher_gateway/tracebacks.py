"""Errors without the frames that they came through.

An error tracker sends the local variables of frames. A frame that holds a code, a PIN or a secret must therefore not
stay on an error's traceback.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from voucher_gateway.errors import VoucherGatewayError

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
C = TypeVar("C", bound=type)


def drop_frames(error: E) -> E:
    """Remove an error's traceback, cause and context, and return the error itself.

    Raise it again after the `except` block that caught it. Its traceback then begins at the frame that raises it.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class HiddenFrames:
    """A `with` block whose `VoucherGatewayError` comes without the frames of the block; see `hide_frames`."""

    def __enter__(self) -> None:
        self._handled = sys.exception()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        handled, self._handled = self._handled, None
        if isinstance(error, VoucherGatewayError):
            drop_frames(error).__context__ = handled


def hide_frames() -> HiddenFrames:
    """Return a context manager for code whose local variables hold a code, a PIN or a secret in plain text.

    The traceback of a `VoucherGatewayError` that leaves the block ends at the caller of the function that has the
    block. Every other error is a bug, and keeps its frames.
    """
    return HiddenFrames()


class ErrorContext(HiddenFrames):
    """A `with` block whose errors name an account and an operation, and come without the frames of the block."""

    def __init__(self, *, account: str | None = None, operation: str | None = None) -> None:
        """Make it; a name that is None, or that an error has already, is left as it is."""
        self._account = account
        self._operation = operation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if isinstance(error, VoucherGatewayError):
            error.with_context(account=self._account, operation=self._operation)


def hide_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function whose arguments may hold a code, a PIN or a secret in plain text.

    A `VoucherGatewayError` that it raises has neither the function's frames nor its arguments.
    """
    return _hide_arguments(function, VoucherGatewayError)


def hide_init_arguments(cls: C) -> C:
    """Decorate a class whose constructor takes codes, PINs or secrets in plain text, as `hide_arguments` does.

    A `TypeError` that names a wrong argument has no frames either.
    """
    cls.__init__ = _hide_arguments(cls.__init__, VoucherGatewayError, TypeError)  # type: ignore[misc]  # see above
    return cls


def _hide_arguments(function: Callable[P, T], *kinds: type[Exception]) -> Callable[P, T]:
    @functools.wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> T:
        try:
            return function(*args, **keywords)
        except kinds as error:
            failure = drop_frames(error)
        del args, keywords
        raise failure

    return call
