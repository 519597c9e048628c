"""A sale of one voucher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Self

from voucher_gateway.errors import (
    DatabaseUnavailable,
    InvalidRequest,
    OperationInProgress,
    SaleConflict,
    VoucherGatewayError,
)
from voucher_gateway.instants import format_micros, now
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.masking import Code, Pin
from voucher_gateway.money import Money
from voucher_gateway.sales.codes import SaleCodes
from voucher_gateway.sales.records import (
    DECIDED,
    STOPPED,
    Revocation,
    RevocationMethod,
    SaleRecord,
    SaleRow,
    SaleState,
)
from voucher_gateway.sales.store import SaleStore
from voucher_gateway.sales.verbs import SaleVerbs, SellingAccount
from voucher_gateway.sales.work import CODE_LOST, SaleWork

_SPENDABLE = (SaleState.FULFILLED, SaleState.DELIVERED)
_WAITING = (SaleState.OPEN, *DECIDED)
"""The states of a sale that a failed call leaves waiting."""
_GONE = "the vendor does not have the voucher any more, so what was spent of it is not known"


class Sale:
    """A sale of one voucher, from `Gateway.sale` or `Gateway.find_sale`.

    Its state is in the journal's database, and each step is committed by itself. Threads and processes may have
    objects of one sale: each method reads the sale first, and one worker at a time changes it.

    Every method that changes the sale raises `OperationInProgress` if another worker has it, and the errors of the
    calls that it makes. `attention` then says why the sale waits. The same method, or `resume`, goes on with it.
    """

    def __init__(self, verbs: SaleVerbs, store: SaleStore, codes: SaleCodes, row: SaleRow, *, wait: float) -> None:
        self._verbs = verbs
        self._store = store
        self._codes = codes
        self._row = row
        self._wait = wait

    def __repr__(self) -> str:
        return f"<Sale {self.name!r} {self.state.value}>"

    # --- what it is ---

    @property
    def name(self) -> str:
        """Its name."""
        return self._row.name

    @property
    def account(self) -> str:
        """The name of the account that issues the voucher."""
        return self._row.account

    @property
    def order(self) -> str:
        """The shop's order number."""
        return self._row.order_number

    @property
    def initial(self) -> Money:
        """The value of the voucher."""
        return self._row.initial

    @property
    def state(self) -> SaleState:
        """How far it is, when it was read last; `refresh` reads it again."""
        return self._row.state

    @property
    def attention(self) -> str | None:
        """Why a person or a look-up is needed; None if neither is."""
        return self._row.attention

    @property
    def voucher_id(self) -> str | None:
        """The vendor's id of the voucher; None before it exists."""
        return self._row.voucher_id

    @property
    def revocation(self) -> Revocation | None:
        """How it was revoked; None if it is not."""
        return self._row.revocation()

    @property
    def delivered_at(self) -> datetime | None:
        """When `delivered` was called; None before."""
        return self.record.delivered_at

    @property
    def record(self) -> SaleRecord:
        """Everything that the database has of it, without its code and its PIN."""
        return self._row.record()

    @property
    def code(self) -> Code:
        """The voucher's code. Any process can read it until `delivered` is called.

        Raises:
            SaleConflict: if the voucher does not exist yet, or its code was delivered.
        """
        row = self._require_undelivered("code")
        code = self._codes.code_of(row, self._account())
        if code is None and row.has_own_code:
            return self._codes.require_code(row, self._account())
        if code is None:
            raise SaleConflict(CODE_LOST, account=row.account)
        return code

    @property
    def pin(self) -> Pin | None:
        """The voucher's PIN, as `code`; None if it has none."""
        return self._codes.pin_of(self._require_undelivered("PIN"))

    def refresh(self) -> Self:
        """Read the sale again, and return it.

        Raises:
            ReferencePruned: if its details were removed from the journal since.
        """
        self._row = self._store.read_again(self.name)
        return self

    # --- what is done with it ---

    def prepare(self, *, timeout: float | None = None) -> Self:
        """Issue the voucher, inactive. Where the vendor cannot, nothing is sent, and `fulfil` issues it.

        Nothing of it can be spent before `fulfil`. If it was done before, nothing is sent.

        Args:
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            SaleConflict: if the sale is revoked.
        """
        self.refresh()._require_not_revoked()
        if self.state is SaleState.OPEN:
            with self._work(timeout) as work:
                self._row = work.row
                self._require_not_revoked()
                if work.row.state is SaleState.OPEN:
                    if work.row.inactive:
                        work.issue()
                    work.update(state=SaleState.PREPARED, attention=self._code_loss(work.row))
        return self

    def fulfil(self, *, timeout: float | None = None) -> Self:
        """Make the voucher spendable, once. Call it after the payment.

        The decision is committed first. From then on `fulfil`, `resume` and `Gateway.recover` go on until it is done.

        Args:
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            SaleConflict: if the sale is revoked; `restore` takes that back.
        """
        self.refresh()._require_not_revoked()
        if self.state not in _SPENDABLE:
            with self._work(timeout) as work:
                self._row = work.row
                self._require_not_revoked()
                if work.row.state in (SaleState.OPEN, SaleState.PREPARED):
                    work.update(state=SaleState.FULFILLING, paid_at=format_micros(now()))
                self._complete(work)
        return self

    def delivered(self) -> Self:
        """Record that the buyer, or the printer, has the code and the PIN. They are erased here.

        Raises:
            SaleConflict: if the voucher does not exist yet, or the sale is being revoked.
        """
        if self.refresh().delivered_at is None:
            with self._work() as work:
                row = work.row
                if row.voucher_id is None or row.state not in (SaleState.PREPARED, *_SPENDABLE):
                    raise self._conflict("has no code that could be delivered")
                if row.delivered_at is None:
                    state = SaleState.PREPARED if row.state is SaleState.PREPARED else SaleState.DELIVERED
                    work.update(state=state, delivered_at=format_micros(now()), sealed_code=None, sealed_pin=None)
        return self

    def revoke(self, reason: str, *, timeout: float | None = None) -> Revocation:
        """Stop the voucher from being spent, and return what was spent until then. Call it when the payment is revoked.

        The vendor deactivates the voucher, and what is left on it is frozen. A vendor that cannot do that has an
        emulation for it, or what is left is taken. The decision is committed first, as in `fulfil`.

        Args:
            reason: why, for people. It is stored in plain text: never put a code or a PIN into it. If the sale is
                revoked already, the first reason stays.
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            UnsupportedOperation: if the account can neither deactivate nor redeem. Nothing is committed then.
        """
        if not reason.strip():
            raise InvalidRequest("a revocation needs a reason", field="reason", rule="not empty")
        if self.refresh().state is not SaleState.REVOKED:
            with self._work(timeout) as work:
                if work.row.state is not SaleState.REVOKED:
                    if work.row.state is not SaleState.REVOKING:
                        if work.may_be_issued():
                            work.require_stoppable()
                        work.update(state=SaleState.REVOKING, stops=work.row.stops + 1, reason=reason.strip())
                    self._complete(work)
        revocation = self.revocation
        assert revocation is not None
        return revocation

    def restore(self, *, timeout: float | None = None) -> Self:
        """Take a revocation back: make the voucher spendable again, such as after a chargeback that the shop won.

        What was frozen or taken is spendable again, and what its owner had spent stays spent. The decision is committed
        first, as in `fulfil`.

        Args:
            timeout: how long this call may take in all, in seconds; None for no such limit.

        Raises:
            SaleConflict: if the sale is not revoked.
            UnsupportedOperation: if the vendor cannot take it back. Nothing is committed then.
        """
        self.refresh()
        with self._work(timeout) as work:
            row = work.row
            if row.state is SaleState.REVOKED and row.method is not None:
                work.require_restorable(RevocationMethod(row.method))
                work.update(
                    state=SaleState.FULFILLING,
                    generation=row.generation + 1,
                    paid_at=row.paid_at or format_micros(now()),
                )
            elif row.generation == 1 or row.state not in (SaleState.FULFILLING, *_SPENDABLE):
                raise self._conflict("is not revoked")
            self._complete(work)
        return self

    def resume(self, *, timeout: float | None = None) -> Self:
        """Go on with a decision that is committed and not carried out yet. Without one, nothing is done.

        If a call that makes the voucher spendable was lost before the revocation, look whether it has arrived since.

        Args:
            timeout: how long this call may take in all, in seconds; None for no such limit.
        """
        with self._work(timeout) as work:
            self._complete(work)
        return self

    # --- helpers ---

    def _complete(self, work: SaleWork) -> None:
        if work.row.state is SaleState.FULFILLING:
            work.make_spendable()
            row = work.row
            state = SaleState.FULFILLED if row.delivered_at is None else SaleState.DELIVERED
            work.update(state=state, attention=self._code_loss(row), **_WITHOUT_REVOCATION)
        elif work.row.state is SaleState.REVOKING:
            self._complete_revocation(work)
        elif work.row.state is SaleState.REVOKED and work.row.watch_until is not None:
            self._look_again(work)

    def _look_again(self, work: SaleWork) -> None:
        """Stop a voucher once more if a lost call has made it spendable again."""
        is_over = work.row.watch_until is not None and work.row.watch_until <= format_micros(now())
        if not work.is_stopped():
            work.update(state=SaleState.REVOKING, stops=work.row.stops + 1)
            self._complete_revocation(work)
        elif is_over:
            work.update(watch_until=None, attention=None)

    def _complete_revocation(self, work: SaleWork) -> None:
        initial = work.row.initial
        method, left, spent, doubt = RevocationMethod.NOT_ISSUED, Money.zero(initial.currency), None, None
        if work.may_be_issued():
            work.issue()
            doubt = work.repeat_lost_calls()
            method, remaining = work.stop()
            left = remaining + work.row.money(work.row.taken)
            spent = initial - left
        if doubt is not None:
            raise doubt
        is_known = spent is not None and spent.amount > 0 and method is not RevocationMethod.GONE
        work.update(
            state=SaleState.REVOKED,
            attention=_GONE if method is RevocationMethod.GONE else self._lateness(work.row),
            method=method.value,
            spent=f"{spent.amount:f}" if spent is not None and is_known else "0",
            rest=f"{left.amount:f}",
            revoked_at=format_micros(now()),
        )

    @contextmanager
    def _work(self, timeout: float | None = None) -> Iterator[SaleWork]:
        """Work on the sale as its only worker, and note why the work had to stop."""
        with use_call_deadline(timeout), self._store.lock_sale(self.name, wait_s=self._wait) as row:
            work = SaleWork(self._verbs, self._store, self._codes, self._account(row), row)
            work.adopt_account_name()
            try:
                yield work
            except VoucherGatewayError as error:
                if work.row.state in _WAITING and not isinstance(error, SaleConflict):
                    with suppress(DatabaseUnavailable, OperationInProgress):
                        work.update(attention=error.message)
                raise
            finally:
                self._row = work.row

    def _account(self, row: SaleRow | None = None) -> SellingAccount:
        name = (row or self._row).account
        renamed = [account for account in self._verbs.loaded_accounts if name in (account.former_names or ())]
        return renamed[0] if renamed else self._verbs.account(name)

    def _require_undelivered(self, what: str) -> SaleRow:
        row = self.refresh()._row
        if row.delivered_at is not None:
            raise SaleConflict(
                f"the {what} of the sale {row.name} was delivered at {row.delivered_at}, and is not shown again here",
                account=row.account,
            )
        if row.voucher_id is None:
            raise SaleConflict(
                f"the voucher of the sale {row.name} does not exist yet: it has no {what} before `prepare` or `fulfil`",
                account=row.account,
            )
        return row

    def _lateness(self, row: SaleRow) -> str | None:
        if row.watch_until is None:
            return None
        return (
            f"a call that was lost may still make the voucher spendable: `recover` looks again until {row.watch_until}"
        )

    def _code_loss(self, row: SaleRow) -> str | None:
        is_lost = not row.has_own_code and row.voucher_id is not None and row.sealed_code is None
        return CODE_LOST if is_lost and row.delivered_at is None else None

    def _require_not_revoked(self) -> None:
        if self.state in STOPPED:
            raise self._conflict("is revoked, and `restore` takes that back")

    def _conflict(self, why: str) -> SaleConflict:
        return SaleConflict(f"the sale {self.name} {why}", account=self.account)


_WITHOUT_REVOCATION: dict[str, Any] = dict.fromkeys(
    ("taken", "reason", "method", "spent", "rest", "revoked_at", "watch_until")
)
