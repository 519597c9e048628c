"""Keeps codes, PINs, secrets and tokens out of logs, messages and error trackers.

A voucher's code is bearer money: whoever reads it can spend it. The masked types show a mask wherever text usually
leaks (``repr``, ``str``, format strings, log arguments, errors, tables, pickles). Only `reveal` gives the plain text.

An error tracker sends the local variables of frames. A frame that holds a code, a PIN or a secret must therefore not
stay on an error's traceback. The second part of this module removes such frames.
"""

from __future__ import annotations

import functools
import hmac
import re
import sys
import unicodedata
from collections.abc import Callable
from types import TracebackType
from typing import Final, NoReturn, ParamSpec, Self, TypeVar, final

from voucher_gateway.errors import InvalidRequest, VoucherGatewayError

MASK: Final = "••••"

# The last characters help people to tell two codes apart. Enough of the code must stay unknown.
_FOUR_SHOWN_FROM: Final = 12
_TWO_SHOWN_FROM: Final = 8


def mask(text: str) -> str:
    """Return what may be shown of a code: its last four characters at most, fewer of a short one."""
    if len(text) >= _FOUR_SHOWN_FROM:
        return MASK + text[-4:]
    if len(text) >= _TWO_SHOWN_FROM:
        return MASK + text[-2:]
    return MASK


class Masked:
    """A text that shows itself masked everywhere but in `reveal`.

    Two of them are equal if their plain texts are equal. A pickle contains only the mask, so that a task queue or a
    cache never holds a code. An unpickled object shows the mask, and `reveal` raises an error.
    """

    __slots__ = ("_shown", "_text")

    _text: str | None
    _shown: str

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"{type(self).__name__} is made from a str, not from {type(text).__name__}")
        self._text = text
        self._shown = self._show(text)

    @staticmethod
    def _show(text: str) -> str:  # noqa: ARG004 - subclasses show a part of it
        return MASK

    def reveal(self) -> str:
        """Return the plain text. The caller is responsible for it from then on."""
        if self._text is None:
            raise ValueError(
                f"this {type(self).__name__} was pickled, and a pickle contains only the mask: "
                "pass the plain text explicitly where it is needed"
            )
        return self._text

    @classmethod
    def of(cls, text: str | Self) -> Self:
        """Return `text` as this type; a masked text is returned as it is."""
        return text if isinstance(text, cls) else cls(text)  # type: ignore[arg-type]  # a str by elimination

    @classmethod
    def of_given(cls, text: str | Self | None) -> Self | None:
        """Return `text` as this type, and None for None."""
        return None if text is None else cls.of(text)

    @classmethod
    def _only_shown(cls, shown: str) -> Self:
        masked = cls.__new__(cls)
        masked._text = None
        masked._shown = shown
        return masked

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    def __str__(self) -> str:
        return self._shown

    def __format__(self, spec: str) -> str:
        return format(self._shown, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Masked) or type(other) is not type(self):
            return NotImplemented
        if self._text is None or other._text is None:
            return self is other
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((type(self), self._text))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (type(self)._only_shown, (self._shown,))

    def __getstate__(self) -> str:
        return self._shown  # object's own hands out every slot, to serialisers that ask it past `__reduce__`

    def __iter__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is opaque; use reveal() for its text")


@final
class Code(Masked):
    """A voucher's code. Shows its last four characters at most (none of a code under eight)."""

    __slots__ = ()

    @staticmethod
    def _show(text: str) -> str:
        return mask(text)


@final
class Pin(Masked):
    """A voucher's PIN, the covered second secret of a printed card. Shows nothing of itself."""

    __slots__ = ()


@final
class Secret(Masked):
    """A client secret, API key or access token. Shows nothing of itself."""

    __slots__ = ()


# --- names that hold a code ---

SEARCHED_FROM: Final = 6
"""A code with fewer letters and digits is not searched for: an order number may contain it by chance."""

_LONG_NUMBER: Final = 12
"""A longer number does not contain so many digits of a code by chance."""

_SEPARATORS: Final = re.compile(r"[\W_]+")
_ASCII_SEPARATORS: Final = bytes(byte for byte in range(128) if not chr(byte).isalnum())
_LOWER_CASE: Final = bytes(range(256)).lower()
_NUMBERS: Final = re.compile(r"\d+")


def contains_secret(text: str, secret: Masked) -> bool:
    """Return whether a name, such as a reference, contains a code or a PIN.

    Case, accents and everything but letters and digits are ignored: a person may have typed the code. A code of few
    digits must be a whole number of the name, so the order 20260012345 does not contain the code 600123.

    Args:
        text: the name.
        secret: the code or the PIN. One with less than `SEARCHED_FROM` letters and digits is never found.
    """
    plain = secret.reveal()
    if len(plain) < SEARCHED_FROM:
        return False
    sought = _letters_and_digits(plain)
    if len(sought) < SEARCHED_FROM or sought not in _letters_and_digits(text):
        return False
    if len(sought) >= _LONG_NUMBER or not sought.isdecimal():
        return True
    numbers = _NUMBERS.findall(text)
    return any(
        "".join(numbers[begin:end]) == sought
        for begin in range(len(numbers))
        for end in range(begin + 1, len(numbers) + 1)
    )


def _letters_and_digits(text: str) -> str:
    if text.isascii():  # every call asks, and this is much faster
        return text.encode().translate(_LOWER_CASE, _ASCII_SEPARATORS).decode()
    return _SEPARATORS.sub("", unicodedata.normalize("NFKD", text).casefold())


# --- errors without the frames that hold a text in plain ---

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


def hide_refused_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that refuses names which hold a code.

    An `InvalidRequest` that it raises has neither the function's frames nor its arguments. Other errors keep them.
    """
    return _hide_arguments(function, InvalidRequest)


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
        finally:
            del args, keywords  # another error keeps this frame
        raise failure

    return call
