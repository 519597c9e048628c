"""Measures, while a plan is made, what a request and a commit of the journal take on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import Final

import attrs
import sqlalchemy as sa

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.migration.plan.estimate import AccountLoad
from voucher_gateway.migration.schema import SCHEMA
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.storage.engine import Database

_PROBES: Final = 3


@attrs.frozen
class _Time:
    """The time that something took: until its end, and of the processor."""

    elapsed: timedelta
    processor: timedelta


def load_of(provider: VoucherProvider, requests: int, rate: float | None) -> AccountLoad:
    """Return the requests of an account, with the median time of three small reads; zero if it cannot be listed.

    Args:
        provider: the account.
        requests: the number of requests for each carried voucher.
        rate: the most requests per second; None for no limit.
    """

    def read() -> None:
        with provider.vouchers(VoucherQuery(limit=1)) as listing:
            next(listing, None)

    can_list = provider.capabilities.of(Operation.VOUCHERS).available
    took = _median_time(read) if can_list else _Time(timedelta(), timedelta())
    return AccountLoad(
        account=provider.account, requests=requests, latency=took.elapsed, rate=rate, processor=took.processor
    )


def commit_time_of(database: Database) -> timedelta:
    """Return the median time of three commits that change nothing; zero if the database is not available now."""
    version = sa.table(SCHEMA.version_table, sa.column("version_num"))
    statement = sa.update(version).values(version_num=version.c.version_num)

    def commit() -> None:
        with database.write() as connection:
            connection.execute(statement)

    try:
        database.add_schema(SCHEMA)
        return _median_time(commit).elapsed
    except DatabaseUnavailable:
        return timedelta()


def _median_time(work: Callable[[], None]) -> _Time:
    elapsed, processor = [], []
    for _ in range(_PROBES):
        began, used = time.perf_counter(), time.process_time()
        work()
        elapsed.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return _Time(timedelta(seconds=median(elapsed)), timedelta(seconds=median(processor)))
