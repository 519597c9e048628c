"""Prints how far a migration, export or import is: a bar on a terminal, lines elsewhere, or JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.migration.run.progress import Progress

_LINE_EVERY_S: Final = 5.0
_OBJECT_EVERY_S: Final = 1.0


@contextmanager
def progress_printer(output: Output) -> Iterator[ProgressPrinter]:
    """Give a printer for one command; a bar on a terminal goes away at the end."""
    if output.as_json or not output.err.is_terminal:
        yield ProgressPrinter(output)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=output.err, transient=True) as bar:
        yield ProgressPrinter(output, bar)


def print_file_form(output: Output, name: str, sentences: Sequence[str]) -> None:
    """Print how a file of the user is read."""
    for sentence in sentences:
        output.note(f"{name}: {sentence}")


class ProgressPrinter:
    """Prints progress in the way that fits the output, and not too often.

    Args:
        output: where to.
        bar: the bar, if the output is a terminal.
    """

    def __init__(self, output: Output, bar: Bar | None = None) -> None:
        self._output = output
        self._bar = bar
        self._task = None if bar is None else bar.add_task("", total=None)
        self._printed_at = time.monotonic()

    def print_file_read(self, count: int) -> None:
        """Print how many vouchers of a file were checked."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=count, description="checked in the file")
        elif not self._output.as_json and self._is_due(_LINE_EVERY_S):
            self._output.note(f"{count} vouchers of the file checked")

    def print_read(self, count: int) -> None:
        """Print how many vouchers were read for a plan."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=count, description="read")
        elif not self._output.as_json and self._is_due(_LINE_EVERY_S):
            self._output.note(f"{count} vouchers read")

    def print_progress(self, progress: Progress) -> None:
        """Print how far a run or a rollback is."""
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, total=progress.total, completed=progress.finished, description=money_text(progress)
            )
        elif self._output.as_json:
            if self._is_due(_OBJECT_EVERY_S):
                self._output.object({"progress": progress})
        elif self._is_due(_LINE_EVERY_S):
            self._output.note(progress_sentence(progress))

    def _is_due(self, every_s: float) -> bool:
        due = time.monotonic() - self._printed_at >= every_s
        if due:
            self._printed_at = time.monotonic()
        return due


def progress_sentence(progress: Progress) -> str:
    """Return in one line how far a run is."""
    from voucher_gateway.migration.schema import RowState

    others = "".join(
        f", {count} {state.value}"
        for state, count in sorted(progress.counts.items())
        if state not in (RowState.MOVED, RowState.UNDONE)
    )
    left = "" if progress.eta_s is None else f", about {progress.eta_s} s left"
    return f"{progress.finished} of {progress.total} vouchers{others}; {money_text(progress)}{left}"


def money_text(progress: Progress) -> str:
    """Return the money that has moved so far."""
    return ", ".join(str(amount) for amount in progress.moved.values()) or "nothing moved yet"
