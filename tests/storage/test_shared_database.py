"""The journal, migrations, snapshots and `local` in a shop's own database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.storage.shop_tables import AlembicShop, DjangoShop, OwnTables
from tests.support.shop import Shop
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.migration.schema import SCHEMA as MIGRATIONS
from voucher_gateway.payments.rows.schema import PAYMENTS
from voucher_gateway.provider_api import DatabaseUnavailable
from voucher_gateway.reports.schema import SNAPSHOTS
from voucher_gateway.sales.schema import SALES
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.schema_upgrade import Schema
from voucher_gateway_local.tables import VOUCHERS as LOCAL

SCHEMAS = (JOURNAL, MIGRATIONS, SNAPSHOTS, PAYMENTS, SALES, LOCAL)


@pytest.fixture(
    params=[
        pytest.param((DjangoShop, "sqlite_url"), id="django-sqlite"),
        pytest.param((AlembicShop, "postgres_url"), id="alembic-postgres", marks=pytest.mark.long),
        pytest.param((DjangoShop, "postgres_url"), id="django-postgres", marks=pytest.mark.long),
        pytest.param((AlembicShop, "sqlite_url"), id="alembic-sqlite", marks=pytest.mark.long),
    ]
)
def own_tables(request: pytest.FixtureRequest, tmp_path: Path) -> OwnTables:
    """A shop whose own table is called `operations`, in a database that is empty."""
    make_tables, url = request.param
    own: OwnTables = make_tables(tmp_path / "program", request.getfixturevalue(url))
    return own


def _open_all(url: str) -> None:
    for schema in SCHEMAS:
        Database(url, schema).close()


def test_the_journal_opens_in_the_database_of_a_shop(own_tables: OwnTables, make_shop: Callable[[str], Shop]) -> None:
    own_tables.upgrade(1)
    own_tables.insert("the shop's first")

    shop = make_shop(own_tables.url)
    _open_all(own_tables.url)
    _, code = shop.voucher()
    shop.redeem(code)

    own_tables.upgrade(2)
    own_tables.insert("the shop's second")
    assert shop.redeem(code).replayed
    _open_all(own_tables.url)
    assert own_tables.names() == ["the shop's first", "the shop's second"]
    own_tables.check()


def test_a_shop_upgrades_its_tables_in_the_database_of_the_journal(
    own_tables: OwnTables, make_shop: Callable[[str], Shop]
) -> None:
    shop = make_shop(own_tables.url)
    _open_all(own_tables.url)
    _, code = shop.voucher()
    shop.redeem(code)

    own_tables.upgrade(1)
    own_tables.insert("the shop's first")
    own_tables.upgrade(2)
    own_tables.check()
    assert shop.redeem(code).replayed
    _open_all(own_tables.url)

    own_tables.drop()
    assert shop.redeem(code).replayed
    assert shop.charges() == 1


def test_a_rollback_of_the_shop_undoes_nothing_in_the_journal(
    make_shop: Callable[[str], Shop], postgres_url: str
) -> None:
    shop = make_shop(postgres_url)
    _, code = shop.voucher()
    with closing(psycopg.connect(postgres_url)) as transaction:
        transaction.execute("CREATE TABLE operations (name text)")
        shop.redeem(code)
        transaction.rollback()
    assert shop.redeem(code).replayed


def test_a_call_inside_a_transaction_that_has_written_to_the_same_sqlite_file_sends_nothing(
    make_shop: Callable[[str], Shop], sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voucher_gateway.storage.engine.BUSY_TIMEOUT_S", 0.05)
    shop = make_shop(sqlite_url)
    _, code = shop.voucher()
    sent = shop.changes()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as transaction:
        transaction.execute("CREATE TABLE operations (name text)")
        transaction.execute("INSERT INTO operations VALUES ('1001')")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            shop.redeem(code)
        transaction.commit()
    assert shop.changes() == sent
    assert not shop.redeem(code).replayed


def test_all_names_in_the_database_tell_whose_they_are(either_url: str) -> None:
    _open_all(either_url)
    engine = sa.create_engine(either_url.replace("postgresql:", "postgresql+psycopg:"))
    strangers = [name for name in _names(engine) if not _ours(name)]
    engine.dispose()
    assert strangers == []


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.subject)
def test_a_name_is_short_enough_for_postgresql(schema: Schema) -> None:
    """PostgreSQL cuts names after 63 bytes without a word; Alembic then finds other names than it wrote."""
    names = list(schema.metadata.tables)
    for table in schema.metadata.tables.values():
        names += [str(index.name) for index in table.indexes]
        names += [str(constraint.name) for constraint in table.constraints if constraint.name]
    assert [name for name in names if len(name) > 63] == []


def _names(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return list(connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")))
        schema = "(SELECT oid FROM pg_namespace WHERE nspname = 'public')"
        return [
            name
            for query in (
                f"SELECT relname FROM pg_class WHERE relnamespace = {schema}",
                f"SELECT conname FROM pg_constraint WHERE connamespace = {schema} AND contype <> 'n'",
                f"SELECT proname FROM pg_proc WHERE pronamespace = {schema}",
                f"SELECT typname FROM pg_type WHERE typnamespace = {schema} AND typname NOT LIKE '\\_%'",
                "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
            )
            for name in connection.scalars(sa.text(query))
        ]


def _ours(name: str) -> bool:
    for kind in ("", "ix_", "uq_", "fk_", "pk_", "ck_"):
        if name.startswith((f"{kind}voucher_gateway_", f"{kind}local_")):
            return True
    return False
