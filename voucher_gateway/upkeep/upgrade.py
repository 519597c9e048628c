"""Upgrades the tables of a journal on purpose, and says which upgrades are due."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

import sqlalchemy as sa

from voucher_gateway.checks.schema import CHECKS
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.masking import hide_arguments
from voucher_gateway.payments.rows.schema import PAYMENTS
from voucher_gateway.sales.schema import SALES
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.schema_upgrade import Schema, SchemaState, read_schema_state, upgrade_schema

SCHEMAS: Final = (JOURNAL, PAYMENTS, SALES, CHECKS)
"""The schemas in the database of a journal, without that of migrations."""


@hide_arguments
def list_schema_states(url: str, schemas: Sequence[Schema] = SCHEMAS) -> list[SchemaState]:
    """Return how the tables of a journal are. Nothing is changed.

    Tables that were never used do not exist, and need no upgrade.

    Args:
        url: the journal's.
        schemas: whose tables.

    Raises:
        ConfigurationError: if a later version of this library has changed them so that this one cannot write.
        DatabaseUnavailable: if the database cannot be read.
    """
    with closing(Database(url, schemas[0], upgrade="none")) as database, database.read() as connection:
        names = set(sa.inspect(connection).get_table_names())
        return [read_schema_state(schema, connection) for schema in schemas if schema.version_table in names]


@hide_arguments
def upgrade_journal(url: str, schemas: Sequence[Schema] = SCHEMAS) -> list[SchemaState]:
    """Upgrade the tables of a journal, also if older processes cannot write afterwards, and return how they are.

    Args:
        url: the journal's.
        schemas: whose tables.

    Raises:
        ConfigurationError: as `list_schema_states`.
        DatabaseUnavailable: if the database cannot be changed.
    """
    with closing(Database(url, schemas[0], upgrade="none")) as database:
        with database.read() as connection:
            names = set(sa.inspect(connection).get_table_names())
        for schema in schemas:
            if schema.version_table in names:
                upgrade_schema(schema, database.read, database.write, database.locks, additive_only=False)
    return list_schema_states(url, schemas)
