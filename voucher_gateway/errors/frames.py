"""Errors without the frames that they came through, whose local variables an error tracker would send."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from voucher_gateway.errors.root import VoucherGatewayError

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
C = TypeVar("C", bound=type)


def drop_frames(error: E) -> E:
    """Remove from an error its traceback and the errors that it came from, and return the error itself.

    Raise it again after the `except` block that caught it: the traceback then begins with the frame that raises it.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def call_without_frames(call: Callable[[], T]) -> T:
    """Return what a call returns; a `VoucherGatewayError` that it raises comes without the frames of the call.

    Use it around code whose local variables hold a code, a PIN or a secret in plain text.
    """
    try:
        return call()
    except VoucherGatewayError as error:
        failure = drop_frames(error)
    raise failure


def hide_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function whose arguments may hold a code, a PIN or a secret in plain text.

    A `VoucherGatewayError` that it raises comes without its frames, and without the arguments.
    """
    return _hide_arguments(function, VoucherGatewayError)


def hide_init_arguments(cls: C) -> C:
    """Decorate a class whose instances are made of codes, PINs or secrets in plain text, as `hide_arguments` does.

    A `TypeError` that says which argument is wrong comes without frames, too.
    """
    cls.__init__ = _hide_arguments(cls.__init__, VoucherGatewayError, TypeError)  # type: ignore[misc]  # see above
    return cls


def _hide_arguments(function: Callable[P, T], *kinds: type[Exception]) -> Callable[P, T]:
    @functools.wraps(function)
    def call(*args: P.args, **named: P.kwargs) -> T:
        try:
            return function(*args, **named)
        except kinds as error:
            failure = drop_frames(error)
        del args, named
        raise failure

    return call
