"""How far a migration is, while it runs: a bar on a terminal, lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from voucher_gateway.cli.output import Output
from voucher_gateway.migration import Progress, RowState

_LINE_EVERY_S: Final = 5.0
_OBJECT_EVERY_S: Final = 1.0


@contextmanager
def showing(output: Output) -> Iterator[Callable[[Progress], None]]:
    """Show progress as it is told, in the way that fits where the output goes."""
    if output.as_json:
        yield _seldom(_OBJECT_EVERY_S, lambda one: output.object({"progress": one}))
    elif not output.err.is_terminal:
        yield _seldom(_LINE_EVERY_S, lambda one: output.remark(sentence(one)))
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=output.err, transient=True) as bar:
            task = bar.add_task("moving")
            yield lambda one: bar.update(task, total=one.total, completed=one.finished, description=money(one))


def _seldom(every_s: float, tell: Callable[[Progress], None]) -> Callable[[Progress], None]:
    last = time.monotonic()

    def told(one: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= every_s:
            last = time.monotonic()
            tell(one)

    return told


def sentence(one: Progress) -> str:
    """Say in one line how far it is."""
    others = "".join(
        f", {count} {state.value}"
        for state, count in sorted(one.counts.items())
        if state not in (RowState.MOVED, RowState.UNDONE)
    )
    left = "" if one.eta_s is None else f", about {one.eta_s} s left"
    return f"{one.finished} of {one.total} vouchers{others}; {money(one)}{left}"


def money(one: Progress) -> str:
    """Say what has moved so far."""
    return ", ".join(str(amount) for amount in one.moved.values()) or "nothing moved yet"
