"""Vouchers of one's own in databases of each kind, with a clock that tests move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import make_url

from voucher_gateway.provider_api import Money, NewVoucher, Redemption, Reservation, Voucher
from voucher_gateway_local import LocalProvider, LocalSettings

KEY: Final = "a-key-for-the-tests-of-vouchers"
START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


class Till:
    """A provider with handy defaults: amounts as text in euros, and a reference of its own for each call.

    Attributes:
        provider: the provider.
        clock: its clock.
        url: the database.
    """

    def __init__(self, provider: LocalProvider, clock: Clock, url: str) -> None:
        self.provider = provider
        self.clock = clock
        self.url = url
        self._count = itertools.count(1)

    def reference(self) -> str:
        return f"r{next(self._count)}"

    def issue(self, amount: str = "50.00", *, reference: str | None = None, **fields: Any) -> Voucher:
        new = NewVoucher(**{"initial": eur(amount), "active": True, **fields})
        return self.provider.issue(new, reference=reference or self.reference())

    def code(self, amount: str = "50.00", **fields: Any) -> str:
        voucher = self.issue(amount, **fields)
        assert voucher.code is not None
        return voucher.code.reveal()

    def redeem(self, code: str, amount: str = "10.00", pin: str | None = None, **named: Any) -> Redemption:
        return self.provider.redeem(code, eur(amount), pin, **{"reference": self.reference(), **named})

    def reserve(self, code: str, amount: str = "10.00", pin: str | None = None, **named: Any) -> Reservation:
        return self.provider.reserve(code, eur(amount), pin, **{"reference": self.reference(), **named})

    def remaining(self, code: str) -> str:
        return f"{self.provider.balance(code).remaining.amount:f}"

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.provider._open().database.read() as connection:
            return [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()]


MakeTill = Callable[..., Till]


@pytest.fixture
def make_till() -> Iterator[MakeTill]:
    """Make tills on a database, all with one clock."""
    clock = Clock()
    with ExitStack() as stack:

        def make(url: str, **settings: Any) -> Till:
            given = LocalSettings(**{"url": url, "key": KEY, **settings})
            return Till(stack.enter_context(LocalProvider("own", given, clock=clock)), clock, url)

        yield make


@pytest.fixture
def own_url(tmp_path: Path) -> str:
    """The URL of an SQLite file for vouchers that is not there yet."""
    return f"sqlite:///{tmp_path / 'own.db'}"


@pytest.fixture
def till(make_till: MakeTill, own_url: str) -> Till:
    """A till on SQLite."""
    return make_till(own_url)


@pytest.fixture(scope="session")
def shared_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a PostgreSQL database that many tests use one after the other, as making one takes its time."""
    name = "own_vouchers"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def wipe(url: str) -> None:
    """Empty the tables of vouchers, past the triggers that forbid it."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('local_entries')").fetchone() != (None,):
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "TRUNCATE local_holds, local_entries, local_vouchers, local_keys RESTART IDENTITY CASCADE"
            )


@pytest.fixture(params=["sqlite", "postgres"])
def either_till(request: pytest.FixtureRequest, make_till: MakeTill, own_url: str) -> Till:
    """A till on each kind of database in turn, without vouchers."""
    if request.param == "sqlite":
        return make_till(own_url)
    url: str = request.getfixturevalue("shared_postgres_url")
    wipe(url)
    return make_till(url)
