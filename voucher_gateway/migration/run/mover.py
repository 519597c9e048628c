"""The move of one voucher.

Each step is an operation of the journal under a reference made of plan, voucher and step: however often a worker is
killed and the move begun again, it happens once, and what had succeeded is replayed. A refusal before the voucher is
spendable at the target is undone; an outcome that nobody knows is left as it is, and looked into by the next run.
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
from voucher_gateway.migration.plan.model import Step
from voucher_gateway.migration.plan.target_voucher import build_target_voucher
from voucher_gateway.migration.run.context import MigrationContext, VoucherReading
from voucher_gateway.migration.run.rows import MoveResult, RowState, VoucherRow
from voucher_gateway.migration.run.source_check import SourceChanged, SourceCheck
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.undo import ACTIVATE, CREATE, FREEZE, RETIRE, CannotUndo, Undo
from voucher_gateway.models.requests import VoucherChanges
from voucher_gateway.models.voucher import Status, Voucher

_REFUSALS: Final = (Declined, InvalidRequest, UnsupportedOperation, MalformedResponse, ReferenceConflict)
_UNKNOWN: Final = (OutcomeUnknown, ConcurrentModification)
_LATER: Final = (NotExecuted, OperationInProgress)
_NOT_UNDONE: Final = "; not all of it could be undone: "


class _TargetDiffers(Exception):
    """The target made something else of the voucher; the text says what, for people."""


class VoucherMover:
    """Moves vouchers of one plan; shared by all threads."""

    def __init__(self, journey: MigrationContext, state: MigrationState) -> None:
        self.journey = journey
        self.state = state
        self.standing = SourceCheck(journey)

    def move(self, row: VoucherRow) -> MoveResult:
        """Move one voucher, or go on where that was broken off, and return what came of it."""
        move = _VoucherMove(self, row)
        if row.undo_target_state is not None:  # it was being undone when somebody died
            return move.undo(row.undo_target_state, row.reason.partition(_NOT_UNDONE)[0])
        try:
            return move.run_steps()
        except SourceChanged as found:
            return move.undo(RowState.CHANGED, str(found))
        except _TargetDiffers as found:
            return move.undo(RowState.REFUSED, str(found))
        except CannotUndo as found:
            return move.result(RowState.IN_DOUBT, str(found))
        except _UNKNOWN as error:
            return move.result(RowState.IN_DOUBT, _error_text(error), trouble=error)
        except _LATER as error:
            return move.result(RowState.PLANNED, error.message, trouble=error)
        except AccessDenied as error:
            return move.undo(RowState.PLANNED, str(error), trouble=error)
        except ConfigurationError as error:
            return move.result(RowState.PLANNED, error.message, trouble=error)
        except _REFUSALS as error:
            return move.undo(RowState.REFUSED, str(error))


class _VoucherMove:
    """The move of one voucher by one worker."""

    def __init__(self, mover: VoucherMover, row: VoucherRow) -> None:
        self._mover = mover
        self._journey = mover.journey
        self._row = row
        self._planned = row.planned
        self._seen: VoucherReading | None = None
        self._target_id = row.target_id
        self._drift_s = row.drift_s
        self._way_back = Undo(mover.journey)
        self._frozen = False
        self._created_earlier = False
        self._remark = ""

    def run_steps(self) -> MoveResult:
        """Take all steps."""
        taken: Mapping[Step, Callable[[], None]] = {
            Step.FREEZE: self._freeze,
            Step.REREAD: self._reread_source,
            Step.CREATE: self._create,
            Step.CONFIRM: self._confirm,
            Step.RETIRE: self._retire,
            Step.ACTIVATE: self._activate,
        }
        for step in self._journey.header.steps:
            taken[step]()
        return self.result(RowState.MOVED, self._remark)

    def result(self, state: RowState, reason: str = "", **fields: Any) -> MoveResult:
        """Return what came of it."""
        return MoveResult(
            row=self._row, state=state, target_id=self._target_id, reason=reason, drift_s=self._drift_s, **fields
        )

    # --- forward ---

    def _freeze(self) -> None:
        """Stop the source. What it was before is looked at first: a voucher that others have stopped stays stopped."""
        if self._planned.status is Status.INACTIVE:
            return
        journey, id = self._journey, self._planned.source_id
        try:
            if self._row.attempts == 1 or not journey.may_have_run(
                journey.source, Operation.DEACTIVATE, self._row, FREEZE
            ):
                current = journey.retry_while_safe(lambda: journey.gateway.get(journey.source, id))
                self._mover.standing.require_unchanged_status(current, self._planned)
            kwargs = journey.call_kwargs(self._row, FREEZE)
            journey.retry_while_safe(lambda: journey.gateway.deactivate(journey.source, id, **kwargs))
        except VoucherNotFound:
            raise SourceChanged("it is not there any more") from None
        self._frozen = True

    def _reread_source(self) -> None:
        """Read the source, and make sure that it is what was planned, until it has begun to be retired.

        After a break the journal may tell that the voucher was created already. The source could be spent all the same
        since then, if somebody has thawed it.
        """
        journey, standing = self._journey, self._mover.standing
        if self._row.attempts > 1:
            entry = journey.entry(journey.target, Operation.ISSUE, self._row, CREATE)
            if entry is not None and entry.state is OperationState.SUCCEEDED:
                self._target_id, self._created_earlier = self._way_back.id_of(self._row, entry), True
        if self._created_earlier and self._retiring():
            return
        standing.require_no_open_operations(self._planned)
        self._seen = self._read_source()
        standing.require_as_planned(self._seen, self._planned, frozen=self._frozen)

    def _retiring(self) -> bool:
        journey, ways = self._journey, (Operation.REDEEM, Operation.UPDATE, Operation.DELETE)
        return any(journey.may_have_run(journey.source, verb, self._row, RETIRE) for verb in ways)

    def _read_source(self) -> VoucherReading:
        try:
            return self._journey.read(self._journey.source, self._planned.source_id)
        except VoucherNotFound:
            raise SourceChanged("it is not there any more") from None

    def _create(self) -> None:
        if self._created_earlier:
            return
        assert self._seen is not None
        journey = self._journey
        later = Step.ACTIVATE in journey.header.steps
        new = build_target_voucher(self._seen.voucher, self._planned, journey.target_can, later=later)
        kwargs = {**journey.call_kwargs(self._row, CREATE), "order": None}
        try:
            created = journey.retry_while_safe(lambda: journey.gateway.issue(journey.target, new, **kwargs))
        except DuplicateCode:
            raise _TargetDiffers("the target has a voucher with its code already") from None
        self._target_id = created.id
        if later and created.status is Status.ACTIVE and not self._frozen and not journey.leaves_source:
            raise _TargetDiffers("the target made it spendable at once, though it was to be inactive at first")

    def _confirm(self) -> None:
        assert self._target_id is not None
        voucher = self._read_target_voucher(self._target_id)
        used = self._used(voucher)
        wrong = self._differences(voucher, used=used)
        if wrong:
            raise _TargetDiffers(f"at the target it has {' and '.join(wrong)}")
        if used:
            self._remark = "it was used at the target before the move was through"
        self._record_expiry_drift(voucher)

    def _used(self, voucher: Voucher) -> bool:
        """Whether it has another value by now because it could be spent at the target before a break."""
        value = self._row.value
        if not self._created_earlier or (voucher.initial == value and voucher.remaining in (None, value)):
            return False
        journey = self._journey
        later = Step.ACTIVATE in journey.header.steps
        return not later or journey.may_have_run(journey.target, Operation.ACTIVATE, self._row, ACTIVATE)

    def _read_target_voucher(self, id: str) -> Voucher:
        """Read the voucher at the target. It was made there, so its absence can only be a delay."""
        journey = self._journey
        readable = journey.target_can.codes.readable
        try:
            return journey.retry_while_safe(lambda: journey.gateway.get(journey.target, id, secrets=readable))
        except VoucherNotFound:
            pass
        raise NotExecuted("the target does not show the voucher yet", account=journey.target, operation="get")

    def _activate(self) -> None:
        destination = self._planned.destination
        assert destination is not None
        assert self._target_id is not None
        if destination.active is False:
            return
        journey, id = self._journey, self._target_id
        kwargs = journey.call_kwargs(self._row, ACTIVATE)
        active = journey.retry_while_safe(lambda: journey.gateway.activate(journey.target, id, **kwargs))
        self._record_expiry_drift(active)

    def _record_expiry_drift(self, shown: Voucher) -> None:
        """Note how much later the voucher ends than was planned."""
        before, after = self._planned.valid_until, shown.valid_until
        if before is not None and after is not None:
            self._drift_s = (after - before) // timedelta(seconds=1)

    def _retire(self) -> None:
        """Make the source voucher unspendable for good. One that is frozen is so already, whatever else is refused."""
        try:
            self._retire_by(self._journey.header.retire)
        except (*_REFUSALS, AccessDenied) as error:
            if not self._frozen:
                raise
            stays = f"it stays frozen at the source: {error}"
            self._remark = "; ".join(sentence for sentence in (self._remark, stays) if sentence)

    def _retire_by(self, way: str) -> None:
        journey, row, id = self._journey, self._row, self._planned.source_id
        gateway, source = journey.gateway, journey.source
        kwargs = journey.call_kwargs(row, RETIRE)
        match way:
            case "empty":
                self._empty(kwargs)
            case "expire":
                changes = VoucherChanges(valid_until=journey.past_date())
                journey.retry_while_safe(lambda: gateway.update(source, id, changes, **kwargs))
                self._check_unspent()
            case "delete":
                reason = f"moved to {journey.target}"[:200]
                journey.retry_while_safe(lambda: gateway.delete(source, id, reason, **kwargs))

    def _empty(self, kwargs: dict[str, Any]) -> None:
        journey, money = self._journey, self._row.value
        if not money or journey.has_succeeded(journey.source, Operation.REDEEM, self._row, RETIRE):
            return
        seen = self._seen or self._read_source()
        code, pin = seen.voucher.code, seen.voucher.pin
        if code is None:
            raise SourceChanged("its code cannot be read any more")
        journey.retry_while_safe(lambda: journey.gateway.redeem(journey.source, code, money, pin, **kwargs))

    def _check_unspent(self) -> None:
        """Make sure that nothing was spent at the source between its reading and its end."""
        if self._frozen:
            return
        left = self._read_source().remaining
        if left != self._row.value:
            raise SourceChanged(
                f"it had {left} when it was to be retired, not {self._row.value}: it was used meanwhile"
            )

    # --- back ---

    def undo(self, ending: RowState, reason: str, *, trouble: VoucherGatewayError | None = None) -> MoveResult:
        """Undo what was done, so that the voucher is spendable at the source alone, and return what came of it."""
        begun = False
        try:
            if self._may_have_changed_anything():
                # While that is not known, nothing is undone: the next run goes on.
                target_id = self._way_back.target_voucher_id(self._row)
                self._way_back.check_source(self._row)
                if target_id is not None and self._row.undo_target_state is None:
                    self._way_back.require_unspent(self._row, target_id)
                self._mover.state.undoing(self._row, ending, self._target_id, reason)
                begun = True
                problem = self._back()
                reason = "; ".join(sentence for sentence in (reason, problem) if sentence)
        except _LATER as error:
            return self.result(RowState.PLANNED, reason, ending=ending, trouble=error)
        except CannotUndo as found:
            doubt = str(found)
        except VoucherGatewayError as error:
            doubt = _error_text(error)
        else:
            anew = ending is RowState.PLANNED  # refused to the login, not to the voucher
            return MoveResult(row=self._row, state=ending, reason=reason, anew=anew, trouble=trouble)
        return self.result(
            RowState.IN_DOUBT,
            f"{reason}{_NOT_UNDONE}{doubt}",
            ending=ending if begun else None,
            trouble=trouble,
        )

    def _back(self) -> str:
        """Undo everything, and return what of that is worth telling."""
        target_id = self._way_back.target_voucher_id(self._row)
        if target_id is not None:
            self._way_back.withdraw_from_target(self._row, target_id)
        return self._way_back.restore_source(self._row)

    def _may_have_changed_anything(self) -> bool:
        """Whether anything may have been done to the voucher."""
        return (
            self._frozen
            or self._target_id is not None
            or self._row.attempts > 1
            or self._row.undo_target_state is not None
        )

    def _differences(self, voucher: Voucher, *, used: bool) -> list[str]:
        """Return in what the voucher at the target is not what was asked for."""
        destination = self._planned.destination
        assert destination is not None
        wrong = []
        if used:
            pass
        elif voucher.initial != destination.value:
            wrong.append(f"the value {voucher.initial}, not {destination.value}")
        elif voucher.remaining not in (None, destination.value):
            wrong.append(f"{voucher.remaining} left, not {destination.value}")
        if not destination.new_code and not self._mover.standing.same_code(voucher.code, self._planned, hidden=True):
            wrong.append("another code")
        if _ends_early(voucher.valid_until, destination.valid_until, self._journey):
            wrong.append("an earlier end of validity")
        return wrong


def _ends_early(valid_until: datetime | None, wanted: datetime | None, journey: MigrationContext) -> bool:
    if valid_until is None or wanted is None:
        return False
    return valid_until < wanted - journey.target_can.expiry_resolution


def _error_text(error: VoucherGatewayError) -> str:
    """Return what an error says, and which operation a person would have to decide, if no look-up can."""
    ticket = getattr(error, "ticket", None)
    if ticket is None:
        return error.message
    return f"{error.message}; the operation is {ticket.account} {ticket.verb} {ticket.reference}"
