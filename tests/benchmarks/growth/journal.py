"""How the cost of a journal grows with its operations.

The journal of a real sample is multiplied to 1, 3 and 10 million operations, in SQLite and in PostgreSQL. At each size
the same is measured, as CPU of this process and as wall-clock time: a redemption, `recover`, the newest operations,
those of an order and of a voucher, ``reconcile --since`` the begin of the measurement, and a prune of the oldest
operations. Each figure may be at most `FLAT` times that of the first size.

Ten million operations take some 30 GB of disk and, in both databases, an hour.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

import attrs
import sqlalchemy as sa

from tests.benchmarks.bench_journal import KEYS, make_provider, simulated_vendor
from tests.benchmarks.growth.copies import BETWEEN_COPIES, multiply
from tests.benchmarks.growth.sample import OPERATIONS, run_sample
from tests.benchmarks.growth.table import empty_database, print_line, print_row
from voucher_gateway import Gateway, Money, NewVoucher, reconcile
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.storage.engine import normalize

FLAT: Final = 2.0
"""A tree of an index is one level deeper at ten million rows."""

REPEATS: Final = 30
_ACCOUNT: Final = "shop"
_PRUNED_COPIES: Final = 10


@attrs.frozen
class Figure:
    """What one thing cost at one size of the journal, in milliseconds."""

    cpu_ms: float
    wall_ms: float


def measure_journals(database: str, millions: list[float]) -> bool:
    """Measure all sizes in one kind of database, print a table, and return whether each figure is flat.

    Args:
        database: ``sqlite`` or ``postgresql``.
        millions: the sizes, in millions of operations.
    """
    figures: dict[str, list[Figure]] = {}
    for size in millions:
        copies = round(size * 1_000_000 / OPERATIONS)
        with empty_database(database) as url, simulated_vendor(latency_ms=0) as vendor:
            _fill(url, vendor, copies, f"{database}: {size:g} million operations")
            with open_gateway(url, vendor) as gateway:
                for name, figure in _figures(gateway, datetime.now(UTC), copies):
                    figures.setdefault(name, []).append(figure)
    is_flat = [_print_figures(database, name, row) for name, row in figures.items()]
    return all(is_flat)


def _fill(url: str, vendor: dict[str, str], copies: int, name: str) -> None:
    """Make a journal of a sample and its copies."""
    begin = time.perf_counter()
    with open_gateway(url, vendor) as gateway:
        run_sample(gateway, _ACCOUNT)
        journal = gateway.journal
        assert journal is not None
        keys = journal.keys
    engine = sa.create_engine(normalize(url, "journal"))
    multiply(engine, keys, copies)
    engine.dispose()
    print_line(f"{name}, written in {time.perf_counter() - begin:.0f} s")


def open_gateway(url: str, vendor: dict[str, str]) -> Gateway:
    """Return a gateway with one account at a simulated vendor."""
    return Gateway({_ACCOUNT: make_provider(vendor)}, journal=open_journal(url, KEYS))


def _figures(gateway: Gateway, since: datetime, copies: int) -> Iterator[tuple[str, Figure]]:
    """Measure, and yield each figure with its name."""
    number = itertools.count()
    run = f"{time.time_ns():x}"
    new = NewVoucher(initial=Money("500.00", "EUR"))
    voucher = gateway.issue(_ACCOUNT, new, reference=f"{run}-issue", order=f"{run}-order")
    gateway.activate(_ACCOUNT, voucher.id, reference=f"{run}-activate", order=f"{run}-order")
    code = voucher.code
    assert code is not None

    def redeem() -> None:
        gateway.redeem(_ACCOUNT, code, Money("0.01", "EUR"), reference=f"{run}-{next(number)}", order=f"{run}-order")

    ways: dict[str, Callable[[], object]] = {
        "redeem": redeem,
        "operations, newest 20": lambda: list(gateway.operations(limit=20)),
        "operations of an order": lambda: list(gateway.operations(order="order-00007.300")),
        "operations of a voucher": lambda: list(gateway.operations(voucher=voucher.id, account=_ACCOUNT, limit=20)),
        "recover": gateway.recover,
        "reconcile --since": lambda: reconcile(gateway, _ACCOUNT, since=since),
    }
    for name, way in ways.items():
        yield name, _measure(way, REPEATS if name != "reconcile --since" else 5)
    yield "prune, per 1,000", _measure_prune(gateway, copies)


def _measure_prune(gateway: Gateway, copies: int) -> Figure:
    """Prune the oldest copies, and return what 1,000 operations of them cost."""
    older_than = (copies - _PRUNED_COPIES) * BETWEEN_COPIES + BETWEEN_COPIES / 2
    cpu_begin, wall_begin = time.process_time(), time.perf_counter()
    summary = gateway.prune_journal(older_than=older_than)
    cpu, wall = time.process_time() - cpu_begin, time.perf_counter() - wall_begin
    if summary.operations < OPERATIONS:
        raise RuntimeError(f"only {summary.operations} operations were pruned, {summary.kept} stay")
    return Figure(cpu * 1_000_000 / summary.operations, wall * 1_000_000 / summary.operations)


def _measure(way: Callable[[], object], repeats: int) -> Figure:
    """Return the least of several runs, after one that does not count: other work on the machine only adds to it."""
    cpu, wall = [], []
    for _ in range(repeats + 1):
        cpu_begin, wall_begin = time.process_time(), time.perf_counter()
        way()
        cpu.append(time.process_time() - cpu_begin)
        wall.append(time.perf_counter() - wall_begin)
    return Figure(min(cpu[1:]) * 1000, min(wall[1:]) * 1000)


def _print_figures(database: str, name: str, row: list[Figure]) -> bool:
    """Print the figures of one thing at all sizes, and return whether they are flat."""
    cells = [f"{figure.wall_ms:.1f} ({figure.cpu_ms:.1f})" for figure in row]
    return print_row(database, name, [figure.wall_ms for figure in row], cells, FLAT)
