"""Compares reservations with the operations that made, captured and released them, whose events tell what they did.

A redemption makes and captures a reservation at some vendors, so that a reservation has no events: each would be
another write of a redemption. What it was and how it ended is in rows that events cover: those of the operation that
made it and of its requests, and those of the captures and releases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.audit.report import DifferenceLog, RowChange
from voucher_gateway.capabilities import Operation
from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.journal.holds import HoldState
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.pruned.pruned import key_ids_in_use
from voucher_gateway.journal.records import OperationState
from voucher_gateway.journal.schema import holds, operations
from voucher_gateway.models.results import Redemption, Release, Reservation
from voucher_gateway.outcome import Effect
from voucher_gateway.storage.statements import PreparedStatement

_BATCH: Final = 500
_STATES: Final = frozenset(state.value for state in HoldState)
_REFUSED: Final = (Effect.DECLINED.value, Effect.NOT_EXECUTED.value)
_MADE: Final = (HoldState.LIVE, HoldState.CAPTURED, HoldState.RELEASED)
_ENDED: Final = (HoldState.CAPTURED, HoldState.RELEASED)

_NEXT: Final = PreparedStatement(
    sa.select(
        holds,
        operations.c.verb,
        operations.c.reference,
        operations.c.amount.label("asked"),
        operations.c.result,
        operations.c.decided_by,
    )
    .join(operations, operations.c.id == holds.c.operation_id)
    .where(holds.c.operation_id > sa.bindparam("last"), holds.c.reservation_id.is_not(None))
    .order_by(holds.c.operation_id)
    .limit(_BATCH)
)
_OTHER: Final = holds.alias("other")
_TWO_LIVE: Final = (
    sa.select(holds.c.operation_id, _OTHER.c.operation_id.label("other_id"))
    .join(
        _OTHER,
        (_OTHER.c.provider == holds.c.provider)
        & (_OTHER.c.host == holds.c.host)
        & (_OTHER.c.fingerprint == holds.c.fingerprint)
        & (_OTHER.c.state == holds.c.state)
        & (_OTHER.c.expires_at > holds.c.expires_at)
        & _OTHER.c.exclusive,
    )
    .where(holds.c.state == sa.literal_column(f"'{HoldState.LIVE.value}'"), holds.c.exclusive)
)
"""A reservation that was made later ends an earlier one of the voucher. Those of one end are as a vendor's clock is."""

Row = Mapping[str, Any]


# --- an operation and its own reservation ---


def compare_hold(row: Row, sent: Sequence[Row], own_holds: Sequence[Row]) -> Iterator[str]:
    """Yield what is not as the operation and its requests tell.

    Args:
        row: the operation's. It and the requests are as they were written.
        sent: those of its requests.
        own_holds: those of its reservations: one, if it has sent a request for one.
    """
    reserving = [request for request in sent if request["step"] == Operation.RESERVE.value]
    if not reserving:
        if own_holds:
            yield "its reservation was inserted: it has sent no request for one"
        return
    if not own_holds:
        yield "its reservation was removed: a later one of the voucher may end it unnoticed"
        return
    (hold,) = own_holds
    if hold["state"] not in _STATES:
        yield f"its reservation has an unknown state, {hold['state']!r:.20}"
        return
    for name in ("provider", "host", "fingerprint"):
        if hold[name] != row[name]:
            yield f"its reservation has another {name} than itself"
    if row["attempt"] == 1 and hold["order_number"] != row["order_number"]:
        yield "its reservation has another order than itself"
    yield from _compare_amount(hold, reserving[-1])
    yield from _compare_state(row, hold, reserving)
    yield from _compare_id(row, hold, sent, reserving)


def _compare_amount(hold: Row, request: Row) -> Iterator[str]:
    asked = _fields_of(request["intent"])
    amount, currency = asked.get("amount"), asked.get("currency")
    if hold["currency"] != currency or not (hold["amount"] == amount or hold["holds_rest"]):
        money = f"{hold['amount']!s:.32} {hold['currency']!s:.3}"
        yield f"its reservation is of {money}, and it asked for {amount} {currency}"


def _compare_state(row: Row, hold: Row, reserving: Sequence[Row]) -> Iterator[str]:
    state, effects = hold["state"], [request["effect"] for request in reserving]
    if state == HoldState.REQUESTED and all(effect in _REFUSED for effect in effects):
        yield "its reservation counts as requested, and the vendor made none"
    if state == HoldState.NOT_MADE and effects[-1] not in _REFUSED and not row["decided_by"]:
        yield "its reservation counts as not made, and the vendor did not refuse it"
    if state in _MADE and Effect.SUCCEEDED.value not in effects:
        yield f"its reservation is {state}, and no request made it"
    if state in (HoldState.REQUESTED, HoldState.NOT_MADE) and hold["reservation_id"] is not None:
        yield f"its reservation is {state}, and has an id of the vendor"
    if state in _MADE and hold["reservation_id"] is None:
        yield f"its reservation is {state}, and has no id of the vendor"


