"""Brings a database to the present schema, safely when several processes start at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.database.locks import Locks
from voucher_gateway.errors import ConfigurationError

HEAD: Final = "0001"
"""The newest revision; a test holds it against the scripts."""

SCRIPTS: Final = Path(__file__).parent / "migrations"

_LONGEST_WAIT_S: Final = 60.0


def migrate(write: Callable[[], AbstractContextManager[Connection]], locks: Locks) -> None:
    """Create the tables or upgrade them, if that is not done yet.

    Args:
        write: gives a connection in a transaction.
        locks: keep other processes from doing the same at the same time.

    Raises:
        ConfigurationError: if the database was written by a later version of this library.
    """
    with write() as connection:
        if _revision(connection) == HEAD:
            return
    with locks.hold("migrate", wait_s=_LONGEST_WAIT_S), write() as connection:
        if _revision(connection) != HEAD:
            _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if found is not None and found > HEAD:
        raise ConfigurationError(
            f"the database has the schema {found}, this version of voucher-gateway knows {HEAD} at most: upgrade it"
        )
    return found


def _upgrade(connection: Connection) -> None:
    # Imported here: Alembic costs more time than all the rest, and is needed once in the life of a database.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
