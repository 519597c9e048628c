"""Where output goes: results to stdout, everything about them to stderr; for people, or as JSON."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

UNLIMITED: Final = 100_000
"""Columns of what is not a terminal: nothing is cut or folded there."""

PROGRESS_AFTER_S: Final = 2.0
"""A command that takes longer than so many seconds shows that it works."""


class PipeStream:
    """Writes to a stream until its reader closes the pipe, and then drops the text.

    A command must not end between two changes because its output is not read. All other attributes are the stream's.

    Attributes:
        unread: whether the reader has closed the pipe. This is known only after something was written to it.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.unread = False

    def write(self, text: str) -> int:
        """Write text, or drop it if the reader has closed the stream."""
        with self._dropping_unread_text():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what is buffered if the reader has closed it."""
        with self._dropping_unread_text():
            self._stream.flush()

    @contextmanager
    def _dropping_unread_text(self) -> Iterator[None]:
        """Where the pipe is closed, send what is buffered, and all that follows, to the null device."""
        try:
            yield
        except BrokenPipeError:
            self.unread = True
            with open(os.devnull, "w") as null_device:  # the interpreter flushes at its end, too
                os.dup2(null_device.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


GAP: Final = "\u00a0"
"""Stands between groups of digits: a no-break space."""

_UNBROKEN: Final = "\ue000"
"""Stands for the gap while Rich folds lines. Rich breaks lines at a no-break space, and half of an amount looks like a
whole one."""

_PAGE_GAP: Final = "\N{NARROW NO-BREAK SPACE}"
"""Stands there on pages. A terminal may not have it."""


def printable(text: str) -> str:
    """Return text that may come from a vendor so that it cannot control a terminal: odd characters become escapes."""
    if text.isprintable():
        return text
    text = text.replace(_PAGE_GAP, GAP)
    return "".join(
        character if character.isprintable() or character == GAP else character.encode("unicode_escape").decode()
        for character in text
    )


def group_number(number: int | Decimal) -> str:
    """Return a number with a gap after every three digits before the point.

    The gap is never a comma or a point, which half of the world reads the other way.
    """
    text = f"{number:,f}" if isinstance(number, Decimal) else f"{number:,}"
    return text.replace(",", GAP)


def json_line(value: Any, *, reveal: bool = False) -> str:
    """Return the value as one line of JSON, without a line break."""
    from voucher_gateway.serialization import to_json
    from voucher_gateway.wire.json import encode

    return encode(to_json(value, reveal=reveal)).decode()


class OutputClosed(Exception):
    """The reader of stdout has closed it, and the command has nothing to do but to print."""


class Output:
    """The two streams of one command. If the reader of one closes it, what is printed there is dropped.

    Args:
        as_json: whether results and errors are JSON objects, one a line.
        out: for results; stdout by default.
        err: for errors and notes; stderr by default.
    """

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stdout = PipeStream(out or sys.stdout)
        self.out = _console(self._stdout)
        self.err = _console(PipeStream(err or sys.stderr))
        self._progress: ProgressLine | None = None

    @property
    def unread(self) -> bool:
        """Whether the reader of stdout has closed it. This is known only after something was written and flushed."""
        return self._stdout.unread

    def end_if_unread(self) -> None:
        """End a command that only prints, and may have much to print.

        Raises:
            OutputClosed: if the reader of stdout has closed it.
        """
        if self.unread:
            raise OutputClosed

    def object(self, value: Any, *, reveal: bool = False) -> None:
        """Print a result as one line of JSON."""
        self._write_line(self.out, json_line(value, reveal=reveal))

    def error_object(self, value: Any) -> None:
        """Print something about the result as one line of JSON on stderr."""
        self.flush()
        self._write_line(self.err, json_line(value))

    def show(self, *parts: RenderableType, width: int | None = None) -> None:
        """Print a result for people.

        Args:
            parts: one below the other.
            width: at most so many columns; as many as the terminal has by default.
        """
        for part in parts:
            self._write(self.out, Text(printable(part)) if isinstance(part, str) else part, width)

    def text(self, text: str) -> None:
        """Print a result as it is, neither folded nor cut, so that it can be copied."""
        self._write_line(self.out, text)

    def note(self, sentence: str, style: str = "") -> None:
        """Print a sentence about the result on stderr, for people; with JSON nothing."""
        if not self.as_json:
            self.flush()
            self._write(self.err, Text(printable(sentence), style=style))

    def notes(self, sentences: Iterable[str]) -> None:
        """Print several of them, a line each."""
        for sentence in sentences:
            self.note(sentence)

    def ticket(self, line: str) -> None:
        """Print a line on stderr as it is, neither folded nor cut, so that it can be copied."""
        self.flush()
        self._write_line(self.err, line)

    def line(self, text: str) -> None:
        """Print a line on stdout as it is, neither folded nor cut."""
        self._write_line(self.out, text)

    def flush(self) -> None:
        """Flush stdout, so that the two streams keep their order."""
        self.out.file.flush()

    @contextmanager
    def progress(self, text: str) -> Iterator[ProgressLine]:
        """Show a line on stderr while the block runs, once it has taken longer than two seconds.

        Only a terminal shows it. It disappears at the end, and as soon as something else is printed there.

        Args:
            text: what is being done, such as ``reading the vouchers of shop``.
        """
        line = ProgressLine(self.err, text)
        self._progress = line
        try:
            line.start()
            yield line
        finally:
            line.stop()
            self._progress = None

    def _clear_progress(self, console: Console) -> None:
        if self._progress is not None and (console is self.err or console.is_terminal):
            self._progress.stop()

    def _write_line(self, console: Console, line: str) -> None:
        self._clear_progress(console)
        console.file.write(line + "\n")

    def _write(self, console: Console, part: RenderableType, width: int | None = None) -> None:
        """Print without the blanks that pad the lines of tables at their ends."""
        self._clear_progress(console)
        for text in _texts_of(part):
            text.plain = text.plain.replace(GAP, _UNBROKEN)
        with console.capture() as captured:
            console.print(part, width=None if width is None else min(width, console.width))
        lines = captured.get().replace(_UNBROKEN, GAP).removesuffix("\n").split("\n")
        console.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def _texts_of(part: RenderableType) -> Iterator[Text]:
    """Yield the texts of what is printed."""
    if isinstance(part, Text):
        yield part
        return
    from rich.table import Table  # late: the help and the version print no table

    if isinstance(part, Table):
        for column in part.columns:
            yield from (cell for cell in column.cells if isinstance(cell, Text))


class ProgressLine:
    """A line on a terminal that says what a command is doing.

    Args:
        console: where the line is shown.
        text: what is being done.
    """

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        self._text = self._shown_text = text
        self._status: Any = None
        self._ended = not console.is_terminal
        self._lock = threading.Lock()
        self._timer = threading.Timer(PROGRESS_AFTER_S, self._show)
        self._timer.daemon = True

    def start(self) -> None:
        """Show the line in two seconds."""
        if not self._ended:
            self._timer.start()

    def update(self, count: int, total: int | None = None, things: str = "vouchers") -> None:
        """Say how far the command is."""
        if not self._ended:
            of_total = "" if total is None else f" of {group_number(total)}"
            self._replace_text(f"{self._text}: {group_number(count)}{of_total} {things}")

    def stop(self) -> None:
        """Take the line away; it does not come back."""
        with self._lock:
            self._ended = True
            self._timer.cancel()
            if self._status is not None:
                self._status.stop()
                self._status = None

    def _show(self) -> None:
        from rich.status import Status

        with self._lock:
            if not self._ended:
                self._status = Status(Text(printable(self._shown_text)), console=self._console)
                self._status.start()

    def _replace_text(self, text: str) -> None:
        with self._lock:
            self._shown_text = text
            if self._status is not None:
                self._status.update(Text(printable(text)))


def _console(file: Any) -> Console:
    width = None if file.isatty() else UNLIMITED
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)
