"""How costs grow with the operations of a journal, and with the vouchers of a migration: ``make bench-growth``.

Two parts, each in SQLite and in PostgreSQL: `journal` and `moves`. Each figure may be at most some times that of the
smallest size; a figure that is more grows, and the exit code is 1.

``python -m tests.benchmarks.growth --parts moves --moves 0.1 0.3 --database sqlite`` measures a part of it.
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.growth.journal import measure_journals
from tests.benchmarks.growth.moves import measure_moves


def main() -> int:
    """Measure what the arguments say, print it, and return the exit code: 1 if a figure is not flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10], help="of operations")
    parser.add_argument("--moves", type=float, nargs="+", default=[0.1, 0.3, 1], help="millions of moved vouchers")
    parser.add_argument("--parts", choices=["journal", "moves"], nargs="+", default=["journal", "moves"])
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    arguments = parser.parse_args()
    databases = ["sqlite", "postgresql"] if arguments.database == "both" else [arguments.database]
    is_flat = []
    if "journal" in arguments.parts:
        is_flat += [measure_journals(database, sorted(arguments.millions)) for database in databases]
    if "moves" in arguments.parts:
        is_flat.append(measure_moves(databases, [round(size * 1_000_000) for size in sorted(arguments.moves)]))
    return 0 if all(is_flat) else 1


if __name__ == "__main__":
    sys.exit(main())
