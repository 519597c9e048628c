"""What the calls see of the simulator that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from voucher_gateway.simulator import VirtualClock

    from .answers import Answers
    from .clients import Clients
    from .errors import Errors
    from .ledger import Ledger
    from .options import JtlOptions


class Counter(Protocol):
    """The vendor's side of the counter.

    Attributes:
        options: how it was started.
        clock: the time.
        random: of choices that a seed repeats.
        errors: how it refuses.
        answers: how it answers.
        ledger_book: what it knows.
        clients: who may call.
    """

    options: JtlOptions
    clock: VirtualClock
    random: random.Random
    errors: Errors
    answers: Answers
    ledger_book: Ledger
    clients: Clients

    def moment(self) -> datetime:
        """The time as the vendor writes it down."""
        ...
