"""Reads what the journal knows of vouchers and accounts. `Journal` has a method for most of these functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.instants import format_micros
from voucher_gateway.journal.holds import UNDECIDED_EFFECTS, HoldState
from voucher_gateway.journal.records import (
    OperationKey,
    OperationRecord,
    OperationState,
    RequestRecord,
    read_result,
)
from voucher_gateway.journal.rows import UNRESOLVED_STATES
from voucher_gateway.journal.schema import IS_ACTIVE_HOLD, holds, moved, operations, requests
from voucher_gateway.money import Money
from voucher_gateway.outcome import Effect
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.statements import PreparedStatement, without_index

OVERWRITE: Final = "update"
"""The step of every request that overwrites a value: the native update's and the emulations'."""

DECIDED_BY: Final = "decided by "
"""The beginning of the reason of a request that a person decided. The name of the person follows."""

MAY_STILL_ARRIVE: Final = (
    "it is done, but an earlier request of it may still arrive and overwrite the value; a person must decide"
)
"""The advice for an operation that succeeded when it was repeated."""

_UNRESOLVED: Final = PreparedStatement(
    sa.select(operations.c.account, operations.c.verb, operations.c.reference)
    .where(
        operations.c.provider == sa.bindparam("provider"),
        operations.c.host == sa.bindparam("host"),
        operations.c.voucher_id == sa.bindparam("voucher"),
        sa.or_(*[operations.c.state == state for state in UNRESOLVED_STATES]),
    )
    .limit(1)
)
_ACTIVE_HOLD: Final = PreparedStatement(
    sa.select(holds.c.operation_id)
    .where(
        holds.c.provider == sa.bindparam("provider"),
        holds.c.host == sa.bindparam("host"),
        holds.c.fingerprint == sa.bindparam("fingerprint"),
        IS_ACTIVE_HOLD,
        holds.c.expires_at.is_(None) | (holds.c.expires_at > sa.bindparam("at")),
    )
    .limit(1)
)

_REPLACEABLE: Final = PreparedStatement(
    sa.select(holds.c.amount, holds.c.currency).where(
        holds.c.provider == sa.bindparam("provider"),
        holds.c.host == sa.bindparam("host"),
        holds.c.fingerprint == sa.bindparam("fingerprint"),
        holds.c.order_number == sa.bindparam("order"),
        holds.c.exclusive,
        sa.or_(*[holds.c.state == state.value for state in (HoldState.LIVE, HoldState.RELEASED)]),
        holds.c.expires_at > sa.bindparam("at"),
    )
)

_TAKES: Final = (Operation.REDEEM.value, Operation.CAPTURE.value)
_GIVES: Final = (Operation.REFUND.value, Operation.TOP_UP.value)


def select_unresolved(connection: Connection, *, provider: str, host: str, voucher_id: str) -> OperationKey | None:
    """Return the key of an operation on a voucher whose outcome is not known yet, or None."""
    row = _UNRESOLVED.first_row(connection, {"provider": provider, "host": host, "voucher": voucher_id})
    return None if row is None else OperationKey(row["account"], Operation(row["verb"]), row["reference"])


def has_active_hold(
    connection: Connection, *, provider: str, host: str, fingerprints: Iterable[str], at: datetime
) -> bool:
    """Whether a reservation may hold value of a voucher at a moment of the vendor's clock."""
    vendor = {"provider": provider, "host": host, "at": format_micros(at)}
    return any(
        _ACTIVE_HOLD.first_row(connection, {**vendor, "fingerprint": fingerprint}) is not None
        for fingerprint in fingerprints
    )


def select_replaceable_value(
    connection: Connection, *, provider: str, host: str, fingerprints: Iterable[str], order: str, at: datetime
) -> Money | None:
    """Return the most that an order has reserved on a voucher, where its next reservation would replace that.

    A reservation that was given up counts until it ends, if the vendor has no request to end it.
    """
    voucher = {"provider": provider, "host": host, "order": order, "at": format_micros(at)}
    amounts = [
        Money(row["amount"], row["currency"])
        for fingerprint in fingerprints
        for row in _REPLACEABLE.all_rows(connection, {**voucher, "fingerprint": fingerprint})
    ]
    return max(amounts, default=None)


def sum_changes(connection: Connection, *, account: str, voucher_id: str, currency: str) -> Money:
    """Return what the account's successful operations changed of a voucher's value: negative where they took."""
    query = sa.select(operations.c.verb, operations.c.amount, operations.c.currency, operations.c.result).where(
        without_index(operations.c.account) == account,
        operations.c.voucher_id == voucher_id,
        without_index(operations.c.state) == OperationState.SUCCEEDED.value,
        without_index(operations.c.verb).in_([*_TAKES, *_GIVES]),
    )
    total = Money.zero(currency)
    for row in connection.execute(query):
        moved = None if row.result is None else getattr(read_result(row.result), "money", None)
        money = moved or Money(row.amount, row.currency)  # some vendors take less than was asked for
        total = total - money if row.verb in _TAKES else total + money
    return total


