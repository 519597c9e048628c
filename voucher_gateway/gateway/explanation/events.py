"""Events of a story, made of the journal's operations, reservations and moves, and of the vendor's movements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.gateway.explanation.model import StoryEvent
from voucher_gateway.gateway.explanation.text import moment_text
from voucher_gateway.journal.holds import Hold, HoldState
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.moves import VoucherMove
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.models.results import Movement
from voucher_gateway.models.voucher import MovementState
from voucher_gateway.money import Money

FIRST: Final = datetime.min.replace(tzinfo=UTC)
"""Sorts before all instants."""
_HOLD_STATES: Final = {
    HoldState.CAPTURED: "captured",
    HoldState.RELEASED: "released",
    HoldState.SUPERSEDED: "replaced",
    HoldState.NOT_MADE: "not made",
}


@attrs.frozen(kw_only=True)
class JournalOperation:
    """An operation of the journal with what belongs to it.

    Attributes:
        record: the operation.
        hold: the reservation that it made.
        wire_references: the references under which the vendor may know it.
    """

    record: OperationRecord
    hold: Hold | None
    wire_references: frozenset[str]

    @property
    def money(self) -> Money | None:
        """What it moved or reserved; what was asked for if it has no result."""
        result = self.record.replay() if self.record.result else None
        return getattr(result, "money", None) or self.record.target.money

    @property
    def result_id(self) -> str | None:
        """The vendor's id of the movement or reservation that it made."""
        return None if self.record.result is None else getattr(self.record.replay(), "id", None)

    def is_held(self, at: datetime) -> bool:
        """Whether its reservation may hold value at a moment of the vendor's clock."""
        if self.hold is None or self.hold.state not in (HoldState.REQUESTED, HoldState.LIVE):
            return False
        return self.hold.expires_at is None or self.hold.expires_at > at


def read_operations(journal: Journal, records: Iterable[OperationRecord]) -> list[JournalOperation]:
    """Return operations with what belongs to them, the oldest first."""
    return [
        JournalOperation(
            record=record,
            hold=journal.hold_of(record.id) if record.key.verb in (Operation.RESERVE, Operation.REDEEM) else None,
            wire_references=frozenset(
                request.intent.reference for request in journal.requests_of(record.id) if request.intent.reference
            ),
        )
        for record in sorted(records, key=_id_of)
    ]


def make_events(
    operations: Sequence[JournalOperation], movements: Sequence[Movement], moves: Sequence[VoucherMove], at: datetime
) -> list[StoryEvent]:
    """Return all that happened, the oldest first. An operation that the vendor's history shows is one event.

    Args:
        operations: those of the journal.
        movements: the vendor's.
        moves: to other accounts.
        at: the present moment by the vendor's clock.
    """
    events: list[tuple[datetime, StoryEvent]] = []
    by_movement = {id(movement): find_operation(operations, movement) for movement in movements}
    proofs = {
        operation.record.id: movement for movement in movements if (operation := by_movement[id(movement)]) is not None
    }
    for operation in operations:
        event = _operation_event(operation, proofs.get(operation.record.id), at)
        events.append((operation.record.created_at, event))
    last = FIRST
    for movement in movements:
        last = movement.created_at or last
        if by_movement[id(movement)] is None:
            events.append((last, _movement_event(movement)))
    events.extend((move.at, _move_event(move)) for move in moves)
    return [event for _, event in sorted(events, key=_moment_of)]


def find_operation(operations: Sequence[JournalOperation], movement: Movement) -> JournalOperation | None:
    """Return the operation that made a movement; None if it is of another channel, or not known."""
    for operation in operations:
        if movement.id is not None and operation.result_id == movement.id:
            return operation
    for operation in operations:
        if movement.reference is not None and movement.reference in operation.wire_references:
            return operation
    return None


def _operation_event(operation: JournalOperation, movement: Movement | None, at: datetime) -> StoryEvent:
    record = operation.record
    return StoryEvent(
        at=record.created_at,
        source="journal" if movement is None else "both",
        what=record.key.verb.value,
        account=record.key.account,
        voucher_id=record.voucher_id,
        money=operation.money,
        state=_state_of(operation, at),
        order=record.order,
        reference=record.key.reference,
        detail=_detail_of(operation, movement, at),
        operation_id=record.id,
        movement_id=None if movement is None else movement.id,
    )


def _state_of(operation: JournalOperation, at: datetime) -> str:
    """Return the state of an operation; of a reservation that was made, what became of it."""
    record, hold = operation.record, operation.hold
    if record.key.verb is not Operation.RESERVE or record.state is not OperationState.SUCCEEDED or hold is None:
        return record.state.value
    return "held" if operation.is_held(at) else _HOLD_STATES.get(hold.state, "expired")


def _detail_of(operation: JournalOperation, movement: Movement | None, at: datetime) -> str:
    record = operation.record
    if record.decided_by is not None:
        return f"decided by {record.decided_by}: {record.decision}"
    if record.state.is_unresolved and movement is not None:
        return "the vendor's history shows it: `voucher-gateway recover` records that"
    if operation.hold is not None and operation.hold.expires_at is not None and operation.is_held(at):
        return f"until {moment_text(operation.hold.expires_at, at)}"
    return "" if record.state is OperationState.SUCCEEDED else record.reason


def _movement_event(movement: Movement) -> StoryEvent:
    login = "" if movement.login is None else f"by the login {movement.login}"
    return StoryEvent(
        at=movement.created_at,
        source="vendor",
        what=movement.kind.value,
        account=movement.account,
        voucher_id=movement.voucher_id,
        money=movement.money,
        state="" if movement.state is MovementState.COMPLETED else movement.state.value,
        reference=movement.reference,
        detail=login,
        movement_id=movement.id,
    )


def _move_event(move: VoucherMove) -> StoryEvent:
    where = f"to the account {move.to_account}, where its id is {move.to_voucher_id}"
    return StoryEvent(
        at=move.at,
        source="journal",
        what="move",
        account=move.account,
        voucher_id=move.voucher_id,
        state="open" if move.in_progress else "succeeded",
        detail="" if move.in_progress else where,
    )


def _id_of(record: OperationRecord) -> str:
    return record.id


def _moment_of(pair: tuple[datetime, StoryEvent]) -> datetime:
    return pair[0]
