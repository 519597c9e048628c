"""Faults that wait for a matching request, and which of them a request meets."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import field, frozen

from .fault_table import FAULTS

if TYPE_CHECKING:
    from collections.abc import Collection

OptionValue = float | str


@frozen
class Fault:
    """A fault in wait.

    Attributes:
        name: a key of `FAULTS`.
        match: "METHOD /path/pattern" over the raw path without the query; `*` stands for any characters,
            slashes included, and alone for any method.
        times: how many matching requests meet it; 0 for all of them.
        options: those of its kind that shall differ from the default.

    Raises:
        ValueError: for an unknown name or option, or a value that cannot be.
    """

    name: str
    match: str = "* *"
    times: int = 1
    options: Mapping[str, OptionValue] = field(factory=dict)
    _pattern: re.Pattern[str] = field(init=False, repr=False, eq=False)

    @_pattern.default
    def _compile(self) -> re.Pattern[str]:
        if self.name not in FAULTS:
            raise ValueError(f"there is no fault {self.name!r}; there are {', '.join(sorted(FAULTS))}")
        method, space, path = self.match.partition(" ")
        if not (method and space and path) or " " in path:
            raise ValueError(f'a fault matches "METHOD /path/pattern", not {self.match!r}')
        if self.times < 0:
            raise ValueError("a fault happens a number of times, or 0 for always")
        self._check_options()
        return re.compile(f"{_wildcards(method.upper())} {_wildcards(path)}", re.DOTALL)

    def _check_options(self) -> None:
        known = FAULTS[self.name].options
        for name, value in self.options.items():
            if name not in known:
                raise ValueError(f"the fault {self.name} has no option {name!r}; it has {sorted(known)}")
            if not known[name].admits(value):
                raise ValueError(f"the option {name} of {self.name} must be {known[name]}")

    def fits(self, method: str, raw_path: str) -> bool:
        """Whether it waits for a request like this."""
        return self._pattern.fullmatch(f"{method} {raw_path}") is not None


def parse_fault(text: str) -> Fault:
    """Reads `NAME[:MATCH[:TIMES]]` as the command line writes it, TIMES being digits.

    Raises:
        ValueError: when it cannot be read so, or as `Fault` says.
    """
    name, _, rest = text.partition(":")
    match, colon, times = rest.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,9}", times):
        match, times = rest, "1"
    return Fault(name.strip(), match or "* *", int(times))


class ArmedFaults:
    """The faults in wait, in the order in which they were injected. Safe to share between threads."""

    def __init__(self, without_meaning: Collection[str] = ()) -> None:
        self._without_meaning = without_meaning
        self._lock = threading.Lock()
        self._armed: list[tuple[Fault, int]] = []

    def arm(self, fault: Fault) -> None:
        """Lets one more fault wait.

        Raises:
            ValueError: when it has no meaning at this vendor.
        """
        if fault.name in self._without_meaning:
            raise ValueError(f"the fault {fault.name} has no meaning at this vendor")
        with self._lock:
            self._armed.append((fault, fault.times))

    def clear(self) -> int:
        """Forgets all of them and says how many there were."""
        with self._lock:
            count = len(self._armed)
            self._armed.clear()
            return count

    def waiting(self, name: str) -> bool:
        """Whether a fault of that name waits."""
        with self._lock:
            return any(fault.name == name for fault, _ in self._armed)

    def take(self, method: str, raw_path: str) -> list[Fault]:
        """The faults that this request meets, each used once.

        Those that stack (they change the circumstances) all apply; of the others, which answer in the
        vendor's place, the first applies and the rest keep waiting.
        """
        taken: list[Fault] = []
        left: list[tuple[Fault, int]] = []
        answered = False
        with self._lock:
            for fault, remaining in self._armed:
                stacks = FAULTS[fault.name].stacks
                if not fault.fits(method, raw_path) or (answered and not stacks):
                    left.append((fault, remaining))
                    continue
                answered = answered or not stacks
                taken.append(fault)
                if remaining != 1:
                    left.append((fault, max(remaining - 1, 0)))
            self._armed = left
        return taken


def _wildcards(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))
