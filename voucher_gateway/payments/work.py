"""The work of one worker on one payment: its lock, its epoch, and its commits."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
from sqlalchemy.engine import Connection

from voucher_gateway.errors import ConfigurationError, OperationInProgress, VoucherGatewayError
from voucher_gateway.instants import now
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.fence import EpochFence, use_fence
from voucher_gateway.journal.pruned.pruned import PAYMENT, require_name_not_pruned
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.payments.means import OtherMeans
from voucher_gateway.payments.rows.events import KIND_OF_STATE, UNCOVERED, append_payment_event
from voucher_gateway.payments.rows.records import PaymentLeg, PaymentRecord
from voucher_gateway.payments.rows.refund_records import PaymentRefund
from voucher_gateway.payments.rows.store import EPOCH, EPOCH_READ, LegSeal, PaymentStore
from voucher_gateway.payments.rows.turns import Turns
from voucher_gateway.payments.verbs import VoucherVerbs
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S

if TYPE_CHECKING:
    from voucher_gateway.journal.journal import Journal

T = TypeVar("T")

LegChanges = Mapping[int, Mapping[str, Any]]
"""Changes of legs, by number and attribute."""

_MAX_THREADS: Final = 8


@attrs.frozen(kw_only=True)
class AddedLeg:
    """A leg that is new in a payment.

    Attributes:
        leg: the leg.
        fingerprint: the journal's fingerprint of its code.
        seal: its code and PIN, sealed.
    """

    leg: PaymentLeg
    fingerprint: str
    seal: LegSeal


class PaymentWork:
    """One worker on one payment, under the lock of its order. Each commit is one transaction.

    The first commit raises the payment's epoch. A request that is recorded before that, or after another worker has
    raised it again, is refused by the journal.

    Attributes:
        verbs: the gateway.
        store: the payments.
        other: the other means; None if the caller gave none.
        record: the payment, as it was committed last.
    """

    def __init__(
        self, verbs: VoucherVerbs, store: PaymentStore, record: PaymentRecord, other: OtherMeans | None
    ) -> None:
        self.verbs = verbs
        self.store = store
        self.other = other
        self.record = record
        self._epoch = record.epoch + 1
        self._guard = threading.Lock()

    @property
    def journal(self) -> Journal:
        """The journal of the gateway."""
        return require_journal(self.verbs)

    def commit(
        self,
        legs: LegChanges | None = None,
        *,
        added: AddedLeg | None = None,
        deleted: int | None = None,
        seals: LegChanges | None = None,
        erase: bool = False,
        following: PaymentRecord | None = None,
        **changes: Any,
    ) -> None:
        """Change the payment and its legs in one transaction, with an event of it.

        Args:
            legs: the changes of legs.
            added: a new leg.
            deleted: the number of a leg that is deleted.
            seals: the changes of the sealed texts and the fingerprints of legs.
            erase: whether to erase the codes and PINs.
            following: the order's next payment.
            changes: the changes of the payment, by attribute.

        Raises:
            OperationInProgress: if another worker has taken the payment over.
            DatabaseUnavailable: if it cannot be committed.
        """
        store, payment_id = self.store, self.record.id
        event = EventKind.PAYMENT_CHANGED if seals else None
        with self.transaction(legs, deleted=deleted, added=added, event=event, **changes) as connection:
            for number, values in (seals or {}).items():
                store.update_leg(connection, payment_id, number, values)
            if added is not None:
                store.insert_leg(connection, payment_id, added.leg, added.fingerprint, added.seal)
            if deleted is not None:
                store.delete_leg(connection, payment_id, deleted)
            if erase:
                store.erase_seals(connection, payment_id)
            if following is not None:
                store.insert(connection, following)
                append_payment_event(connection, self.journal.keys, EventKind.PAYMENT_OPENED, following.id)

    @contextmanager
    def transaction(
        self,
        legs: LegChanges | None = None,
        *,
        added: AddedLeg | None = None,
        deleted: int | None = None,
        event: EventKind | None = None,
        refund: PaymentRefund | None = None,
        **changes: Any,
    ) -> Iterator[Connection]:
        """Change the payment and its legs, and give the connection for what else belongs to the same transaction.

        Args:
            legs: the changes of legs.
            added: a leg that the caller inserts.
            deleted: the number of a leg that the caller deletes.
            event: what happened, if neither the state nor a column of the payment says so.
            refund: the refund that is changed; None if none is.
            changes: the changes of the payment, by attribute.

        Raises:
            OperationInProgress: if another worker has taken the payment over.
            DatabaseUnavailable: if it cannot be committed.
        """
        legs = legs or {}
        with self._guard:
            changes |= {"updated_at": now(), "epoch": self._epoch}
            # Nothing is sent before the first commit. A later one records what happened, however long that takes.
            is_first = self.record.epoch != self._epoch
            wait_s = seconds_within(BUSY_TIMEOUT_S) if is_first else BUSY_TIMEOUT_S
            with self.store.database.write(wait_s=wait_s) as connection:
                self.store.update(connection, self.record, changes)
                for number, values in legs.items():
                    if values:
                        self.store.update_leg(connection, self.record.id, number, values)
                yield connection
                self._append_event(connection, event, refund, changes, changes_legs=bool(legs or added or deleted))
            kept = [
                attrs.evolve(leg, **legs[leg.number]) if leg.number in legs else leg
                for leg in self.record.legs
                if leg.number != deleted
            ]
            present = (*kept, added.leg) if added is not None else tuple(kept)
            self.record = attrs.evolve(self.record, **changes, legs=present)

    def _append_event(
        self,
        connection: Connection,
        event: EventKind | None,
        refund: PaymentRefund | None,
        changes: Mapping[str, Any],
        *,
        changes_legs: bool,
    ) -> None:
        """Append what a transaction changed, unless it changed nothing that an auditor or a follower looks at."""
        state = changes.get("state", self.record.state)
        if state is not self.record.state:
            event = KIND_OF_STATE[state]
        elif event is None and (changes_legs or not changes.keys() <= UNCOVERED):
            event = EventKind.PAYMENT_CHANGED
        if event is not None:
            append_payment_event(connection, self.journal.keys, event, self.record.id, refund=refund)

    def take(self) -> None:
        """Raise the payment's epoch, if no commit of this worker has done that."""
        if self.record.epoch != self._epoch:
            self.commit()

    def confirm(self) -> None:
        """Check that no other worker has taken the payment over, before a call that the journal does not record.

        Raises:
            OperationInProgress: if one has.
        """
        self.take()
        with self.store.database.read() as connection:
            row = EPOCH_READ.first_row(connection, {"id": self.record.id})
        if row is None or row["epoch"] != self._epoch:
            raise OperationInProgress(f"another worker has taken over the payment of order {self.record.order!r:.200}")


