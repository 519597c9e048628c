"""A database that does not do its part stops a call before it is sent."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from voucher_gateway.provider_api import DatabaseUnavailable, Money

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_a_full_disk_stops_the_call_before_it_is_sent(
    shop: Shop, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    voucher_id, code = shop.voucher()
    before = shop.changes()

    def work() -> Any:
        with shop.journal.database.read() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM voucher_gateway_operations").all()
        page = 4096
        resource.setrlimit(resource.RLIMIT_FSIZE, (page, page))  # as if the disk ended there, in the log's first page
        return shop.redeem(code)

    [said] = at_once(work, 1)
    assert said.startswith("DatabaseUnavailable: "), said
    assert shop.changes() == before
    assert shop.redeem(code).money.amount == 10
    assert shop.remaining(voucher_id) == "40.00"


def test_a_file_that_may_only_be_read_stops_the_call_before_it_is_sent(
    make_shop: Callable[..., Shop], at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-"))  # not pytest's own, which others may not enter
    try:
        shop = make_shop(f"sqlite:///{folder / 'journal.db'}")
        _, code = shop.voucher()
        before = shop.changes()
        with sqlite3.connect(folder / "journal.db") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
        (folder / "journal.db.locks").chmod(0o666)

        def work() -> Any:
            if os.geteuid() == 0:
                os.setuid(65534)
            return shop.redeem(code)

        [said] = at_once(work, 1)
        assert said.startswith("DatabaseUnavailable: "), said
        assert shop.changes() == before
        shop.gateway.close()
    finally:
        shutil.rmtree(folder)


def test_a_locked_database_stops_the_call_before_it_is_sent(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.storage.engine.BUSY_TIMEOUT_S", 0.1)
    voucher_id, code = shop.voucher()
    gateway = shop.another_gateway()
    before = shop.changes()
    blocker = sqlite3.connect(str(shop.journal.database.path), isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseUnavailable, match="locked") as caught:
        gateway.redeem("shop", code, Money("10.00", "EUR"), reference="1001-a")
    assert caught.value.retry_safe
    assert shop.changes() == before
    blocker.execute("ROLLBACK")
    blocker.close()
    gateway.redeem("shop", code, Money("10.00", "EUR"), reference="1001-a")
    assert shop.remaining(voucher_id) == "40.00"


def test_a_lost_postgres_stops_the_call_before_it_is_sent(
    make_shop: Callable[..., Shop], postgres_url: str, postgres_server: str
) -> None:
    shop = make_shop(postgres_url)
    _, code = shop.voucher()
    before = shop.changes()
    name = postgres_url.split("/")[-1].split("?")[0]
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        with pytest.raises(DatabaseUnavailable):
            shop.redeem(code)
        assert shop.changes() == before
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    for _ in range(3):  # connections that were lost are found out one by one
        try:
            shop.redeem(code)
            break
        except DatabaseUnavailable:
            continue
    assert shop.charges() == 1
