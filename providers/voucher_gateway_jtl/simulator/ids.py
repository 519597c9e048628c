"""What the calls see of the simulator that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from voucher_gateway.simulator import VirtualClock
    from voucher_gateway_jtl.simulator.errors import Errors
    from voucher_gateway_jtl.simulator.ledger import Ledger
    from voucher_gateway_jtl.simulator.oauth_clients import Clients
    from voucher_gateway_jtl.simulator.options import JtlOptions
    from voucher_gateway_jtl.simulator.responses import Answers


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
