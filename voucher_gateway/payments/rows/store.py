"""The rows of payments and their legs. Each change is one statement with its condition in it."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import OperationInProgress
from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.journal.fence import epoch_statement
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.records import PaymentLeg, PaymentRecord
from voucher_gateway.payments.rows.schema import PAYMENTS, legs, payments, refunds
from voucher_gateway.payments.rows.states import DECIDED, LegState, OtherState, PaymentState, RefundState
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.statements import PreparedStatement

_BATCH: Final = 100
_COLUMNS: Final = {"order": "order_number", "limit": "limit_amount", "problem": "error"}
"""The columns whose names differ from the attributes that they hold."""
_OF_ORDER: Final = payments.c.order_number == sa.bindparam("order_number")

_LATEST: Final = PreparedStatement(sa.select(payments).where(_OF_ORDER).order_by(payments.c.attempt.desc()).limit(1))
_ATTEMPT: Final = PreparedStatement(sa.select(payments).where(_OF_ORDER, payments.c.attempt == sa.bindparam("attempt")))
_BY_ID: Final = PreparedStatement(sa.select(payments).where(payments.c.id == sa.bindparam("id")))
_LEGS: Final = PreparedStatement(sa.select(legs).where(legs.c.payment_id == sa.bindparam("id")).order_by(legs.c.number))
_INSERT: Final = PreparedStatement(sa.insert(payments))
_INSERT_LEG: Final = PreparedStatement(sa.insert(legs))
_DELETE_LEG: Final = PreparedStatement(
    sa.delete(legs).where(legs.c.payment_id == sa.bindparam("id"), legs.c.number == sa.bindparam("leg"))
)
_SEALS: Final = PreparedStatement(
    sa.select(legs.c.sealed_code, legs.c.sealed_pin, legs.c.key_id).where(
        legs.c.payment_id == sa.bindparam("id"), legs.c.number == sa.bindparam("leg")
    )
)
_ERASE: Final = PreparedStatement(
    sa.update(legs).where(legs.c.payment_id == sa.bindparam("id")).values(sealed_code=None, sealed_pin=None)
)

_OF_ACCOUNT: Final = PreparedStatement(
    sa.select(legs.c.payment_id).where(legs.c.account == sa.bindparam("account")).limit(1)
)
_renamed: Final[WeakKeyDictionary[Database, set[tuple[str, str]]]] = WeakKeyDictionary()

EPOCH: Final = epoch_statement(payments)
"""Reads the epoch of a payment; for the fence of its worker."""

EPOCH_READ: Final = PreparedStatement(sa.select(payments.c.epoch).where(payments.c.id == sa.bindparam("id")))
"""Reads the epoch of a payment without locking its row."""


@attrs.frozen(kw_only=True)
class LegSeal:
    """The sealed texts of a leg; None once the payment is over.

    Attributes:
        code: the code.
        pin: the PIN.
        key_id: the key of the journal that sealed them.
    """

    code: str | None = attrs.field(repr=False)
    pin: str | None = attrs.field(repr=False)
    key_id: str


class PaymentStore:
    """The payments in the database of a journal.

    Args:
        database: the journal's. The tables of payments are made in it if they are not there.
    """

    def __init__(self, database: Database) -> None:
        database.add_schema(PAYMENTS)
        self.database = database

    # --- reading ---

    def find(self, order: str, attempt: int | None = None) -> PaymentRecord | None:
        """Return a payment of an order; without an attempt, the latest one."""
        with self.database.read() as connection:
            if attempt is None:
                row = _LATEST.first_row(connection, {"order_number": order})
            else:
                row = _ATTEMPT.first_row(connection, {"order_number": order, "attempt": attempt})
            return None if row is None else _record(connection, row)

    def get(self, payment_id: str) -> PaymentRecord | None:
        """Return the payment of an id."""
        with self.database.read() as connection:
            row = _BY_ID.first_row(connection, {"id": payment_id})
            return None if row is None else _record(connection, row)

    def seal(self, payment_id: str, leg: int) -> LegSeal | None:
        """Return the sealed texts of a leg; None if the payment has no such leg."""
        with self.database.read() as connection:
            row = _SEALS.first_row(connection, {"id": payment_id, "leg": leg})
        if row is None:
            return None
        return LegSeal(code=row["sealed_code"], pin=row["sealed_pin"], key_id=row["key_id"])

    def iterate(
        self,
        *,
        states: Iterable[PaymentState] = (),
        order: str | None = None,
        needs_attention: bool | None = None,
        voucher: str | None = None,
        reference: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[PaymentRecord]:
        """Iterate over payments, the newest first. No transaction stays open between two batches.

        Args:
            states: only payments in these states; all if none is named.
            order: only payments of this order.
            needs_attention: only payments that need attention, or only those that do not.
            voucher: only payments with a leg of the voucher with this id, at any account.
            reference: only payments with a refund under this reference.
            since: only payments that were opened at this moment or later.
            until: only payments that were opened before this moment.
            limit: at most this many.
        """
        query = sa.select(payments)
        if names := [state.value for state in states]:
            query = query.where(payments.c.state.in_(names))
        if order is not None:
            query = query.where(payments.c.order_number == order)
        if needs_attention is not None:
            # In this form it has an index, which holds the payments that need attention alone.
            attention = payments.c.attention
            query = query.where(attention.is_not(None) if needs_attention else attention.is_(None))
        if voucher is not None:
            query = query.where(payments.c.id.in_(sa.select(legs.c.payment_id).where(legs.c.voucher_id == voucher)))
        if reference is not None:
            ids = sa.select(refunds.c.payment_id).where(refunds.c.reference == reference)
            query = query.where(payments.c.id.in_(ids))
        if since is not None:
            query = query.where(payments.c.created_at >= format_micros(since))
        if until is not None:
            query = query.where(payments.c.created_at < format_micros(until))
        query = query.order_by(payments.c.created_at.desc(), payments.c.id.desc())
        before: tuple[str, str] | None = None
        while limit is None or limit > 0:
            batch = query.limit(_BATCH if limit is None else min(_BATCH, limit))
            if before is not None:
                batch = batch.where(sa.tuple_(payments.c.created_at, payments.c.id) < sa.tuple_(*before))
            with self.database.read() as connection:
                rows = [dict(row) for row in connection.execute(batch).mappings()]
                records = [_record(connection, row) for row in rows]
            yield from records
            if not rows or len(rows) < _BATCH:
                return
            limit = None if limit is None else limit - len(rows)
            before = rows[-1]["created_at"], rows[-1]["id"]

    def list_unfinished(self) -> list[str]:
        """Return the ids of the payments with a recorded decision that is not carried out, the oldest first."""
        releasing = sa.select(legs.c.payment_id).where(legs.c.state == LegState.RELEASING.value)
        refunding = sa.select(refunds.c.payment_id).where(refunds.c.state == RefundState.OPEN.value)
        query = (
            sa.select(payments.c.id)
            .where(
                payments.c.state.in_([state.value for state in DECIDED])
                | ((payments.c.state == PaymentState.OPEN.value) & payments.c.id.in_(releasing))
                | ((payments.c.state == PaymentState.OPEN.value) & (payments.c.other_state == OtherState.VOIDING.value))
                | ((payments.c.state == PaymentState.CAPTURED.value) & payments.c.id.in_(refunding))
            )
            .order_by(payments.c.id)
        )
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def rename_account(self, former: str, name: str) -> None:
        """Give the legs of an account its new name; done once for each name and each object of the database."""
        done = _renamed.setdefault(self.database, set())
        if (former, name) in done:
            return
        with self.database.read() as connection:
            is_used = _OF_ACCOUNT.first_row(connection, {"account": former}) is not None
        if is_used:
            with self.database.write() as connection:
                connection.execute(sa.update(legs).where(legs.c.account == former).values(account=name))
        done.add((former, name))

    # --- writing, in the caller's transaction ---

    def insert(self, connection: Connection, record: PaymentRecord) -> None:
        """Insert a payment without legs."""
        values = attrs.asdict(record, recurse=False, filter=attrs.filters.exclude("legs"))
        _INSERT.execute(connection, {**_columns(values), "currency": record.total.currency})

    def insert_leg(
        self, connection: Connection, payment_id: str, leg: PaymentLeg, fingerprint: str, seal: LegSeal
    ) -> None:
        """Insert a leg with its sealed texts."""
        sealed = {"sealed_code": seal.code, "sealed_pin": seal.pin, "key_id": seal.key_id}
        values = {"payment_id": payment_id, "fingerprint": fingerprint, **sealed}
        _INSERT_LEG.execute(connection, {**_columns(attrs.asdict(leg, recurse=False)), **values})

    def delete_leg(self, connection: Connection, payment_id: str, leg: int) -> None:
        """Delete a leg for which nothing was ever sent."""
        _DELETE_LEG.execute(connection, {"id": payment_id, "leg": leg})

    def update(self, connection: Connection, record: PaymentRecord, changes: Mapping[str, Any]) -> None:
        """Change a payment that still has the epoch of a record.

        Raises:
            OperationInProgress: if another worker has taken it over.
        """
        columns = _columns(changes)
        parameters = {f"new_{name}": value for name, value in columns.items()}
        known = {"known_id": record.id, "known_epoch": record.epoch}
        if _update_statement(tuple(columns)).execute(connection, {**parameters, **known}) != 1:
            raise OperationInProgress(f"another worker has taken over the payment of order {record.order!r:.200}")

    def update_leg(self, connection: Connection, payment_id: str, leg: int, changes: Mapping[str, Any]) -> None:
        """Change a leg. The caller changes its payment in the same transaction, which proves that it may."""
        columns = _columns(changes)
        parameters = {f"new_{name}": value for name, value in columns.items()}
        _leg_statement(tuple(columns)).execute(connection, {**parameters, "known_id": payment_id, "known_leg": leg})

    def erase_seals(self, connection: Connection, payment_id: str) -> None:
        """Erase the codes and PINs of a payment."""
        _ERASE.execute(connection, {"id": payment_id})


@functools.cache
def _update_statement(names: tuple[str, ...]) -> PreparedStatement:
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    own = (payments.c.id == sa.bindparam("known_id")) & (payments.c.epoch == sa.bindparam("known_epoch"))
    return PreparedStatement(sa.update(payments).where(own).values(values))


@functools.cache
def _leg_statement(names: tuple[str, ...]) -> PreparedStatement:
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    own = (legs.c.payment_id == sa.bindparam("known_id")) & (legs.c.number == sa.bindparam("known_leg"))
    return PreparedStatement(sa.update(legs).where(own).values(values))


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes of a payment or a leg as the values of their columns."""
    return {_COLUMNS.get(name, name): _column_value(value) for name, value in values.items()}


