"""Where output goes: results to stdout, everything about them to stderr; for people, or as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.text import Text

from voucher_gateway.serialization import to_json
from voucher_gateway.wire.json import encode

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


def json_line(value: Any, *, reveal: bool = False) -> str:
    """Return the value as one line of JSON, without a line break."""
    return encode(to_json(value, reveal=reveal)).decode()


UNLIMITED: Final = 100_000
"""Columns of what is no terminal: nothing is cut or folded there."""


def printable(text: str) -> str:
    """Return text that may come from a vendor so that it cannot steer a terminal: odd characters become escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


class NobodyReads(Exception):
    """The reader of stdout has closed it, and the command has nothing to do but to print."""


class Output:
    """The two streams of one command. If the reader of one closes it, what is printed there is dropped.

    Args:
        as_json: whether results and errors are JSON objects, one a line.
        out: for results; stdout by default.
        err: for errors and remarks; stderr by default.
    """

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stdout = PipeStream(out or sys.stdout)
        self.out = _console(self._stdout)
        self.err = _console(PipeStream(err or sys.stderr))

    @property
    def unread(self) -> bool:
        """Whether the reader of stdout has closed it. That is known only after something was written and flushed."""
        return self._stdout.unread

    def end_if_unread(self) -> None:
        """End a command that only prints, and may have much to print.

        Raises:
            NobodyReads: if the reader of stdout has closed it.
        """
        if self.unread:
            raise NobodyReads

    def object(self, value: Any, *, reveal: bool = False) -> None:
        """Print a result as one line of JSON."""
        self._line(self.out, json_line(value, reveal=reveal))

    def error_object(self, value: Any) -> None:
        """Print something about the result as one line of JSON on stderr."""
        self.flush()
        self._line(self.err, json_line(value))

    def show(self, *parts: RenderableType, width: int | None = None) -> None:
        """Print a result for people.

        Args:
            parts: one below the other.
            width: at most so many columns; as many as the terminal has by default.
        """
        for part in parts:
            _write(self.out, Text(printable(part)) if isinstance(part, str) else part, width)

    def text(self, text: str) -> None:
        """Print a result as it is, neither folded nor cut, so that it can be copied."""
        self._line(self.out, text)

    def note(self, sentence: str, style: str = "") -> None:
        """Print a sentence about the result on stderr, for people; with JSON nothing."""
        if not self.as_json:
            self.flush()
            _write(self.err, Text(printable(sentence), style=style))

    def notes(self, sentences: Iterable[str]) -> None:
        """Print several of them, a line each."""
        for sentence in sentences:
            self.note(sentence)

    def ticket(self, line: str) -> None:
        """Print a line on stderr as it is, neither folded nor cut, so that it can be copied."""
        self.flush()
        self._line(self.err, line)

    def flush(self) -> None:
        """Hand over what is buffered, so that the two streams keep their order."""
        self.out.file.flush()

    def _line(self, console: Console, line: str) -> None:
        console.file.write(line + "\n")


def _console(file: Any) -> Console:
    terminal = file.isatty()
    return Console(file=file, width=None if terminal else UNLIMITED, markup=False, emoji=False, highlight=False)


def _write(console: Console, part: RenderableType, width: int | None = None) -> None:
    """Print without the blanks that pad the lines of tables at their ends."""
    with console.capture() as captured:
        console.print(part, width=None if width is None else min(width, console.width))
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().removesuffix("\n").split("\n")))
