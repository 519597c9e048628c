"""Brings a database to the present schema, safely when several processes and versions of the library work at once.

A migration is additive if code of the version before can go on writing: it adds tables, indexes, or columns that may be
empty. It keeps `Schema.oldest_writer`. Any other migration raises that, must change or lock the tables that it is
about, and is made by `voucher-gateway journal upgrade` alone. The table of schemas holds for each subject the oldest
revision whose code may still write. A process that knows only an older one refuses to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.locks import Locks
from voucher_gateway.storage.statements import PreparedStatement
from voucher_gateway.storage.waits import allow_long_statements

log: Final = get_logger("voucher_gateway.storage")

_LONGEST_WAIT_S: Final = 60.0

schemas: Final = sa.Table(
    "voucher_gateway_schemas",
    sa.MetaData(),
    sa.Column("subject", sa.String(32), primary_key=True),
    sa.Column("revision", sa.String(32), nullable=False),
    # The oldest revision whose code may write.
    sa.Column("oldest_writer", sa.String(32), nullable=False),
)
"""The table of schemas. Each subject in the database has a row."""

_OLDEST_WRITERS: Final = PreparedStatement(sa.select(schemas.c.subject, schemas.c.oldest_writer))


@attrs.frozen(kw_only=True)
class Schema:
    """Tables of one subject, and the scripts that make them. Several subjects may share one database.

    Attributes:
        subject: names it in messages.
        scripts: Alembic's folder, with ``env.py`` and ``versions``.
        head: the newest revision there; a test holds it against the scripts.
        version_table: where Alembic keeps the database's revision of this subject.
        oldest_writer: the oldest revision whose code may go on writing to tables of the newest one.
        metadata: the tables as they are after the newest revision.
    """

    subject: str
    scripts: Path
    head: str
    version_table: str
    metadata: sa.MetaData = attrs.field(eq=False, repr=False)
    oldest_writer: str = "0001"


def upgrade_schema(
    schema: Schema,
    read: Callable[[], AbstractContextManager[Connection]],
    write: Callable[[], AbstractContextManager[Connection]],
    locks: Locks,
    *,
    additive_only: bool = True,
) -> None:
    """Create the tables or upgrade them, if that is not done yet. If it is, no writer of another process is waited for.

    Args:
        schema: the tables.
        read: gives a connection for reading.
        write: gives a connection in a transaction.
        locks: keep other processes from doing the same at the same time.
        additive_only: whether to refuse an upgrade after which processes of the version before could not write.

    Raises:
        ConfigurationError: if a later version of this library has changed the tables so that this one cannot write; or
            if the upgrade is not additive.
    """
    with read() as connection:
        state = read_schema_state(schema, connection)
        if state.is_recorded and not state.needs_upgrade:
            return
    with allow_long_statements(), locks.hold("migrate", wait_s=_LONGEST_WAIT_S), write() as connection:
        schemas.create(connection, checkfirst=True)
        state = read_schema_state(schema, connection)
        if state.needs_upgrade:
            if additive_only and not state.is_additive:
                raise ConfigurationError(
                    f"the {schema.subject}'s tables have the revision {state.revision}, and after the upgrade to"
                    f" {schema.head} processes of the version before could not write: stop them, then run"
                    " `voucher-gateway journal upgrade`"
                )
            _upgrade(schema, connection)
            log.info(
                "%s: upgraded the tables from revision %s to %s",
                schema.subject,
                state.revision or "(none)",
                schema.head,
            )
        if state.needs_upgrade or not state.is_recorded:
            _record(schema, connection)


@attrs.frozen(kw_only=True)
class SchemaState:
    """How the tables of a subject are in a database.

    Attributes:
        subject: the subject.
        revision: the revision of the tables; None if they do not exist.
        head: the revision that this version of the library knows.
        is_additive: whether the upgrade leaves processes of the present revision able to write.
        is_recorded: whether the oldest revision that may write is recorded.
    """

    subject: str
    revision: str | None
    head: str
    is_additive: bool
    is_recorded: bool

    @property
    def needs_upgrade(self) -> bool:
        """Whether the tables are older than this version of the library."""
        return self.revision is None or self.revision < self.head


def read_schema_state(schema: Schema, connection: Connection) -> SchemaState:
    """Return how the tables of a schema are.

    Raises:
        ConfigurationError: if a later version of this library has changed them so that this one cannot write.
    """
    inspector = sa.inspect(connection)
    revision: str | None = None
    if inspector.has_table(schema.version_table):
        versions = sa.table(schema.version_table, sa.column("version_num", sa.String))
        revision = connection.scalar(sa.select(versions.c.version_num))
    recorded = None
    if inspector.has_table(schemas.name):
        recorded = connection.execute(sa.select(schemas).where(schemas.c.subject == schema.subject)).first()
    if revision is not None and revision > schema.head:
        may_write = recorded is not None and recorded.revision == revision and recorded.oldest_writer <= schema.head
        if not may_write:
            raise ConfigurationError(
                f"the database has the {schema.subject}'s schema {revision}, this version of voucher-gateway knows"
                f" {schema.head} at most: upgrade it"
            )
    return SchemaState(
        subject=schema.subject,
        revision=revision,
        head=schema.head,
        is_additive=revision is None or revision >= schema.oldest_writer,
        is_recorded=recorded is not None,
    )


def read_oldest_writers(connection: Connection) -> dict[str, str]:
    """Return the oldest revision of each subject's tables whose code may write.

    Call it after the transaction has written to the tables: an upgrade that changes them has either ended before, and
    is seen, or waits until the transaction ends.
    """
    return dict(_OLDEST_WRITERS.tuples(connection, {}))


def require_writer(oldest_writers: Mapping[str, str], heads: Mapping[str, str]) -> None:
    """Check that no later version of this library has changed the tables so that this one cannot write.

    Args:
        oldest_writers: what `read_oldest_writers` returned.
        heads: the revision of each subject that this process knows.

    Raises:
        DatabaseUnavailable: if one has.
    """
    for subject, oldest_writer in oldest_writers.items():
        head = heads.get(subject)
        if head is not None and oldest_writer > head:
            raise DatabaseUnavailable(
                f"a newer version of voucher-gateway has changed the {subject}'s tables, and this process cannot"
                " write to them: nothing was sent; restart it with the newer version"
            )


def _record(schema: Schema, connection: Connection) -> None:
    """Write the oldest revision whose code may write from now on."""
    connection.execute(sa.delete(schemas).where(schemas.c.subject == schema.subject))
    row = {"subject": schema.subject, "revision": schema.head, "oldest_writer": schema.oldest_writer}
    connection.execute(sa.insert(schemas), row)


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
