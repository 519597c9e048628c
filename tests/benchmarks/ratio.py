"""What a benchmark finds out: how much we take of what something else takes, and how much it may be."""

from __future__ import annotations

from collections.abc import Iterable

import attrs


@attrs.frozen
class Ratio:
    """One line of the table.

    Attributes:
        name: what was measured, and against what.
        value: ours, divided by the other's.
        target: what it may be at most.
    """

    name: str
    value: float
    target: float

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.value <= self.target


def print_table(ratios: Iterable[Ratio]) -> int:
    """Print each ratio as soon as it is known.

    Returns:
        1 if a target is missed, otherwise 0: the exit code.
    """
    missed = False
    _line("ratio", "target", "", "of")
    for ratio in ratios:
        missed |= not ratio.met
        _line(f"{ratio.value:.2f}", f"{ratio.target:.2f}", "met" if ratio.met else "MISSED", ratio.name)
    return int(missed)


def _line(value: str, target: str, verdict: str, name: str) -> None:
    print(f"{value:>6} {target:>6}  {verdict:6}  {name}", flush=True)  # noqa: T201 - the table is for people
