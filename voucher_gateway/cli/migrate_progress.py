"""How far a migration is, while it runs: a bar on a terminal, lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from voucher_gateway.cli.output import Output
from voucher_gateway.migration.run.progress import Progress
from voucher_gateway.migration.run.rows import RowState

_LINE_EVERY_S: Final = 5.0
_OBJECT_EVERY_S: Final = 1.0


@contextmanager
def showing(output: Output) -> Iterator[Callable[[Progress], None]]:
    """Show progress as it is told, in the way that fits where the output goes."""
    if output.as_json:
        yield _seldom(_OBJECT_EVERY_S, lambda progress: output.object({"progress": progress}))
    elif not output.err.is_terminal:
        yield _seldom(_LINE_EVERY_S, lambda progress: output.note(sentence(progress)))
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=output.err, transient=True) as bar:
            task = bar.add_task("moving")
            yield lambda progress: bar.update(
                task, total=progress.total, completed=progress.finished, description=money(progress)
            )


def _seldom(every_s: float, tell: Callable[[Progress], None]) -> Callable[[Progress], None]:
    last = time.monotonic()

    def print_progress(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= every_s:
            last = time.monotonic()
            tell(progress)

    return print_progress


def sentence(progress: Progress) -> str:
    """Say in one line how far it is."""
    others = "".join(
        f", {count} {state.value}"
        for state, count in sorted(progress.counts.items())
        if state not in (RowState.MOVED, RowState.UNDONE)
    )
    left = "" if progress.eta_s is None else f", about {progress.eta_s} s left"
    return f"{progress.finished} of {progress.total} vouchers{others}; {money(progress)}{left}"


def money(progress: Progress) -> str:
    """Say what has moved so far."""
    return ", ".join(str(amount) for amount in progress.moved.values()) or "nothing moved yet"
