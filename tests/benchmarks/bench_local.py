"""What vouchers of one's own cost, compared with the least that could be done.

* A redemption on SQLite and on PostgreSQL, one thread: the same statements in the same transactions by hand-written
  SQL, on one kept connection of the bare driver (``sqlite3``, ``psycopg``), in the same tables; with PostgreSQL all
  processes are kept on one core. Both find the voucher
  by a keyed hash of its code, and hold a lock on the reference meanwhile: a byte lock of a file beside SQLite, an
  advisory lock in PostgreSQL.
* Redemptions a second on PostgreSQL, 8 threads over 50 vouchers: a thousand at least.

The provider alone, without a gateway and its journal. What is compared are medians of rounds that take turns. Run by
``make bench``, or alone by ``python -m tests.benchmarks.bench_local``.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import secrets
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.benchmarks.ratio import Ratio, print_table
from tests.benchmarks.taking_turns import compared, one_core
from tests.support.postgres import running_postgres
from voucher_gateway.provider_api import Money, NewVoucher
from voucher_gateway_local import LocalProvider, LocalSettings

TO_BARE: Final = 1.5
RATE: Final = 1000
CALLS: Final = 60
THREADS: Final = 8
VOUCHERS: Final = 50

CENT: Final = Money("0.01", "EUR")
KEY: Final = "a-key-for-the-benchmark-of-vouchers"


def ratios() -> Iterator[Ratio]:
    """Measure."""
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-bench-"))
    try:
        with _provider(f"sqlite:///{folder / 'own.db'}") as own:
            yield _one_thread("SQLite", own, lambda: BareSqlite(folder / "own.db"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with one_core(), running_postgres() as url, _provider(url) as own:
        yield _one_thread("PostgreSQL", own, lambda: BarePostgres(url))
    with running_postgres() as url, _provider(url) as own:
        yield _threads(own)


def _provider(url: str) -> LocalProvider:
    return LocalProvider("own", LocalSettings(url=url, key=KEY))


def _issue(own: LocalProvider, count: int) -> list[str]:
    """Issue vouchers and return their codes; their row numbers begin at 1."""
    codes = []
    for _ in range(count):
        made = own.issue(NewVoucher(initial=Money("100000.00", "EUR"), active=True), reference=secrets.token_hex(8))
        assert made.code is not None
        codes.append(made.code.reveal())
    return codes


# --- one thread ---


class Bare:
    """The statements of a redemption by hand: nothing is unsealed, checked, mapped or explained."""

    lock = ""
    append = ""

    def __init__(self, connection: Any, place: str) -> None:
        self._connection = connection
        self._place = place
        found = connection.execute("SELECT fingerprint FROM local_vouchers WHERE number = 1").fetchone()
        self._fingerprint = found[0]

    def redeem(self, code: str) -> None:
        """Take a cent."""
        execute, place = self._connection.execute, self._place
        reference = secrets.token_hex(8)
        hashlib.blake2b(code.encode(), key=b"a key", digest_size=32).hexdigest()  # the true key only the provider has
        self.begin(reference)
        voucher = execute(
            "SELECT number, id, currency, sealed, has_pin, deleted_at, status, valid_until, validity_value,"
            " validity_interval, sku, batch, updated_at"
            f" FROM local_vouchers WHERE fingerprint = {place}{self.lock}",
            (self._fingerprint,),
        ).fetchone()
        seq, after, held = execute(
            f"SELECT seq, after, held FROM local_entries WHERE voucher = {place} ORDER BY seq DESC LIMIT 1",
            (voucher[0],),
        ).fetchone()
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        moved = ("redeem", after, -1, after - 1, held, 0, held)
        values = (voucher[0], seq + 1, *moved, seq, None, reference, reference * 4, None, None, None, at)
        execute(self.append, (*values, *self.taken(reference)))
        execute("COMMIT")
        self.end()

    def taken(self, reference: str) -> tuple[str, ...]:
        """Return what the statement needs besides, to leave an entry out whose reference is taken."""
        return ()

    def begin(self, reference: str) -> None:
        """Begin the transaction, with a lock on the reference."""

    def end(self) -> None:
        """Give the lock back, where the transaction did not."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


_INSERT: Final = (
    "INSERT INTO local_entries (voucher, seq, kind, before, amount, after, held_before, held_amount, held,"
    " previous, subject, reference, content, order_number, ends_at, state, at)"
)


class BareSqlite(Bare):
    """On the standard library's driver."""

    append = (
        f"{_INSERT} SELECT {', '.join('?' * 17)}"
        " WHERE NOT EXISTS (SELECT * FROM local_entries WHERE reference = ? AND kind = ?)"
    )

    def __init__(self, path: Path) -> None:
        self._locks = path.with_name("bare.locks").open("wb")
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        super().__init__(connection, "?")

    def begin(self, reference: str) -> None:
        """Take the byte lock, then SQLite's."""
        self._place_of_lock = hash(reference) & 0xFFFFFFFF
        fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._place_of_lock)
        self._connection.execute("BEGIN IMMEDIATE")

    def taken(self, reference: str) -> tuple[str, ...]:
        """Return reference and kind once more."""
        return reference, "redeem"

    def end(self) -> None:
        """Free the byte lock."""
        fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, self._place_of_lock)

    def close(self) -> None:
        """Close connection and file."""
        super().close()
        self._locks.close()


class BarePostgres(Bare):
    """On psycopg, which prepares what comes often by itself."""

    lock = " FOR NO KEY UPDATE"
    append = f"{_INSERT} VALUES ({', '.join(['%s'] * 17)}) ON CONFLICT (reference, kind) DO NOTHING"

    def __init__(self, url: str) -> None:
        super().__init__(psycopg.connect(url, autocommit=True), "%s")

    def begin(self, reference: str) -> None:
        """Begin, and take the advisory lock."""
        self._connection.execute("BEGIN")
        locked = "SELECT set_config('lock_timeout', '10s', true), pg_advisory_xact_lock(%s)"
        self._connection.execute(locked, (hash(reference),))


def _one_thread(kind: str, own: LocalProvider, open_bare: Callable[[], Bare]) -> Ratio:
    (code,) = _issue(own, 1)
    bare = open_bare()
    took = compared(
        {"ours": lambda: own.redeem(code, CENT, reference=secrets.token_hex(8)), "bare": lambda: bare.redeem(code)},
        calls=CALLS,
    )
    bare.close()
    name = f"a redemption on {kind} ({took['ours']:.0f} us) to its bare statements ({took['bare']:.0f} us)"
    return Ratio(name, took["ours"] / took["bare"], TO_BARE)


# --- many threads ---


def _threads(own: LocalProvider) -> Ratio:
    codes = _issue(own, VOUCHERS)
    _rate(own, codes, calls=20)
    rate = statistics.median(_rate(own, codes, calls=100) for _ in range(5))
    name = f"a thousand redemptions a second to those of {THREADS} threads on PostgreSQL ({rate:.0f}/s)"
    return Ratio(name, RATE / rate, 1.0)


def _rate(own: LocalProvider, codes: list[str], *, calls: int) -> float:
    """Let threads redeem, and return how often they did a second together."""

    def work(place: int) -> None:
        for code in itertools.islice(itertools.cycle(codes[place:] + codes[:place]), calls):
            own.redeem(code, CENT, reference=secrets.token_hex(8))

    workers = [threading.Thread(target=work, args=(place * VOUCHERS // THREADS,)) for place in range(THREADS)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return THREADS * calls / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
