# Every target does its own set-up, in a virtual environment beside this file.
#   make demo    the whole promise on two simulated vendors
#   make test    the tests that run in a few minutes
# Others: test-all (what CI runs), coverage, lint, bench, docs, conformance (what our providers promise), dist, format, clean.
# Others, long: blackfriday (payments; SEEDS=20 ORDERS=2000 PROCESSES=8), test-crash, test-migration (10,000, killed), contract (every fault), model, test-slow, bench-memory, bench-growth (journals of 1, 3 and 10 million operations, MILLIONS='1 3'; migrations of 0.1, 0.3 and 1 million vouchers, MOVES='0.1 0.3'; PARTS=moves).
# Others, with a C compiler: test-servers (a real uWSGI).
# Others, with a vendor's real program beside the simulators: witness-pretix (installs it in build/witness; minutes).
# Others, with a vendor's own client against the simulator: witness-square. Both: witness.
# Another Python: make test PYTHON=python3.13 VENV=.venv313

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Of `make blackfriday`.
SEEDS ?= 20
ORDERS ?= 2000
PROCESSES ?= 8
# Of `make bench-growth`: the sizes of the journal, in millions of operations.
MILLIONS ?= 1 3 10
# Of its other part: the sizes of the migrations, in millions of vouchers.
MOVES ?= 0.1 0.3 1
# The parts of `make bench-growth`: journal, moves.
PARTS ?= journal moves
# Each worker imports everything, which takes seconds. Tests wait for nearly half of their time: two workers more than
# cores, and on large machines half as many more.
WORKERS ?= $(shell $(PYTHON) -c 'import os; cores = max(2, os.cpu_count() or 1); print(cores + max(2, cores // 2))')
SPREAD := --numprocesses $(WORKERS) --dist worksteal
# Workers, and commands that tests start, would else compile all modules again, where a machine stores no bytecode.
test test-all coverage: export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all coverage test-slow test-servers servers test-crash blackfriday test-migration contract conformance model lint format bench bench-memory bench-growth docs dist witness witness-pretix witness-square clean

help:
	@sed -n 's/^#   make/  make/p; s/^# Others/  Others/p; s/^# Another/  Another/p' Makefile

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "voucher-gateway needs Python 3.11 or later: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[cli,local,payments,postgres,report,simulator,testing]' --group dev
	@touch $(READY)

demo: $(READY)
	@$(BIN)/voucher-gateway demo

test: $(READY)
	@$(BIN)/python -m pytest -m 'not slow and not long' $(SPREAD)

# Everything that `make test` runs, the tests marked `long`, and more examples of each rule.
test-all: $(READY)
	@$(BIN)/python -m pytest -m 'not slow' --hypothesis-profile all $(SPREAD)

# Measures what `make test` runs. It fails below the floor in pyproject.toml.
coverage: $(READY)
	@$(BIN)/python -m pytest -m 'not slow and not long' --cov --cov-report= $(SPREAD)
	@$(BIN)/coverage report

test-slow: servers
	@$(BIN)/python -m pytest -m slow --timeout 1800

# Built from source, so it is installed only where it is used.
servers: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group servers

test-servers: servers
	@$(BIN)/python -m pytest -m slow --timeout 600 tests/servers

# The real programs of vendors, installed from the package index, run on loopback.
witness: witness-pretix witness-square

witness-pretix: $(READY)
	@$(BIN)/python -m tests.witness.pretix_program
	@$(BIN)/python -m pytest -m slow --timeout 1800 tests/witness/test_pretix_*.py

# Square's own client, and requests drawn from Square's own document, against the simulator.
witness-square: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group witness
	@$(BIN)/python -m pytest -m slow --timeout 1800 tests/witness/test_square_*.py

test-crash: $(READY)
	@$(BIN)/python -m pytest -m slow --timeout 3600 -s tests/crash tests/payment_crash tests/races tests/sales tests/stateful

# Whole days of a shop with four vendors and a card, in which everything goes wrong; SEEDS=7-7 runs the seed 7 alone.
blackfriday: $(READY)
	@$(BIN)/python -m tests.blackfriday --seeds $(SEEDS) --orders $(ORDERS) --processes $(PROCESSES)

test-migration: $(READY)
	@$(BIN)/python -m pytest -m slow --timeout 3600 --numprocesses auto --dist worksteal tests/migration

model: $(READY)
	@$(BIN)/python -m tests.model_check

contract: $(READY)
	@$(BIN)/python -m pytest --contract-thorough --timeout 3600 tests/providers/*/test_contract.py

conformance: $(READY)
	@$(BIN)/python -m pytest --write-conformance --quiet tests/providers/*/test_contract.py
	@$(BIN)/python docs/tables.py

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(READY)
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	@$(BIN)/python tests/benchmarks/run.py

bench-memory: $(READY)
	@$(BIN)/python -m tests.benchmarks.bench_migration --memory

# Ten million operations take some 20 GB of disk, and an hour; a million moved vouchers take some 8 GB, and two hours.
bench-growth: $(READY)
	@$(BIN)/python -m tests.benchmarks.growth --parts $(PARTS) --millions $(MILLIONS) --moves $(MOVES)

docs: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group docs
	@$(BIN)/python docs/tables.py
	@$(BIN)/python docs/api_reference.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

dist: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	@$(BIN)/python -m build --outdir dist .

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
