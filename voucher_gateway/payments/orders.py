"""Opens and finds the payments of orders."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from voucher_gateway.errors import InvalidRequest, PaymentConflict
from voucher_gateway.instants import now
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import new_id
from voucher_gateway.journal.keys.sealer import require_cryptography
from voucher_gateway.limits.call_deadline import check_wait, seconds_within
from voucher_gateway.models.requests import nfc, require_name
from voucher_gateway.money import Money, positive
from voucher_gateway.payments.allocation import AllocationName, AllocationOrder
from voucher_gateway.payments.cancellation import continue_cancel, decide_to_cancel
from voucher_gateway.payments.means import OtherMeans
from voucher_gateway.payments.payment import Payment
from voucher_gateway.payments.recovery import recover_payments
from voucher_gateway.payments.rows.events import append_payment_event
from voucher_gateway.payments.rows.records import PaymentRecord
from voucher_gateway.payments.rows.schema import payments
from voucher_gateway.payments.rows.states import PaymentState
from voucher_gateway.payments.rows.store import PaymentStore
from voucher_gateway.payments.verbs import VoucherVerbs
from voucher_gateway.payments.work import lock_order, require_journal, require_not_pruned, start_work
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S
from voucher_gateway.storage.engine import Database

log: Final = get_logger("voucher_gateway.payments")

_REPLACEABLE: Final = (PaymentState.OPEN, PaymentState.AUTHORIZED)
"""The states in which nothing is taken, and nothing is being taken."""


def open_payment(
    verbs: VoucherVerbs,
    order: str,
    total: Money,
    *,
    allocation: AllocationOrder | AllocationName,
    other: OtherMeans | None,
    renew: bool,
    wait: float,
) -> Payment:
    """Return the payment of an order, and open it if the order has none; see `Gateway.payment`.

    Raises:
        PaymentConflict: if there is one of another total that cannot be replaced.
        ReferencePruned: if the order had a payment whose details were removed.
        InvalidRequest: if an argument is wrong.
        ConfigurationError: if the gateway has no journal, or the package for encryption is missing.
    """
    order, total, wait = _parse_order(order), positive(total, field="total"), check_wait(wait)
    _check_allocation(allocation)
    store = open_store(verbs)
    record = store.find(order)
    if record is None or not _is_same(record, total, renew):
        with lock_order(store, order, wait=wait):
            record = store.find(order)
            if record is None:
                require_not_pruned(verbs, store, order)
                require_cryptography()
                record = _insert(verbs, store, _new_record(verbs, order, 1, total, allocation))
            elif not _is_same(record, total, renew):
                following = _new_record(verbs, order, record.attempt + 1, total, allocation)
                record = _replace(verbs, store, record, following, other, renew=renew)
    return Payment(verbs, store, record, other, wait)


def find_payment(
    verbs: VoucherVerbs, order: str, *, attempt: int | None, other: OtherMeans | None, wait: float
) -> Payment | None:
    """Return a payment of an order; None if the order has none; see `Gateway.find_payment`.

    Raises:
        ReferencePruned: if the order had one whose details were removed.
    """
    order, wait = _parse_order(order), check_wait(wait)
    store = open_store(verbs)
    record = store.find(order, attempt)
    if record is None:
        require_not_pruned(verbs, store, order)
        return None
    return Payment(verbs, store, record, other, wait)


def open_store(verbs: VoucherVerbs) -> PaymentStore:
    """Return the payments in the database of the gateway's journal.

    Raises:
        ConfigurationError: if the gateway has no journal.
    """
    store = PaymentStore(require_journal(verbs).database)
    for account in verbs.loaded_accounts:
        for former in account.former_names or ():
            store.rename_account(former, account.name)
    return store


def recover_if_used(verbs: VoucherVerbs, other: OtherMeans | None) -> list[PaymentRecord]:
    """Complete the recorded decisions of all payments, if the database has ever had payments; see `Gateway.recover`."""
    return recover_payments(verbs, open_store(verbs), other) if has_payments(require_journal(verbs).database) else []


def list_accounts_to_recover(verbs: VoucherVerbs) -> set[str]:
    """Return the names of the accounts of all legs that `recover_if_used` may have to call."""
    database = require_journal(verbs).database
    if not has_payments(database):
        return set()
    store = PaymentStore(database)
    records = filter(None, map(store.get, store.list_unfinished()))
    return {leg.account for record in records for leg in record.legs}


def has_payments(database: Database) -> bool:
    """Whether a database has the tables of payments."""
    with database.read() as connection:
        return sa.inspect(connection).has_table(payments.name)


def waiting_payments(verbs: VoucherVerbs) -> list[PaymentRecord]:
    """Return the payments with a decision that is not carried out, or that need attention, the oldest first."""
    if not has_payments(require_journal(verbs).database):
        return []
    store = open_store(verbs)
    unfinished = filter(None, map(store.get, store.list_unfinished()))
    records = [*unfinished, *store.iterate(needs_attention=True)]
    return sorted({record.id: record for record in records}.values(), key=_id_of)


def _id_of(record: PaymentRecord) -> str:
    return record.id


def _parse_order(order: str) -> str:
    """Return an order number as it is stored, if the calls of a payment can have it."""
    order = nfc(order)
    require_name(order, "order")
    return order


def _check_allocation(allocation: str) -> None:
    names = [order.value for order in AllocationOrder]
    if allocation not in names:
        rule = f"one of {', '.join(names)}"
        raise InvalidRequest(f"allocation must be {rule}", field="allocation", rule=rule)


def _is_same(record: PaymentRecord, total: Money, renew: bool) -> bool:
    """Whether a payment is the one that a caller asks for."""
    return record.total == total and not (renew and record.state is PaymentState.CANCELLED)


def _new_record(verbs: VoucherVerbs, order: str, attempt: int, total: Money, allocation: str) -> PaymentRecord:
    at = now()
    return PaymentRecord(
        id=new_id(require_journal(verbs).keys.mark("payment", order, str(attempt))),
        order=order,
        attempt=attempt,
        total=total,
        allocation=allocation,
        created_at=at,
        updated_at=at,
    )


def _insert(verbs: VoucherVerbs, store: PaymentStore, record: PaymentRecord) -> PaymentRecord:
    with store.database.write(wait_s=seconds_within(BUSY_TIMEOUT_S)) as connection:
        store.insert(connection, record)
        append_payment_event(connection, require_journal(verbs).keys, EventKind.PAYMENT_OPENED, record.id)
    log.info("payment %s: opened", record.id)
    return record


def _replace(
    verbs: VoucherVerbs,
    store: PaymentStore,
    record: PaymentRecord,
    following: PaymentRecord,
    other: OtherMeans | None,
    *,
    renew: bool,
) -> PaymentRecord:
    """Open the next payment of an order. The one before is cancelled, if nothing of it is taken.

    Raises:
        PaymentConflict: if that cannot be.
    """
    if record.state is PaymentState.CANCELLED and renew:
        return _insert(verbs, store, following)
    if record.state not in _REPLACEABLE:
        advice = "pass renew=True to open another" if record.state is PaymentState.CANCELLED else "cancel it first"
        raise PaymentConflict(
            f"the order has a payment of {record.total} that is {record.state}, and {following.total} was asked for:"
            f" {advice}"
        )
    with start_work(verbs, store, record, other) as work:
        decide_to_cancel(work, following=following)
        log.info("payment %s: replaced by payment %s of another total", record.id, following.id)
        if work.record.state is not PaymentState.CANCELLED:
            continue_cancel(work)
    return following
