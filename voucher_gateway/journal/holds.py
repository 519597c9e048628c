"""Reservations as the journal knows them, so that one does not silently end another.

At some vendors a second reservation of a voucher ends the first one silently. The journal knows the reservations that
were made through it, by the fingerprint of the code. It refuses the capture of a reservation that has ended.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    AlreadyCaptured,
    ReservationExpired,
    ReservationReleased,
    ReservationSuperseded,
    VoucherHeld,
)
from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.pruned.pruned import is_result_of_pruned
from voucher_gateway.journal.records import HoldRequest, OperationRecord
from voucher_gateway.journal.schema import IS_ACTIVE_HOLD, holds, operations, requests
from voucher_gateway.models.results import Redemption, Release, Reservation
from voucher_gateway.money import Money
from voucher_gateway.outcome import Effect, Intent, Result
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import PreparedStatement


class HoldState(enum.StrEnum):
    """The state of a hold.

    Attributes:
        REQUESTED: sent, and its outcome is unknown: it counts as live until its latest possible end.
        LIVE: the vendor made the reservation, and it has not ended as far as is known.
        CAPTURED: all of it was captured, or the vendor freed the rest.
        RELEASED: it was released.
        SUPERSEDED: a later reservation of ours has ended it.
        NOT_MADE: the vendor did not make the reservation.
    """

    REQUESTED = "asked"
    LIVE = "live"
    CAPTURED = "captured"
    RELEASED = "released"
    SUPERSEDED = "superseded"
    NOT_MADE = "gone"


UNDECIDED_EFFECTS: Final = (Effect.UNKNOWN.value, Effect.PENDING.value)
"""The effects of requests that may have been carried out, or may still be."""

_ENDING_VERBS: Final = (Operation.CAPTURE, Operation.RELEASE)
_ENDED: Final = {
    HoldState.CAPTURED: (AlreadyCaptured, "the reservation was captured already"),
    HoldState.RELEASED: (ReservationReleased, "the reservation was released"),
    HoldState.SUPERSEDED: (ReservationSuperseded, "a later reservation of ours has ended this one"),
}

_SELECT_ACTIVE: Final = PreparedStatement(
    sa.select(holds.c.operation_id, holds.c.order_number).where(
        holds.c.provider == sa.bindparam("provider"),
        holds.c.host == sa.bindparam("host"),
        holds.c.fingerprint == sa.bindparam("fingerprint"),
        holds.c.operation_id != sa.bindparam("mine"),
        IS_ACTIVE_HOLD,
        (holds.c.expires_at.is_(None)) | (holds.c.expires_at > sa.bindparam("at")),
    )
)
_OWN: Final = PreparedStatement(sa.select(holds).where(holds.c.operation_id == sa.bindparam("mine")))
_KNOWN: Final = PreparedStatement(
    sa.select(holds.c.state, holds.c.expires_at).where(
        holds.c.host == sa.bindparam("host"), holds.c.reservation_id == sa.bindparam("reservation")
    )
)
_OF_RESERVATION: Final = (holds.c.host == sa.bindparam("vendor_host")) & (
    holds.c.reservation_id == sa.bindparam("reservation")
)
_WHOLE: Final = PreparedStatement(sa.select(holds).where(_OF_RESERVATION).with_for_update())
_REDUCE: Final = PreparedStatement(sa.update(holds).where(_OF_RESERVATION).values(amount=sa.bindparam("rest")))
_INSERT: Final = PreparedStatement(sa.insert(holds))
_MARK_LIVE: Final = PreparedStatement(
    sa.update(holds)
    .where(holds.c.operation_id == sa.bindparam("mine"))
    .values(reservation_id=sa.bindparam("reservation"), expires_at=sa.bindparam("until"), state=HoldState.LIVE.value)
    .returning(holds.c.exclusive)
)
_END: Final = PreparedStatement(sa.update(holds).where(_OF_RESERVATION).values(state=sa.bindparam("new_state")))
_CAPTURE_WITHOUT_REST: Final = PreparedStatement(
    sa.update(holds).where(_OF_RESERVATION, sa.not_(holds.c.holds_rest)).values(state=HoldState.CAPTURED.value)
)


@attrs.frozen(kw_only=True)
class Hold:
    """A reservation as the journal knows it.

    Attributes:
        operation_id: the operation that made it.
        reservation_id: the vendor's id; None if no answer came.
        money: what it holds.
        expires_at: when it ends, by the vendor's clock.
        state: its state.
    """

    operation_id: str
    reservation_id: str | None
    money: Money
    expires_at: datetime | None
    state: HoldState

    @classmethod
    def from_row(cls, row: Mapping[Any, Any]) -> Hold:
        """Return the hold that a row of the table has."""
        return cls(
            operation_id=row["operation_id"],
            reservation_id=row["reservation_id"],
            money=Money(row["amount"], row["currency"]),
            expires_at=parse_instant(row["expires_at"]) if row["expires_at"] else None,
            state=HoldState(row["state"]),
        )


class Holds:
    """The holds in the journal's database. Every method works within the caller's transaction."""

    def check(
        self,
        connection: Connection,
        keys: JournalKeys,
        record: OperationRecord,
        *,
        step: str,
        intent: Intent,
        hold: HoldRequest | None,
        vendor_now: datetime,
        again: bool,
    ) -> None:
        """Refuse a request that a hold forbids, and record a request that makes a hold.

        The keys are all that the journal was used with: see `require_all_keys`.

        `again` says that the operation sent a request before: in an earlier attempt, or one in this attempt that was
        certainly not executed. Its hold is then written again.

        Raises:
            VoucherHeld: if a reservation would end another that is not to be replaced.
            Declined: if a capture would come too late, or if its reservation has ended.
        """
        if hold is not None and step == "reserve":
            self._reserve(connection, keys, record, hold, intent, vendor_now, again)
        elif step == "capture" and intent.subject is not None:
            self._capture(connection, intent, vendor_now)
        if record.key.verb in _ENDING_VERBS:
            _require_hold_not_pruned(connection, keys, record)

    def check_release(
        self, connection: Connection, keys: JournalKeys, record: OperationRecord, reservation_id: str
    ) -> None:
        """Refuse to release a reservation that was captured.

        Raises:
            AlreadyCaptured: if it was captured.
            ReservationExpired: if its details were removed from the journal.
        """
        _require_hold_not_pruned(connection, keys, record)
        of_reservation = (holds.c.host == record.target.host) & (holds.c.reservation_id == reservation_id)
        if connection.scalar(sa.select(holds.c.state).where(of_reservation)) == HoldState.CAPTURED.value:
            raise AlreadyCaptured("the reservation was captured already")

    def on_operation_closed(self, connection: Connection, record: OperationRecord, result: Result | None) -> None:
        """Update the hold that a closed operation captured or released."""
        if isinstance(result, Redemption) and result.reservation_id is not None:
            parameters = {"vendor_host": record.target.host, "reservation": result.reservation_id}
            has_ended = _CAPTURE_WITHOUT_REST.execute(connection, parameters) > 0
            if not has_ended and not _keep_rest(connection, parameters, result.money):
                _END.execute(connection, {**parameters, "new_state": HoldState.CAPTURED.value})
        elif isinstance(result, Release):
            parameters = {"vendor_host": record.target.host, "reservation": result.reservation_id}
            _END.execute(connection, {**parameters, "new_state": HoldState.RELEASED.value})

    def on_request_finished(
        self, connection: Connection, record: OperationRecord, effect: Effect, reservation: Reservation | None
    ) -> None:
        """Record the outcome of a request that should make a hold."""
        target = record.target
        if target.fingerprint is None:
            return
        # Lock before any row is changed: the lock's holder may change our row too, and each would wait for the other.
        lock_in_transaction(connection, target.provider, target.host, target.fingerprint)
        if reservation is not None:
            self._on_reservation_made(connection, record, reservation)
        elif effect in (Effect.DECLINED, Effect.NOT_EXECUTED) and not _in_doubt(connection, record.id):
            _set(connection, _is_requested_by(record.id), HoldState.NOT_MADE)
        elif effect is Effect.PENDING:
            # The vendor may make it at any later time, so it counts as held until the vendor says more.
            connection.execute(sa.update(holds).where(_is_requested_by(record.id)).values(expires_at=None))

    def may_be_superseded(self, connection: Connection, host: str, reservation_id: str) -> bool:
        """Whether an earlier request for this reservation, whose outcome is not known, may have ended it since."""
        query = sa.select(holds.c.operation_id).where(
            holds.c.host == host, holds.c.reservation_id == reservation_id, holds.c.exclusive
        )
        operation_id = connection.scalar(query)
        return operation_id is not None and _in_doubt(connection, operation_id)

    def active(self, connection: Connection, at: datetime) -> list[Hold]:
        """Return the holds that may hold value at a moment of the vendor's clock."""
        unexpired = (holds.c.expires_at.is_(None)) | (holds.c.expires_at > format_micros(at))
        query = sa.select(holds).where(IS_ACTIVE_HOLD, unexpired)
        return [Hold.from_row(row) for row in connection.execute(query).mappings()]

    def amounts(self, connection: Connection, at: datetime) -> list[tuple[str, Money]]:
        """Return the account and the amount of each hold that may hold value at a moment."""
        unexpired = (holds.c.expires_at.is_(None)) | (holds.c.expires_at > format_micros(at))
        query = (
            sa.select(operations.c.account, holds.c.amount, holds.c.currency)
            .join(operations, operations.c.id == holds.c.operation_id)
            .where(IS_ACTIVE_HOLD, unexpired)
        )
        return [(row.account, Money(row.amount, row.currency)) for row in connection.execute(query)]

    def of_reservation(self, connection: Connection, host: str, reservation_id: str) -> Hold | None:
        """Return the hold of a reservation at a vendor; None if the journal does not know it."""
        query = sa.select(holds).where(holds.c.host == host, holds.c.reservation_id == reservation_id)
        row = connection.execute(query).mappings().first()
        return None if row is None else Hold.from_row(row)

    def of_operation(self, connection: Connection, operation_id: str) -> Hold | None:
        """Return the hold that an operation made, or tried to make; None if it made none."""
        row = _OWN.first_row(connection, {"mine": operation_id})
        return None if row is None else Hold.from_row(row)

    def _reserve(
        self,
        connection: Connection,
        keys: JournalKeys,
        record: OperationRecord,
        hold: HoldRequest,
        intent: Intent,
        vendor_now: datetime,
        again: bool,
    ) -> None:
        target = record.target
        assert target.fingerprint is not None
        lock_in_transaction(connection, target.provider, target.host, target.fingerprint)
        fingerprints = keys.fingerprints(
            hold.code, provider=target.provider, host=target.host, known=(target.key_id, target.fingerprint)
        )
        voucher = {"provider": target.provider, "host": target.host, "mine": record.id, "at": format_micros(vendor_now)}
        active = [
            row
            for fingerprint in fingerprints
            for row in _SELECT_ACTIVE.all_rows(connection, {**voucher, "fingerprint": fingerprint})
        ]
        foreign = [row for row in active if hold.order is None or row["order_number"] != hold.order]
        refused = {"refuse": active, "replace-own": foreign, "replace": []}[hold.if_held]
        if hold.exclusive and refused:
            raise VoucherHeld(
                "another reservation of this voucher would be lost: wait until it expires, or pass if_held='replace'"
            )
        assert intent.money is not None
        if again:
            connection.execute(sa.delete(holds).where(holds.c.operation_id == record.id))
        _INSERT.execute(
            connection,
            {
                "operation_id": record.id,
                "provider": target.provider,
                "host": target.host,
                "fingerprint": target.fingerprint,
                "order_number": hold.order,
                "amount": f"{intent.money.amount:f}",
                "currency": intent.money.currency,
                "expires_at": None if hold.lasts_until is None else format_micros(hold.lasts_until),
                "exclusive": hold.exclusive,
                "holds_rest": hold.holds_rest,
                "state": HoldState.REQUESTED.value,
            },
        )

    def _capture(self, connection: Connection, intent: Intent, vendor_now: datetime) -> None:
        row = _KNOWN.first_row(connection, {"host": intent.host, "reservation": intent.subject})
        if row is None:
            return
        if ended := _ENDED.get(HoldState(row["state"])):
            raise ended[0](ended[1])
        if row["expires_at"] is not None and row["expires_at"] <= format_micros(vendor_now):
            raise ReservationExpired("the reservation would end before a capture could arrive")

    def _on_reservation_made(self, connection: Connection, record: OperationRecord, reservation: Reservation) -> None:
        operation_id, target = record.id, record.target
        until = None if reservation.valid_until is None else format_micros(reservation.valid_until)
        own = _MARK_LIVE.first_row(connection, {"mine": operation_id, "reservation": reservation.id, "until": until})
        if own is None or not own["exclusive"]:
            return
        voucher = {
            "provider": target.provider,
            "host": target.host,
            "fingerprint": target.fingerprint,
            "mine": operation_id,
        }
        if _SELECT_ACTIVE.first_row(connection, {**voucher, "at": ""}) is None:
            return
        rivals = (
            (holds.c.provider == target.provider)
            & (holds.c.host == target.host)
            & (holds.c.fingerprint == target.fingerprint)
            & (holds.c.operation_id != operation_id)
        )
        if until is None:  # nothing shows which one came last, so ours counts
            _set(connection, rivals & IS_ACTIVE_HOLD, HoldState.SUPERSEDED)
            return
        live = holds.c.state == HoldState.LIVE.value
        later = holds.c.expires_at > until
        # The vendor keeps the reservation that it made last, and answers may come in another order. Its clock may have
        # whole seconds only. Of two that end at the same moment, one that was answered before ours was sent has ended.
        # If both were sent before either was answered, it is not known which one the vendor kept.
        tied = (holds.c.expires_at == until) & holds.c.operation_id.in_(_select_answered_before(operation_id))
        _set(connection, rivals & live & ((holds.c.expires_at < until) | tied), HoldState.SUPERSEDED)
        _set(connection, rivals & (holds.c.state == HoldState.REQUESTED.value), HoldState.SUPERSEDED)
        if connection.execute(sa.select(holds.c.operation_id).where(rivals & live & later)).first() is not None:
            _set(connection, holds.c.operation_id == operation_id, HoldState.SUPERSEDED)


