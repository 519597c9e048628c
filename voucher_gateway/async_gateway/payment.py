"""`AsyncPayment`: the payment of an order for asyncio."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from voucher_gateway.async_gateway.methods import run_for_self, run_on_thread
from voucher_gateway.async_gateway.threads import CallThreads
from voucher_gateway.money import Money
from voucher_gateway.payments.payment import Payment
from voucher_gateway.payments.rows.records import PaymentLeg, PaymentRecord
from voucher_gateway.payments.rows.refund_records import PaymentRefund
from voucher_gateway.payments.rows.states import PaymentState


class AsyncPayment:
    """A `Payment` whose methods are awaited. `AsyncGateway.payment` returns it.

    A cancelled task does not undo its call: it ends on its thread. Await `refresh`, or the same method again.
    """

    def __init__(self, payment: Payment, threads: CallThreads) -> None:
        self._payment = payment
        self._threads = threads

    @classmethod
    def of_given(cls, payment: Payment | None, threads: CallThreads) -> Self | None:
        """Return the asynchronous form of a payment; None for None."""
        return None if payment is None else cls(payment, threads)

    def __repr__(self) -> str:
        return f"Async{self._payment!r}"

    @property
    def blocking(self) -> Payment:
        """The payment whose methods block."""
        return self._payment

    @property
    def threads(self) -> CallThreads:
        """The threads that run the calls."""
        return self._threads

    @property
    def record(self) -> PaymentRecord:
        """Everything that is recorded of the payment, as this object has read it last."""
        return self._payment.record

    @property
    def id(self) -> str:
        """The journal's id of the payment."""
        return self._payment.id

    @property
    def order(self) -> str:
        """The shop's order number."""
        return self._payment.order

    @property
    def attempt(self) -> int:
        """The number of the payment among those of its order, from 1. A changed order is paid by the next one."""
        return self._payment.attempt

    @property
    def total(self) -> Money:
        """What the order costs."""
        return self._payment.total

    @property
    def state(self) -> PaymentState:
        """The state of the payment."""
        return self._payment.state

    @property
    def attention(self) -> str | None:
        """Why a person or a look-up is needed; None if neither is."""
        return self._payment.attention

    @property
    def legs(self) -> tuple[PaymentLeg, ...]:
        """The vouchers of the payment, in the order in which they were added."""
        return self._payment.legs

    @property
    def due(self) -> Money:
        """What the vouchers do not pay: another means must. It grows if the payment is short."""
        return self._payment.due

    @property
    def short_by(self) -> Money:
        """How much is missing because a leg is lost; zero unless the payment is short."""
        return self._payment.short_by

    @property
    def captured(self) -> Money:
        """What is taken from the vouchers, and from other means inside, less what a cancellation gave back."""
        return self._payment.captured

    @property
    def authorized_until(self) -> datetime | None:
        """The earliest end of a reservation; None if nothing is reserved."""
        return self._payment.authorized_until

    async def read_refunds(self) -> tuple[PaymentRefund, ...]:
        """Return the refunds of the payment, as `Payment.refunds` does."""
        return await self._threads.run(lambda: self._payment.refunds)

    async def read_refundable(self) -> Money:
        """Return what is left to give back, as `Payment.refundable` does."""
        return await self._threads.run(lambda: self._payment.refundable)

    refresh = run_for_self(Payment.refresh)
    replacement = run_on_thread(Payment.replacement)
    add = run_on_thread(Payment.add)
    remove = run_on_thread(Payment.remove)
    authorize = run_on_thread(Payment.authorize)
    capture = run_on_thread(Payment.capture)
    cancel = run_on_thread(Payment.cancel)
    resume = run_on_thread(Payment.resume)
    reopen = run_on_thread(Payment.reopen)
    refund = run_on_thread(Payment.refund)
