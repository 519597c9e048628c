"""Names rows that are not there any more, as far as other tables tell which ones there should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.keys.row_seals import ACCOUNTS, MOVED, CountedTable
from voucher_gateway.journal.schema import accounts, moved, operations

MOST_NAMES: Final = 5
"""How many rows are named."""

# The table of the vouchers of migrations, as far as it is needed here: the package of migrations is above this one.
_vouchers: Final = sa.table(
    "voucher_gateway_migration_vouchers", sa.column("plan_id"), sa.column("source_id"), sa.column("state")
)
_GONE: Final = ("moved", "kept")
"""The states of vouchers that are at the target."""


def name_removed_rows(connection: Connection, table: CountedTable) -> Sequence[str]:
    """Return what names some rows that were removed from a table; empty if no other table tells of them."""
    query = _select_removed(connection, table)
    return [] if query is None else sorted(map(str, connection.scalars(query.limit(MOST_NAMES))))


def _select_removed(connection: Connection, table: CountedTable) -> sa.Select[Any] | None:
    if table == ACCOUNTS:
        known = sa.select(accounts.c.name).where(accounts.c.name == operations.c.account)
        return sa.select(operations.c.account).where(~sa.exists(known)).distinct()
    if table != MOVED or _vouchers.name not in sa.inspect(connection).get_table_names():
        return None
    # A plan that copies its vouchers writes no rows.
    others, own = moved.alias(), moved.alias()
    of_plan = sa.select(others.c.plan_id).where(others.c.plan_id == _vouchers.c.plan_id)
    of_voucher = sa.select(own.c.plan_id).where(
        own.c.plan_id == _vouchers.c.plan_id, own.c.voucher_id == _vouchers.c.source_id
    )
    return sa.select(_vouchers.c.source_id).where(
        _vouchers.c.state.in_(_GONE), sa.exists(of_plan), ~sa.exists(of_voucher)
    )
