"""What it costs to look into a journal of 200,000 operations, an SQLite file, from the command line.

* ``operations list``, of all, compared with the same rows from ``sqlite3`` through `csv`: CPU of the child processes.
* Its memory, compared with that of ``operations list --limit 100``.
* ``operations list --order``, compared with the same in a journal of 1,000 operations.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_operations``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs

from tests.benchmarks.ratio import Ratio, print_table
from tests.support.many_operations import HOST, write_operations
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import SecretSource

MANY: Final = 200_000
FEW: Final = 1_000
TO_CSV: Final = 20.0
MEMORY: Final = 1.2
BY_ORDER: Final = 1.1
KEY: Final = "a-key-for-the-benchmark"
CONFIG: Final = f"""
journal = "sqlite:///journal.db"

[journal_keys]
1 = "{KEY}"

[accounts.shop]
provider = "jtl"
base_url = "https://{HOST}/v1"
client_id = "a-client"
client_secret = "a-secret-of-the-benchmark"
"""
RUN: Final = "import sys; from voucher_gateway.cli import main; sys.argv = ['voucher-gateway', *sys.argv[1:]]; main()"
CSV: Final = """
import csv, sqlite3, sys
columns = "created_at, account, verb, reference, order_number, amount, currency, state"
query = f"SELECT {columns} FROM voucher_gateway_operations ORDER BY id DESC"
csv.writer(sys.stdout).writerows(sqlite3.connect("journal.db").execute(query))
"""


@attrs.frozen
class Usage:
    """What a child process used: seconds of CPU and, at most, megabytes of memory."""

    cpu_s: float
    memory_mb: float


def ratios() -> Iterator[Ratio]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-bench-") as folder:
        many, few = Path(folder) / "many", Path(folder) / "few"
        for path, count in ((many, MANY), (few, FEW)):
            path.mkdir()
            (path / "voucher-gateway.toml").write_text(CONFIG)
            journal = open_journal(f"sqlite:///{path / 'journal.db'}", {"1": SecretSource.of(KEY)})
            write_operations(journal, count, begin=datetime(2026, 1, 1, tzinfo=UTC))
            journal.close()
        _listed(few, "--limit", "1")  # compiles our modules
        everything, newest, csv = _listed(many), _listed(many, "--limit", "100"), _run(many, CSV)
        name = f"operations list of {MANY:,} ({everything.cpu_s:.1f} s) to sqlite3 and csv ({csv.cpu_s:.2f} s)"
        yield Ratio(name, everything.cpu_s / csv.cpu_s, TO_CSV)
        name = f"its memory ({everything.memory_mb:.0f} MB) to that of --limit 100 ({newest.memory_mb:.0f} MB)"
        yield Ratio(name, everything.memory_mb / newest.memory_mb, MEMORY)
        order = ("--order", f"order-{FEW // 4:06}")
        of_many = min(_listed(many, *order).cpu_s for _ in range(5))
        of_few = min(_listed(few, *order).cpu_s for _ in range(5))
        name = (
            f"operations list --order of {MANY:,} ({of_many * 1000:.0f} ms) to that of {FEW:,} ({of_few * 1000:.0f} ms)"
        )
        yield Ratio(name, of_many / of_few, BY_ORDER)


def _listed(folder: Path, *arguments: str) -> Usage:
    return _run(folder, RUN, "operations", "list", *arguments)


def _run(folder: Path, code: str, *arguments: str) -> Usage:
    """Run Python code with arguments, its output to the null device, and return what it used."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
