"""What the parts of the measurement share: databases, and the table of figures."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import running_postgres


@contextmanager
def empty_database(database: str) -> Iterator[str]:
    """Give the URL of a new database: ``sqlite`` or ``postgresql``."""
    if database == "postgresql":
        with running_postgres() as url:
            yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-growth-"))
    try:
        yield f"sqlite:///{folder / 'journal.db'}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def print_row(database: str, name: str, figures: Sequence[float], cells: Sequence[str], limit: float) -> bool:
    """Print a figure at all sizes, and return whether it is flat: whether none is much above the first.

    Args:
        database: the kind of the database.
        name: what was measured.
        figures: the figure at each size, the smallest size first.
        cells: the same for people.
        limit: how many times the first figure the others may be.
    """
    ratio = max(figures) / figures[0]
    is_flat = ratio <= limit
    words = "  ".join(f"{cell:>18}" for cell in cells)
    print_line(f"{ratio:6.2f} {limit:5.2f}  {'flat' if is_flat else 'GROWS':6} {database:10} {name:32} {words}")
    return is_flat


def print_line(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - the table is for people
