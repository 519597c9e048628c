"""Completes the recorded decisions of payments. It makes no decision."""

from __future__ import annotations

from typing import Final

from voucher_gateway.errors import OperationInProgress, PaymentShort, VoucherGatewayError
from voucher_gateway.payments.authorization import authorize_payment, complete_releases, is_authorization_begun
from voucher_gateway.payments.cancellation import continue_cancel
from voucher_gateway.payments.capture import continue_capture
from voucher_gateway.payments.means import OtherMeans
from voucher_gateway.payments.refunds.refund import continue_refunds
from voucher_gateway.payments.rows.records import PaymentRecord
from voucher_gateway.payments.rows.states import LegState, PaymentState
from voucher_gateway.payments.rows.store import PaymentStore
from voucher_gateway.payments.verbs import VoucherVerbs
from voucher_gateway.payments.work import PaymentWork, lock_order, start_work
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.payments")


def resume_payment(work: PaymentWork) -> None:
    """Continue what a worker of the payment began: an authorization, or a decision that is recorded.

    Raises:
        Exception: as `authorize_payment` and `capture_payment`.
    """
    is_released = any(leg.state is LegState.RELEASING for leg in work.record.legs)
    if is_authorization_begun(work) and not is_released:
        authorize_payment(work)
    else:
        complete_payment(work)


def complete_payment(work: PaymentWork) -> None:
    """Carry out the decision that is recorded of a payment, if there is one.

    Raises:
        Exception: as `capture_payment` and `continue_refunds`.
    """
    state = work.record.state
    if state is PaymentState.OPEN:
        complete_releases(work)
    elif state is PaymentState.CAPTURING:
        continue_capture(work)
    elif state is PaymentState.CANCELLING:
        continue_cancel(work)
    elif state is PaymentState.CAPTURED:
        continue_refunds(work)


def recover_payments(verbs: VoucherVerbs, store: PaymentStore, other: OtherMeans | None) -> list[PaymentRecord]:
    """Complete the recorded decisions of all payments, as far as that can be done now.

    Payments that a living worker has are left to it. Those that were removed from the journal since are over.

    Returns:
        the payments that were looked at, as they are now.
    """
    records: list[PaymentRecord] = []
    for payment_id in store.list_unfinished():
        known = store.get(payment_id)
        if known is None:
            continue
        try:
            with lock_order(store, known.order, wait=0.0):
                record = store.get(payment_id)
                if record is None:
                    continue
                with start_work(verbs, store, record, other) as work:
                    _complete_quietly(work)
                    records.append(work.record)
        except OperationInProgress:
            continue
    return records


def _complete_quietly(work: PaymentWork) -> None:
    """Complete a payment. What it waits for is in its attention.

    Raises:
        OperationInProgress: if another worker has taken it over.
    """
    try:
        complete_payment(work)
    except PaymentShort as error:
        log.warning("payment %s: %s", work.record.id, error.message)
    except VoucherGatewayError as error:
        log.warning("payment %s: is not complete: %s", work.record.id, type(error).__name__)
        if work.record.attention is None:  # so that the payment is found by whoever must correct it
            work.commit(attention=f"{type(error).__name__}: {error.message}")
    except Exception as error:  # noqa: BLE001 - whatever the shop's means raises; the other payments go on
        log.warning("payment %s: is not complete: the other means: %s", work.record.id, type(error).__name__)
