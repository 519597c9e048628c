"""The payment of an order, as a shop uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from voucher_gateway.errors import PaymentConflict
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.masking import Code, Pin, hide_refused_arguments
from voucher_gateway.models.requests import require_no_secret
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.payments.authorization import authorize_payment, reopen_payment
from voucher_gateway.payments.cancellation import cancel_payment
from voucher_gateway.payments.capture import capture_payment
from voucher_gateway.payments.means import OtherMeans
from voucher_gateway.payments.offers import count_check, find_leg
from voucher_gateway.payments.plan import add_leg, check_limit, remove_leg, require_open
from voucher_gateway.payments.recovery import resume_payment
from voucher_gateway.payments.refunds.refund import refund_payment
from voucher_gateway.payments.refunds.refund_store import read_refunds
from voucher_gateway.payments.refunds.refundable import refundable_by_leg
from voucher_gateway.payments.refunds.replacement import read_replacement
from voucher_gateway.payments.rows.distribution import RefundShares, RefundStrategy, StrategyName, as_strategy
from voucher_gateway.payments.rows.records import Cancellation, PaymentLeg, PaymentRecord, sum_money
from voucher_gateway.payments.rows.refund_records import PaymentRefund, ReplacementRule
from voucher_gateway.payments.rows.states import LegState, PaymentState
from voucher_gateway.payments.rows.store import PaymentStore
from voucher_gateway.payments.verbs import VoucherVerbs
from voucher_gateway.payments.work import PaymentWork, lock_order, require_not_pruned, start_work


class Payment:
    """The payment of an order by several vouchers, and by another means such as a card. `Gateway.payment` returns it.

    It is a view of committed rows: each method takes the lock of the order, reads the rows, works, and then shows the
    new state. Any thread or process may have objects of the same payment.

    Every method raises `OperationInProgress` if another worker works on the payment, and `DatabaseUnavailable` if the
    database cannot be used.
    """

    def __init__(
        self, verbs: VoucherVerbs, store: PaymentStore, record: PaymentRecord, other: OtherMeans | None, wait: float
    ) -> None:
        """Make it for a payment that was read or inserted."""
        self._verbs = verbs
        self._store = store
        self._record = record
        self._other = other
        self._wait = wait

    def __repr__(self) -> str:
        record = self._record
        return f"Payment(order={record.order!r}, attempt={record.attempt}, state={record.state.value!r})"

    # --- facts ---

    @property
    def record(self) -> PaymentRecord:
        """Everything that is recorded of the payment, as this object has read it last."""
        return self._record

    @property
    def id(self) -> str:
        """The journal's id of the payment. The references of all its calls begin with it."""
        return self._record.id

    @property
    def order(self) -> str:
        """The shop's order number."""
        return self._record.order

    @property
    def attempt(self) -> int:
        """The number of the payment among those of its order, from 1. A changed order is paid by the next one."""
        return self._record.attempt

    @property
    def total(self) -> Money:
        """What the order costs."""
        return self._record.total

    @property
    def state(self) -> PaymentState:
        """The state of the payment."""
        return self._record.state

    @property
    def attention(self) -> str | None:
        """Why a person or a look-up is needed; None if neither is."""
        return self._record.attention

    @property
    def legs(self) -> tuple[PaymentLeg, ...]:
        """The vouchers of the payment, in the order in which they were added."""
        return tuple(leg for leg in self._record.legs if leg.state is not LegState.REMOVED)

    @property
    def due(self) -> Money:
        """What the vouchers do not pay: another means must. It grows if the payment is short."""
        return self._record.due

    @property
    def short_by(self) -> Money:
        """How much is missing because a leg is lost; zero unless the payment is short."""
        return self._record.short_by or Money.zero(self.total.currency)

    @property
    def captured(self) -> Money:
        """What is taken from the vouchers, and from other means inside, less what a cancellation gave back."""
        return self._record.captured

    @property
    def authorized_until(self) -> datetime | None:
        """The earliest end of a reservation; None if nothing is reserved. After it, `capture` reserves again."""
        return self._record.authorized_until

    def refresh(self) -> Payment:
        """Read the payment again, and return it.

        Raises:
            ReferencePruned: if its details were removed from the journal since.
        """
        self._record = self._read()
        return self

    # --- vouchers ---

    @hide_refused_arguments
    def add(
        self,
        code: str | Code,
        pin: str | Pin | None = None,
        *,
        limit: Money | None = None,
        account: str | None = None,
        caller: str | None = None,
        timeout: float | None = None,
    ) -> PaymentLeg:
        """Add a voucher, and share the total out again. Nothing moves; the vendor is asked what is left.

        A voucher that was added before is looked at again, and stays one leg.

        Args:
            code: the voucher's code, as a customer types it.
            pin: the PIN, if there is one.
            limit: the most to take of it; None for no limit, or for the limit that was given before.
            account: the account to ask; None to ask every account whose `code_pattern` matches the code.
            caller: who typed the code, such as the client's IP address, to count it as `Gateway.check` does; None if
                it need not be counted.
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Returns:
            the leg: its account, what is left, until when, and how much it pays.

        Raises:
            TooManyChecks: if `caller`, or all callers together, tried too many codes that cannot be used.
            VoucherNotFound: if no account knows the code.
            ProviderUnavailable: if it was not found, and an account that may have it could not be asked.
            InvalidRequest: if several accounts have it: name one. Or if the order contains the code or the PIN.
            VoucherInactive, VoucherExpired, CurrencyMismatch, InsufficientValue: if it cannot pay.
            UnsupportedOperation: if vouchers of its account cannot be spent.
            ConfigurationError: if the configuration does not have `account`.
            PaymentConflict: if the payment is not open.
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        check_limit(limit, self._record)
        require_open(self._record)
        currency = self.total.currency
        with use_call_deadline(timeout):
            with count_check(self._verbs, caller) as attempt:
                leg = find_leg(self._verbs, attempt, code, pin, account=account, order=self.order, currency=currency)
            require_no_secret(self.order, "order", code, pin)
            with self._work() as work:
                return add_leg(work, leg, pin, limit)

    def remove(self, leg: PaymentLeg | int) -> None:
        """Remove a voucher, and share the total out again.

        Args:
            leg: the leg, or its number.

        Raises:
            InvalidRequest: if the payment has no such leg.
            PaymentConflict: if the payment is not open.
        """
        with self._work() as work:
            remove_leg(work, leg if isinstance(leg, int) else leg.number)

    # --- authorize, capture, cancel ---

    def authorize(self, *, timeout: float | None = None) -> None:
        """Hold what can be held, check the rest, and authorize the other means if it is inside: all or nothing.

        A leg is ``held`` then, which the vendor guarantees until `PaymentLeg.held_until`, or ``checked``, if the vendor
        cannot reserve. A repeated call goes on where the one before stopped, and does nothing twice.

        Args:
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            PaymentDeclined: if a leg or the other means cannot be used; `leg` and `cause` say which and why. The others
                are released, and the payment is open.
            PaymentConflict: if the payment is short or cancelled. If it is captured already, nothing happens.
            Exception: what the other means raised, if it is not known whether it was authorized. Call it again.
        """
        with self._work(timeout) as work:
            authorize_payment(work)

    def reopen(self, *, timeout: float | None = None) -> None:
        """Give an authorization up, so that vouchers can be added and removed again.

        What is held is released, and the other means is voided if it is inside. The vouchers stay in the payment. Call
        it when the customer comes back from the page of the card to change the vouchers. In an open payment it does
        nothing.

        Args:
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            PaymentConflict: if it is decided to capture or to cancel, or the payment is over.
            Exception: if something is not given up yet. The next call of any method goes on with that.
        """
        with self._work(timeout) as work:
            reopen_payment(work)

    def capture(self, *, due: Money | None = None, timeout: float | None = None) -> None:
        """Take everything. The decision is committed first: from then on it goes forward only.

        A repeated call goes on where the one before stopped, and so do `resume` and `Gateway.recover`.

        Args:
            due: what other means pay, which must be equal to `Payment.due`. It is needed if the payment is short: it
                says that other means pay what is missing.
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            PaymentShort: if a leg is lost. Capture again with the new `Payment.due`, or cancel.
            PaymentConflict: if the payment is not authorized.
            InvalidRequest: if another amount is due.
            NotExecuted: if a vendor could not be reached. Resume the payment later.
            OutcomeUnknown: if it is not known whether a leg was taken. Resume the payment later.
            Exception: what the other means raised, if it is not known whether it was captured. Resume it later.
        """
        with self._work(timeout) as work:
            capture_payment(work, due)

    def cancel(
        self, *, accept_loss: bool = False, replace: ReplacementRule | None = None, timeout: float | None = None
    ) -> Cancellation:
        """Give everything back: release what is held, refund what is taken. The decision is committed first.

        A repeated call goes on where the one before stopped, and so do `resume` and `Gateway.recover`.

        Args:
            accept_loss: whether to end the payment although a leg surely cannot be given back, for example because its
                voucher was deleted.
            replace: where a new voucher is issued for such a leg; None for nowhere. `refunds` then has a refund with
                the new voucher, and `replacement` returns it.
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Returns:
            what was given back, and when reserved value is free again. If it is not complete, `attention` says why.

        Raises:
            UnsupportedOperation: if the account of `replace` issues no vouchers.
            ConfigurationError: if the configuration does not have that account.
        """
        with self._work(timeout) as work:
            return cancel_payment(work, accept_loss=accept_loss, replace=replace)

    # --- refunds ---

    @property
    def refunds(self) -> tuple[PaymentRefund, ...]:
        """The refunds of the payment, the oldest first, as they are recorded now."""
        return read_refunds(self._store, self._record)

    @property
    def refundable(self) -> Money:
        """What can still be given back of the payment: by its vouchers, and by its other means; zero if not captured.

        Raises:
            ConfigurationError: if the account of a voucher is not configured any more.
        """
        if self.state is not PaymentState.CAPTURED:
            return Money.zero(self.total.currency)
        left = refundable_by_leg(self._verbs, self._record, self.refunds)
        return sum_money(left.values(), self.total.currency)

    def refund(
        self,
        money: Money | None = None,
        *,
        reference: str,
        strategy: RefundStrategy | StrategyName | RefundShares = RefundStrategy.PROPORTIONAL,
        replace: ReplacementRule | None = None,
        timeout: float | None = None,
    ) -> PaymentRefund:
        """Give an amount of a captured payment back. Its parts are committed first, and then given back.

        A repeated call under the same reference goes on where the one before stopped, and so do `resume` and
        `Gateway.recover`. A part that surely cannot be given back, because its voucher has expired, is deleted or is
        deactivated, is ``not_possible`` in the result, with the reason.

        Args:
            money: how much; None for all that is left, or for the sum of a mapping.
            reference: the name of this refund, which is different for each refund of the payment.
            strategy: ``proportional``, ``vouchers-first`` or ``other-first``; or what each leg gives back, by its
                number, and the other means by ``"other"``.
            replace: where a new voucher is issued for a leg that cannot be given back; None for nowhere.
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Returns:
            what each leg gives back. What `PaymentRefund.other` says is given back by the other means: by the payment
            itself if that is inside it, otherwise by the shop.

        Raises:
            PaymentConflict: if the payment is not captured.
            ReferenceConflict: if the reference stands for another refund of the payment.
            AmountOutOfRange: if less is left to give back.
            AlreadyRefunded: if nothing is left.
            InvalidRequest: if a mapping does not fit.
            NotExecuted: if a vendor could not be reached. Make the same call later.
            OutcomeUnknown: if it is not known whether a part was given back. Make the same call later.
            Exception: what the other means raised, if it is not known whether it gave its part back.
        """
        chosen = as_strategy(strategy)
        with self._work(timeout) as work:
            return refund_payment(work, money, reference=reference, strategy=chosen, replace=replace)

    def replacement(self, reference: str, leg: int) -> Voucher:
        """Return the voucher that a refund issued instead of giving a leg back, with its code. Nothing is sent.

        Args:
            reference: the name of the refund.
            leg: the number of the leg.

        Raises:
            InvalidRequest: if the refund issued none for this leg.
        """
        with self._work() as work:
            return read_replacement(work, reference, leg)

    def resume(self, *, timeout: float | None = None) -> None:
        """Continue what another call or process began: an authorization, a capture, a cancellation or a refund.

        Args:
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            Exception: as `authorize` and `capture`.
        """
        with self._work(timeout) as work:
            resume_payment(work)

    @contextmanager
    def _work(self, timeout: float | None = None) -> Iterator[PaymentWork]:
        with use_call_deadline(timeout), lock_order(self._store, self.order, wait=self._wait):
            record = self._read()
            with start_work(self._verbs, self._store, record, self._other) as work:
                try:
                    yield work
                finally:
                    self._record = work.record

    def _read(self) -> PaymentRecord:
        record = self._store.get(self._record.id)
        if record is None:
            require_not_pruned(self._verbs, self._store, self.order)
            raise PaymentConflict("the payment is not in this database")
        return record
