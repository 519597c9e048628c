"""Moves one voucher.

Each step is an operation of the journal. Its reference consists of the plan, the voucher and the step. A worker may be
killed and the move started again several times: each step happens once, and a step that has succeeded is replayed. If a
step is refused before the voucher is spendable at the target, all steps are undone. If an outcome is unknown, nothing
more is changed, and the next run resolves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    AccessDenied,
    ConcurrentModification,
    ConfigurationError,
    Declined,
    DuplicateCode,
    InvalidRequest,
    MalformedResponse,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    ReferenceConflict,
    UnsupportedOperation,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.journal.records import OperationState
from voucher_gateway.migration.plan.model import Kind, Step
from voucher_gateway.migration.plan.target_voucher import build_target_voucher
from voucher_gateway.migration.run.context import ACTIVATE, CREATE, FREEZE, RETIRE, MigrationContext, VoucherReading
from voucher_gateway.migration.run.record_check import CannotUndo
from voucher_gateway.migration.run.rows import MoveResult, VoucherRow
from voucher_gateway.migration.run.source_check import SourceChanged, SourceCheck
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.undo import Undo
from voucher_gateway.migration.schema import RowState
from voucher_gateway.models.requests import NewVoucher, VoucherChanges
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money

RETIRING: Final = (Operation.REDEEM, Operation.UPDATE, Operation.DELETE)
"""The operations that retire a voucher at the source. The plan chooses one of them."""

_REFUSALS: Final = (Declined, InvalidRequest, UnsupportedOperation, MalformedResponse, ReferenceConflict)
_UNKNOWN: Final = (OutcomeUnknown, ConcurrentModification)
_LATER: Final = (NotExecuted, OperationInProgress)
CODE_TAKEN: Final = "the target already has a voucher with its code"
_NOT_UNDONE: Final = "; not all steps could be undone: "


class TargetDiffers(Exception):
    """The voucher at the target differs from the request. The text says how, for people."""


class VoucherMover:
    """The move of one voucher by one worker.

    Args:
        context: what all moves of the plan share.
        state: the state of the plan; the begin of an undo is written there.
        row: the voucher, as it was claimed.
    """

    def __init__(self, context: MigrationContext, state: MigrationState, row: VoucherRow) -> None:
        self._context = context
        self._state = state
        self._row = row
        self._planned = row.planned
        self._source_check = SourceCheck(context)
        self._undo = Undo(context)
        self._seen: VoucherReading | None = None
        self._target_id = row.target_id
        self._drift_s = row.drift_s
        self._frozen = False
        self._created_earlier = False
        self._remark = ""

    def run(self) -> MoveResult:
        """Move the voucher, or continue a move that was interrupted, and return the result."""
        row = self._row
        if row.undo_target_state is not None:  # the worker died during the undo
            return self.undo(row.undo_target_state, row.reason.partition(_NOT_UNDONE)[0])
        try:
            with self._state.lock_source_voucher(self._planned.source_id):
                return self._run_steps()
        except SourceChanged as change:
            return self.undo(RowState.CHANGED, str(change))
        except TargetDiffers as difference:
            return self.undo(RowState.REFUSED, str(difference))
        except CannotUndo as obstacle:
            return self.result(RowState.IN_DOUBT, str(obstacle))
        except _UNKNOWN as error:
            return self.result(RowState.IN_DOUBT, _error_text(error), error=error)
        except _LATER as error:
            return self.result(RowState.PLANNED, error.message, error=error)
        except AccessDenied as error:
            return self.undo(RowState.PLANNED, str(error), cause=error)
        except ConfigurationError as error:
            return self.result(RowState.PLANNED, error.message, error=error)
        except MalformedResponse as error:  # the vendor may show this voucher in a wrong form, or answer so to all
            return self.undo(RowState.REFUSED, str(error), cause=error)
        except _REFUSALS as error:
            return self.undo(RowState.REFUSED, str(error))

    def result(self, state: RowState, reason: str = "", **fields: Any) -> MoveResult:
        """Return the result of the move."""
        return MoveResult(
            row=self._row, state=state, target_id=self._target_id, reason=reason, drift_s=self._drift_s, **fields
        )

    def _run_steps(self) -> MoveResult:
        methods: Mapping[Step, Callable[[], None]] = {
            Step.FREEZE: self._freeze,
            Step.REREAD: self._reread_source,
            Step.CREATE: self._create,
            Step.CONFIRM: self._confirm,
            Step.RETIRE: self._retire,
            Step.ACTIVATE: self._activate,
        }
        for step in self._context.header.steps:
            methods[step]()
        return self.result(RowState.MOVED, self._remark)

    # --- forward ---

    def _freeze(self) -> None:
        """Deactivate the source voucher. Look at it before: one that was used or deactivated since stays as it is."""
        if not self._needs_freeze():
            return
        context, id = self._context, self._planned.source_id
        try:
            if self._row.attempts == 1 or not context.may_have_run(
                context.source, Operation.DEACTIVATE, self._row, FREEZE
            ):
                current = context.retry_while_safe(context.gateway.get, context.source, id)
                self._source_check.require_unchanged(current, self._planned)
            kwargs = context.call_kwargs(self._row, FREEZE)
            context.retry_while_safe(context.gateway.deactivate, context.source, id, **kwargs)
        except VoucherNotFound:
            raise SourceChanged("the source does not have it any more") from None
        self._frozen = True

    def _needs_freeze(self) -> bool:
        """Return whether the voucher could be spent at the source, so that it is deactivated.

        One that had ended when it was planned cannot be. Some vendors would let it begin again after a rollback (JTL).
        """
        planned = self._planned
        ended = planned.kind is Kind.EXPIRED and self._context.source_can.restarts_validity
        return planned.status not in (Status.INACTIVE, Status.PENDING) and not ended

    def _reread_source(self) -> None:
        """Read the source voucher and check that it is as planned, unless its retirement has begun.

        After an interruption the journal may say that the target voucher was created. The source voucher is read
        anyway: it may have been activated by hand and spent since then.
        """
        context = self._context
        if self._row.attempts > 1:
            record = context.entry(context.target, Operation.ISSUE, self._row, CREATE)
            if record is not None and record.state is OperationState.SUCCEEDED:
                self._target_id, self._created_earlier = self._undo.id_of(self._row, record), True
        if self._created_earlier and self._retire_may_have_run():
            return
        self._source_check.require_no_open_operations(self._planned)
        self._seen = self._read_source()
        self._source_check.require_as_planned(self._seen, self._planned, frozen=self._frozen)

    def _retire_may_have_run(self) -> bool:
        context = self._context
        return any(context.may_have_run(context.source, verb, self._row, RETIRE) for verb in RETIRING)

    def _read_source(self) -> VoucherReading:
        try:
            return self._context.read(self._context.source, self._planned.source_id)
        except VoucherNotFound:
            raise SourceChanged("the source does not have it any more") from None

    def _create(self) -> None:
        """Issue the voucher at the target, unless it was issued before an interruption."""
        if self._created_earlier:
            return
        assert self._seen is not None
        context = self._context
        later = Step.ACTIVATE in context.header.steps
        created = self._issue(build_target_voucher(self._seen.voucher, self._planned, context.target_can, later=later))
        if created is None:
            return
        self._target_id = created.id
        if later and created.status is Status.ACTIVE and not self._frozen and not context.leaves_source:
            raise TargetDiffers("the target made it spendable, although it was issued as inactive")

    def _issue(self, new: NewVoucher) -> Voucher | None:
        """Issue a voucher at the target and return it; None if it is only predicted."""
        context = self._context
        kwargs = {**context.call_kwargs(self._row, CREATE), "order": None}
        try:
            return context.retry_while_safe(context.gateway.issue, context.target, new, **kwargs)
        except DuplicateCode:
            raise TargetDiffers(CODE_TAKEN) from None

    def _confirm(self) -> None:
        """Read the voucher at the target and compare it with the request."""
        if self._target_id is None:
            return  # it is only predicted
        voucher = self._read_target_voucher(self._target_id)
        used = self._was_used(voucher)
        differences = self._differences(voucher, used=used)
        if differences:
            raise TargetDiffers(f"at the target it has {' and '.join(differences)}")
        if used:
            self._remark = "it was used at the target before the end of the move"
        self._record_expiry_drift(voucher)

    def _was_used(self, voucher: Voucher) -> bool:
        """Return whether its value may differ because it was spendable at the target before an interruption."""
        value = self._row.value
        if not self._created_earlier or (self._first_value(voucher) == value and voucher.remaining in (None, value)):
            return False
        context = self._context
        later = Step.ACTIVATE in context.header.steps
        return not later or context.may_have_run(context.target, Operation.ACTIVATE, self._row, ACTIVATE)

    def _first_value(self, voucher: Voucher) -> Money | None:
        """Return the initial value at the target, or what is left if the target does not show it."""
        return voucher.initial if self._context.target_can.shows_initial else voucher.remaining

    def _read_target_voucher(self, id: str) -> Voucher:
        """Read the voucher at the target. It was issued there, so a missing voucher is only delayed."""
        context = self._context
        readable = context.target_can.codes.readable
        try:
            return context.retry_while_safe(context.gateway.get, context.target, id, secrets=readable)
        except VoucherNotFound:
            pass
        raise NotExecuted("the target does not show the voucher yet", account=context.target, operation="get")

    def _activate(self) -> None:
        destination = self._planned.destination
        assert destination is not None
        assert self._target_id is not None
        if destination.active is False:
            return
        context, id = self._context, self._target_id
        kwargs = context.call_kwargs(self._row, ACTIVATE)
        active = context.retry_while_safe(context.gateway.activate, context.target, id, **kwargs)
        self._record_expiry_drift(active)

    def _record_expiry_drift(self, voucher: Voucher) -> None:
        """Record how much later the voucher ends than was planned."""
        before, after = self._planned.valid_until, voucher.valid_until
        if before is not None and after is not None:
            self._drift_s = (after - before) // timedelta(seconds=1)

    def _retire(self) -> None:
        """Make the source voucher permanently unspendable. If it is frozen, it may stay frozen after a refusal."""
        try:
            self._retire_by(self._context.header.retire)
        except (*_REFUSALS, AccessDenied) as error:
            if not self._frozen:
                raise
            remark = f"it stays frozen at the source: {error}"
            self._remark = "; ".join(sentence for sentence in (self._remark, remark) if sentence)

    def _retire_by(self, method: str) -> None:
        context, row, id = self._context, self._row, self._planned.source_id
        gateway, source = context.gateway, context.source
        kwargs = context.call_kwargs(row, RETIRE)
        match method:
            case "empty":
                self._empty(kwargs)
            case "expire":
                changes = VoucherChanges(valid_until=context.past_date())
                context.retry_while_safe(gateway.update, source, id, changes, **kwargs)
                self._require_unspent_source()
            case "delete":
                reason = f"moved to {context.target}"[:200]
                context.retry_while_safe(gateway.delete, source, id, reason, **kwargs)

    def _empty(self, kwargs: dict[str, Any]) -> None:
        context, money = self._context, self._row.value
        if not money or context.has_succeeded(context.source, Operation.REDEEM, self._row, RETIRE):
            return
        seen = self._seen or self._read_source()
        code, pin = seen.voucher.code, seen.voucher.pin
        if code is None:
            raise SourceChanged("its code cannot be read any more")
        context.retry_while_safe(context.gateway.redeem, context.source, code, money, pin, **kwargs)

    def _require_unspent_source(self) -> None:
        """Check that nothing was spent at the source between the reading and the retirement."""
        if self._frozen:
            return
        left = self._read_source().remaining
        if left != self._row.value:
            raise SourceChanged(f"it had {left} at its retirement, not {self._row.value}: it was used during the move")

    # --- back ---

    def undo(self, target_state: RowState, reason: str, *, cause: VoucherGatewayError | None = None) -> MoveResult:
        """Undo all steps, so that the voucher is spendable at the source only, and return the result.

        Args:
            target_state: the state of the voucher after the undo.
            reason: why the move is undone.
            cause: an error that may concern other vouchers as well.
        """
        undo_began = False
        try:
            if self._may_have_changed_anything():
                # If the outcome of a step is unknown, nothing is undone. The next run continues.
                target_id = self._undo.target_voucher_id(self._row)
                self._undo.check_source(self._row)
                if target_id is not None and self._row.undo_target_state is None:
                    self._undo.require_unspent(self._row, target_id)
                self._state.begin_undo(self._row, target_state, self._target_id, reason)
                undo_began = True
                remark = self._undo_steps()
                reason = "; ".join(sentence for sentence in (reason, remark) if sentence)
        except _LATER as error:
            return self.result(RowState.PLANNED, reason, undo_target_state=target_state, error=error)
        except CannotUndo as obstacle:
            problem = str(obstacle)
        except VoucherGatewayError as error:
            problem = _error_text(error)
        else:
            restart = target_state is RowState.PLANNED  # the login was refused and not the voucher
            return MoveResult(row=self._row, state=target_state, reason=reason, restart=restart, error=cause)
        return self.result(
            RowState.IN_DOUBT,
            f"{reason}{_NOT_UNDONE}{problem}",
            undo_target_state=target_state if undo_began else None,
            error=cause,
        )

    def _undo_steps(self) -> str:
        """Undo all steps, and return a remark for the report; empty for none."""
        target_id = self._undo.target_voucher_id(self._row)
        if target_id is not None:
            self._undo.withdraw_from_target(self._row, target_id)
        return self._undo.restore_source(self._row)

    def _may_have_changed_anything(self) -> bool:
        return (
            self._frozen
            or self._target_id is not None
            or self._row.attempts > 1
            or self._row.undo_target_state is not None
        )

    def _differences(self, voucher: Voucher, *, used: bool) -> list[str]:
        """Return how the voucher at the target differs from the request."""
        destination = self._planned.destination
        assert destination is not None
        differences = []
        if used:
            pass
        elif self._first_value(voucher) != destination.value:
            differences.append(f"the value {self._first_value(voucher)}, not {destination.value}")
        elif voucher.remaining not in (None, destination.value):
            differences.append(f"{voucher.remaining} left, not {destination.value}")
        if not destination.new_code and not self._source_check.same_code(voucher.code, self._planned, hidden=True):
            differences.append("another code")
        if _ends_early(voucher.valid_until, destination.valid_until, self._context):
            differences.append("an earlier end of validity")
        return differences


def _ends_early(valid_until: datetime | None, wanted: datetime | None, context: MigrationContext) -> bool:
    if valid_until is None or wanted is None:
        return False
    return valid_until < wanted - context.target_can.expiry_resolution


def _error_text(error: VoucherGatewayError) -> str:
    """Return the message of an error, with the operation that a person has to decide if no look-up can resolve it."""
    ticket = getattr(error, "ticket", None)
    if ticket is None:
        return error.message
    return f"{error.message}; the operation is {ticket.account} {ticket.verb} {ticket.reference}"