def _require_hold_not_pruned(connection: Connection, keys: JournalKeys, record: OperationRecord) -> None:
    """Refuse to capture or release a reservation whose hold was removed: it was captured, released or over then.

    Raises:
        ReservationExpired: if it was removed.
    """
    host, reservation_id = record.target.host, record.target.id
    if reservation_id is None or _KNOWN.first_row(connection, {"host": host, "reservation": reservation_id}):
        return
    if is_result_of_pruned(connection, keys, host, reservation_id, Operation.RESERVE):
        raise ReservationExpired("the reservation is over, and its details were removed from the journal")


def _is_requested_by(operation_id: str) -> sa.ColumnElement[bool]:
    return (holds.c.operation_id == operation_id) & (holds.c.state == HoldState.REQUESTED.value)


def _keep_rest(connection: Connection, reservation: Mapping[str, str], captured: Money) -> bool:
    """Reduce a hold by what was captured of it, and return whether the rest stays reserved."""
    row = _WHOLE.first_row(connection, reservation)
    if row is None or not row["holds_rest"] or row["currency"] != captured.currency:
        return False
    rest = Money(row["amount"], row["currency"]) - captured
    if rest.amount <= 0:
        return False
    _REDUCE.execute(connection, {**reservation, "rest": f"{rest.amount:f}"})
    return True


def _in_doubt(connection: Connection, operation_id: str) -> bool:
    """Whether the outcome of a request for a reservation of this operation is not known."""
    query = sa.select(requests.c.id).where(
        requests.c.operation_id == operation_id,
        requests.c.step == Operation.RESERVE.value,
        requests.c.effect.is_(None) | requests.c.effect.in_(UNDECIDED_EFFECTS),
    )
    return connection.execute(query.limit(1)).first() is not None


def _select_answered_before(operation_id: str) -> sa.Select[tuple[str]]:
    """Select the operations whose reservation was answered before this operation's was sent."""
    ours = sa.select(sa.func.max(requests.c.sent_at)).where(
        requests.c.operation_id == operation_id, requests.c.step == Operation.RESERVE.value
    )
    return sa.select(requests.c.operation_id).where(
        requests.c.operation_id == holds.c.operation_id,
        requests.c.step == Operation.RESERVE.value,
        requests.c.finished_at <= ours.scalar_subquery(),
    )


def _set(connection: Connection, which: Any, state: HoldState) -> None:
    connection.execute(sa.update(holds).where(which).values(state=state.value))
