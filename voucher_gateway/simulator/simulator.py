"""The base of every vendor's simulator."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from voucher_gateway.simulator.clock import VirtualClock
from voucher_gateway.simulator.faults.table import FAULTS
from voucher_gateway.simulator.options import SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from voucher_gateway.simulator.faults.kinds import FaultKind
    from voucher_gateway.simulator.http.messages import Reply, Request
    from voucher_gateway.simulator.http.routes import Route


class Simulator(ABC):
    """One vendor: its routes, rules and ledger. The kit adds sockets, faults, the record and the clock.

    Handlers and hooks run under `lock`, so that a vendor's ledger changes atomically; amounts belong in
    integers or `Decimal`, never in floats.

    Attributes:
        name: as in the entry-point group, such as "jtl".
        options_type: the options that this vendor takes.
        faults_without_meaning: names of faults that cannot happen at this vendor; injecting one is refused.
        own_faults: the faults that the vendor answers in its own words, made by `fault`: errors that may be over soon,
            and answers that hide what happened. A refusal is not a fault.
        reference_member: the member of request bodies in which callers name a call, at any depth, such as
            "order_number"; None where the vendor keeps no such name, so that the fault `rewrite-reference` has no
            meaning.
        options: the options of this simulator.
        clock: the only source of instants.
        random: the only source of random choices that a seed should repeat.
        lock: held around each handler and hook.
    """

    name: ClassVar[str]
    options_type: ClassVar[type[SimulatorOptions]] = SimulatorOptions
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset()
    own_faults: ClassVar[tuple[FaultKind, ...]] = ()
    reference_member: ClassVar[str | None] = None

    def __init_subclass__(cls, **named: object) -> None:
        super().__init_subclass__(**named)
        if cls.reference_member is None:
            cls.faults_without_meaning = cls.faults_without_meaning | {"rewrite-reference"}
        if len({kind.name for kind in cls.own_faults}) < len(cls.own_faults):
            raise TypeError(f"the simulator {cls.__name__} declares two faults of the same name")

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.clock = VirtualClock(options.start)
        self.random = random.Random(options.seed)  # noqa: S311 - repeatable test data, not secrets
        self.lock = threading.RLock()

    @classmethod
    def fault_kinds(cls) -> Mapping[str, FaultKind]:
        """Return every fault that can happen at this vendor, by name: those of the kit, and the vendor's own."""
        common = {name: kind for name, kind in FAULTS.items() if name not in cls.faults_without_meaning}
        return common | {kind.name: kind for kind in cls.own_faults}

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """Return every operation; called once. Literal paths come before those with parts."""

    @abstractmethod
    def error_reply(self, status: int, message: str) -> Reply:
        """Return the vendor's own error reply for a status that no rule of the vendor names.

        The kit itself needs 400, 404, 405, 408, 411, 413, 414, 431 and 500; faults need 401, 429 and 5xx.
        """

    def not_found(self, request: Request) -> Reply:  # noqa: ARG002 - for vendors whose answer depends on it
        """Return the reply for a path without a route."""
        return self.error_reply(404, "There is nothing at this path.")

    def method_not_allowed(self, request: Request, allowed: Sequence[str]) -> Reply:  # noqa: ARG002 - as above
        """Return the reply for a path that exists, but not with this method."""
        return self.error_reply(405, "This method is not allowed here.").with_header("Allow", ", ".join(allowed))

    def bad_path(self, request: Request) -> Reply:  # noqa: ARG002 - as above
        """Return the reply for a path that is not percent-encoded UTF-8."""
        return self.error_reply(400, "The path is not percent-encoded UTF-8.")

    def bad_query(self, request: Request) -> Reply:  # noqa: ARG002 - as above
        """Return the reply for a query that is not percent-encoded UTF-8, or too long."""
        return self.error_reply(400, "The query is not percent-encoded UTF-8.")

    def crash_reply(self, request: Request) -> Reply:  # noqa: ARG002 - as above
        """Return the reply after a handler raised: a mistake of the simulator, not of the client."""
        return self.error_reply(500, "The simulator made a mistake.")

    @abstractmethod
    def announcement(self, base: str) -> dict[str, str]:
        """Return what a client needs, such as base_url and credentials.

        Args:
            base: where the server listens, such as "http://127.0.0.1:8101", without a slash at the end.
        """

    @abstractmethod
    def seed(self, count: int) -> None:
        """Add that many varied vouchers, drawn from `random`."""

    def seed_history(self, count: int) -> None:
        """Add one voucher that is years old, with that many movements; it is still worth something.

        Raises:
            ValueError: if this vendor makes no such voucher.
        """
        raise ValueError(f"the simulator {self.name} has no seed_history: leave the option history at 0, not {count}")

    @abstractmethod
    def ledger(self) -> list[dict[str, object]]:
        """Return every voucher with its true value and movements, for tests: nothing masked, amounts as strings.

        Each has id, code, currency, initial, remaining, reserved, status, valid_until and movements, a list
        of id, kind, amount, reference, at and, where the vendor has it, state.
        """

    @abstractmethod
    def dump(self) -> dict[str, object]:
        """Return the ledger as fresh JSON values, complete enough for `load`; no tokens that clients fetch."""

    @abstractmethod
    def load(self, state: dict[str, object]) -> None:
        """Replace the ledger by one from `dump`, without keeping parts of `state`."""

    @abstractmethod
    def insert_voucher(self) -> None:
        """Add one voucher that no request asked for (fault `insert-while-paging`)."""

    @abstractmethod
    def distort(self, reply: Reply) -> Reply:
        """Return the same reply with another amount in it (fault `wrong-echo`)."""

    def expire_tokens(self) -> None:  # noqa: B027 - vendors without tokens have nothing to do
        """Make every access token invalid (fault `expire-token`)."""

    def replace_reservation(self, request: Request) -> None:  # noqa: B027 - as above
        """Let another party reserve the voucher that the request is about (fault `replace-reservation`)."""
