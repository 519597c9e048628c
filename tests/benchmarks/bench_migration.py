"""How near a migration comes to what latency alone would take.

20,000 vouchers go from JTL to the ticketing vendor with 16 workers, and every answer takes 20 ms. Each voucher needs
six calls one after the other: look, freeze, read, read the code, create, confirm. So nobody can be faster than
20,000 / 16 times 6 times 20 ms, which is 150 s. What is compared with it is the wall-clock time of the whole run, from
the first claim to the last result that is written, with the journal in SQLite; both vendors answer from another
process.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_migration``, with other numbers of vouchers as
arguments. With ``--memory`` it measures instead what planned vouchers cost in memory while they are loaded and moved:
the peak of all that Python allocates for 100,000 may not be above that for 10,000 by more than a fifth. A run keeps no
hash and no voucher, whatever is listed for a plan or a verification does (see `bench_listing`). That takes some
twenty minutes.
"""

from __future__ import annotations

import gc
import math
import shutil
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.benchmarks.canned_estate import VALUE, code_of, id_of, serving_estate
from tests.benchmarks.ratio import Ratio, print_table
from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.migration import (
    Action,
    Destination,
    End,
    Kind,
    PlanHeader,
    PlannedVoucher,
    RowState,
    Step,
    run_plan,
)
from voucher_gateway.migration.plan.estimate import AccountLoad, Estimate
from voucher_gateway.migration.plan.plan_file import PlanWriter
from voucher_gateway.migration.plan.totals import TotalsBuilder
from voucher_gateway.provider_api import Code, ListingReport, Money, SecretSource, Status
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

VOUCHERS: Final = 20_000
WORKERS: Final = 16
LATENCY_MS: Final = 20
CALLS: Final = 6
TO_LIMIT: Final = 1.3

FEW: Final = 10_000
MANY: Final = 100_000
TO_FEW: Final = 1.2

KEYS: Final = {"1": SecretSource.of("a-key-for-the-benchmark")}
_UNTIL: Final = datetime(2029, 12, 31, 22, 59, 59, tzinfo=UTC)


def ratios() -> Iterator[Ratio]:
    """Measure."""
    yield _ratio(VOUCHERS)


def _ratio(vouchers: int) -> Ratio:
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-bench-"))
    try:
        took = seconds(folder, vouchers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    limit = math.ceil(vouchers / WORKERS) * CALLS * LATENCY_MS / 1000
    name = f"moving {vouchers:,} vouchers ({took:.1f} s) to the limit of latency ({limit:.1f} s)"
    return Ratio(name, took / limit, TO_LIMIT)


def memory(few: int = FEW, many: int = MANY) -> Iterator[Ratio]:
    """Measure the memory of a run, with few vouchers and with many."""
    _peak(100)  # what is imported late is there from here on
    less, more = _peak(few), _peak(many)
    name = f"memory of moving {many:,} vouchers ({more / 1e6:.1f} MB) to that of {few:,} ({less / 1e6:.1f} MB)"
    yield Ratio(name, more / less, TO_FEW)


def _peak(vouchers: int) -> int:
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-bench-"))
    gc.collect()
    tracemalloc.start()
    try:
        seconds(folder, vouchers, latency_ms=0)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        shutil.rmtree(folder, ignore_errors=True)


def seconds(folder: Path, vouchers: int, *, latency_ms: float = LATENCY_MS, processes: int = 1) -> float:
    """Return how long it takes to move so many vouchers, with processes of `WORKERS` workers each."""
    with ExitStack() as stack:
        base = stack.enter_context(serving_estate(latency_ms=latency_ms, vouchers=vouchers))
        journal = open_journal(f"sqlite:///{folder / 'journal.db'}", KEYS)
        gateway = stack.enter_context(Gateway(_accounts(base), journal=journal))
        plan = folder / "plan.jsonl"
        write_plan(plan, gateway, journal, vouchers)
        start = time.perf_counter()
        report = run_plan(gateway, plan, processes=processes)
        took = time.perf_counter() - start
    assert report.counts == {RowState.MOVED: vouchers}, report
    return took


def _accounts(base: str) -> list[Account]:
    secret = SecretSource.of("a-secret")
    source = JtlSettings(base_url=f"{base}/v1", client_id="a-client", client_secret=secret, workers=WORKERS)
    target = TicketingSettings(base_url=base, api_key=secret, currency="EUR", workers=WORKERS)
    return [
        Account(name="source", provider=JtlProvider("source", source)),
        Account(name="target", provider=TicketingProvider("target", target)),
    ]


def write_plan(path: Path, gateway: Gateway, journal: Journal, vouchers: int) -> None:
    """Write the plan that `migrate plan` would, without reading twenty thousand vouchers first."""
    source, target = gateway.provider("source"), gateway.provider("target")
    header = PlanHeader(
        made_at=datetime.now(UTC),
        source=End(account="source", provider=source.name, host=source.host, login=source.login),
        target=End(account="target", provider=target.name, host=target.host, login=target.login),
        steps=(Step.FREEZE, Step.REREAD, Step.CREATE, Step.CONFIRM),
        retire="keep-frozen",
        workers=WORKERS,
        key_id=journal.keys.newest,
        key_check=journal.keys.check_value(journal.keys.newest),
    )
    adder, money = TotalsBuilder(), Money(VALUE, "EUR")
    load = AccountLoad(account="source", requests=3, latency=timedelta(milliseconds=LATENCY_MS))
    with PlanWriter(path, header, journal.keys) as writer:
        for number in range(1, vouchers + 1):
            id = id_of(number)
            planned = PlannedVoucher(
                number=number,
                source_id=id,
                fingerprint=journal.keys.fingerprint(Code(code_of(id)), provider="move", host="move"),
                key_id=journal.keys.newest,
                kind=Kind.PARTLY_USED,
                initial=Money("50.00", "EUR"),
                remaining=money,
                status=Status.ACTIVE,
                valid_until=_UNTIL,
                action=Action.CARRY,
                destination=Destination(value=money, valid_until=_UNTIL),
            )
            adder.add(planned)
            writer.write(planned)
        listing = ListingReport(
            seen=vouchers,
            vendor_total=vouchers,
            duplicates=0,
            pages=1,
            finished=True,
            consistent=True,
            problems=(),
        )
        totals = adder.totals(listing)
        writer.finish(totals, Estimate(vouchers=vouchers, workers=WORKERS, source=load, target=load))


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:] if one != "--memory"]
    if "--memory" in sys.argv:
        sys.exit(print_table(memory(*given)))
    sys.exit(print_table(map(_ratio, given) if given else ratios()))
