"""Prints how far a migration, export or import is: a bar on a terminal, lines elsewhere, or JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column

from voucher_gateway.cli.output import group_number, printable

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.migration.plan.progress import PlanProgress
    from voucher_gateway.migration.rate_meter import RateMeter
    from voucher_gateway.migration.run.progress import Progress
    from voucher_gateway.migration.verify.progress import VerificationProgress

_BAR_WIDTH: Final = 20
_LINE_EVERY_S: Final = 5.0
_OBJECT_EVERY_S: Final = 1.0


@contextmanager
def progress_printer(output: Output) -> Iterator[ProgressPrinter]:
    """Give a printer for one command; a bar on a terminal goes away at the end."""
    if output.as_json or not output.err.is_terminal:
        yield ProgressPrinter(output)
        return
    # The money stands last: where the line is too long, it is cut off, and not the time that is left.
    columns = (
        TextColumn("{task.fields[work]}"),
        BarColumn(bar_width=_BAR_WIDTH),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    bar = Bar(*columns, console=output.err, transient=True, expand=True)
    try:
        yield ProgressPrinter(output, bar)
    finally:
        bar.stop()


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
        self._task = None if bar is None else bar.add_task("", total=None, work="", speed="")
        self._printed_at = time.monotonic()
        self._work = ""
        self._meter: RateMeter | None = None

    def print_plan(self, progress: PlanProgress) -> None:
        """Print how far the reading for a plan is."""
        self._print_count(progress.work, progress.count, progress.total, estimated=progress.estimated)

    def print_verification(self, progress: VerificationProgress) -> None:
        """Print how far a verification is."""
        self._print_count(progress.work, progress.count, progress.total)

    def _print_count(self, work: str, count: int, total: int | None = None, *, estimated: bool = False) -> None:
        if self._meter is None or work != self._work:
            from voucher_gateway.migration.rate_meter import RateMeter

            self._meter, self._work = RateMeter(count), work
        self._meter.note(count)
        per_second = self._meter.per_second
        speed = speed_text(per_second, None if total is None else self._meter.seconds_for(total - count))
        if self._bar is not None and self._task is not None:
            self._bar.start()
            self._bar.update(self._task, completed=count, total=total, work=work, speed=speed, description="")
        elif not self._output.as_json and self._is_due(_LINE_EVERY_S):
            sentence = f"{_count_text(count, total, estimated=estimated)} vouchers {work}"
            self._output.note(f"{sentence}, {speed}" if speed else sentence)

    def print_progress(self, progress: Progress) -> None:
        """Print how far a run or a rollback is."""
        if self._bar is not None and self._task is not None:
            self._bar.start()  # not before: a run with several processes forks them, and the bar has a thread
            self._bar.update(
                self._task,
                total=progress.total,
                completed=progress.finished,
                description=money_text(progress),
                work="",
                speed=_speed_of(progress),
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


def _count_text(count: int, total: int | None, estimated: bool) -> str:
    if total is None:
        return group_number(count)
    return f"{group_number(count)} of {'about ' if estimated else ''}{group_number(total)}"


def progress_sentence(progress: Progress) -> str:
    """Return in one line how far a run is."""
    from voucher_gateway.migration.schema import RowState

    others = "".join(
        f", {group_number(count)} {state.value}"
        for state, count in sorted(progress.counts.items())
        if state not in (RowState.MOVED, RowState.UNDONE)
    )
    put_off = f", {group_number(progress.put_off)} put off" if progress.put_off else ""
    speed = _speed_of(progress)
    amounts = money_text(progress)
    count = f"{group_number(progress.finished)} of {group_number(progress.total)}"
    return f"{count} vouchers{others}{put_off}; {amounts}{speed and f', {speed}'}"


def _speed_of(progress: Progress) -> str:
    return speed_text(None if progress.per_s is None else float(progress.per_s), progress.eta_s)


def speed_text(per_second: float | None, left_s: int | None) -> str:
    """Return a rate and the time that is left, as far as they are known, such as ``31 a second, about 2 min left``."""
    from voucher_gateway.migration.plan.text import length_of

    parts = []
    if per_second is not None:
        parts.append(f"{per_second:.0f} a second" if per_second >= 10 else f"{per_second:.1f} a second")
    if left_s:
        parts.append(f"about {length_of(timedelta(seconds=left_s))} left")
    return ", ".join(parts)


def money_text(progress: Progress) -> str:
    """Return the money that has moved so far."""
    from voucher_gateway.migration.plan.text import join_amounts

    return printable(join_amounts(progress.moved)) if progress.moved else "nothing moved yet"
