"""A PostgreSQL server that has stopped to answer holds no call for ever."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.shop import Shop
from tests.support.threads import run_numbered_threads
from voucher_gateway import DatabaseUnavailable, Money, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.storage import locks, waits
from voucher_gateway.storage.postgres_waits import BoundedConnection, connect
from voucher_gateway.storage.waits import allow_long_statements

SHORT_S, BATCH_S, SLACK_S = 0.5, 1.5, 5.0
"""What a busy machine may take besides; a connection that is refused by a frozen server takes 5 s at most."""


@contextmanager
def frozen_server(server: str, url: str) -> Iterator[None]:
    """Stop the server: the processes that serve a database, and the one that accepts connections."""
    with psycopg.connect(server, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        pids = [row[0] for row in connection.execute(query, [make_url(url).database])]
        status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
        pids.append(int(status.partition("PPid:")[2].split()[0]))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call wait for a shorter time than a customer would."""
    monkeypatch.setattr(waits, "CHECKOUT_WAIT_S", SHORT_S)
    monkeypatch.setattr(waits, "BATCH_WAIT_S", BATCH_S)
    monkeypatch.setattr(waits, "SHORTEST_WAIT_S", SHORT_S)
    monkeypatch.setattr(locks, "SHORTEST_WAIT_S", SHORT_S)


@pytest.mark.parametrize("timeout", [0.5, None])
def test_a_call_ends_and_nothing_is_sent(
    make_shop: Callable[..., Shop],
    postgres_server: str,
    postgres_url: str,
    timeout: float | None,
    short_waits: None,
) -> None:
    shop = make_shop(postgres_url)
    voucher_id, code = shop.voucher()
    shop.redeem(code, reference="before")
    with frozen_server(postgres_server, postgres_url):
        begin = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="did not answer within") as caught:
            shop.redeem(code, reference="1001-a", timeout=timeout)
        assert time.monotonic() - begin < SHORT_S + SLACK_S
    assert (caught.value.outcome, shop.charges()) == ("not_executed", 1)
    assert not shop.redeem(code, reference="1001-a").replayed
    assert (shop.remaining(voucher_id), shop.gateway.verify_journal().differences) == ("30.00", ())


def test_many_threads_wait_at_the_same_time(
    make_shop: Callable[..., Shop], postgres_server: str, postgres_url: str, short_waits: None
) -> None:
    shop = make_shop(postgres_url)
    _, code = shop.voucher()
    shop.redeem(code, reference="before")

    def redeem(number: int) -> str:
        with pytest.raises(DatabaseUnavailable) as caught:
            shop.redeem(code, reference=f"1001-{number}")
        return caught.value.outcome

    with frozen_server(postgres_server, postgres_url):
        begin = time.monotonic()
        assert set(run_numbered_threads(40, redeem)) == {"not_executed"}
        assert time.monotonic() - begin < SHORT_S + SLACK_S
    assert shop.charges() == 1


def test_recover_and_reconcile_wait_longer(
    make_shop: Callable[..., Shop], postgres_server: str, postgres_url: str, short_waits: None
) -> None:
    shop = make_shop(postgres_url)
    _, code = shop.voucher()
    shop.redeem(code, reference="before")
    for call in (shop.gateway.recover, partial(reconcile, shop.gateway, "shop")):
        with frozen_server(postgres_server, postgres_url):
            begin = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match=r"did not answer within|connection timeout expired"):
                call()
            assert BATCH_S <= time.monotonic() - begin < BATCH_S + SLACK_S


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, 46))
def test_a_call_whose_server_stops_at_a_statement_ends_and_tells_the_truth(
    make_shop: Callable[..., Shop],
    postgres_server: str,
    postgres_url: str,
    short_waits: None,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    shop = make_shop(postgres_url)
    voucher_id, code = shop.voucher()
    shop.redeem(code, reference="before")
    wait, count, begin = BoundedConnection.wait, 0, 0.0
    with ExitStack() as frozen:

        def wait_or_freeze(self: BoundedConnection, *arguments: Any, **options: Any) -> Any:
            nonlocal count, begin
            count += 1
            if count == number:
                frozen.enter_context(frozen_server(postgres_server, postgres_url))
                begin = time.monotonic()
            return wait(self, *arguments, **options)

        monkeypatch.setattr(BoundedConnection, "wait", wait_or_freeze)
        try:
            shop.redeem(code, reference="1001-a")
            outcome = "succeeded"
        except VoucherGatewayError as error:
            outcome = error.outcome
        duration = time.monotonic() - begin if begin else 0.0
        monkeypatch.setattr(BoundedConnection, "wait", wait)
    charged = shop.charges() == 2
    assert {"succeeded": charged, "not_executed": not charged, "unknown": True}[outcome], outcome
    assert duration < 3 * SHORT_S + SLACK_S, duration
    remaining = "30.00"
    try:
        assert shop.redeem(code, reference="1001-a", wait=30, timeout=60).money == Money("10.00", "EUR")
    except OutcomeUnknown:
        # The server executed a commit whose answer the call did not wait for. The journal then has a request that was
        # not sent, and the vendor cannot prove that while the reservation lives.
        assert shop.charges() == 1
        remaining = "40.00"
    assert (shop.remaining(voucher_id), shop.gateway.verify_journal().differences) == (remaining, ())


def test_what_takes_long_by_itself_is_not_ended(
    make_shop: Callable[..., Shop], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(postgres_url)
    monkeypatch.setattr(waits, "CHECKOUT_WAIT_S", 0.1)
    with allow_long_statements(), shop.journal.database.read() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.3)")
    with use_call_deadline(0.1), shop.journal.database.read() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.3)")  # a record of what happened has more time than the call
    with pytest.raises(DatabaseUnavailable), shop.journal.database.read() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.3)")


def test_a_connection_to_a_silent_server_is_given_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        begin = time.monotonic()
        with use_call_deadline(0.1), pytest.raises(psycopg.OperationalError):
            connect(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none", connect_timeout=60)
        assert time.monotonic() - begin < 3 * waits.SHORTEST_WAIT_S
