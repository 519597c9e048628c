"""What may be true in the end: the vendor's ledger, the journal, and where the two may differ."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final, cast

import attrs

from tests.crash.vendors import Site
from tests.crash.verbs import REFERENCE, VERBS, Ledger, Prepared, Verb
from tests.crash.worker import PATIENCE_S, Job, at_work
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider_api import Declined, OutcomeUnknown
from voucher_gateway.reconcile import reconcile
from voucher_gateway.simulator import RunningSimulator, start

OVER_S: Final = 32 * 60
"""Longer than a reservation at JTL and the margin after it."""

MAY_STAY_UNKNOWN: Final = {
    "jtl/top_up": "a recharge that is not there may still arrive: nothing puts an end to the request",
    "jtl/refund": "no refund of ours is there, but refunds carry no reference: a person must decide",
    "ticketing/issue": "a voucher that is not there may still arrive",
    "ticketing/top_up": "a value that is not there may still arrive, or was overwritten since",
    "ticketing/redeem": "a value that is not there may still arrive, or was overwritten since",
    "ticketing/refund": "a value that is not there may still arrive, or was overwritten since",
}
"""Where the rules of the vendors cannot prove that something did not happen. What happened is always found."""

RESUMES_BY_REPEAT: Final = {
    "jtl/issue": "the id is ours: a repeat cannot make a second one",
    "jtl/activate": "the status was read first",
    "jtl/deactivate": "a repeat does no harm",
    "jtl/update": "a repeat does no harm",
    "jtl/delete": "a repeat does no harm",
    "ticketing/update": "a repeat reads the amount anew and does no more harm",
}
"""What is not there stays unknown as long as nobody but `recover` looks; the caller's repeat then does it."""

LAPSES: Final = {"jtl/capture": "the reservation is over by the time its absence is proved"}
"""What the caller's repeat cannot bring about any more."""


@attrs.frozen
class Scene:
    """One account at a simulator of its own, before one verb is called.

    Attributes:
        running: the vendor.
        site: the account.
        verb: the verb.
        prepared: what it needs.
        gateway: a gateway of this process on the same journal.
    """

    running: RunningSimulator
    site: Site
    verb: Verb
    prepared: Prepared
    gateway: Gateway

    def perform(self) -> Any:
        """Call the verb from this process."""
        return self.verb.perform(self.gateway, self.site.account, self.prepared)

    def times(self) -> Decimal:
        """How often it has happened, by the vendor's ledger."""
        return self.verb.times(self.prepared, ledger(self.running))

    def state(self) -> OperationState | None:
        """What the journal says of it."""
        entry = self.gateway.operation(self.site.account, self.verb.operation, REFERENCE)
        return None if entry is None else entry.state

    def wait_until_free(self) -> None:
        """Wait until the system has freed the lock of a dead worker: PostgreSQL takes a moment to hear of it."""
        journal, deadline = self.gateway.journal, time.monotonic() + PATIENCE_S
        entry = self.gateway.operation(self.site.account, self.verb.operation, REFERENCE)
        while journal is not None and entry is not None and journal.is_owner_alive(entry):
            assert time.monotonic() < deadline, "the lock of a dead worker is not freed"
            time.sleep(0.002)

    def retry(self) -> None:
        """Repeat the call as a shop does, until it succeeds, is declined, or waiting is no use any more."""
        for _ in range(3):
            try:
                self.perform()
            except OutcomeUnknown:
                self.running.clock.advance(OVER_S)
            except Declined:
                return
            else:
                return

    def recover(self) -> None:
        """Only look, now and when every reservation is over."""
        for _ in range(2):
            self.gateway.recover(account=self.site.account, everything=True)
            self.running.clock.advance(OVER_S)
        self.gateway.recover(account=self.site.account, everything=True)

    def check(self, *, repeated: bool, loud: bool = False) -> OperationState | None:
        """Make sure that it happened once or not at all, and that the journal says the same.

        Args:
            repeated: whether the caller has repeated the call, which brings it about where that is possible.
            loud: whether it was reported as changed by somebody else at the same time, which a person must decide.
        """
        times, state, name = self.times(), self.state(), self.verb.name
        seen = f"{name}: happened {times} times, and the journal says {state}"
        assert state is not OperationState.OPEN, seen
        if name == "jtl/reserve":  # it may be over by now, which leaves no trace
            assert times in (0, 1), seen
            assert state is OperationState.SUCCEEDED or (
                times == 0 and not repeated and state is not OperationState.UNKNOWN
            ), seen
            return state
        if name == "jtl/release":  # the journal alone remembers it
            assert times == 0, seen
            assert state is OperationState.SUCCEEDED or not repeated, seen
        elif times == 0:
            unproved = name in MAY_STAY_UNKNOWN or (name in RESUMES_BY_REPEAT and not repeated)
            unmoved = {None, OperationState.DECLINED, OperationState.NOT_EXECUTED} | (
                {OperationState.UNKNOWN} if unproved else set()
            )
            if repeated and name not in LAPSES:
                unmoved = {OperationState.UNKNOWN} if unproved else set()
            assert state in unmoved, seen
        else:
            assert times == 1, seen
            assert state is (OperationState.UNKNOWN if loud else OperationState.SUCCEEDED), seen
        # Reservations that nobody can capture any more lapse; the vendor's clock is known from its latest answer.
        self.running.clock.advance(OVER_S)
        self.gateway.provider(self.site.account).check()
        assert reconcile(self.gateway, self.site.account).differences == (), seen
        return state


def ledger(running: RunningSimulator) -> Ledger:
    """Return the vendor's ledger, with the batch of each voucher where the vendor keeps one."""
    dump = cast("dict[str, Any]", running.simulator.dump())
    batches = {one["id"]: one.get("batch") for one in dump["vouchers"]}
    return [{**one, "batch": batches[one["id"]]} for one in running.ledger()]


@contextmanager
def scene(verb: Verb, journal: Journal, url: str, account: str) -> Iterator[Scene]:
    """Start a simulator and prepare a verb there, under an account that no other scene of the journal has."""
    with start(verb.vendor) as running:
        site = Site(verb.vendor, dict(running.announcement), url, account)
        gateway = site.gateway(journal)
        try:
            yield Scene(running, site, verb, verb.prepare(gateway, account), gateway)
            assert running.crashes == []
        finally:
            gateway.provider(account).close()


def count_points(verb: str, journal: Journal, url: str, account: str) -> list[str]:
    """Return the points of a verb, from a process that is not struck at any."""
    with scene(VERBS[verb], journal, url, account) as one:
        with at_work(Job(one.site, verb, one.prepared)) as worker:
            over, came_to, passed = worker.heard()
            assert (over, came_to) == ("over", "succeeded")
            worker.let_end()
        one.check(repeated=True)
    return list(passed)
