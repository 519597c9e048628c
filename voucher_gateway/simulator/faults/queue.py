"""The queue of injected faults, and the selection of those that a request meets."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from voucher_gateway.simulator.faults.table import FAULTS

if TYPE_CHECKING:
    from collections.abc import Collection

    from voucher_gateway.simulator.faults.kinds import FaultKind

OptionValue = float | str


@frozen
class Fault:
    """A fault to inject at matching requests.

    Attributes:
        name: a key of `kinds`.
        match: "METHOD /path/pattern" over the raw path without the query; `*` stands for any characters,
            slashes included, and alone for any method.
        times: how many matching requests meet it; 0 for all of them.
        options: those of its kind that shall differ from the default.
        after: how many matching requests it lets pass before the first that meets it.
        kinds: the faults that can be injected at the vendor, by name; those of the kit unless the vendor has its own.

    Raises:
        ValueError: for an unknown name or option, or a value that cannot be.
    """

    name: str
    match: str = "* *"
    times: int = 1
    options: Mapping[str, OptionValue] = field(factory=dict)
    after: int = 0
    kinds: Mapping[str, FaultKind] = field(default=FAULTS, repr=False, eq=False, kw_only=True)
    _pattern: re.Pattern[str] = field(init=False, repr=False, eq=False)

    @_pattern.default
    def _compile(self) -> re.Pattern[str]:
        if self.name not in self.kinds:
            raise ValueError(f"unknown fault {self.name!r}; the faults are {', '.join(sorted(self.kinds))}")
        method, space, path = self.match.partition(" ")
        if not (method and space and path) or " " in path:
            raise ValueError(f'a fault matches "METHOD /path/pattern", not {self.match!r}')
        if self.times < 0:
            raise ValueError("a fault happens a number of times, or 0 for always")
        if self.after < 0:
            raise ValueError("a fault lets a number of requests pass, or 0 for none")
        self._check_options()
        return re.compile(f"{_wildcards(method.upper())} {_wildcards(path)}", re.DOTALL)

    def _check_options(self) -> None:
        known = self.kind.options
        for name, value in self.options.items():
            if name not in known:
                raise ValueError(f"the fault {self.name} has no option {name!r}; it has {sorted(known)}")
            if not known[name].admits(value):
                raise ValueError(f"the option {name} of {self.name} must be {known[name]}")

    @property
    def kind(self) -> FaultKind:
        """What happens."""
        return self.kinds[self.name]

    def fits(self, method: str, raw_path: str) -> bool:
        """Return whether it matches this request."""
        return self._pattern.fullmatch(f"{method} {raw_path}") is not None


def parse_fault(text: str, kinds: Mapping[str, FaultKind] = FAULTS) -> Fault:
    """Read `NAME[:MATCH[:TIMES[:AFTER]]]` as the command line writes it, TIMES and AFTER being digits.

    Args:
        text: as the command line has it.
        kinds: the faults that can be injected, by name.

    Raises:
        ValueError: when it cannot be read so, or as `Fault` says.
    """
    name, _, rest = text.partition(":")
    read = re.fullmatch("(.*?)(?::([0-9]{1,9}))?(?::([0-9]{1,9}))?", rest, re.DOTALL)
    assert read is not None
    match, times, after = read.groups()
    return Fault(name.strip(), match or "* *", int(times or 1), after=int(after or 0), kinds=kinds)


@define
class _Waiting:
    """An injected fault: how many requests still pass, and how many still meet it; 0 for all."""

    fault: Fault
    passing: int
    striking: int


class ArmedFaults:
    """The injected faults, in the order of their injection. Threads can share it."""

    def __init__(self, without_meaning: Collection[str] = ()) -> None:
        self._without_meaning = without_meaning
        self._lock = threading.Lock()
        self._armed: list[_Waiting] = []

    def arm(self, fault: Fault) -> None:
        """Add a fault.

        Raises:
            ValueError: when it has no meaning at this vendor.
        """
        if fault.name in self._without_meaning:
            raise ValueError(f"the fault {fault.name} has no meaning at this vendor")
        with self._lock:
            self._armed.append(_Waiting(fault, fault.after, fault.times))

    def clear(self) -> int:
        """Remove all of them and return how many there were."""
        with self._lock:
            count = len(self._armed)
            self._armed.clear()
            return count

    def remove(self, name: str) -> int:
        """Remove those of one name and return how many there were."""
        with self._lock:
            count = len(self._armed)
            self._armed = [waiting for waiting in self._armed if waiting.fault.name != name]
            return count - len(self._armed)

    def waiting(self, name: str) -> bool:
        """Return whether a fault of that name is injected."""
        with self._lock:
            return any(waiting.fault.name == name for waiting in self._armed)

    def take(self, method: str, raw_path: str) -> list[Fault]:
        """Return the faults that this request meets, each used once.

        Those that stack (they change the circumstances) all apply; of the others, which answer in the
        vendor's place, the first applies and the rest keep waiting. A request that a fault lets pass
        counts for it, whatever other fault that request meets.
        """
        taken: list[Fault] = []
        left: list[_Waiting] = []
        answered = False
        with self._lock:
            for waiting in self._armed:
                fault, stacks = waiting.fault, waiting.fault.kind.stacks
                if not fault.fits(method, raw_path):
                    left.append(waiting)
                elif waiting.passing:
                    waiting.passing -= 1
                    left.append(waiting)
                elif answered and not stacks:
                    left.append(waiting)
                else:
                    answered = answered or not stacks
                    taken.append(fault)
                    if waiting.striking != 1:
                        waiting.striking = max(waiting.striking - 1, 0)
                        left.append(waiting)
            self._armed = left
        return taken


def _wildcards(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))
