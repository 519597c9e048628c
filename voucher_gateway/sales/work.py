"""The calls of one sale: they issue its voucher, make it spendable, and stop it.

Whatever may have happened before, each of them can be made again: its reference is always the same, so the journal
replays it, finds out about it, or makes it for the first time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.emulation.registry import unsupported_error
from voucher_gateway.errors import (
    Declined,
    InsufficientValue,
    MalformedResponse,
    OperationInProgress,
    UnsupportedOperation,
    VoucherExpired,
    VoucherGatewayError,
    VoucherInactive,
    VoucherNotFound,
)
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import VoucherChanges
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.sales.codes import SaleCodes
from voucher_gateway.sales.content import has_own_pin, read_content
from voucher_gateway.sales.records import (
    RevocationMethod,
    SaleRow,
    activate_reference,
    issue_reference,
    restore_reference,
    stop_reference,
)
from voucher_gateway.sales.store import SaleStore
from voucher_gateway.sales.verbs import SaleVerbs, SellingAccount

LATE: Final = timedelta(hours=1)
"""How long a revoked voucher is watched, if a call that makes it spendable was lost: it may arrive that late."""

CODE_LOST: Final = (
    "the vendor made the code, its answer was lost, and this login cannot read the code: revoke the sale, and sell"
    " another voucher"
)
_MAX_TAKES: Final = 5
"""How often the rest of a voucher is taken in one go: its owner may spend some of it in between."""


@attrs.define
class SaleWork:
    """Makes the calls of a sale, as its only worker.

    Attributes:
        verbs: the gateway.
        store: where the row is written.
        codes: opens and seals codes.
        account: the account of the sale.
        row: the sale as it is now.
    """

    verbs: SaleVerbs
    store: SaleStore
    codes: SaleCodes
    account: SellingAccount
    row: SaleRow

    def update(self, **values: Any) -> None:
        """Commit columns of the sale."""
        self.row = self.store.update(self.row, **values)

    def adopt_account_name(self) -> None:
        """Move the sale and the journal's operations to the present name of its account, if it has a new one."""
        assert self.verbs.journal is not None
        self.verbs.journal.names.admit(self.account.name, self.account.provider)
        if self.account.name != self.row.account:
            self.update(account=self.account.name)

    # --- making it spendable ---

    def issue(self) -> None:
        """Issue the voucher, unless that is done."""
        row = self.row
        if row.voucher_id is not None:
            return
        code = self.codes.require_code(row, self.account) if row.has_own_code else None
        new = attrs.evolve(
            read_content(row.content), code=code, pin=self.codes.pin_of(row), active=False if row.inactive else None
        )
        voucher = self.verbs.issue(self.account.name, new, reference=issue_reference(row), order=row.order_number)
        vendors_code = None if row.has_own_code else voucher.code
        vendors_pin = None if has_own_pin(row.content) else voucher.pin
        sealed = self.codes.seal_columns(row.id, vendors_code, vendors_pin)
        until = None if voucher.valid_until is None else format_micros(voucher.valid_until)
        self.update(voucher_id=self._id_of(voucher, code), valid_until=until, **sealed)

    def _id_of(self, voucher: Voucher, code: Code | None) -> str:
        """Return the id of a voucher; a person who decided that it was issued may not know it."""
        if voucher.id or code is None:
            return voucher.id
        return self.verbs.balance(self.account.name, code).voucher_id

    def make_spendable(self) -> None:
        """Issue the voucher and activate it, or undo what stopped it."""
        self.issue()
        for _, _, call in self._enabling_calls():
            call()

    def _enabling_calls(self) -> list[tuple[Operation, str, Callable[[], object]]]:
        """Return the calls after the issue that make the voucher spendable in this generation."""
        row, name = self.row, self.account.name
        id, order = row.voucher_id or "", row.order_number
        method = None if row.method is None else RevocationMethod(row.method)
        if method is RevocationMethod.DEACTIVATED or (row.inactive and method in (None, RevocationMethod.NOT_ISSUED)):
            reference = activate_reference(row)
            activate = partial(self.verbs.activate, name, id, reference=reference, order=order)
            return [(Operation.ACTIVATE, reference, activate)]
        if method is RevocationMethod.EXPIRED:
            reference = restore_reference(row, f"g{row.generation}")
            changes = VoucherChanges(valid_until=row.end_of_validity)
            update = partial(self.verbs.update, name, id, changes, reference=reference, order=order)
            return [(Operation.UPDATE, reference, update)]
        if method is RevocationMethod.EMPTIED:
            return [self._refund_call(number) for number in range(1, row.stops + 1) if self._took_value(number)]
        return []

    def _took_value(self, number: int) -> bool:
        taking = self.verbs.operation(self.account.name, Operation.REDEEM, stop_reference(self.row, number))
        return taking is not None and taking.state is OperationState.SUCCEEDED

    def _refund_call(self, number: int) -> tuple[Operation, str, Callable[[], object]]:
        row, name, reference = self.row, self.account.name, restore_reference(self.row, str(number))
        redemption = self.verbs.redemption(name, stop_reference(row, number))
        refund = partial(self.verbs.refund, name, redemption, reference=reference, order=row.order_number)
        return Operation.REFUND, reference, refund

    # --- stopping it ---

    def may_be_issued(self) -> bool:
        """Whether the voucher exists, or may exist."""
        if self.row.voucher_id is not None:
            return True
        record = self.verbs.operation(self.account.name, Operation.ISSUE, issue_reference(self.row))
        return record is not None and record.state.may_have_happened

    def require_stoppable(self) -> None:
        """Check that the account can stop the voucher from being spent.

        Raises:
            UnsupportedOperation, MissingScope: if it can neither deactivate nor redeem one, or a migration moved this
                one to another account.
        """
        assert self.verbs.journal is not None
        moves = self.verbs.journal.move_chain(self.account.name, self._id()) if self.row.voucher_id else []
        if moves and moves[-1].in_progress:
            raise OperationInProgress("a migration moves the voucher now: try again when it is done")
        if moves:
            raise UnsupportedOperation(
                f"the voucher was moved to the account {moves[-1].to_account}, where its id is"
                f" {moves[-1].to_voucher_id}: stop it there",
                account=self.account.name,
                operation="revoke",
            )
        can = self.account.capabilities
        if can.of(Operation.DEACTIVATE).available or can.of(Operation.REDEEM).available:
            return
        raise unsupported_error(self.account.provider, Operation.DEACTIVATE, can.of(Operation.DEACTIVATE))

    def require_restorable(self, method: RevocationMethod) -> None:
        """Check that the account can undo a revocation.

        Raises:
            UnsupportedOperation, MissingScope: if it cannot.
        """
        operation = _UNDONE_BY.get(method)
        if method is RevocationMethod.GONE:
            raise UnsupportedOperation(
                "the vendor does not have the voucher any more: sell another one", account=self.account.name
            )
        if operation is None or self.account.capabilities.of(operation).available:
            return
        support = self.account.capabilities.of(operation)
        raise unsupported_error(self.account.provider, operation, support)

    def repeat_lost_calls(self) -> VoucherGatewayError | None:
        """Find out about every call that may still make the voucher spendable, and return why one stays unknown.

        Such a call is made again until it is known to have happened, and the voucher is stopped after it: a call that
        arrives late would undo the stop.
        """
        for operation, reference, call in self._enabling_calls():
            record = self.verbs.operation(self.account.name, operation, reference)
            if record is None or not record.state.is_unresolved:
                continue
            # An earlier stop may be undone by now, and the lost request may arrive even after its repeat.
            self.update(stops=self.row.stops + 1, watch_until=format_micros(now() + LATE))
            try:
                if operation is Operation.UPDATE and self.account.capabilities.can_overwrite_value:
                    # A repeat would make it spendable, and then the lost request, which may arrive late and overwrite
                    # the value, would keep every other change of the voucher away.
                    self.verbs.resolve(OperationKey(self.account.name, operation, reference))
                else:
                    call()
            except Declined:
                continue
            except VoucherGatewayError as error:
                return error
        return None

    def stop(self) -> tuple[RevocationMethod, Money]:
        """Stop the voucher from being spent, and return how, and what is left on it, without what this sale took."""
        support = self.account.capabilities.of(Operation.DEACTIVATE)
        try:
            if not support.available:
                return RevocationMethod.EMPTIED, self._empty()
            self._deactivate()
            is_emulated = support.support is Support.EMULATED
            method = RevocationMethod.EXPIRED if is_emulated else RevocationMethod.DEACTIVATED
            return method, self._read_remaining()
        except VoucherNotFound:
            return RevocationMethod.GONE, Money.zero(self.row.currency)

    def is_stopped(self) -> bool:
        """Whether the voucher of a revoked sale still cannot be spent, as the vendor shows it now."""
        method = RevocationMethod(self.row.method or RevocationMethod.NOT_ISSUED)
        if method is RevocationMethod.EMPTIED:
            return self._read_remaining().amount <= 0
        if method not in (RevocationMethod.DEACTIVATED, RevocationMethod.EXPIRED):
            return True
        voucher = self.verbs.get(self.account.name, self._id())
        if method is RevocationMethod.DEACTIVATED:
            return voucher.status is not None and voucher.status.spendable is False
        return voucher.valid_until is not None and voucher.valid_until <= self.account.provider.vendor_now()

    def _deactivate(self) -> None:
        row = self.row
        reference = stop_reference(row, row.stops)
        try:
            self.verbs.deactivate(self.account.name, self._id(), reference=reference, order=row.order_number)
        except VoucherNotFound:
            raise
        except Declined:
            if self.verbs.get(self.account.name, self._id()).status not in _UNSPENDABLE:
                raise

    def _empty(self) -> Money:
        """Take what is left on the voucher, and return what is left afterwards."""
        code = self._require_code()
        for _ in range(_MAX_TAKES):
            if self.row.taking is None:
                remaining = self._read_remaining()
                if remaining.amount <= 0:
                    return remaining
                self.update(stops=self.row.stops + 1, taking=f"{remaining.amount:f}")
            row, money = self.row, self.row.money(self.row.taking)
            reference = stop_reference(row, row.stops)
            try:
                self.verbs.redeem(self.account.name, code, money, reference=reference, order=row.order_number)
            except Declined as error:
                self.update(taking=None)
                if isinstance(error, VoucherExpired | VoucherInactive):
                    return money
                if not isinstance(error, InsufficientValue):
                    raise
            else:
                self.update(taking=None, taken=f"{(row.money(row.taken) + money).amount:f}")
        raise OperationInProgress("the owner spends the voucher at this moment: try again", account=self.account.name)

    def _read_remaining(self) -> Money:
        """Return what is left on the voucher. It is read twice: the figure is for the shop's books.

        Raises:
            MalformedResponse: if the two readings differ.
        """
        first, second = self._read_by_id() or self._read_by_code(), self._read_by_code()
        if first != second:
            raise MalformedResponse(
                f"two readings of what is left on the voucher differ: {first} and {second}", account=self.account.name
            )
        return second

    def _read_by_id(self) -> Money | None:
        can = self.account.capabilities
        if not can.get_returns_balance or not can.of(Operation.GET).available:
            return None
        return self.verbs.get(self.account.name, self._id()).remaining

    def _read_by_code(self) -> Money:
        return self.verbs.balance(self.account.name, self._require_code()).remaining

    def _id(self) -> str:
        assert self.row.voucher_id is not None
        return self.row.voucher_id

    def _require_code(self) -> Code:
        """Return the voucher's code; the vendor is asked for one that was delivered and is not kept here any more.

        Raises:
            MalformedResponse: if the vendor does not show it.
        """
        code = self.codes.code_of(self.row, self.account)
        if code is None:
            code = self.verbs.get(self.account.name, self._id(), secrets=True).code
        if code is None:
            raise MalformedResponse(
                "the code is not kept here any more, and the vendor does not show it: stop the voucher at the vendor",
                account=self.account.name,
            )
        return code


_UNDONE_BY: Final = {
    RevocationMethod.DEACTIVATED: Operation.ACTIVATE,
    RevocationMethod.EXPIRED: Operation.UPDATE,
    RevocationMethod.EMPTIED: Operation.REFUND,
}
_UNSPENDABLE: Final = frozenset({Status.INACTIVE, Status.DEACTIVATED, Status.EXPIRED, Status.USED_UP})
"""Statuses in which a voucher that the vendor refuses to deactivate cannot be spent."""