def _column_value(value: Any) -> Any:
    if isinstance(value, Money):
        return f"{value.amount:f}"
    if isinstance(value, datetime):
        return format_micros(value)
    return value.value if isinstance(value, enum.StrEnum) else value


def _record(connection: Connection, row: Mapping[str, Any]) -> PaymentRecord:
    currency = row["currency"]
    return PaymentRecord(
        id=row["id"],
        order=row["order_number"],
        attempt=row["attempt"],
        total=Money(row["total"], currency),
        allocation=row["allocation"],
        state=PaymentState(row["state"]),
        attention=row["attention"],
        short_by=_money(row["short_by"], currency),
        has_other=row["has_other"],
        other_amount=_money(row["other_amount"], currency),
        other_state=OtherState(row["other_state"]),
        other_generation=row["other_generation"],
        other_id=row["other_id"],
        refunds=row["refunds"],
        epoch=row["epoch"],
        created_at=parse_instant(row["created_at"]),
        updated_at=parse_instant(row["updated_at"]),
        decided_at=_instant(row["decided_at"]),
        legs=tuple(_leg(leg, currency) for leg in _LEGS.all_rows(connection, {"id": row["id"]})),
    )


def _leg(row: Mapping[str, Any], currency: str) -> PaymentLeg:
    return PaymentLeg(
        number=row["number"],
        account=row["account"],
        voucher_id=row["voucher_id"],
        hint=row["hint"],
        limit=_money(row["limit_amount"], currency),
        remaining=Money(row["remaining"], currency),
        valid_until=_instant(row["valid_until"]),
        holdable=row["holdable"],
        amount=Money(row["amount"], currency),
        generation=row["generation"],
        state=LegState(row["state"]),
        held_until=_instant(row["held_until"]),
        taken=_money(row["taken"], currency),
        returned=_money(row["returned"], currency),
        problem=row["error"],
    )


def _money(amount: str | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount, currency)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
