"""A text stream whose reader may go away, as `| head -1` does."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class PipeStream:
    """Writes to a stream until its reader closes the pipe, and then drops the text.

    A command must not end between two changes because nobody reads what it prints. Everything else is the stream's.

    Attributes:
        unread: whether the reader has closed the pipe. A pipe says so only when something is written to it.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.unread = False

    def write(self, text: str) -> int:
        """Write text, or drop it if nobody reads the stream any more."""
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand over what is buffered, or drop it if nobody reads the stream any more."""
        self._attempt(self._stream.flush)

    def _attempt(self, action: Callable[[], T]) -> None:
        try:
            action()
        except BrokenPipeError:
            self.unread = True
            self._discard()

    def _discard(self) -> None:
        """Send what is buffered, and all that follows, to the null device: the interpreter flushes at its end, too."""
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
