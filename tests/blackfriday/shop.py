"""The checkout of the shop on a Black Friday: what one worker does with one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs

from docs.examples.card_processor.client import CardMeans, CardUnknown, CustomerMustConfirm
from tests.blackfriday.places import CURRENCY, IssuedVoucher, Places
from tests.blackfriday.plan import OrderPlan
from voucher_gateway import (
    Declined,
    Gateway,
    InvalidRequest,
    Money,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    PaymentConflict,
    PaymentDeclined,
    PaymentShort,
    VoucherGatewayError,
)
from voucher_gateway.errors import ConcurrentModification, TooManyChecks
from voucher_gateway.payments.rows.references import payment_mark
from voucher_gateway.payments.rows.states import OTHER, PaymentState

WAIT_S: Final = 3.0
CARD_PATIENCE_S: Final = 1.0

FOR_NOW: Final = (NotExecuted, OutcomeUnknown, ConcurrentModification, OperationInProgress, CardUnknown)
"""What may be over soon, so that the shop tries again later."""


@attrs.frozen
class Worker:
    """A worker of the shop, with its own gateway.

    Attributes:
        places: the vendors and the card.
        gateway: the worker's.
        vouchers: the vouchers of all customers, by number.
    """

    places: Places
    gateway: Gateway
    vouchers: Sequence[IssuedVoucher]

    def card(self, plan: OrderPlan) -> CardMeans:
        """Return the card of an order."""
        return self.places.processor.means(plan.card, at_once=plan.at_once, timeout_s=CARD_PATIENCE_S)

    def serve(self, plan: OrderPlan, means: Any, *, second: bool = False) -> str:
        """Do what the customer of an order does, and return how it went.

        Args:
            plan: the order.
            means: the order's card.
            second: whether this is the other of two workers that have the order.
        """
        self._guess(plan)
        try:
            if second and plan.path == "race-cancel":
                return self._cancel(plan, means)
            return self._check_out(plan, means)
        except FOR_NOW as error:
            return f"later: {type(error).__name__}"
        except (PaymentConflict, Declined, InvalidRequest) as error:
            return f"refused: {type(error).__name__}"

    def _guess(self, plan: OrderPlan) -> None:
        for number in range(plan.guesses):
            with suppress(TooManyChecks, Declined, *FOR_NOW):
                self.gateway.check(f"SHOP-WRONG-{number}", caller=f"203.0.113.{int(plan.number) % 250}")

    def _payment(self, plan: OrderPlan, means: Any, total: Money) -> Any:
        return self.gateway.payment(plan.number, total=total, allocation=plan.allocation, other=means, wait=WAIT_S)

    def _cancel(self, plan: OrderPlan, means: Any) -> str:
        payment = self.gateway.find_payment(plan.number, other=means, wait=WAIT_S)
        if payment is None:
            return "nothing to cancel"
        payment.cancel()
        return "cancelled"

    def _check_out(self, plan: OrderPlan, means: Any) -> str:
        payment = self._payment(plan, means, Money(plan.total, CURRENCY))
        self._add(plan, payment)
        if plan.path == "abandon-open":
            return "left"
        if not self.authorize(plan, payment):
            payment.cancel()
            return "declined"
        if plan.path == "abandon-authorized":
            return "left"
        if plan.path == "cancel-authorized":
            payment.cancel()
            return "cancelled"
        if plan.path == "change-cart":
            payment = self._payment(plan, means, Money(plan.changed_total, CURRENCY))
            self._add(plan, payment)
            if not self.authorize(plan, payment):
                payment.cancel()
                return "declined"
        self._capture(plan, payment)
        if payment.state is not PaymentState.CAPTURED:
            return str(payment.state)
        if plan.path == "cancel-captured":
            payment.cancel()
            return "cancelled"
        for number, (amount, strategy) in enumerate(plan.returns, 1):
            payment.refund(Money(amount, CURRENCY), reference=f"return-{number}", strategy=strategy)
        return "captured"

    def _add(self, plan: OrderPlan, payment: Any) -> None:
        if payment.state is not PaymentState.OPEN:
            return  # the other worker, or the one before a crash, has done that
        for number, limit in plan.vouchers:
            voucher = self.vouchers[number]
            with suppress(Declined, NotExecuted, InvalidRequest):  # the customer pays without this one
                payment.add(voucher.code, limit=None if limit is None else Money(limit, CURRENCY))

    def authorize(self, plan: OrderPlan, payment: Any) -> bool:
        """Authorize, without the vouchers that cannot be had; return whether the payment stands."""
        for _ in range(len(plan.vouchers) + 3):
            try:
                payment.authorize()
            except PaymentDeclined as error:
                if error.leg == OTHER:
                    return False
                payment.remove(error.leg)
            except CustomerMustConfirm:
                self.confirm(payment)
            else:
                return True
        return False

    def confirm(self, payment: Any) -> None:
        """Confirm at the bank what waits for that, as the customer does."""
        for charge in self.places.processor.charges():
            if str(charge["key"]).startswith(payment_mark(payment.id)) and charge["status"] == "pending":
                self.places.processor.confirm(str(charge["key"]))

    def _capture(self, plan: OrderPlan, payment: Any) -> None:
        try:
            repeat(payment.capture, payment.resume)
        except PaymentShort:
            self.pay_short(plan, payment)

    def pay_short(self, plan: OrderPlan, payment: Any) -> None:
        """Let the customer pay what a lost voucher leaves open, or give up."""
        if plan.pays_short:
            with suppress(PaymentShort):
                try:
                    payment.capture(due=payment.due)
                except CustomerMustConfirm:
                    self.confirm(payment)
                    payment.resume()
        if payment.state is PaymentState.SHORT:
            payment.cancel()


def repeat(call: Callable[[], object], resume: Callable[[], object], times: int = 2) -> None:
    """Make a call, and go on with it where something went wrong that may be over soon."""
    for _ in range(times):
        try:
            call()
        except (NotExecuted, OutcomeUnknown, CardUnknown):
            call = resume
        else:
            return
    call()


def run_by_night(worker: Worker, plan: OrderPlan, means: Any) -> str:
    """Complete one order when everything works again, as the shop's nightly run does; return the payment's state."""
    payment = worker.gateway.find_payment(plan.number, other=means, wait=WAIT_S)
    if payment is None:
        return "no payment"
    try:
        if payment.state in (PaymentState.OPEN, PaymentState.AUTHORIZED):
            if plan.abandoned or plan.path == "race-cancel" or not worker.authorize(plan, payment):
                payment.cancel()
            else:
                payment.capture()
        elif payment.state is PaymentState.SHORT:
            worker.pay_short(plan, payment)
        elif payment.state in (PaymentState.CAPTURING, PaymentState.CANCELLING):
            worker.confirm(payment)
            payment.resume()
    except PaymentShort:
        worker.pay_short(plan, payment)
    except (VoucherGatewayError, CardUnknown, CustomerMustConfirm) as error:
        return f"{payment.state}: {type(error).__name__}"
    return str(payment.state)
