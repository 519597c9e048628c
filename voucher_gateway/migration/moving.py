"""The move of one voucher.

Each step is an operation of the journal under a reference made of plan, voucher and step: however often a worker is
killed and the move begun again, it happens once, and what had succeeded is replayed. A refusal before the voucher is
spendable at the target is undone; an outcome that nobody knows is left as it is, and looked into by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from voucher_gateway.adapter import (
    AccessDenied,
    ConcurrentModification,
    ConfigurationError,
    Declined,
    DuplicateCode,
    InvalidRequest,
    MalformedResponse,
    NotExecuted,
    Operation,
    OperationInProgress,
    OutcomeUnknown,
    Status,
    UnsupportedOperation,
    Voucher,
    VoucherChanges,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.errors import ReferenceConflict
from voucher_gateway.journal import State
from voucher_gateway.migration.changes import Changed
from voucher_gateway.migration.journey import Journey, Seen
from voucher_gateway.migration.plan import Step
from voucher_gateway.migration.records import Ended, Row, RowState
from voucher_gateway.migration.standing import Standing
from voucher_gateway.migration.state import MigrationState
from voucher_gateway.migration.traveller import new_voucher
from voucher_gateway.migration.undoing import ACTIVATE, CREATE, FREEZE, RETIRE, CannotUndo, WayBack

_REFUSALS: Final = (Declined, InvalidRequest, UnsupportedOperation, MalformedResponse, ReferenceConflict)
_UNKNOWN: Final = (OutcomeUnknown, ConcurrentModification)
_LATER: Final = (NotExecuted, OperationInProgress)
_NOT_UNDONE: Final = "; not all of it could be undone: "


class _Refused(Exception):
    """The target made something else of the voucher; the text says what, for people."""


class Mover:
    """Moves vouchers of one plan; shared by all threads."""

    def __init__(self, journey: Journey, state: MigrationState) -> None:
        self.journey = journey
        self.state = state
        self.standing = Standing(journey)

    def move(self, row: Row) -> Ended:
        """Move one voucher, or go on where that was broken off, and return what came of it."""
        one = _Move(self, row)
        if row.ending is not None:  # it was being undone when somebody died
            return one.undo(row.ending, row.reason.partition(_NOT_UNDONE)[0])
        try:
            return one.forward()
        except Changed as found:
            return one.undo(RowState.CHANGED, str(found))
        except _Refused as found:
            return one.undo(RowState.REFUSED, str(found))
        except CannotUndo as found:
            return one.ended(RowState.IN_DOUBT, str(found))
        except _UNKNOWN as error:
            return one.ended(RowState.IN_DOUBT, _told(error), trouble=error)
        except _LATER as error:
            return one.ended(RowState.PLANNED, error.message, trouble=error)
        except AccessDenied as error:
            return one.undo(RowState.PLANNED, str(error), trouble=error)
        except ConfigurationError as error:
            return one.ended(RowState.PLANNED, error.message, trouble=error)
        except _REFUSALS as error:
            return one.undo(RowState.REFUSED, str(error))


class _Move:
    """The move of one voucher by one worker."""

    def __init__(self, mover: Mover, row: Row) -> None:
        self._mover = mover
        self._journey = mover.journey
        self._row = row
        self._planned = row.planned
        self._seen: Seen | None = None
        self._target_id = row.target_id
        self._drift_s = row.drift_s
        self._way_back = WayBack(mover.journey)
        self._frozen = False
        self._made_before = False
        self._remark = ""

    def forward(self) -> Ended:
        """Take all steps."""
        taken: Mapping[Step, Callable[[], None]] = {
            Step.FREEZE: self._freeze,
            Step.REREAD: self._read_again,
            Step.CREATE: self._create,
            Step.CONFIRM: self._confirm,
            Step.RETIRE: self._retire,
            Step.ACTIVATE: self._activate,
        }
        for step in self._journey.header.steps:
            taken[step]()
        return self.ended(RowState.MOVED, self._remark)

    def ended(self, state: RowState, reason: str = "", **more: Any) -> Ended:
        """Return what came of it."""
        return Ended(
            row=self._row, state=state, target_id=self._target_id, reason=reason, drift_s=self._drift_s, **more
        )

    # --- forward ---

    def _freeze(self) -> None:
        """Stop the source. What it was before is looked at first: a voucher that others have stopped stays stopped."""
        if self._planned.status is Status.INACTIVE:
            return
        journey, id = self._journey, self._planned.source_id
        try:
            if self._row.tries == 1 or not journey.begun(journey.source, Operation.DEACTIVATE, self._row, FREEZE):
                found = journey.patiently(lambda: journey.gateway.get(journey.source, id))
                self._mover.standing.check_untouched(found, self._planned)
            named = journey.named(self._row, FREEZE)
            journey.patiently(lambda: journey.gateway.deactivate(journey.source, id, **named))
        except VoucherNotFound:
            raise Changed("it is not there any more") from None
        self._frozen = True

    def _read_again(self) -> None:
        """Read the source, and make sure that it is what was planned, until it has begun to be retired.

        After a break the journal may tell that the voucher was created already. The source could be spent all the same
        since then, if somebody has thawed it.
        """
        journey, standing = self._journey, self._mover.standing
        if self._row.tries > 1:
            entry = journey.entry(journey.target, Operation.ISSUE, self._row, CREATE)
            if entry is not None and entry.state is State.SUCCEEDED:
                self._target_id, self._made_before = self._way_back.id_of(self._row, entry), True
        if self._made_before and self._retiring():
            return
        standing.check_settled(self._planned)
        self._seen = self._read_source()
        standing.check(self._seen, self._planned, frozen=self._frozen)

    def _retiring(self) -> bool:
        journey, ways = self._journey, (Operation.REDEEM, Operation.UPDATE, Operation.DELETE)
        return any(journey.begun(journey.source, verb, self._row, RETIRE) for verb in ways)

    def _read_source(self) -> Seen:
        try:
            return self._journey.read(self._journey.source, self._planned.source_id)
        except VoucherNotFound:
            raise Changed("it is not there any more") from None

    def _create(self) -> None:
        if self._made_before:
            return
        assert self._seen is not None
        journey = self._journey
        later = Step.ACTIVATE in journey.header.steps
        new = new_voucher(self._seen.voucher, self._planned, journey.target_can, later=later)
        named = {**journey.named(self._row, CREATE), "order": None}
        try:
            made = journey.patiently(lambda: journey.gateway.issue(journey.target, new, **named))
        except DuplicateCode:
            raise _Refused("the target has a voucher with its code already") from None
        self._target_id = made.id
        if later and made.status is Status.ACTIVE and not self._frozen and not journey.stays:
            raise _Refused("the target made it spendable at once, though it was to be inactive at first")

    def _confirm(self) -> None:
        assert self._target_id is not None
        found = self._shown(self._target_id)
        used = self._used(found)
        wrong = self._differences(found, used=used)
        if wrong:
            raise _Refused(f"at the target it has {' and '.join(wrong)}")
        if used:
            self._remark = "it was used at the target before the move was through"
        self._note_end(found)

    def _used(self, found: Voucher) -> bool:
        """Whether it has another value by now because it could be spent at the target before a break."""
        value = self._row.value
        if not self._made_before or (found.initial == value and found.remaining in (None, value)):
            return False
        journey = self._journey
        later = Step.ACTIVATE in journey.header.steps
        return not later or journey.begun(journey.target, Operation.ACTIVATE, self._row, ACTIVATE)

    def _shown(self, id: str) -> Voucher:
        """Read the voucher at the target. It was made there, so its absence can only be a delay."""
        journey = self._journey
        readable = journey.target_can.codes.readable
        try:
            return journey.patiently(lambda: journey.gateway.get(journey.target, id, secrets=readable))
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
        named = journey.named(self._row, ACTIVATE)
        active = journey.patiently(lambda: journey.gateway.activate(journey.target, id, **named))
        self._note_end(active)

    def _note_end(self, shown: Voucher) -> None:
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
            self._remark = "; ".join(one for one in (self._remark, stays) if one)

    def _retire_by(self, way: str) -> None:
        journey, row, id = self._journey, self._row, self._planned.source_id
        gateway, source = journey.gateway, journey.source
        named = journey.named(row, RETIRE)
        match way:
            case "empty":
                self._empty(named)
            case "expire":
                changes = VoucherChanges(valid_until=journey.past())
                journey.patiently(lambda: gateway.update(source, id, changes, **named))
                self._check_unspent()
            case "delete":
                reason = f"moved to {journey.target}"[:200]
                journey.patiently(lambda: gateway.delete(source, id, reason, **named))

    def _empty(self, named: dict[str, Any]) -> None:
        journey, money = self._journey, self._row.value
        if not money or journey.done(journey.source, Operation.REDEEM, self._row, RETIRE):
            return
        seen = self._seen or self._read_source()
        code, pin = seen.voucher.code, seen.voucher.pin
        if code is None:
            raise Changed("its code cannot be read any more")
        journey.patiently(lambda: journey.gateway.redeem(journey.source, code, money, pin, **named))

    def _check_unspent(self) -> None:
        """Make sure that nothing was spent at the source between its reading and its end."""
        if self._frozen:
            return
        left = self._read_source().remaining
        if left != self._row.value:
            raise Changed(f"it had {left} when it was to be retired, not {self._row.value}: it was used meanwhile")

    # --- back ---

    def undo(self, ending: RowState, reason: str, *, trouble: VoucherGatewayError | None = None) -> Ended:
        """Undo what was done, so that the voucher is spendable at the source alone, and return what came of it."""
        begun = False
        try:
            if self._touched():
                # While that is not known, nothing is undone: the next run goes on.
                made = self._way_back.made(self._row)
                self._way_back.check_source(self._row)
                if made is not None and self._row.ending is None:
                    self._way_back.check_unspent(self._row, made)
                self._mover.state.undoing(self._row, ending, self._target_id, reason)
                begun = True
                told = self._back()
                reason = "; ".join(one for one in (reason, told) if one)
        except _LATER as error:
            return self.ended(RowState.PLANNED, reason, ending=ending, trouble=error)
        except CannotUndo as found:
            doubt = str(found)
        except VoucherGatewayError as error:
            doubt = _told(error)
        else:
            anew = ending is RowState.PLANNED  # refused to the login, not to the voucher
            return Ended(row=self._row, state=ending, reason=reason, anew=anew, trouble=trouble)
        return self.ended(
            RowState.IN_DOUBT,
            f"{reason}{_NOT_UNDONE}{doubt}",
            ending=ending if begun else None,
            trouble=trouble,
        )

    def _back(self) -> str:
        """Undo everything, and return what of that is worth telling."""
        target_id = self._way_back.made(self._row)
        if target_id is not None:
            self._way_back.take_back(self._row, target_id)
        return self._way_back.restore_source(self._row)

    def _touched(self) -> bool:
        """Whether anything may have been done to the voucher."""
        return self._frozen or self._target_id is not None or self._row.tries > 1 or self._row.ending is not None

    def _differences(self, found: Voucher, *, used: bool) -> list[str]:
        """Return in what the voucher at the target is not what was asked for."""
        destination = self._planned.destination
        assert destination is not None
        wrong = []
        if used:
            pass
        elif found.initial != destination.value:
            wrong.append(f"the value {found.initial}, not {destination.value}")
        elif found.remaining not in (None, destination.value):
            wrong.append(f"{found.remaining} left, not {destination.value}")
        if not destination.new_code and not self._mover.standing.same_code(found.code, self._planned, hidden=True):
            wrong.append("another code")
        if _ends_early(found.valid_until, destination.valid_until, self._journey):
            wrong.append("an earlier end of validity")
        return wrong


def _ends_early(found: datetime | None, wanted: datetime | None, journey: Journey) -> bool:
    if found is None or wanted is None:
        return False
    return found < wanted - journey.target_can.expiry_grain


def _told(error: VoucherGatewayError) -> str:
    """Return what an error says, and which operation a person would have to decide, if no look-up can."""
    ticket = getattr(error, "ticket", None)
    if ticket is None:
        return error.message
    return f"{error.message}; the operation is {ticket.account} {ticket.verb} {ticket.reference}"
