"""Two versions of the library work on one journal: the tables of the newer one, and a process of the present one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from tests.support.simulators import JOURNAL_KEYS, account_table
from voucher_gateway import Money
from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.schema_upgrade import Schema, upgrade_schema
from voucher_gateway.upkeep.upgrade import list_schema_states, upgrade_journal

ADDITIVE: Final = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("voucher_gateway_operations", sa.Column("channel", sa.String(length=32), nullable=True))
    op.create_index("ix_next_channel", "voucher_gateway_operations", ["channel"])
    op.create_table("voucher_gateway_next", sa.Column("id", sa.Integer(), primary_key=True))
"""
INCOMPATIBLE: Final = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "voucher_gateway_operations", sa.Column("region", sa.String(length=32), nullable=False, server_default="eu")
    )
"""
WORKER: Final = """
import json, sys
from voucher_gateway import Gateway, Money, VoucherGatewayError

with Gateway.from_config(json.loads(sys.argv[1])) as gateway:
    print("ready", flush=True)
    for line in sys.stdin:
        code, reference = line.split()
        try:
            gateway.redeem("shop", code, Money(1, "EUR"), reference=reference)
        except VoucherGatewayError as error:
            print(type(error).__name__, flush=True)
        else:
            print("took", flush=True)
"""


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    return make_shop(either_url)


def next_schema(folder: Path, head: str, *, oldest_writer: str) -> Schema:
    """Return the schema of the journal after one or two more migrations."""
    scripts = folder / f"migrations-{head}"
    versions = scripts / "versions"
    versions.mkdir(parents=True)
    (scripts / "env.py").write_text((JOURNAL.scripts / "env.py").read_text())
    for script in (JOURNAL.scripts / "versions").glob("*.py"):
        (versions / script.name).write_text(script.read_text())
    for name, text in (("0002", ADDITIVE), ("0003", INCOMPATIBLE)):
        if name <= head:
            (versions / f"{name}_next.py").write_text(text)
    return attrs.evolve(JOURNAL, scripts=scripts, head=head, oldest_writer=oldest_writer)


def upgrade_to(url: str, schema: Schema, *, additive_only: bool = True) -> None:
    with closing(Database(url, JOURNAL, upgrade="none")) as database:
        upgrade_schema(schema, database.read, database.write, database.locks, additive_only=additive_only)


@attrs.frozen
class Worker:
    process: subprocess.Popen[str]

    def redeem(self, code: str, reference: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{code} {reference}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def running_worker(shop: Shop) -> Iterator[Worker]:
    """Give another process of the present version, with a gateway on the journal of a shop."""
    config: dict[str, Any] = {"journal": shop.url, "accounts": {"shop": account_table(shop.running)}}
    config["journal_keys"] = dict(JOURNAL_KEYS)
    command = [sys.executable, "-c", WORKER, json.dumps(config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Worker(process)
        assert process.stdin is not None
        process.stdin.close()


def test_an_older_worker_goes_on_after_an_additive_upgrade(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher()
    with running_worker(shop) as worker:
        assert worker.redeem(code, "before") == "took"
        upgrade_to(shop.url, next_schema(tmp_path, "0002", oldest_writer="0001"))
        assert worker.redeem(code, "after") == "took"
    with running_worker(shop) as late_worker:  # an older version that starts after the upgrade
        assert late_worker.redeem(code, "after") == "took"
        assert late_worker.redeem(code, "later") == "took"
    assert shop.charges() == 3
    with shop.journal.database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM voucher_gateway_operations WHERE channel IS NULL")) == 3


def test_an_older_worker_sends_nothing_after_an_upgrade_that_it_does_not_understand(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher()
    with running_worker(shop) as worker:
        assert worker.redeem(code, "before") == "took"
        upgrade_to(shop.url, next_schema(tmp_path, "0003", oldest_writer="0003"), additive_only=False)
        sent = shop.changes()
        assert worker.redeem(code, "after") == "DatabaseUnavailable"
        assert worker.redeem(code, "before") == "took", "what is recorded is replayed"
        assert shop.changes() == sent
    with pytest.raises(DatabaseUnavailable, match="newer version"):
        shop.gateway.redeem("shop", code, Money(1, "EUR"), reference="here")
    with pytest.raises(ConfigurationError, match=r"0003.*upgrade it"):
        open_journal(shop.url)


def test_an_upgrade_that_stops_older_workers_is_not_made_by_itself(shop: Shop, tmp_path: Path) -> None:
    schema = next_schema(tmp_path, "0003", oldest_writer="0003")
    with pytest.raises(ConfigurationError, match="journal upgrade"):
        upgrade_to(shop.url, schema)
    _, code = shop.voucher()
    shop.redeem(code)
    assert shop.charges() == 1
    states = list_schema_states(shop.url, [schema])
    assert [(state.needs_upgrade, state.is_additive) for state in states] == [(True, False)]
    (state,) = upgrade_journal(shop.url, [schema])
    assert (state.revision, state.needs_upgrade) == ("0003", False)


def test_a_new_database_is_made_at_once_whatever_its_oldest_writer(sqlite_url: str, tmp_path: Path) -> None:
    schema = next_schema(tmp_path, "0003", oldest_writer="0003")
    with closing(Database(sqlite_url, schema)) as database, database.write() as connection:
        database.require_writer(connection)
