"""`python -m tests.model_check`: explore with all rules, then without each of them in turn."""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import sys
import time

from tests.model_check.explore import STORIES, Exploration, counter_example, explore
from tests.model_check.rules import NAMES, Rules, without


def main(arguments: list[str]) -> int:
    """Print what was found; return 0 if all rules suffice and each is needed. ``--traces`` prints the ways, too."""
    begun, good = time.perf_counter(), True
    for story, start in STORIES.items():
        found = explore(start, Rules())
        good = good and found.promise is None
        print(f"all rules, {story}: {found.states} states in {found.seconds:.1f} s, {found.promise or 'no violation'}")
        _show(found, arguments)
    for name in NAMES:
        example = counter_example(without(name))
        if example is None:
            good = False
            print(f"without {name}: NO counter-example")
            continue
        story, found = example
        print(f"without {name}, {story}: after {len(found.trace)} steps {found.promise}")
        _show(found, arguments)
    print(f"{time.perf_counter() - begun:.1f} s in all")
    return 0 if good else 1


def _show(found: Exploration, arguments: list[str]) -> None:
    if "--traces" in arguments:
        print("".join(f"    {number}. {step}\n" for number, step in enumerate(found.trace, 1)), end="")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
