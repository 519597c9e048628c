"""Reads and writes the rows of sales. Each method is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NoReturn

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import OperationInProgress, SaleConflict
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.fence import EpochFence, epoch_statement, use_fence
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.pruned.pruned import SALE, require_name_not_pruned
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.sales.events import append_sale_event, kind_of_change
from voucher_gateway.sales.records import SaleRow, SaleState
from voucher_gateway.sales.schema import SALES, sales
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import PreparedStatement

_BATCH: Final = 100
"""How many rows are read at a time: few, because a caller may ask a vendor about each before the next."""

_FIND: Final = PreparedStatement(sa.select(sales).where(sales.c.name == sa.bindparam("sale")))
_EPOCH: Final = epoch_statement(sales)
_TAKE: Final = PreparedStatement(
    sa.update(sales).where(sales.c.name == sa.bindparam("sale")).values(epoch=sales.c.epoch + 1)
)


class SaleStore:
    """The sales in a journal's database. The first one creates the table.

    Args:
        journal: the journal.
    """

    def __init__(self, journal: Journal) -> None:
        self._keys = journal.keys
        self._database = journal.database
        self._database.add_schema(SALES)

    @staticmethod
    def exists_in(database: Database) -> bool:
        """Whether a database has the table of sales."""
        with database.read() as connection:
            return sa.inspect(connection).has_table(sales.name)

    def find(self, name: str) -> SaleRow | None:
        """Return the sale of a name; None if it does not exist."""
        with self._database.read() as connection:
            return _select(connection, name)

    def read_again(self, name: str) -> SaleRow:
        """Return a sale that was there before.

        Raises:
            ReferencePruned: if its row was removed since.
            SaleConflict: if the database is another one.
        """
        with self._database.read() as connection:
            return _select(connection, name) or self._missing(connection, name)

    def open(self, row: SaleRow) -> SaleRow:
        """Insert a sale, and return it; or return the one that has its name already.

        Raises:
            ReferencePruned: if there was a sale of this name whose row was removed.
        """
        with self._database.write(wait_s=seconds_within(BUSY_TIMEOUT_S)) as connection:
            lock_in_transaction(connection, "sale", row.name)
            existing = _select(connection, row.name)
            if existing is not None:
                return existing
            require_name_not_pruned(connection, self._keys, SALE, row.name)
            connection.execute(sa.insert(sales), attrs.asdict(row) | {"state": row.state.value})
            append_sale_event(connection, self._keys, EventKind.SALE_OPENED, row)
        return row

    @contextmanager
    def lock_sale(self, name: str, *, wait_s: float) -> Iterator[SaleRow]:
        """Keep all other workers away from a sale, and let only this one record requests for it.

        Raises:
            OperationInProgress: if another worker has it.
            ReferencePruned: if its row was removed since it was read.
        """
        with self._database.locks.hold(f"sale:{name}", wait_s=wait_s):
            row = self._take(name)
            with use_fence(EpochFence(_EPOCH, {"id": row.id}, row.epoch, f"sale {name}")):
                yield row

    def _take(self, name: str) -> SaleRow:
        with self._database.write(wait_s=seconds_within(BUSY_TIMEOUT_S)) as connection:  # nothing is sent before
            _TAKE.execute(connection, {"sale": name})
            row = _select(connection, name)
            return row or self._missing(connection, name)

    def _missing(self, connection: Connection, name: str) -> NoReturn:
        """Raise the error about a sale whose row is not there any more."""
        require_name_not_pruned(connection, self._keys, SALE, name)
        raise SaleConflict(f"the sale {name} is not in this database")

    def update(self, row: SaleRow, **values: Any) -> SaleRow:
        """Write columns of a sale, and return its row as it is now.

        Raises:
            OperationInProgress: if another worker has taken the sale over.
        """
        values |= {"updated_at": format_micros(now())}
        statement = sa.update(sales).where(sales.c.id == row.id, sales.c.epoch == row.epoch).values(**values)
        changed = attrs.evolve(row, **values)
        with self._database.write() as connection:
            if connection.execute(statement).rowcount != 1:
                raise OperationInProgress(f"another worker has taken over the sale {row.name}")
            kind = kind_of_change(row, changed)
            if kind is not None:
                append_sale_event(connection, self._keys, kind, changed)
        return changed

    def iterate(
        self,
        *,
        states: Iterable[SaleState] = (),
        account: str | None = None,
        batch: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        watched: bool = False,
    ) -> Iterator[SaleRow]:
        """Yield sales, the newest first. No transaction stays open between two of them.

        Args:
            states: only sales in these states; all if none is named.
            account: only sales of this account.
            batch: only sales of this print batch.
            since: only sales that were opened at this moment or later.
            limit: at most this many.
            watched: only sales of which a lost call may still arrive.
        """
        query = sa.select(sales).order_by(sales.c.created_at.desc(), sales.c.id.desc())
        if names := [state.value for state in states]:
            query = query.where(sales.c.state.in_(names))
        if account is not None:
            query = query.where(sales.c.account == account)
        if batch is not None:
            query = query.where(sales.c.batch == batch)
        if watched:
            query = query.where(sales.c.watch_until.is_not(None))
        if since is not None:
            query = query.where(sales.c.created_at >= format_micros(since))
        last: Mapping[str, Any] | None = None
        left = limit
        while left is None or left > 0:
            size = _BATCH if left is None else min(_BATCH, left)
            rows = self._page(query, last, size)
            yield from map(SaleRow.of, rows)
            if len(rows) < size:
                return
            last = rows[-1]
            left = None if left is None else left - size

    def _page(self, query: sa.Select[Any], last: Mapping[str, Any] | None, size: int) -> list[Mapping[str, Any]]:
        if last is not None:
            query = query.where(
                sa.or_(
                    sales.c.created_at < last["created_at"],
                    sa.and_(sales.c.created_at == last["created_at"], sales.c.id < last["id"]),
                )
            )
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query.limit(size)).mappings()]


def _select(connection: Connection, name: str) -> SaleRow | None:
    row = _FIND.first_row(connection, {"sale": name})
    return None if row is None else SaleRow.of(row)
