"""`python -m tests.model_check`: explore with all rules, then without each of them in turn."""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from tests.model_check.explore import PAYMENT_STORIES, STORIES, Exploration, R, S, Story, counter_example, explore
from tests.model_check.payment_rules import PAYMENT_RULES, PaymentRules, without_payment_rule
from tests.model_check.rules import NAMES, Rules, without


def main(arguments: list[str]) -> int:
    """Print what was found; return 0 if all rules suffice and each is needed. ``--traces`` prints the ways, too."""
    begun = time.perf_counter()
    good = [
        _check(STORIES, Rules(), NAMES, without, arguments),
        _check(PAYMENT_STORIES, PaymentRules(), PAYMENT_RULES, without_payment_rule, arguments),
    ]
    print(f"{time.perf_counter() - begun:.1f} s in all")
    return 0 if all(good) else 1


def _check(
    stories: Mapping[str, Story[S, R]],
    rules: R,
    names: Sequence[str],
    without_rule: Callable[[str], R],
    arguments: list[str],
) -> bool:
    good = True
    for story, start in stories.items():
        found = explore(start, rules)
        good = good and found.promise is None
        print(f"all rules, {story}: {found.states} states in {found.seconds:.1f} s, {found.promise or 'no violation'}")
        _show(found, arguments)
    for name in names:
        example = counter_example(stories, without_rule(name))
        if example is None:
            good = False
            print(f"without {name}: NO counter-example")
            continue
        story, found = example
        print(f"without {name}, {story}: after {len(found.trace)} steps {found.promise}")
        _show(found, arguments)
    return good


def _show(found: Exploration, arguments: list[str]) -> None:
    if "--traces" in arguments:
        print("".join(f"    {number}. {step}\n" for number, step in enumerate(found.trace, 1)), end="")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
