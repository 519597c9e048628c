"""The events of operations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.digests import digest_of_open, digest_of_outcome
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.money import Money

_KIND_OF_STATE: Final = {
    OperationState.SUCCEEDED.value: EventKind.OPERATION_SUCCEEDED,
    OperationState.DECLINED.value: EventKind.OPERATION_DECLINED,
    OperationState.NOT_EXECUTED.value: EventKind.OPERATION_NOT_EXECUTED,
    OperationState.UNKNOWN.value: EventKind.OPERATION_UNKNOWN,
    OperationState.PENDING.value: EventKind.OPERATION_PENDING,
}


def append_started(
    connection: Connection, keys: JournalKeys, row: Mapping[str, Any], sent: Sequence[Mapping[str, Any]], at: str
) -> None:
    """Append that an attempt at an operation begins.

    Args:
        connection: in the transaction that writes it.
        keys: the journal's.
        row: the operation's.
        sent: the rows of its requests so far.
        at: when.
    """
    data = _describe(row, sent)
    row_digest = digest_of_open(keys, row, sent)
    _append(connection, keys, EventKind.OPERATION_STARTED, row, data, row_digest, at)


def append_closed(
    connection: Connection,
    keys: JournalKeys,
    row: Mapping[str, Any],
    sent: Sequence[Mapping[str, Any]],
    at: str,
    *,
    money: Money | None = None,
) -> None:
    """Append what became of an operation, or what a person decided about it.

    Args:
        connection: in the transaction that writes it.
        keys: the journal's.
        row: the operation's.
        sent: the rows of its requests.
        at: when.
        money: the amount of its result, where that may be less than was asked for.
    """
    kind = EventKind.OPERATION_DECIDED if row["decided_by"] else _KIND_OF_STATE[row["state"]]
    data = _describe(row, sent)
    if money is not None:
        data |= {"amount": f"{money.amount:f}", "currency": money.currency}
    data["error"] = json.loads(row["error"])["error"] if row["error"] else None
    data["decided_by"] = row["decided_by"]
    _append(connection, keys, kind, row, data, digest_of_outcome(keys, row, sent), at)


def row_after_close(record: OperationRecord, voucher_id: str | None, written: Mapping[str, object]) -> dict[str, Any]:
    """Return what an operation's row holds after it was closed, without reading it.

    Args:
        record: the operation before.
        voucher_id: its voucher now.
        written: the parameters of the statement that closed it.
    """
    key, money = record.key, record.target.money
    return {
        "id": record.id,
        "account": key.account,
        "verb": key.verb.value,
        "reference": key.reference,
        "order_number": record.order,
        "amount": None if money is None else f"{money.amount:f}",
        "currency": None if money is None else money.currency,
        "voucher_id": voucher_id,
        "state": written["new_state"],
        "attempt": record.attempt,
        "epoch": record.epoch,
        "result": written["new_result"],
        "error": written["new_error"],
        "updated_at": written["at"],
        "checks": written["check_count"],
        "check_at": written["next_check"],
        "decided_by": written["person"],
        "decision": written["person_reason"],
    }


def _append(
    connection: Connection,
    keys: JournalKeys,
    kind: EventKind,
    row: Mapping[str, Any],
    data: Mapping[str, object],
    row_digest: str,
    at: str,
) -> None:
    append_event(connection, keys, kind, row["id"], data, order=row["order_number"], row_digest=row_digest, at=at)


def _describe(row: Mapping[str, Any], sent: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    return {
        "account": row["account"],
        "verb": row["verb"],
        "reference": row["reference"],
        "voucher_id": row["voucher_id"],
        "amount": row["amount"],
        "currency": row["currency"],
        "state": row["state"],
        "attempt": row["attempt"],
        "requests": len(sent),
    }
