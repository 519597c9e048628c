"""What is left of operations whose rows were removed: enough that none of them is ever sent again.

`voucher_gateway.upkeep` removes old operations, payments and sales, and those of an order whose data must go. Each
leaves one row without the reference, the order and the voucher: a keyed digest by which the reference is recognised,
how it ended, and in which month it was begun. A redemption leaves its amount as well, and a refund the amount and a
digest of its redemption, so that refunds stay limited. An account and the journal's key are in a small table beside, so
that a renamed account is one update.

Payments, sales and orders, which are of no account, are recognised by their names in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import ReferencePruned
from voucher_gateway.instants import parse_instant
from voucher_gateway.journal.keys.keys import JournalKeys, find_tag, missing_key_error, tag_of
from voucher_gateway.journal.keys.row_seals import PRUNED
from voucher_gateway.journal.pruned.accounts import pruned_account_id
from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState
from voucher_gateway.journal.schema import facts, pruned, pruned_accounts
from voucher_gateway.models.results import Redemption, RefundLimit
from voucher_gateway.money import Money
from voucher_gateway.storage.statements import PreparedStatement

PRUNED_BEFORE: Final = "pruned-before"
"""The fact that says from which moment on nothing was pruned; see `pruned_before`."""

PAYMENT: Final = "payment"
"""Stands for the verb, where the name is the order of a payment."""
SALE: Final = "sale"
"""Stands for the verb, where the name is that of a sale."""
ORDER: Final = "order"
"""Stands for the verb, where the name is an order whose data was erased."""

_TAKES: Final = ("redeem", "capture")
_KEY_IDS: Final = PreparedStatement(sa.select(pruned_accounts.c.key_id).distinct())
_FIND: Final = PreparedStatement(
    sa.select(pruned.c.verb, pruned.c.state, pruned.c.month)
    .join(pruned_accounts, pruned_accounts.c.id == pruned.c.account_id)
    .where(pruned.c.digest == sa.bindparam("digest"), pruned_accounts.c.account == sa.bindparam("account"))
)
_BEFORE: Final = sa.select(facts.c.value).where(facts.c.name == PRUNED_BEFORE)


@attrs.frozen(kw_only=True)
class PrunedName:
    """What is left of an operation, a payment, a sale or an order.

    Attributes:
        verb: the operation; `PAYMENT`, `SALE` or `ORDER` for the others.
        state: its last state.
        month: the year and the month in which it was begun, such as ``2024-10``.
    """

    verb: str
    state: str
    month: str


@attrs.frozen(kw_only=True)
class Remainder:
    """What stays of one row that is removed.

    Attributes:
        verb: the operation; `PAYMENT`, `SALE` or `ORDER` for the others.
        name: the reference or the name by which it is recognised.
        state: its last state.
        created_at: when it was begun.
        account: the account's name; empty for payments, sales and orders, as are the next three.
        provider: the provider's name.
        host: the vendor's host.
        login: the login there.
        money: what it moved.
        mark: the end of the operation's id.
        result_id: the id of its result.
        target_id: the id of the redemption that a refund gave back.
    """

    verb: str
    name: str
    state: str
    created_at: datetime
    account: str = ""
    provider: str = ""
    host: str = ""
    login: str = ""
    money: Money | None = None
    mark: str | None = None
    result_id: str | None = None
    target_id: str | None = None

    @classmethod
    def of_operation(cls, record: OperationRecord) -> Remainder:
        """Return what stays of an operation."""
        key, target = record.key, record.target
        result = record.replay() if record.result is not None else None
        is_success = record.state is OperationState.SUCCEEDED
        return cls(
            verb=key.verb.value,
            name=key.reference,
            state=record.state.value,
            created_at=record.created_at,
            account=key.account,
            provider=target.provider,
            host=target.host,
            login=target.login or "",
            money=(getattr(result, "money", None) or target.money) if is_success else None,
            mark=tag_of(record.id),
            result_id=getattr(result, "id", None),
            target_id=target.id if is_success and key.verb.value == "refund" else None,
        )


# --- looking up ---


def find_pruned(
    connection: Connection,
    keys: JournalKeys,
    verb: str,
    name: str,
    *,
    account: str = "",
    key_ids: Iterable[str] | None = None,
) -> PrunedName | None:
    """Return what is left of a removed operation, payment, sale or order; None if it was not removed.

    The ids of the keys that operations were removed with are read, unless they are given.

    Raises:
        ConfigurationError: if a key is missing that another process removed operations with: without it, an old
            reference is not recognised.
    """
    for key_id in key_ids_in_use(connection) if key_ids is None else key_ids:
        if key_id not in keys.keys:
            raise missing_key_error(key_id, "configure it here too, and restart this process")
        digest = name_digest(keys, verb, name, key_id)
        row = _FIND.first_row(connection, {"digest": digest, "account": account})
        if row is not None:
            return PrunedName(verb=row["verb"], state=row["state"], month=row["month"])
    return None


def require_not_pruned(
    connection: Connection, keys: JournalKeys, key: OperationKey, key_ids: Iterable[str] | None = None
) -> None:
    """Refuse the key of an operation that was removed. The arguments are as of `find_pruned`.

    Raises:
        ReferencePruned: if it was. Nothing may be sent then.
        ConfigurationError: as `find_pruned`.
    """
    remainder = find_pruned(connection, keys, key.verb.value, key.reference, account=key.account, key_ids=key_ids)
    if remainder is not None:
        raise operation_error(key, remainder)


def operation_error(key: OperationKey, remainder: PrunedName) -> ReferencePruned:
    """Return the error of a reference whose operation was removed."""
    ending = {
        OperationState.SUCCEEDED: "succeeded",
        OperationState.DECLINED: "was declined",
        OperationState.NOT_EXECUTED: "was not executed",
    }[OperationState(remainder.state)]
    return ReferencePruned(
        f"reference {key.reference!r} was used before: the {key.verb.value} was begun in {remainder.month} and"
        f" {ending}. Its details were removed from the journal, and it is never sent again; use a new reference for a"
        " new call",
        state=remainder.state,
        month=remainder.month,
        account=key.account,
        operation=key.verb.value,
    )


def require_name_not_pruned(connection: Connection, keys: JournalKeys, verb: str, name: str) -> None:
    """Refuse the order of a payment, or the name of a sale, whose rows were removed.

    Args:
        connection: for reading, or in the transaction that inserts the rows again.
        keys: the journal's.
        verb: `PAYMENT` or `SALE`.
        name: the order, or the name of the sale.

    Raises:
        ReferencePruned: if they were.
        ConfigurationError: as `find_pruned`.
    """
    remainder = find_pruned(connection, keys, verb, name)
    if remainder is None:
        return
    subject = f"order {name!r} had a payment" if verb == PAYMENT else f"there was a sale {name!r}"
    advice = "a new order number for a new payment" if verb == PAYMENT else "a new name for a new sale"
    raise ReferencePruned(
        f"{subject}, which was opened in {remainder.month} and ended as {remainder.state}. Its details were removed"
        f" from the journal; use {advice}",
        state=remainder.state,
        month=remainder.month,
    )


def key_ids_in_use(connection: Connection) -> list[str]:
    """Return the ids of the keys that operations were removed with."""
    return [row["key_id"] for row in _KEY_IDS.all_rows(connection, {})]


def pruned_before(connection: Connection) -> datetime | None:
    """Return from which moment on nothing was pruned; None if nothing ever was."""
    value = connection.scalar(_BEFORE)
    return None if value is None else parse_instant(value)


def is_own_movement(
    connection: Connection, keys: JournalKeys, host: str, *, reference: str | None, movement_id: str | None
) -> bool:
    """Whether a movement at a vendor is that of a removed operation.

    Args:
        connection: for reading.
        keys: the journal's.
        host: the vendor's host.
        reference: the reference that the vendor shows, which may end in a tag of ours.
        movement_id: the vendor's id of the movement.
    """
    key_ids = key_ids_in_use(connection)
    tag = find_tag(reference) if key_ids else None
    if tag is not None and _is_there(connection, host, pruned.c.mark == tag):
        return True
    return movement_id is not None and is_result_of_pruned(connection, keys, host, movement_id)


def is_result_of_pruned(
    connection: Connection, keys: JournalKeys, host: str, result_id: str, *verbs: Operation
) -> bool:
    """Whether the result of a removed operation has an id at a vendor.

    Args:
        connection: for reading.
        keys: the journal's.
        host: the vendor's host.
        result_id: the vendor's id.
        *verbs: of which operations; of all if none is named.
    """
    digests = [id_digest(keys, result_id, key_id) for key_id in key_ids_in_use(connection) if key_id in keys.keys]
    if not digests:
        return False
    condition = sa.or_(*[pruned.c.result == digest for digest in digests])
    if verbs:
        condition &= sa.or_(*[pruned.c.verb == verb.value for verb in verbs])
    return _is_there(connection, host, condition)


def has_pruned_refund(connection: Connection, keys: JournalKeys, host: str, redemption_id: str) -> bool:
    """Whether a refund of a redemption was removed."""
    digests = [id_digest(keys, redemption_id, key_id) for key_id in key_ids_in_use(connection) if key_id in keys.keys]
    return bool(digests) and _is_there(connection, host, sa.or_(*[pruned.c.target == digest for digest in digests]))


def _is_there(connection: Connection, host: str, condition: sa.ColumnElement[bool]) -> bool:
    query = (
        sa.select(pruned.c.digest)
        .join(pruned_accounts, pruned_accounts.c.id == pruned.c.account_id)
        .where(condition, pruned_accounts.c.host == host)
    )
    return connection.execute(query.limit(1)).first() is not None


# --- limits of refunds ---


def select_pruned_refunds(
    connection: Connection, keys: JournalKeys, limit: RefundLimit, accounts: Iterable[str]
) -> sa.Select[Any] | None:
    """Return the query of the removed refunds of a redemption: amount and currency; None if none was ever removed."""
    digests = [id_digest(keys, limit.redemption.id, key_id) for key_id in key_ids_in_use(connection)]
    if not digests:
        return None
    return (
        sa.select(pruned.c.amount, pruned.c.currency)
        .join(pruned_accounts, pruned_accounts.c.id == pruned.c.account_id)
        .where(sa.or_(*[pruned.c.target == digest for digest in digests]))
        .where(pruned.c.state == OperationState.SUCCEEDED.value, _is_at(limit, accounts))
    )


def amount_of_removed_redemption(connection: Connection, keys: JournalKeys, limit: RefundLimit) -> Money | None:
    """Return what a removed redemption took; None if it was not removed."""
    redemption: Redemption = limit.redemption
    for key_id in key_ids_in_use(connection):
        query = (
            sa.select(pruned.c.amount, pruned.c.currency)
            .join(pruned_accounts, pruned_accounts.c.id == pruned.c.account_id)
            .where(pruned.c.result == id_digest(keys, redemption.id, key_id), pruned.c.amount.is_not(None))
            .where(sa.or_(*[pruned.c.verb == verb for verb in _TAKES]), _is_at(limit, [limit.account]))
        )
        row = connection.execute(query.limit(1)).first()
        if row is not None:
            return Money(row.amount, row.currency)
    return None


def _is_at(limit: RefundLimit, accounts: Iterable[str]) -> sa.ColumnElement[bool]:
    places: list[sa.ColumnElement[bool]] = [pruned_accounts.c.account == account for account in accounts]
    if limit.vendor is not None:
        provider, host = limit.vendor
        places.append((pruned_accounts.c.provider == provider) & (pruned_accounts.c.host == host))
    return sa.or_(*places)


# --- writing ---


def insert_remainders(connection: Connection, keys: JournalKeys, remainders: Sequence[Remainder]) -> None:
    """Write what stays of rows that the same transaction deletes. What is there already stays as it is."""
    if not remainders:
        return
    places = {(remainder.provider, remainder.host, remainder.login, remainder.account): 0 for remainder in remainders}
    for place in places:
        places[place] = pruned_account_id(connection, keys, *place)
    values = [_row(keys, remainder, places) for remainder in remainders]
    connection.execute(sa.insert(pruned), values)
    PRUNED.add_to_count(connection, keys, len(values))


def _row(keys: JournalKeys, remainder: Remainder, places: dict[tuple[str, str, str, str], int]) -> dict[str, Any]:
    place = (remainder.provider, remainder.host, remainder.login, remainder.account)
    money = remainder.money
    row: dict[str, Any] = {
        "digest": name_digest(keys, remainder.verb, remainder.name, keys.newest),
        "account_id": places[place],
        "verb": remainder.verb,
        "state": remainder.state,
        "month": f"{remainder.created_at:%Y-%m}",
        "amount": None if money is None else f"{money.amount:f}",
        "currency": None if money is None else money.currency,
        "mark": remainder.mark,
        "result": None if remainder.result_id is None else id_digest(keys, remainder.result_id, keys.newest),
        "target": None if remainder.target_id is None else id_digest(keys, remainder.target_id, keys.newest),
    }
    return {**row, "seal": seal_of(keys, row, keys.newest)}


# --- digests ---


def name_digest(keys: JournalKeys, verb: str, name: str, key_id: str) -> str:
    """Return the digest by which a reference or a name is recognised."""
    return keys.keyed_digest("pruned name", verb, name, key_id=key_id)[:32]


def id_digest(keys: JournalKeys, vendors_id: str, key_id: str) -> str:
    """Return the digest by which the vendor's id of a result is recognised."""
    return keys.keyed_digest("pruned id", vendors_id, key_id=key_id)[:24]


def seal_of(keys: JournalKeys, row: Any, key_id: str) -> str:
    """Return the digest of a row, without which nothing else in the row can be trusted."""
    names = ("digest", "verb", "state", "month", "amount", "currency", "mark", "result", "target")
    values = [str(row[name] or "") for name in (*names, "account_id")]
    return keys.keyed_digest("pruned row", *values, key_id=key_id)[:16]
