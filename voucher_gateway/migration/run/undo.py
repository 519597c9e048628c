"""Undoes the move of one voucher: makes it unspendable at the target and spendable at the source.

The steps to undo are read from the journal, so they are the same after a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from voucher_gateway.capabilities import Capabilities, Expiry, Operation, Support
from voucher_gateway.errors import Declined, OutcomeUnknown, VoucherGatewayError, VoucherNotFound
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.masking import Code
from voucher_gateway.migration.plan.assess import is_stopped
from voucher_gateway.migration.run.context import (
    ACTIVATE,
    CREATE,
    FREEZE,
    RETIRE,
    MigrationContext,
    OutcomeNotResolved,
    VoucherReading,
    operation_of,
)
from voucher_gateway.migration.run.record_check import CannotUndo, RecordCheck
from voucher_gateway.migration.run.rows import VoucherRow
from voucher_gateway.models.requests import VoucherChanges
from voucher_gateway.models.results import Redemption
from voucher_gateway.models.voucher import Voucher

RESTORE, REFUND, REACTIVATE = "restore", "refund", "reactivate"
"""The names of the steps that restore the source, in references."""


class Undo:
    """Undoes moves of a plan."""

    def __init__(self, context: MigrationContext) -> None:
        self._context = context
        self._records = RecordCheck(context)

    def check_source(self, row: VoucherRow) -> None:
        """Check, before anything is undone, that the source can be restored.

        Steps with an unknown outcome are resolved first: a step that may still happen cannot be undone.

        Raises:
            CannotUndo: if it cannot be restored.
        """
        can = self._context.source_can
        self._resolve(row, Operation.DEACTIVATE, FREEZE)
        self._resolve(row, Operation.UPDATE, RETIRE)
        if self._resolve(row, Operation.DELETE, RETIRE):
            raise CannotUndo("it was deleted at the source, and cannot be restored there")
        if self._resolve(row, Operation.REDEEM, RETIRE) and not can.of(Operation.REFUND).available:
            raise CannotUndo("it was emptied at the source, which cannot refund")

    def _resolve(self, row: VoucherRow, verb: Operation, step: str) -> bool:
        """Return whether a step at the source happened. If that is unknown, run a repeatable step again."""
        context, id = self._context, row.planned.source_id
        try:
            entry = context.resolved_record(context.source, verb, row, step)
        except OutcomeNotResolved as unknown:
            if verb is Operation.DEACTIVATE:
                self._repeat(row, step, unknown, context.gateway.deactivate, context.source, id)
            elif verb is Operation.UPDATE:
                past = VoucherChanges(valid_until=context.past_date())
                self._repeat(row, step, unknown, context.gateway.update, context.source, id, past)
            else:
                raise CannotUndo(str(unknown)) from None
            return True
        return entry is not None and entry.state is OperationState.SUCCEEDED

    def _repeat(
        self, row: VoucherRow, step: str, unknown: OutcomeNotResolved, call: Callable[..., object], *args: object
    ) -> None:
        """Run a step again, with the same reference. If that fails, `unknown` is the reason why it cannot be undone."""
        try:
            self._context.retry_while_safe(call, *args, **self._context.call_kwargs(row, step))
            return
        except (OutcomeUnknown, Declined):
            pass
        raise CannotUndo(str(unknown))

    def target_voucher_id(self, row: VoucherRow) -> str | None:
        """Return the id of the voucher that was issued at the target; None if none was issued.

        Raises:
            CannotUndo: if that is unknown.
        """
        context = self._context
        self._records.require_not_forgotten(row)
        try:
            entry = context.resolved_record(context.target, Operation.ISSUE, row, CREATE)
        except OutcomeNotResolved as unknown:
            raise CannotUndo(str(unknown)) from None
        if entry is None:
            if row.target_id is not None:
                raise CannotUndo(f"the journal has no record that {context.target} issued {row.target_id} for it")
            return None
        if entry.state is not OperationState.SUCCEEDED:
            self._records.require_not_issued(entry, self._source_code(row) if self._has_code(row) else None)
            return None
        return None if self._is_missing(row, entry) else self.id_of(row, entry)

    def _is_missing(self, row: VoucherRow, created: OperationRecord) -> bool:
        """Return whether a person decided that a voucher was issued, and the target shows that it does not have it.

        Its code is looked up. Where that is not possible, the voucher counts as present: then its owner corrects the
        decision, which names the voucher.
        """
        if created.decided_by is None:
            return False
        issued = created.replay()
        assert isinstance(issued, Voucher)
        return not issued.id and self._has_code(row) and self._find_by_code(row) is None

    def id_of(self, row: VoucherRow, created: OperationRecord) -> str:
        """Return the id of the voucher at the target. If a person decided that it was issued, find it by its code.

        Raises:
            CannotUndo: if it cannot be found.
        """
        issued = created.replay()
        assert isinstance(issued, Voucher)
        if issued.id:
            return issued.id
        if (voucher := self._find_by_code(row)) is not None:
            return voucher.id
        raise CannotUndo(
            f"{created.decided_by} decided that the target has it, but it is not found there. Correct that decision:"
            f" {operation_of(created)}"
        )

    def _has_code(self, row: VoucherRow) -> bool:
        """Return whether the voucher has the same code at the target as at the source, and the code can be read."""
        destination = row.planned.destination
        return destination is not None and not destination.new_code and self._source_code(row) is not None

    def _find_by_code(self, row: VoucherRow) -> Voucher | None:
        """Return the voucher at the target with the code of the source voucher; None if it is not found."""
        context = self._context
        code = self._source_code(row) if self._has_code(row) else None
        if code is not None:
            with suppress(VoucherNotFound):
                return context.retry_while_safe(context.gateway.provider(context.target).find, code)
        return None

    def _source_code(self, row: VoucherRow) -> Code | None:
        return self._context.read(self._context.source, row.planned.source_id).voucher.code

    def withdraw_from_target(self, row: VoucherRow, target_id: str, step: str = "back") -> None:
        """Make the voucher at the target unspendable, if nothing was spent from it.

        Raises:
            CannotUndo: if something was spent, or the target has no operation for it.
        """
        seen = self.require_unspent(row, target_id, step)
        if seen is not None:
            self._settle(row, Operation.ACTIVATE, ACTIVATE)
            self._make_unspendable(row, target_id, seen, step)
        else:
            self._settle(row, Operation.DELETE, f"{step}-delete")

    def _settle(self, row: VoucherRow, verb: Operation, step: str) -> None:
        """Look up a step at the target, so that the journal does not keep it in doubt if its effect is seen.

        A step that stays unknown does not stop the undo: a person decides about it.
        """
        with suppress(OutcomeNotResolved, VoucherGatewayError):
            self._context.resolved_record(self._context.target, verb, row, step)

    def require_unspent(self, row: VoucherRow, target_id: str, step: str = "back") -> VoucherReading | None:
        """Check that nothing was spent from the voucher at the target, unless it was withdrawn already.

        Returns:
            The voucher; None if the undo has deleted it.

        Raises:
            CannotUndo: if something was spent, or the voucher is missing.
        """
        context = self._context
        try:
            seen = context.read(context.target, target_id)
        except VoucherNotFound:
            if context.may_have_run(context.target, Operation.DELETE, row, f"{step}-delete"):
                return None
            raise CannotUndo(f"the target does not show the voucher {target_id} any more") from None
        if not self._may_have_emptied(row, step):
            _check_unspent(seen, row, context.target)
        return seen

    def _may_have_emptied(self, row: VoucherRow, step: str) -> bool:
        context = self._context
        return context.may_have_run(context.target, Operation.REDEEM, row, f"{step}-empty")

    def _make_unspendable(self, row: VoucherRow, target_id: str, seen: VoucherReading, step: str) -> None:
        context, can = self._context, self._context.target_can
        if can.of(Operation.DEACTIVATE).support is Support.NATIVE:  # the emulation keeps no former end of validity
            if not is_stopped(seen.voucher.status):
                self._change(Operation.DEACTIVATE, context.target, target_id, row, f"{step}-stop")
                self._require_stopped(row, target_id, step)
            else:
                self._settle(row, Operation.DEACTIVATE, f"{step}-stop")
            self._delete(row, target_id, step)
        elif _expires(can):
            self._expire(row, target_id, context.past_date(), f"{step}-stop")
            self._require_stopped(row, target_id, step, before=seen.voucher.valid_until)
        elif can.of(Operation.REDEEM).available and seen.voucher.code is not None:
            self._empty(row, seen.voucher, f"{step}-empty")
        else:
            raise CannotUndo("the target has no operation that makes a voucher unspendable")

    def _require_stopped(self, row: VoucherRow, target_id: str, step: str, before: datetime | None = None) -> None:
        """Read a voucher that was stopped, so that its value cannot change. If it was used, make it spendable again."""
        context = self._context
        seen = context.read(context.target, target_id)
        until = seen.voucher.valid_until
        if not is_stopped(seen.voucher.status) and (until is None or until > context.header.made_at):
            raise CannotUndo(f"it is spendable at {context.target}: it was changed there by hand")
        try:
            _check_unspent(seen, row, context.target)
        except CannotUndo:
            if context.target_can.of(Operation.DEACTIVATE).support is Support.NATIVE:
                self._change(Operation.ACTIVATE, context.target, target_id, row, f"{step}-start")
            else:
                self._expire(row, target_id, before, f"{step}-start")
            raise

    def _expire(self, row: VoucherRow, target_id: str, until: datetime | None, step: str) -> None:
        context, changes = self._context, VoucherChanges(valid_until=until)
        kwargs = context.call_kwargs(row, step)
        context.retry_while_safe(context.gateway.update, context.target, target_id, changes, **kwargs)

    def _empty(self, row: VoucherRow, voucher: Voucher, step: str) -> None:
        context, code = self._context, voucher.code
        assert code is not None
        if row.value:
            kwargs = context.call_kwargs(row, step)
            context.retry_while_safe(context.gateway.redeem, context.target, code, row.value, voucher.pin, **kwargs)

    def _delete(self, row: VoucherRow, target_id: str, step: str) -> None:
        """Delete the inactive voucher if the target can, so that its code is free again."""
        context = self._context
        if not context.target_can.of(Operation.DELETE).available:
            return
        kwargs = context.call_kwargs(row, f"{step}-delete")
        with suppress(Declined):  # such as a voucher that was used before; it stays inactive
            context.retry_while_safe(context.gateway.delete, context.target, target_id, "its move was undone", **kwargs)

    def may_have_restored_source(self, row: VoucherRow) -> bool:
        """Return whether a step that restores the source may have run already."""
        context = self._context
        steps = ((Operation.UPDATE, RESTORE), (Operation.REFUND, REFUND), (Operation.ACTIVATE, REACTIVATE))
        return any(context.may_have_run(context.source, verb, row, step) for verb, step in steps)

    def restore_source(self, row: VoucherRow) -> str:
        """Undo the changes at the source, and return a remark for the report; empty for none."""
        context = self._context
        gateway, source, id = context.gateway, context.source, row.planned.source_id
        if context.has_succeeded(source, Operation.UPDATE, row, RETIRE):
            changes = VoucherChanges(valid_until=row.planned.valid_until)
            kwargs = context.call_kwargs(row, RESTORE)
            context.retry_while_safe(gateway.update, source, id, changes, **kwargs)
        entry = context.entry(source, Operation.REDEEM, row, RETIRE)
        if entry is not None and entry.state is OperationState.SUCCEEDED:
            redemption = entry.replay()
            assert isinstance(redemption, Redemption)
            kwargs = context.call_kwargs(row, REFUND)
            context.retry_while_safe(gateway.refund, source, redemption, **kwargs)
        if context.has_succeeded(source, Operation.DEACTIVATE, row, FREEZE):
            reactivated = self._change(Operation.ACTIVATE, source, id, row, REACTIVATE)
            return _validity_change_text(row.planned.valid_until, reactivated.valid_until)
        return ""

    def _change(self, verb: Operation, account: str, id: str, row: VoucherRow, step: str) -> Any:
        context = self._context
        call = context.gateway.activate if verb is Operation.ACTIVATE else context.gateway.deactivate
        kwargs = context.call_kwargs(row, step)
        return context.retry_while_safe(call, account, id, **kwargs)


def _expires(can: Capabilities) -> bool:
    return can.of(Operation.UPDATE).available and can.expiry not in (Expiry.RELATIVE, Expiry.NONE)


def _check_unspent(seen: VoucherReading, row: VoucherRow, account: str) -> None:
    if seen.remaining != row.value:
        raise CannotUndo(f"it has {seen.remaining} at {account}, not {row.value}: it was used there")


def _validity_change_text(before: datetime | None, after: datetime | None) -> str:
    """Return a remark if the activation changed the end of validity (JTL counts again from activation)."""
    if after is None or _day(before) == _day(after):
        return ""
    return f"after its activation it is valid until {_day(after)}; before, it was valid until {_day(before)}"


def _day(moment: datetime | None) -> str:
    return "without end" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d}"
