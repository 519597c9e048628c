"""What tests of many parts share: the canary, databases, and a shop with a journal."""

from __future__ import annotations

import gc
import itertools
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import make_url

from tests.support.commands import remembered_commands
from tests.support.examples import register_profiles
from tests.support.forked_child import run_in_children
from tests.support.installed import remembered_distributions
from tests.support.long import mark_long_tests
from tests.support.postgres import running_postgres
from tests.support.protocols import remembered_protocols
from tests.support.schemas import repeated_schemas
from tests.support.shop import Shop
from tests.support.simulators import account_table, simulators
from tests.support.statements import shared_compilations
from tests.support.temporary_files import keep_temporary_files_in_memory
from tests.support.waits import short_waits
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway.storage.engine import Database
from voucher_gateway.testing.harness.canary import Canary, listen_to_logs

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts us in the background ignores Ctrl-C for us and our children. Many tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
register_profiles()
keep_temporary_files_in_memory()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-outside", action="store_true", help="write tests/outside/recorded again")


def pytest_collection() -> None:
    """Collect without garbage collection: there is hardly any garbage, and ever more objects to look at."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave modules and collected tests out of all later garbage collections."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_long_tests(items)


@pytest.fixture(scope="session", autouse=True)
def _repetitions() -> Iterator[None]:
    """What is the same in every test is found out once a process."""
    with (
        repeated_schemas(),
        shared_compilations(),
        remembered_distributions(),
        remembered_protocols(),
        remembered_commands(),
    ):
        yield


@pytest.fixture(scope="session", autouse=True)
def _waits() -> Iterator[None]:
    """Hardly any test is about the wait before a request is sent again."""
    with short_waits():
        yield


@pytest.fixture
def canary(capsys: pytest.CaptureFixture[str]) -> Iterator[Canary]:
    """A canary with everything as talkative as it can be; it looks at the end of the test."""
    with listen_to_logs() as canary:
        yield canary
    printed = capsys.readouterr()
    canary.note("what was printed", printed.out)
    canary.note("what was printed to stderr", printed.err)
    canary.look()
    assert not canary.warned


# --- a real PostgreSQL ---

_databases: Final = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this test run, from the wheel; gives the URL of its first database."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def journal_template(postgres_server: str) -> str:
    """The name of a PostgreSQL database with the tables of a journal, to be copied."""
    name = "journal_template"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} STRATEGY = FILE_COPY")
    Database(_url_of(postgres_server, name), JOURNAL).close()
    return name


@pytest.fixture
def postgres_url(postgres_server: str, journal_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database of this test's own. It has the tables of a journal, without an operation.

    To copy them takes a fifth of the CPU that their statements take.
    """
    with _new_database(postgres_server, template=journal_template) as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test's own."""
    with _new_database(postgres_server, template="template1") as url:
        yield url


@contextmanager
def _new_database(server: str, *, template: str) -> Iterator[str]:
    name = f"test_{next(_databases)}"
    with psycopg.connect(server, autocommit=True) as connection:
        # FILE_COPY takes half the time of the default.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY = FILE_COPY")
        yield _url_of(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _url_of(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def either_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new database, of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def at_once() -> Callable[[Callable[[], object], int], list[str]]:
    """Run something in several forked processes that start at the same moment."""
    return run_in_children


# --- simulators, and a shop with a journal ---


@pytest.fixture
def start_vendor() -> Iterator[Callable[..., RunningSimulator]]:
    """Start simulators by name with options, and close them at the end. None may have raised an internal error."""
    with simulators() as start_simulator:
        yield start_simulator


@pytest.fixture
def account_at() -> Callable[..., dict[str, Any]]:
    """Make the table of a configuration for an account at a simulator."""
    return account_table


@pytest.fixture
def make_shop(start_vendor: Callable[..., RunningSimulator]) -> Iterator[Callable[..., Shop]]:
    """Make shops at simulators of their own, with a journal at a URL."""
    with ExitStack() as stack:

        def make(url: str, **options: object) -> Shop:
            return Shop(start_vendor("jtl", **options), url, stack)

        yield make


@pytest.fixture
def shop(make_shop: Callable[..., Shop], sqlite_url: str) -> Shop:
    """A shop with a journal in SQLite."""
    return make_shop(sqlite_url)


@pytest.fixture
def either_shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    """A shop with a journal in SQLite, and one with a journal in PostgreSQL."""
    return make_shop(either_url)
