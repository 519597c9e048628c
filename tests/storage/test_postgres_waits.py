"""A PostgreSQL server that has stopped to answer holds no call that has a time-out."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.shop import Shop
from voucher_gateway import DatabaseUnavailable
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.storage.postgres_waits import SHORTEST_WAIT_S, connect


@contextmanager
def frozen_server(server: str, url: str) -> Iterator[None]:
    """Stop the processes of the server that serve a database, as a disk does that hangs."""
    with psycopg.connect(server, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        pids = [row[0] for row in connection.execute(query, [make_url(url).database])]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def test_a_call_ends_and_nothing_is_sent(
    make_shop: Callable[..., Shop], postgres_server: str, postgres_url: str
) -> None:
    shop = make_shop(postgres_url)
    voucher_id, code = shop.voucher()
    shop.redeem(code, reference="before")
    begin = time.monotonic()
    with frozen_server(postgres_server, postgres_url):
        with pytest.raises(DatabaseUnavailable, match="did not answer within the time-out of the call") as caught:
            shop.redeem(code, reference="1001-a", timeout=0.5)
        assert time.monotonic() - begin < 4 * SHORTEST_WAIT_S
    assert (caught.value.outcome, shop.charges()) == ("not_executed", 1)
    assert not shop.redeem(code, reference="1001-a").replayed
    assert (shop.remaining(voucher_id), shop.gateway.verify_journal().differences) == ("30.00", ())


def test_without_a_time_out_a_call_waits(make_shop: Callable[..., Shop], postgres_url: str) -> None:
    shop = make_shop(postgres_url)
    with shop.journal.database.read() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.3)")
    with use_call_deadline(0.1), shop.journal.database.read() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.3)")  # a record of what happened has more time than the call


def test_a_connection_to_a_silent_server_is_given_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        begin = time.monotonic()
        with use_call_deadline(0.1), pytest.raises(psycopg.OperationalError):
            connect(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none", connect_timeout=60)
        assert time.monotonic() - begin < 3 * SHORTEST_WAIT_S
