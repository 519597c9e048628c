"""How costs grow with the journal and with a migration: `python -m tests.benchmarks.growth`, ``make bench-growth``."""
