"""What tests of many parts share: the canary, databases, and a shop with a journal."""

from __future__ import annotations

import gc
import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import requests
from sqlalchemy import make_url

from tests.postgres import running_postgres
from tests.support.examples import register_profiles
from tests.support.installed import remembered_distributions
from tests.support.long import mark_long_tests
from tests.support.schemas import repeated_schemas
from tests.support.temporary_files import keep_temporary_files_in_memory
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.provider_api import Money, Redemption, SecretSource
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway.testing.harness.canary import Canary, listen_to_logs
from voucher_gateway_jtl import JtlProvider, JtlSettings

register_profiles()
keep_temporary_files_in_memory()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-outside", action="store_true", help="write tests/outside/recorded anew")


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
    with repeated_schemas(), remembered_distributions():
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


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test's own."""
    name = f"test_{next(_databases)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def either_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def at_once() -> Callable[[Callable[[], object], int], list[str]]:
    """Runs something in several forked processes that all start at one moment; gives what each said, or its error."""

    def run(work: Callable[[], object], count: int) -> list[str]:
        said = []
        gate, opened = os.pipe()
        children = []
        for _ in range(count):
            reading, writing = os.pipe()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # the children start no thread of the parent's
                child = os.fork()
            if child == 0:
                os.close(opened)
                os.read(gate, 1)
                try:
                    text = f"{work()}"
                except BaseException as error:  # noqa: BLE001 - told to the parent, and never returned into the test
                    text = f"{type(error).__name__}: {error}"
                os.write(writing, text.encode())
                os._exit(0)
            os.close(writing)
            children.append((child, reading))
        os.close(opened)
        os.close(gate)
        for child, reading in children:
            with os.fdopen(reading, "rb") as told:
                said.append(told.read().decode())
            os.waitpid(child, 0)
        return said

    return run


# --- a shop with a journal ---

JOURNAL_KEYS: Final = {"1": "a-key-for-the-tests-of-journals"}


class Shop:
    """A shop with one account at a simulated JTL, and a journal. Code and money have handy defaults.

    Attributes:
        running: the vendor.
        url: where the journal is.
        gateway: a gateway with the account ``shop``.
    """

    def __init__(self, running: RunningSimulator, url: str, stack: ExitStack) -> None:
        self.running = running
        self.url = url
        self._stack = stack
        self.gateway = self.another_gateway()
        self._base = running.announcement["base_url"]
        self._session = stack.enter_context(requests.Session())
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {running.announcement['token']}"

    def keys(self, **keys: str) -> dict[str, SecretSource]:
        return {name: SecretSource.of(key) for name, key in (keys or JOURNAL_KEYS).items()}

    def provider(self, **settings: object) -> JtlProvider:
        """Return a provider of the account; it is closed at the end."""
        said = self.running.announcement
        given: dict[str, Any] = {
            "base_url": said["base_url"],
            "client_id": said["client_id"],
            "client_secret": SecretSource.of(said["client_secret"]),
            "tries": 1,
            **settings,
        }
        return self._stack.enter_context(JtlProvider("shop", JtlSettings(**given)))

    def another_gateway(self, journal_keys: dict[str, str] | None = None, **settings: object) -> Gateway:
        """Return a gateway on the same journal, as another process would make it."""
        return self.another_gateway_at(self.url, self.keys(**(journal_keys or {})), **settings)

    def another_gateway_at(self, url: str, keys: dict[str, SecretSource] | None, **settings: object) -> Gateway:
        """Return a gateway with a journal elsewhere, or with keys of another source."""
        journal = open_journal(url, keys)
        return self._stack.enter_context(Gateway({"shop": self.provider(**settings)}, journal=journal))

    @property
    def journal(self) -> Journal:
        assert self.gateway.journal is not None
        return self.gateway.journal

    def voucher(self, amount: str = "50.00", **fields: object) -> tuple[str, str]:
        """Issue an active voucher as another channel would, and return its id and code."""
        body = {"amount": amount, "currency": "EUR", "status": "active", "type": "digital", **fields}
        reply = self._session.post(f"{self._base}/vouchers", json=body)
        assert reply.status_code == 201, reply.text
        made = reply.json()
        return made["id"], made["code"]

    def till(self, method: str, path: str, body: object) -> Any:
        """Make a plain call as another channel with this login."""
        reply = self._session.request(method, f"{self._base}{path}", json=body)
        assert reply.ok, reply.text
        return reply.json()

    def redeem(self, code: str, amount: str = "10.00", *, reference: str = "1001-a", **more: Any) -> Redemption:
        return self.gateway.redeem("shop", code, Money(amount, "EUR"), reference=reference, **more)

    def changes(self) -> list[str]:
        """The changing requests that arrived, in order, as ``METHOD /path``."""
        return [
            f"{one.method} {one.path}"
            for one in self.running.requests
            if one.method != "GET" and one.path != "/oauth/token"
        ]

    def charges(self) -> int:
        """How many requests arrived that take money."""
        return sum(one.endswith("/charge") for one in self.changes())

    def remaining(self, voucher_id: str) -> str:
        """What is truly left on a voucher."""
        return next(str(one["remaining"]) for one in self.running.ledger() if one["id"] == voucher_id)


@pytest.fixture
def make_shop() -> Iterator[Callable[..., Shop]]:
    """Makes shops at simulators of their own, with a journal at a URL."""
    started: list[RunningSimulator] = []
    with ExitStack() as stack:

        def make(url: str, **options: object) -> Shop:
            started.append(stack.enter_context(start("jtl", **options)))
            return Shop(started[-1], url, stack)

        yield make
        assert [crash for running in started for crash in running.crashes] == []


@pytest.fixture
def shop(make_shop: Callable[..., Shop], sqlite_url: str) -> Shop:
    """A shop with a journal in SQLite."""
    return make_shop(sqlite_url)


@pytest.fixture
def either_shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    """A shop with a journal in SQLite, and one with a journal in PostgreSQL."""
    return make_shop(either_url)
