"""Brings a database to the present schema, safely when several processes start at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.storage.locks import Locks

log: Final = logging.getLogger("voucher_gateway.storage")

_LONGEST_WAIT_S: Final = 60.0


@attrs.frozen(kw_only=True)
class Schema:
    """Tables of one subject, and the scripts that make them. Several subjects may share one database.

    Attributes:
        subject: names it in messages.
        scripts: Alembic's folder, with ``env.py`` and ``versions``.
        head: the newest revision there; a test holds it against the scripts.
        version_table: where Alembic keeps the database's revision of this subject.
        metadata: the tables as they are after the newest revision.
    """

    subject: str
    scripts: Path
    head: str
    version_table: str
    metadata: sa.MetaData = attrs.field(eq=False, repr=False)


def upgrade_schema(schema: Schema, write: Callable[[], AbstractContextManager[Connection]], locks: Locks) -> None:
    """Create the tables or upgrade them, if that is not done yet.

    Args:
        schema: the tables.
        write: gives a connection in a transaction.
        locks: keep other processes from doing the same at the same time.

    Raises:
        ConfigurationError: if the database was written by a later version of this library.
    """
    with write() as connection:
        if _revision(schema, connection) == schema.head:
            return
    with locks.hold("migrate", wait_s=_LONGEST_WAIT_S), write() as connection:
        revision = _revision(schema, connection)
        if revision != schema.head:
            _upgrade(schema, connection)
            log.info(
                "%s: upgraded the tables from revision %s to %s", schema.subject, revision or "(none)", schema.head
            )


def _revision(schema: Schema, connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(schema.version_table):
        return None
    versions = sa.table(schema.version_table, sa.column("version_num", sa.String))
    revision: str | None = connection.scalar(sa.select(versions.c.version_num))
    if revision is not None and revision > schema.head:
        raise ConfigurationError(
            f"the database has the {schema.subject}'s schema {revision}, this version of voucher-gateway knows"
            f" {schema.head} at most: upgrade it"
        )
    return revision


def _upgrade(schema: Schema, connection: Connection) -> None:
    # Imported here: Alembic costs more time than all the rest, and is needed once in the life of a database.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(schema.scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    command.upgrade(config, "head")


def run_scripts(context: Any) -> None:
    """Run the scripts of a schema; all that its ``env.py`` has to do.

    Args:
        context: Alembic's own, `alembic.context`.
    """
    given = context.config.attributes
    schema: Schema = given["schema"]
    context.configure(
        connection=given["connection"], target_metadata=schema.metadata, version_table=schema.version_table
    )
    with context.begin_transaction():
        context.run_migrations()
