"""What a run of many cases saw: how often each thing happened, and each case that ended wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs

_SHOWN: Final = 30


@attrs.define
class Findings:
    """The findings of one run. One wrong case does not end it.

    Attributes:
        seen: how often each thing happened.
        wrong: each case that ended wrong, with its error.
    """

    seen: Counter[str] = attrs.field(factory=Counter)
    wrong: list[str] = attrs.field(factory=list)

    @contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Note a case, and its error if it has one."""
        self.seen["cases"] += 1
        try:
            yield
        except Exception as error:  # noqa: BLE001 - `check` raises all of them
            self.wrong.append(f"{name}: {type(error).__name__}: {f'{error}'.splitlines()[0]:.400}")

    def check(self, least: int = 1) -> None:
        """Fail if a case ended wrong, or if there were too few cases."""
        lines = "\n".join(self.wrong[:_SHOWN])
        assert not self.wrong, f"{len(self.wrong)} of {self.seen['cases']} cases ended wrong:\n{lines}"
        assert self.seen["cases"] >= least, self.seen

    def __str__(self) -> str:
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(self.seen.items()))
        return "\n  WRONG: ".join([counts, *self.wrong])
