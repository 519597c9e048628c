"""One whole Black Friday: the day, the night in which everything is completed, the books and the audit."""

from __future__ import annotations

import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs

from tests.blackfriday.books import Belief, Reality, find_differences, owed
from tests.blackfriday.person import decide_by_ledgers
from tests.blackfriday.places import make_databases, open_places
from tests.blackfriday.plan import OrderPlan, make_plan
from tests.blackfriday.shop import Worker, run_by_night
from tests.blackfriday.workers import Day
from voucher_gateway import Gateway
from voucher_gateway.payments.rows.references import payment_mark
from voucher_gateway.payments.rows.states import PartState

_ROUNDS: Final = 8
"""How often the shop's nightly run is repeated at most."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one Black Friday.

    Attributes:
        seed: the seed.
        seen: how often each thing happened.
        states: how many payments are in each state in the end.
        waiting: the payments that wait for a person, with the reason.
        decided: how many operations a person then decided by the vendors' ledgers.
        left: the payments that wait even after that, with the reason.
        taken: what was taken, by ledgers and books.
        owed: what customers owe, by the shop's beliefs.
        differences: everything that is wrong in the books, and what the audit of the journal has found.
        seconds: how long it took.
    """

    seed: int
    seen: Counter[str]
    states: Counter[str]
    waiting: Sequence[str]
    decided: int
    left: Sequence[str]
    taken: Decimal
    owed: Decimal
    differences: Sequence[str]
    seconds: float

    def __str__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        events = ", ".join(f"{self.seen[name]} {name}" for name in _EVENTS if self.seen[name])
        person = f"{len(self.waiting)} waited for a person, who decided {self.decided} calls, {len(self.left)} left"
        money = f"taken {self.taken}, owed {self.owed}, {len(self.differences)} differences"
        return f"seed {self.seed}: {states}; {person}; {money}; {events}; {self.seconds:.0f} s"


_EVENTS: Final = ("kill", "fault", "lost-replies", "outage", "clock", "card-fault")


def run_day(seed: int, orders: int, processes: int, server: str | None = None) -> Outcome:
    """Run one Black Friday, and compare the books.

    Args:
        seed: of the plan.
        orders: how many.
        processes: of the shop.
        server: the URL of a PostgreSQL server for journal and own vouchers; None for SQLite.
    """
    began = time.monotonic()
    plan = make_plan(seed, orders, processes)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voucher-gateway-blackfriday-")))
        if server is None:
            journal, own = f"sqlite:///{folder / 'journal.db'}", f"sqlite:///{folder / 'own.db'}"
        else:
            journal, own = make_databases(server, seed)
        places = stack.enter_context(open_places(journal, own))
        vouchers = places.issue(plan.vouchers)
        places.gateway().close()  # the tables are there before the processes are
        seen = Day(places, plan, vouchers, folder, processes).run()
        places.repair()
        places.lapse()
        with closing(places.gateway()) as gateway:
            night = _Night(Worker(places, gateway, vouchers), plan.orders)
            night.complete()
            waiting = night.look()
            decided = night.decide()
            left = night.look()
            audit = [difference.explanation for difference in gateway.verify_journal().differences]
        return Outcome(
            seed=seed,
            seen=seen,
            states=Counter(belief.state for belief in left.beliefs),
            waiting=waiting.reasons,
            decided=decided,
            left=left.reasons,
            taken=left.reality.taken,
            owed=owed(left.beliefs),
            differences=[*waiting.differences, *left.differences, *audit],
            seconds=time.monotonic() - began,
        )


@attrs.frozen
class _Look:
    """What an outsider sees at one moment, and what the shop believes then."""

    reality: Reality
    beliefs: Sequence[Belief]

    @property
    def reasons(self) -> list[str]:
        """Why payments wait for a person."""
        return [f"order {belief.order} ({belief.state}): {belief.attention}" for belief in self.beliefs if belief.waits]

    @property
    def differences(self) -> list[str]:
        """Everything that is wrong."""
        return list(find_differences(self.reality, self.beliefs))


@attrs.frozen
class _Night:
    """The shop's nightly run, when everything works again."""

    worker: Worker
    orders: Sequence[OrderPlan]

    def complete(self) -> None:
        """Recover and complete all orders, until nothing changes any more."""
        gateway, before = self.worker.gateway, None
        for _ in range(_ROUNDS):
            gateway.recover(everything=True, other=self.worker.places.processor.means(timeout_s=5))
            left = _unfinished(gateway)
            for plan in self.orders:
                if plan.number in left:
                    run_by_night(self.worker, plan, self.worker.card(plan))
            if left == before:
                return
            before = left

    def decide(self) -> int:
        """Let a person decide what waits, as far as the ledgers tell, and return how many operations that were."""
        decided = 0
        for _ in range(_ROUNDS):
            now = decide_by_ledgers(self.worker.gateway, self._reality())
            if not now:
                break
            decided += now
            self.complete()
        return decided

    def look(self) -> _Look:
        """Look at everything, when all reservations are over."""
        self.worker.places.lapse()
        return _Look(self._reality(), list_beliefs(self.worker.gateway))

    def _reality(self) -> Reality:
        places = self.worker.places
        return Reality(vouchers=self.worker.vouchers, ledger=places.ledger(), charges=places.processor.charges())


def _unfinished(gateway: Gateway) -> dict[str, str]:
    return {
        f"{record.order}": f"{record.id} {record.state} {record.attention}"
        for record in gateway.payments()
        if record.state not in ("captured", "cancelled") or record.attention is not None
    }


def list_beliefs(gateway: Gateway) -> list[Belief]:
    """Return what the shop believes of each payment."""
    return [_belief(gateway, record) for record in gateway.payments()]


def _belief(gateway: Gateway, record: Any) -> Belief:
    payment = gateway.find_payment(record.order, attempt=record.attempt)
    assert payment is not None
    legs: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    numbers = {}
    for leg in record.legs:
        numbers[leg.number] = leg.account, leg.voucher_id
        for sign, money in ((1, leg.taken), (-1, leg.returned)):
            legs[numbers[leg.number]] += sign * money.amount if money is not None else Decimal(0)
    given_back = Decimal(0)
    for refund in payment.refunds:
        for part in refund.parts:
            if part.state in (PartState.REFUNDED, PartState.REPLACED):
                given_back += part.amount.amount
            if part.state is PartState.REFUNDED and part.leg in numbers:
                legs[numbers[part.leg]] -= part.amount.amount
    return Belief(
        order=record.order,
        mark=payment_mark(record.id),
        attempt=record.attempt,
        state=str(record.state),
        attention=record.attention,
        total=record.total.amount,
        given_back=given_back,
        legs=dict(legs),
    )