def _compare_id(row: Row, hold: Row, sent: Sequence[Row], reserving: Sequence[Row]) -> Iterator[str]:
    number, last = hold["reservation_id"], reserving[-1]
    subjects = [
        _fields_of(request["intent"]).get("subject")
        for request in sent
        if request["step"] == Operation.CAPTURE.value and request["id"] > last["id"]
    ]
    if any(subject not in (None, number) for subject in subjects):
        yield "its reservation has another id than it captured"
    result = _fields_of(row["result"])
    if result.get("kind") != Reservation.__name__ or row["decided_by"]:
        return
    until = result.get("valid_until")
    ends_at = None if until is None else format_micros(parse_instant(until))
    if number is None:
        if len(reserving) == 1 and last["effect"] == Effect.SUCCEEDED.value:
            yield "its reservation has no id, and the vendor has named one"
    elif number != result["id"]:
        yield "its reservation has another id than the vendor has named"
    elif hold["expires_at"] != ends_at:
        yield f"its reservation ends at {hold['expires_at']!s:.32}, and at {ends_at} as the vendor has said"


def _fields_of(text: object) -> Row:
    """Return the fields of a JSON object, or of its text; none if something else wrote it."""
    try:
        fields = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


# --- reservations, and the captures and releases of others ---


def verify_holds(journal: Journal, log: DifferenceLog, report_progress: Callable[[int], None]) -> None:
    """Compare all reservations with their captures and releases, and with one another. Other workers may go on.

    Args:
        journal: the journal.
        log: notes what is wrong.
        report_progress: is called with the number of reservations that were compared.
    """
    last, count, size = "", 0, _BATCH
    while size == _BATCH:
        with journal.database.snapshot() as connection:
            rows = _NEXT.all_rows(connection, {"last": last})
            endings = _EndingCalls(connection, rows)
            for row in rows:
                for reason in endings.compare(row):
                    _note(log, row["operation_id"], reason, row["reference"])
        size = len(rows)
        if rows:
            last = rows[-1]["operation_id"]
        count += size
        report_progress(count)
    with journal.database.snapshot() as connection:
        for pair in connection.execute(_TWO_LIVE):
            _note(log, pair.operation_id, f"its reservation is live, and that of {pair.other_id} has ended it")


def _note(log: DifferenceLog, operation_id: str, reason: str, reference: str | None = None) -> None:
    log.add(RowChange.CHANGED, "holds", operation_id, f"operation {operation_id}: {reason}", reference=reference)


class _EndingCalls:
    """The captures and releases of some reservations that succeeded.

    Args:
        connection: for reading, in the snapshot of the rows.
        rows: the reservations, with their operations.
    """

    def __init__(self, connection: Connection, rows: Sequence[Row]) -> None:
        numbers = sorted({row["reservation_id"] for row in rows if not _ends_itself(row)})
        # What captured or released a reservation may have been removed before it.
        self._may_be_pruned = bool(numbers) and bool(key_ids_in_use(connection))
        self._captured: dict[tuple[str, str], Decimal] = {}
        self._released: set[tuple[str, str]] = set()
        for verb in (Operation.CAPTURE, Operation.RELEASE) if numbers else ():
            query = sa.select(operations.c.host, operations.c.target, operations.c.result).where(
                operations.c.target.in_(numbers),
                operations.c.verb == sa.literal_column(f"'{verb.value}'"),
                operations.c.state == OperationState.SUCCEEDED.value,
            )
            for call in connection.execute(query).mappings():
                self._collect((call["host"], call["target"]), _fields_of(call["result"]))

    def _collect(self, place: tuple[str, str], result: Row) -> None:
        if result.get("reservation_id") != place[1]:
            return
        if result.get("kind") == Redemption.__name__:
            amount = _amount_of(_fields_of(result.get("money")).get("amount"))
            self._captured[place] = self._captured.get(place, Decimal(0)) + amount
        elif result.get("kind") == Release.__name__:
            self._released.add(place)

    def compare(self, row: Row) -> Iterator[str]:
        """Yield what is not as the captures and releases of a reservation tell."""
        state, place = row["state"], (row["host"], row["reservation_id"])
        is_captured, is_released = place in self._captured or _ends_itself(row), place in self._released
        is_explained = is_captured or is_released or self._may_be_pruned or row["decided_by"]
        if state in _ENDED and not is_explained:
            yield f"its reservation is {state}, and no call has captured or released it"
        if is_released and state not in _ENDED:
            yield f"its reservation is {state}, and a call has released it"
        elif is_captured and state not in _ENDED and not row["holds_rest"]:
            yield f"its reservation is {state}, and a call has captured it"
        elif row["holds_rest"] and state == HoldState.LIVE and not self._may_be_pruned:
            rest = _amount_of(row["asked"]) - self._captured.get(place, Decimal(0))
            if _amount_of(row["amount"]) != rest:
                yield f"its reservation holds {row['amount']!s:.32}, and {rest} is left of it"


def _amount_of(text: object) -> Decimal:
    """Return an amount; zero if something else wrote it."""
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return Decimal(0)


def _ends_itself(row: Row) -> bool:
    """Whether the operation that made a reservation has captured it as well."""
    result = _fields_of(row["result"]) if row["verb"] == Operation.REDEEM.value else {}
    return result.get("kind") == Redemption.__name__ and result.get("reservation_id") == row["reservation_id"]
