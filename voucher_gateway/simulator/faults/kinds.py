"""The kind of a fault (name, sentence, options, action) and the request that the action gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

from attrs import field, frozen

from voucher_gateway.simulator.http.messages import Reply

if TYPE_CHECKING:
    from threading import RLock

    from voucher_gateway.simulator.clock import VirtualClock
    from voucher_gateway.simulator.http.messages import Request

Action = Callable[..., Reply]


class FaultyVendor(Protocol):
    """What a fault needs of a simulator. `Simulator` says what each member means."""

    reference_member: ClassVar[str | None]
    clock: VirtualClock
    lock: RLock

    def error_reply(self, status: int, message: str) -> Reply: ...  # noqa: D102
    def ledger(self) -> list[dict[str, object]]: ...  # noqa: D102
    def insert_voucher(self) -> None: ...  # noqa: D102
    def distort(self, reply: Reply) -> Reply: ...  # noqa: D102
    def expire_tokens(self) -> None: ...  # noqa: D102
    def replace_reservation(self, request: Request) -> None: ...  # noqa: D102


class FaultContext(Protocol):
    """A request on its way to the vendor's handler, as a fault meets it."""

    @property
    def simulator(self) -> FaultyVendor:
        """The vendor."""
        ...

    @property
    def request(self) -> Request:
        """The request that arrived."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait in real time."""
        ...

    def proceed(self) -> Reply:
        """Apply the next fault, or let the vendor answer if none is left, and return the reply."""
        ...

    def proceed_later(self, after_requests: int) -> None:
        """Let the vendor carry the request out after it has answered this number of further changing requests."""
        ...

    def proceed_from_snapshot(self, lag_s: float, lag_requests: int | None) -> Reply:
        """Proceed, and answer a look-up from an older snapshot of the ledger."""
        ...

    def proceed_with_body(self, body: bytes) -> Reply:
        """Proceed as if this body had arrived."""
        ...


@frozen
class FaultOption:
    """An option of a fault: a text without control characters, or a number within bounds.

    Attributes:
        default: the value if none is given; None for a number that may be left out.
        least: the smallest number.
        most: the largest number.
        choices: the texts that it can be; any, where none is named.
    """

    default: float | str | None
    least: float = 0
    most: float = 1e9
    choices: tuple[str, ...] = ()

    def admits(self, value: object) -> bool:
        """Return whether the option can have this value."""
        if isinstance(self.default, str):
            return isinstance(value, str) and value.isprintable() and (not self.choices or value in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.least <= value <= self.most

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if isinstance(self.default, str):
            return "a text without control characters"
        return f"a number from {self.least:g} to {self.most:g}"


@frozen
class FaultKind:
    """One kind of fault.

    Attributes:
        name: as callers write it.
        sentence: what happens, for people.
        commits: whether the vendor carries the request out; None where the fault does not decide that.
        options: their names and defaults; times are real seconds unless the sentence says otherwise.
        stacks: whether it only changes the circumstances, so that the vendor or another fault still answers.
    """

    name: str
    sentence: str
    commits: bool | None
    options: Mapping[str, FaultOption] = field(factory=dict)
    stacks: bool = False
    action: Action = field(kw_only=True, repr=False, eq=False)
