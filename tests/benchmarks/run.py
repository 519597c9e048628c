"""Run all benchmarks and print one table; the exit code is 1 if a target is missed. This is ``make bench``.

A benchmark is a file ``bench_*.py`` here with a function `ratios` that measures and gives one `Ratio` after another.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Measure everything, one benchmark after the other, and return the exit code."""
    sys.path.insert(0, str(HERE.parents[1]))  # Python puts the folder of this file there, not the repository
    from tests.benchmarks.ratio import print_table

    benchmarks = [importlib.import_module(f"tests.benchmarks.{path.stem}") for path in sorted(HERE.glob("bench_*.py"))]
    return print_table(itertools.chain.from_iterable(benchmark.ratios() for benchmark in benchmarks))


if __name__ == "__main__":
    sys.exit(main())
