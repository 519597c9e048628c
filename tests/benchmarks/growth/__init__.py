"""How the cost of a journal grows: `python -m tests.benchmarks.growth`, which is ``make bench-growth``."""
