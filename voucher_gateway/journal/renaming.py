"""Gives the operations of a renamed account its new name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.adapter import ConfigurationError
from voucher_gateway.database.locks import one_at_a_time
from voucher_gateway.database.schema import accounts, adopted, moved, operations


def rename_account(connection: Connection, former: Iterable[str], name: str, login: Mapping[str, str]) -> None:
    """Give all that the journal holds of a login under former names its new name.

    Args:
        connection: in a transaction.
        former: the former names.
        name: the new name.
        login: provider, host and login.

    Raises:
        ConfigurationError: if both names were used with the same reference.
    """
    if connection.dialect.name == "postgresql":
        # Waits for the transactions that have inserted an operation. Later ones see the new name, and are refused.
        connection.execute(sa.text(f"LOCK TABLE {operations.name}, {moved.name} IN SHARE ROW EXCLUSIVE MODE"))
    one_at_a_time(connection, "journal accounts")
    for old in former:
        _require_distinct(connection, old, name, login)
        ours = (operations.c.provider == login["provider"]) & (operations.c.host == login["host"])
        same = operations.c.login.is_(None) | (operations.c.login == login["login"])
        connection.execute(sa.update(operations).where(operations.c.account == old, ours, same).values(account=name))
        connection.execute(
            sa.update(adopted).where(adopted.c.account == old, adopted.c.host == login["host"]).values(account=name)
        )
        connection.execute(sa.update(moved).where(moved.c.account == old).values(account=name))
        connection.execute(sa.update(moved).where(moved.c.to_account == old).values(to_account=name))
        _keep_names(connection, old, name, login)


def _require_distinct(connection: Connection, old: str, name: str, login: Mapping[str, str]) -> None:
    theirs = operations.alias()
    both = (
        sa.select(operations.c.reference)
        .join(theirs, (operations.c.verb == theirs.c.verb) & (operations.c.reference == theirs.c.reference))
        .where(operations.c.account == name, theirs.c.account == old)
        .where(theirs.c.provider == login["provider"], theirs.c.host == login["host"])
        .limit(1)
    )
    reference = connection.scalar(both)
    other = moved.alias()
    twice = sa.select(moved.c.voucher_id).join(other, moved.c.voucher_id == other.c.voucher_id)
    voucher = connection.scalar(twice.where(moved.c.account == name, other.c.account == old).limit(1))
    if reference is not None or voucher is not None:
        what = f"the reference {reference!r:.80}" if reference is not None else f"the move of the voucher {voucher}"
        raise ConfigurationError(
            f"former_names: the journal has {what} under both names, {old} and {name}: keep them as two accounts"
        )


def _keep_names(connection: Connection, old: str, name: str, login: Mapping[str, str]) -> None:
    here: Any = (
        (accounts.c.provider == login["provider"])
        & (accounts.c.host == login["host"])
        & (accounts.c.login == login["login"])
        & accounts.c.name.in_([old, name])
    )
    known = set(connection.scalars(sa.select(accounts.c.known_as).where(here))) | {old, name}
    connection.execute(sa.delete(accounts).where(here))
    rows = [{**login, "name": name, "known_as": one} for one in sorted(known)]
    connection.execute(sa.insert(accounts), rows)
