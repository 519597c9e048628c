"""The accounts of removed operations, each in a small row with the journal's key beside what is left of them.

A removed reference is recognised under the name of its account. So whoever changed that name could have the reference
sent again: each row has a seal, which only the journal's key can make.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.keys.keys import JournalKeys, is_same_digest
from voucher_gateway.journal.schema import pruned_accounts
from voucher_gateway.storage.locks import lock_in_transaction


def pruned_account_id(
    connection: Connection, keys: JournalKeys, provider: str, host: str, login: str, account: str
) -> int:
    """Return the id of the row of an account under the newest key. It is inserted if it is not there.

    Args:
        connection: in a transaction.
        keys: the journal's.
        provider: the provider's name.
        host: the vendor's host.
        login: the login there.
        account: the account's name.
    """
    values = {"provider": provider, "host": host, "login": login, "account": account, "key_id": keys.newest}
    same = sa.and_(*[pruned_accounts.c[name] == value for name, value in values.items()])
    query = sa.select(sa.func.min(pruned_accounts.c.id)).where(same)
    if (number := connection.scalar(query)) is None:
        lock_in_transaction(connection, "pruned accounts")
        number = connection.scalar(query)
    if number is None:
        insert = sa.insert(pruned_accounts).returning(pruned_accounts.c.id)
        number = connection.scalar(insert, {**values, "seal": ""})
        _seal(connection, keys, {**values, "id": number})
    assert number is not None
    return int(number)


def rename_pruned_accounts(
    connection: Connection, keys: JournalKeys, former: str, name: str, login: Mapping[str, str]
) -> None:
    """Give the rows of a login a new name. A row that something else changed gets no seal that would hide that.

    Args:
        connection: in a transaction.
        keys: the journal's.
        former: the name until now.
        name: the new name.
        login: provider, host and login.
    """
    at_login = (
        (pruned_accounts.c.provider == login["provider"])
        & (pruned_accounts.c.host == login["host"])
        & ((pruned_accounts.c.login == "") | (pruned_accounts.c.login == login["login"]))
    )
    query = sa.select(pruned_accounts).where(pruned_accounts.c.account == former, at_login)
    for row in [dict(row) for row in connection.execute(query).mappings()]:
        of_row = pruned_accounts.c.id == row["id"]
        connection.execute(sa.update(pruned_accounts).where(of_row).values(account=name))
        if has_own_seal(keys, row):
            _seal(connection, keys, {**row, "account": name})


def has_own_seal(keys: JournalKeys, row: Mapping[str, Any]) -> bool:
    """Whether a row is as the library wrote it. False if its key is not configured."""
    return row["key_id"] in keys.keys and is_same_digest(_seal_of(keys, row), row["seal"])


def _seal(connection: Connection, keys: JournalKeys, row: Mapping[str, Any]) -> None:
    of_row = pruned_accounts.c.id == row["id"]
    connection.execute(sa.update(pruned_accounts).where(of_row).values(seal=_seal_of(keys, row)))


def _seal_of(keys: JournalKeys, row: Mapping[str, Any]) -> str:
    values = [str(row[name]) for name in ("id", "provider", "host", "login", "account")]
    return keys.keyed_digest("pruned account", *values, key_id=row["key_id"])[:16]
