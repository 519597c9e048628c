"""Gives the operations of a renamed account its new name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors.kinds import ConfigurationError
from voucher_gateway.storage.locks import one_at_a_time
from voucher_gateway.storage.schema import accounts, adopted, moved, operations


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
        at_login = (
            (operations.c.provider == login["provider"])
            & (operations.c.host == login["host"])
            & (operations.c.login.is_(None) | (operations.c.login == login["login"]))
        )
        at_host = adopted.c.host == login["host"]
        for rename in (
            sa.update(operations).where(operations.c.account == old, at_login).values(account=name),
            sa.update(adopted).where(adopted.c.account == old, at_host).values(account=name),
            sa.update(moved).where(moved.c.account == old).values(account=name),
            sa.update(moved).where(moved.c.to_account == old).values(to_account=name),
        ):
            connection.execute(rename)
        _keep_names(connection, old, name, login)


def _require_distinct(connection: Connection, old: str, name: str, login: Mapping[str, str]) -> None:
    old_operations, old_moves = operations.alias(), moved.alias()
    shared_reference = (
        sa.select(operations.c.reference)
        .join(
            old_operations,
            (operations.c.verb == old_operations.c.verb) & (operations.c.reference == old_operations.c.reference),
        )
        .where(operations.c.account == name, old_operations.c.account == old)
        .where(old_operations.c.provider == login["provider"], old_operations.c.host == login["host"])
        .limit(1)
    )
    shared_voucher = (
        sa.select(moved.c.voucher_id)
        .join(old_moves, moved.c.voucher_id == old_moves.c.voucher_id)
        .where(moved.c.account == name, old_moves.c.account == old)
        .limit(1)
    )
    reference, voucher_id = connection.scalar(shared_reference), connection.scalar(shared_voucher)
    if reference is not None or voucher_id is not None:
        what = f"the reference {reference!r:.80}" if reference is not None else f"a move of the voucher {voucher_id}"
        raise ConfigurationError(
            f"former_names: the journal has {what} under both names, {old} and {name}: keep them as two accounts"
        )


def _keep_names(connection: Connection, old: str, name: str, login: Mapping[str, str]) -> None:
    rows_of_both: Any = (
        (accounts.c.provider == login["provider"])
        & (accounts.c.host == login["host"])
        & (accounts.c.login == login["login"])
        & accounts.c.name.in_([old, name])
    )
    names = {*connection.scalars(sa.select(accounts.c.known_as).where(rows_of_both)), old, name}
    connection.execute(sa.delete(accounts).where(rows_of_both))
    connection.execute(sa.insert(accounts), [{**login, "name": name, "known_as": known} for known in sorted(names)])
