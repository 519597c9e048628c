"""`python -m tests.blackfriday --seeds 20 --orders 2000 --processes 8`: several Black Fridays, one line each."""

from __future__ import annotations

import argparse
import logging
import sys

from tests.blackfriday.run import Outcome, run_day
from tests.support.postgres import running_postgres


def main() -> int:
    """Run the seeds; return 1 if the books of one of them are wrong."""
    parser = argparse.ArgumentParser(description="Black Fridays of a shop with four vendors and a card.")
    parser.add_argument("--seeds", default="20", help="how many, from 1 on, or FIRST-LAST")
    parser.add_argument("--orders", type=int, default=2000, help="of each seed")
    parser.add_argument("--processes", type=int, default=8, help="of the shop")
    arguments = parser.parse_args()
    first, dash, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last) + 1) if dash else range(1, int(first) + 1)
    outcomes = []
    logging.getLogger("voucher_gateway").setLevel(logging.CRITICAL)  # it warns of every fault, as it should
    with running_postgres() as server:
        for seed in seeds:  # odd seeds on SQLite, even ones on PostgreSQL
            outcome = run_day(seed, arguments.orders, arguments.processes, None if seed % 2 else server)
            _show(outcome)
            outcomes.append(outcome)
    waiting = sum(len(outcome.waiting) for outcome in outcomes)
    wrong = sum(len(outcome.differences) for outcome in outcomes)
    sys.stdout.write(f"{len(outcomes)} seeds: {waiting} payments wait for a person, {wrong} differences\n")
    return 1 if wrong else 0


def _show(outcome: Outcome) -> None:
    sys.stdout.write(f"{outcome}\n")
    for reason in outcome.waiting:
        still = " (and still does)" if reason in outcome.left else ""
        sys.stdout.write(f"  waits{still}: {reason}\n")
    for difference in outcome.differences:
        sys.stdout.write(f"  WRONG: {difference}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
