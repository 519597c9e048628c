"""What another process may have changed since this one started, read by one statement for each new operation.

These are: under which name the account's login is known, which keys the journal needs, which keys recognise removed
references, and which versions of the library may write. Each is a small table that seldom changes, but no new operation
may rely on what was read of it before its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.keys.keys import CHECK_VALUE_PREFIX
from voucher_gateway.journal.schema import accounts, facts, pruned_accounts
from voucher_gateway.storage.schema_upgrade import schemas
from voucher_gateway.storage.statements import PreparedStatement

_NOTHING: Final[sa.ColumnElement[str]] = sa.literal_column("''", sa.String)


def _rows_of(kind: str, name: sa.Column[str], value: sa.ColumnElement[str] = _NOTHING) -> sa.Select[str, str, str]:
    kind_: sa.ColumnElement[str] = sa.literal_column(f"'{kind}'", sa.String)
    return sa.select(kind_.label("kind"), name.label("name"), value.label("value"))


_READ: Final = PreparedStatement(
    sa.union_all(
        _rows_of("writer", schemas.c.subject, schemas.c.oldest_writer),
        _rows_of("key", facts.c.name, facts.c.value).where(
            facts.c.name.like(sa.literal_column(f"'{CHECK_VALUE_PREFIX}%'"))
        ),
        _rows_of("pruned", pruned_accounts.c.key_id).distinct(),
        _rows_of("account", accounts.c.name).where(
            accounts.c.provider == sa.bindparam("provider"),
            accounts.c.host == sa.bindparam("host"),
            accounts.c.login == sa.bindparam("login"),
            accounts.c.name == sa.bindparam("account"),
        ),
    )
)


@attrs.frozen
class StandingFacts:
    """What the database says in the transaction of a new operation.

    Attributes:
        oldest_writers: by subject, the oldest revision of its tables whose code may write.
        key_ids: the ids of the keys that the journal was used with.
        pruned_key_ids: the ids of the keys that operations were removed with.
        is_account_known: whether the login is known under the account's name.
    """

    oldest_writers: Mapping[str, str]
    key_ids: Sequence[str]
    pruned_key_ids: Sequence[str]
    is_account_known: bool


def read_standing_facts(connection: Connection, login: Mapping[str, str], account: str) -> StandingFacts:
    """Read them.

    Call it after the operation was inserted: a removal or a new name of the account has either ended before, and is
    seen, or waits until the transaction ends.

    Args:
        connection: in the transaction.
        login: the columns that hold the account's login.
        account: the account's name.
    """
    names: dict[str, list[str]] = {"key": [], "pruned": [], "account": []}
    writers = {}
    for kind, name, value in _READ.tuples(connection, {**login, "account": account}):
        if kind == "writer":
            writers[name] = value
        else:
            names[kind].append(name)
    key_ids = [name.removeprefix(CHECK_VALUE_PREFIX) for name in names["key"]]
    return StandingFacts(writers, key_ids, names["pruned"], bool(names["account"]))
