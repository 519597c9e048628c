"""How the cost of a migration grows with its vouchers.

A source of 100,000, 300,000 and a million vouchers is planned by the real command, and a real run moves the first 500
of them. Then `moved_copies` writes the rows of all but the last thousand, and `estate` lets both vendors say that these
have moved. From there on everything is real again: a run moves the next 500, another one moves the rest, and then
nothing is left to move. `verify` and `certificate` have to find all vouchers as planned.

Each command runs in a separate process. What is measured is its processor time with that of the database's server,
the time on the clock (in brackets), and the most memory that the process had. A command that looks at all vouchers
counts per voucher of the plan. Other work on the machine slows the clock, so the processor time decides what is flat.
The plan does not depend on the database: it is made once for each size, and counts in the first database.

A million vouchers take some 8 GB of disk and, in both databases, an hour and a half.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import sqlalchemy as sa

from tests.benchmarks.growth.command import Cost, measure_command, measure_look
from tests.benchmarks.growth.estate import KINDS, Vendors, is_carried, serving_vendors
from tests.benchmarks.growth.moved_copies import Sample, multiply_moves
from tests.benchmarks.growth.server_time import ServerTime
from tests.benchmarks.growth.table import empty_database, print_line, print_row
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.masking import Secret
from voucher_gateway.migration.plan.plan_file import read_summary
from voucher_gateway.storage.engine import normalize

FLAT: Final = 1.5
MEMORY_FLAT: Final = 2.0
"""A listing keeps a hash of each voucher: 14 to 28 bytes."""

_KEY: Final = "a-key-for-the-benchmark"
_POLICY: Final = """
losses = ["batch", "medium", "order", "sku", "tax", "metadata", "pin"]
accept = ["validity-restarts"]
[vouchers]
empty = "skip"
[codes]
unfit = "new-code"
"""


@attrs.frozen
class Sizes:
    """How many vouchers are moved how.

    Attributes:
        vouchers: of the source.
        sample: the first ones, which are really moved.
        rest: the last ones, which are really moved after the copies.
        next: how many of the rest are measured.
    """

    vouchers: int
    sample: int = 500
    rest: int = 1000
    next: int = 500

    @property
    def copies(self) -> int:
        """How many times the sample is copied."""
        copies, remainder = divmod(self.vouchers - self.rest, self.sample)
        if remainder or copies < 2 or self.sample % KINDS or self.next + _PILOT >= self.rest - self.rest // KINDS:
            raise ValueError(f"{self} cannot be filled with copies")
        return copies - 1


_PILOT: Final = 20


@attrs.frozen
class Figure:
    """One figure at one size.

    Attributes:
        value: decides whether it is flat.
        text: for people.
        limit: how many times the first figure it may be.
    """

    value: float
    text: str
    limit: float = FLAT


Figures = dict[str, Figure]


def measure_moves(databases: Sequence[str], sizes: Sequence[int]) -> bool:
    """Measure migrations of some sizes, print a table for each database, and return whether each figure is flat."""
    figures: dict[str, list[Figures]] = {database: [] for database in databases}
    for size in sizes:
        for database, measured in zip(databases, measure_size(databases, Sizes(size)), strict=True):
            figures[database].append(measured)
    return all([_print_table(database, rows) for database, rows in figures.items()])  # noqa: C419 - prints all


def measure_size(databases: Sequence[str], sizes: Sizes) -> list[Figures]:
    """Measure migrations of one size in each kind of database."""
    with (
        serving_vendors(sizes.vouchers) as vendors,
        tempfile.TemporaryDirectory(prefix="voucher-gateway-growth-") as folder,
    ):
        plan = Path(folder, "move.plan")
        return [_measure_database(database, vendors, plan, sizes) for database in databases]


def _measure_database(database: str, vendors: Vendors, plan: Path, sizes: Sizes) -> Figures:
    vendors.forget()
    with empty_database(database) as url, tempfile.TemporaryDirectory(prefix="voucher-gateway-growth-") as folder:
        migration = _Migration(url, vendors, plan, Path(folder), sizes, f"{database}: {sizes.vouchers:,} vouchers")
        try:
            return migration.measure()
        finally:
            migration.close()


class _Migration:
    """One migration in one database.

    Args:
        url: of the empty database.
        vendors: both vendors.
        plan: the plan's file; it is made if it does not exist.
        folder: for files.
        sizes: how many vouchers are moved how.
        name: for people.
    """

    def __init__(self, url: str, vendors: Vendors, plan: Path, folder: Path, sizes: Sizes, name: str) -> None:
        self._engine = sa.create_engine(normalize(url, "journal"))
        self._server = ServerTime(self._engine)
        self._vendors = vendors
        self._plan = plan
        self._folder = folder
        self._sizes = sizes
        self._name = name
        self._config = folder / "voucher-gateway.toml"
        self._config.write_text(_config_text(url, vendors.base_url))
        self._policy = folder / "policy.toml"
        self._policy.write_text(_POLICY)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def measure(self) -> Figures:
        """Plan, move, and measure."""
        sizes, figures = self._sizes, Figures()
        if not self._plan.exists():
            files = ("--out", str(self._plan), "--policy", str(self._policy))
            self._add_all(figures, "plan", self._run("plan", "source", "target", *files))
            bytes_each = self._plan.stat().st_size / sizes.vouchers
            figures["plan, bytes a voucher"] = Figure(bytes_each, f"{bytes_each:.0f}")
        self._add_all(figures, "first run, loads the plan", self._run_plan("--limit", "1"))
        self._add_all(figures, "look at the source before a run", self._look())
        self._run_plan("--limit", str(sum(map(is_carried, range(1, sizes.sample + 1))) - 1))
        self._copy()
        few = self._run_plan("--limit", str(_PILOT))
        many = self._run_plan("--limit", str(sizes.next + _PILOT))
        _add_next(figures, few, many, sizes)
        self._add_all(figures, "run of the rest", self._run_plan())
        self._add_all(figures, "run when all have moved", self._run_plan())
        self._add_all(figures, "status", self._run("status", str(self._plan)))
        self._add_all(figures, "verify", self._run("verify", str(self._plan)))
        papers = ("--html", "move.html", "--json-file", "move.json", "--csv", "csv")
        options = tuple(part if part.startswith("--") else str(self._folder / part) for part in papers)
        self._add_all(figures, "certificate", self._run("certificate", str(self._plan), *options))
        letters = str(self._folder / "letters.csv")
        self._add_all(figures, "codes", self._run("codes", str(self._plan), "--csv", letters))
        size = self._journal_size() / sizes.vouchers
        figures["journal, bytes a voucher"] = Figure(size, f"{size:.0f}")
        return figures

    def _run_plan(self, *options: str) -> Cost:
        return self._run("run", str(self._plan), *options)

    def _look(self) -> Cost:
        """Measure what a run without a limit does first, when nothing has moved."""
        return self._print_cost("look at the source", measure_look(self._config, self._plan, server=self._server))

    def _run(self, *arguments: str) -> Cost:
        cost = measure_command("--config", str(self._config), "migrate", *arguments, server=self._server)
        return self._print_cost(" ".join(_without_paths(arguments)), cost)

    def _print_cost(self, name: str, cost: Cost) -> Cost:
        text = f"{cost.cpu_s:.1f} s of CPU, {cost.wall_s:.1f} s, {cost.peak_mb:.0f} MB"
        print_line(f"{self._name}: {name}: {text}")
        return cost

    def _copy(self) -> None:
        begin = time.perf_counter()
        sizes = self._sizes
        sample = Sample(plan_id=read_summary(self._plan).id, source="source", target="target", size=sizes.sample)
        keys = JournalKeys.of({"1": Secret(_KEY)})
        multiply_moves(self._engine, keys, sample, sizes.copies)
        self._vendors.pretend(sizes.sample + 1, sizes.vouchers - sizes.rest)
        print_line(f"{self._name}: {sizes.copies:,} copies written in {time.perf_counter() - begin:.0f} s")

    def _journal_size(self) -> int:
        """Return the size of the database in bytes, without the tables of the originals, which are small."""
        if self._engine.dialect.name == "postgresql":
            with self._engine.connect() as connection:
                return int(connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)
        path = Path(self._engine.url.database or "")
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))

    def _add_all(self, figures: Figures, name: str, cost: Cost) -> None:
        """Add what a command cost that looks at all vouchers, and its memory."""
        each = 1e6 / self._sizes.vouchers
        text = f"{cost.cpu_s * each:.1f} ({cost.wall_s * each:.1f})"
        figures[f"{name}, us a voucher"] = Figure(cost.cpu_s * each, text)
        figures[f"{name}, MB"] = Figure(cost.peak_mb, f"{cost.peak_mb:.0f}", MEMORY_FLAT)


def _add_next(figures: Figures, few: Cost, many: Cost, sizes: Sizes) -> None:
    """Add what a voucher costs when nearly all others have moved: what a longer run takes more than a short one."""
    cpu, wall = (1000 * (many.cpu_s - few.cpu_s) / sizes.next, 1000 * (many.wall_s - few.wall_s) / sizes.next)
    figures["next vouchers, ms a moved voucher"] = Figure(cpu, f"{cpu:.1f} ({wall:.1f})")
    figures["next vouchers, MB"] = Figure(many.peak_mb, f"{many.peak_mb:.0f}", MEMORY_FLAT)


def _config_text(url: str, base_url: str) -> str:
    return f"""
journal = "{url}"
journal_keys = {{ 1 = "{_KEY}" }}

[accounts.source]
provider = "jtl"
base_url = "{base_url}/v1"
client_id = "a-client"
client_secret = "a-secret"

[accounts.target]
provider = "ticketing"
base_url = "{base_url}"
api_key = "a-secret"
"""


def _without_paths(arguments: Sequence[str]) -> list[str]:
    return [Path(argument).name for argument in arguments]


def _print_table(database: str, sizes: Sequence[Figures]) -> bool:
    is_flat = [
        print_row(database, name, [row[name].value for row in sizes], [row[name].text for row in sizes], figure.limit)
        for name, figure in sizes[0].items()
    ]
    return all(is_flat)