@contextmanager
def lock_order(store: PaymentStore, order: str, *, wait: float) -> Iterator[None]:
    """Keep all other workers away from the payments of an order.

    Raises:
        OperationInProgress: if another worker has them after that time.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(store.database.locks.hold(f"payment:{order}", wait_s=wait))
        except OperationInProgress as error:
            error.args = (f"another worker works on the payment of order {order!r:.200}; try again",)
            raise
        yield


@contextmanager
def start_work(
    verbs: VoucherVerbs, store: PaymentStore, record: PaymentRecord, other: OtherMeans | None
) -> Iterator[PaymentWork]:
    """Give the work on a payment that was read under the lock of its order, with its fence.

    A payment that has its other means inside gets that of the configuration, where the caller gave none.
    """
    if other is None and record.has_other:
        other = verbs.other_means
    subject = f"payment of order {record.order!r:.200}"
    with use_fence(EpochFence(EPOCH, {"id": record.id}, record.epoch + 1, subject)):
        yield PaymentWork(verbs, store, record, other)


def run_side_by_side(legs: Sequence[PaymentLeg], call: Callable[[PaymentLeg], T]) -> dict[int, T | VoucherGatewayError]:
    """Run a call for each leg at the same time, and return what each returned, or its error, by number.

    An error that is not ours is raised when all calls have ended.
    """
    turns = Turns()

    def run(leg: PaymentLeg) -> T | VoucherGatewayError:
        try:
            with turns.take():
                return call(leg)
        except VoucherGatewayError as error:
            return error

    if len(legs) <= 1:
        return {leg.number: run(leg) for leg in legs}
    first, *rest = legs
    with ThreadPoolExecutor(max_workers=min(len(rest), _MAX_THREADS), thread_name_prefix="payment-leg") as pool:
        futures = {leg.number: pool.submit(contextvars.copy_context().run, run, leg) for leg in rest}
        results = {first.number: run(first)}
    return results | {number: future.result() for number, future in futures.items()}


def require_journal(verbs: VoucherVerbs) -> Journal:
    """Return the journal.

    Raises:
        ConfigurationError: if the gateway has none.
    """
    if verbs.journal is None:
        raise ConfigurationError("payments need a journal: name one in the configuration")
    return verbs.journal


def require_not_pruned(verbs: VoucherVerbs, store: PaymentStore, order: str) -> None:
    """Refuse an order whose payments were removed: a new payment would have the references and keys of the old one.

    Under the lock of the order no other worker can open or remove a payment of it between this and an insert: a payment
    of an order is removed only if it is old.

    Raises:
        ReferencePruned: if they were.
    """
    with store.database.read() as connection:
        require_name_not_pruned(connection, require_journal(verbs).keys, PAYMENT, order)