def has_issued(connection: Connection, *, account: str, voucher_id: str) -> bool:
    """Return whether a successful operation issued the voucher of this id."""
    query = sa.select(operations.c.id).where(
        without_index(operations.c.account) == account,
        operations.c.voucher_id == voucher_id,
        without_index(operations.c.verb) == Operation.ISSUE.value,
        without_index(operations.c.state) == OperationState.SUCCEEDED.value,
    )
    return connection.execute(query.limit(1)).first() is not None


def iterate_moved_ids(database: Database, account: str) -> Iterator[str]:
    """Iterate over the ids of the vouchers of an account that migrations move or have moved."""
    query = sa.select(moved.c.voucher_id).where(moved.c.account == account)
    return (row["voucher_id"] for row in database.iterate_rows(query, moved.c.voucher_id))


def iterate_issued(database: Database, *, account: str, reference_prefix: str) -> Iterator[Mapping[str, Any]]:
    """Iterate over id, reference and result of the successful operations that issued a voucher, by id.

    Args:
        database: the journal's.
        account: where they were issued.
        reference_prefix: how their references begin.
    """
    query = sa.select(operations.c.id, operations.c.reference, operations.c.result).where(
        operations.c.account == account,
        operations.c.verb == Operation.ISSUE.value,
        operations.c.reference.startswith(reference_prefix, autoescape=True),
        operations.c.state == OperationState.SUCCEEDED.value,
        operations.c.result.is_not(None),
    )
    return database.iterate_rows(query, operations.c.id)


def select_decided(connection: Connection, reference_prefix: str) -> list[Mapping[str, Any]]:
    """Return the operations that a person has decided and whose reference begins so, by the time of the decision.

    An operation that was sent again after a decision is among them, with the decision about its earlier request. The
    journal has no reason of that any more.

    Args:
        connection: of the journal.
        reference_prefix: how their references begin.
    """
    names = [operations.c[name] for name in ("account", "verb", "reference")]
    of_prefix = operations.c.reference.startswith(reference_prefix, autoescape=True)
    last = sa.select(
        *names,
        *(operations.c[name] for name in ("state", "decided_by", "decision", "updated_at")),
    ).where(operations.c.decided_by.is_not(None), of_prefix)
    earlier = (
        sa.select(
            *names,
            requests.c.effect.label("state"),
            sa.func.substr(requests.c.reason, len(DECIDED_BY) + 1).label("decided_by"),
            sa.literal("").label("decision"),
            sa.func.max(sa.func.coalesce(requests.c.finished_at, requests.c.sent_at)).label("updated_at"),
        )
        .join(requests, requests.c.operation_id == operations.c.id)
        .where(operations.c.decided_by.is_(None), of_prefix, requests.c.reason.startswith(DECIDED_BY))
        .group_by(*names, requests.c.effect, requests.c.reason)
    )
    both = sa.union_all(last, earlier).subquery()
    query = sa.select(both).order_by(both.c.updated_at, both.c.reference)
    return [dict(row) for row in connection.execute(query).mappings()]


# --- requests that may still overwrite a voucher's value ---
#
# A request that was sent and not answered can arrive at any later time, also after the same operation was repeated and
# succeeded. It then writes the value that was read before it was sent, and removes every change since. Time does not
# make such a request harmless: only a reading that shows it, or a person, closes it.


@attrs.frozen
class OpenOverwrite:
    """An operation of which a request may still overwrite the voucher's value.

    Attributes:
        key: the operation.
        is_closed: whether the operation is closed, and only an earlier request of it is not.
    """

    key: OperationKey
    is_closed: bool

    def __str__(self) -> str:
        operation = f"the {self.key.verb.value} {self.key.reference!r} of this voucher"
        if not self.is_closed:
            return f"the outcome of {operation} is not known: resolve it first"
        return (
            f"{operation} is done, but an earlier request of it may still arrive and write an old value back: close it"
            " with `operations decide` once the vendor says whether it received that request"
        )


def open_overwrite(connection: Connection, record: OperationRecord, voucher_id: str) -> OpenOverwrite | None:
    """Return another operation that may still overwrite this voucher's value, or None."""
    query = (
        sa.select(operations)
        .join(requests, requests.c.operation_id == operations.c.id)
        .where(
            operations.c.provider == record.target.provider,
            operations.c.host == record.target.host,
            operations.c.voucher_id == voucher_id,
            operations.c.id != record.id,
            requests.c.step == OVERWRITE,
            operations.c.state.in_(UNRESOLVED_STATES)
            | requests.c.effect.is_(None)
            | requests.c.effect.in_(UNDECIDED_EFFECTS),
        )
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    operation = OperationRecord.from_row(row)
    return OpenOverwrite(operation.key, is_closed=operation.state.value not in UNRESOLVED_STATES)


def open_requests(sent: Iterable[RequestRecord]) -> list[RequestRecord]:
    """Return those of an operation's requests that may still overwrite a value."""
    return [
        request
        for request in sent
        if request.step == OVERWRITE and request.effect in (None, Effect.UNKNOWN, Effect.PENDING)
    ]


def list_accounts_in_doubt(database: Database) -> set[str]:
    """Return the names of the accounts that have operations whose outcome is not known."""
    query = sa.select(operations.c.account).where(operations.c.state.in_(UNRESOLVED_STATES)).distinct()
    with database.read() as connection:
        return set(connection.scalars(query))
