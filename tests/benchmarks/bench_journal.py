"""What the journal costs, compared with the least that could be done.

* Two commits with the look-up, SQLite: the same rows in the same tables with the same indexes, by hand-written SQL on
  one kept ``sqlite3`` connection, with ``BEGIN IMMEDIATE`` and ``synchronous=FULL`` on both sides.
* A redemption at a vendor who takes 30 ms for an answer: the same two requests without a journal.
* 16 threads on one SQLite journal: the rate of one thread, and the slowest single call in seconds.
* 8 threads on PostgreSQL: the rate of one thread.

What is compared are medians of rounds that take turns. Run by ``make bench``, or alone by
``python -m tests.benchmarks.bench_journal``.
"""

from __future__ import annotations

import hmac
import json
import secrets
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import requests

from tests.benchmarks.ratio import Ratio, print_table
from tests.benchmarks.taking_turns import compared
from tests.support.postgres import running_postgres
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState, RequestResult
from voucher_gateway.provider_api import Effect, Intent, Money, Operation, SecretSource, TopUp, now
from voucher_gateway_jtl import JtlProvider, JtlSettings

CALLS: Final = 60
TO_RAW: Final = 2.0
REDEMPTIONS: Final = 12
LATENCY_MS: Final = 30
TO_BARE: Final = 1.1
RATE_OF_16: Final = 0.85
LONGEST_S: Final = 0.5
RATE_OF_8: Final = 2.0

TEN: Final = Money("10.00", "EUR")
_TARGET: Final = ("1001", "jtl", "127.0.0.1", "a-client", "1", "a-voucher", "a-voucher", "10.00", "EUR")
_OPEN: Final = ("open", 1, 1, "0123456789abcdef")
KEYS: Final = {"1": SecretSource.of("a-key-for-the-benchmark")}


def ratios() -> Iterator[Ratio]:
    """Measure."""
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-bench-"))
    try:
        yield _two_commits(folder)
        yield _redemption(folder)
        yield from _threads(folder)
        yield _postgres()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- two commits and a look-up ---


def _two_commits(folder: Path) -> Ratio:
    journal = open_journal(f"sqlite:///{folder / 'ours.db'}", KEYS)
    open_journal(f"sqlite:///{folder / 'raw.db'}", KEYS).close()  # for the same tables and indexes
    raw = RawJournal(folder / "raw.db")
    took = compared({"ours": lambda: journalled(journal), "raw": raw.journalled}, calls=CALLS)
    raw.close()
    journal.close()
    name = f"two commits and a look-up ({took['ours']:.0f} us) to raw sqlite3 ({took['raw']:.0f} us)"
    return Ratio(name, took["ours"] / took["raw"], TO_RAW)


def journalled(journal: Journal) -> None:
    """Do for one top-up what the execution does: look it up, write it down, write down that it succeeded."""
    operation_id, at = secrets.token_hex(13), now()
    key = OperationKey("shop", Operation.TOP_UP, operation_id)
    assert journal.find(key) is None
    target = journal.describe_target(
        provider="jtl", host="127.0.0.1", login="a-client", code=None, id="a-voucher", money=TEN
    )
    entry = OperationRecord(
        id=operation_id,
        key=key,
        order="1001",
        target=target,
        voucher_id=None,
        state=OperationState.OPEN,
        attempt=1,
        epoch=1,
        owner=journal.database.locks.owner(),
        result=None,
        error=None,
        created_at=at,
        updated_at=at,
    )
    intent = Intent(
        account="shop",
        provider="jtl",
        host="127.0.0.1",
        login="a-client",
        verb="top_up",
        reference=f"1001~{operation_id[-12:]}.1.1",
        order="1001",
        voucher_id="a-voucher",
        subject="a-voucher",
        money=TEN,
        sent_at=at,
    )
    row = journal.record_request(
        entry, new=True, step="top_up", decisive=True, intent=intent, finished=[], hold=None, vendor_now=at
    )
    result = TopUp(
        account="shop", id="a-movement", voucher_id="a-voucher", money=TEN, reference=key.reference, order="1001"
    )
    journal.close_operation(
        entry, OperationState.SUCCEEDED, result=result, finished=[RequestResult(row, Effect.SUCCEEDED, None, "top_up")]
    )


class RawJournal:
    """The same by hand: nothing is checked, nothing can be replayed, and no error is understood."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def journalled(self) -> None:
        """Write the same rows."""
        execute = self._connection.execute
        operation_id, at = secrets.token_hex(13), now().isoformat(timespec="microseconds")
        wire = f"1001~{operation_id[-12:]}.1.1"
        found = execute(
            "SELECT * FROM voucher_gateway_operations WHERE account = ? AND verb = ? AND reference = ?",
            ("shop", "top_up", operation_id),
        ).fetchone()
        assert found is None
        intent = {"account": "shop", "provider": "jtl", "host": "127.0.0.1", "login": "a-client", "verb": "top_up"}
        intent |= {"reference": wire, "wire_reference": wire, "order": "1001", "voucher_id": "a-voucher"}
        intent |= {"subject": "a-voucher", "amount": "10.00", "currency": "EUR", "sent_at": at}
        execute("BEGIN IMMEDIATE")
        execute(
            "INSERT INTO voucher_gateway_operations (id, account, verb, reference, order_number, provider, host, login,"
            " key_id, target, voucher_id, amount, currency, state, attempt, epoch, owner, created_at, updated_at,"
            " checks)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (operation_id, "shop", "top_up", operation_id, *_TARGET, *_OPEN, at, at, 0),
        )
        row = execute(
            "INSERT INTO voucher_gateway_requests (operation_id, epoch, attempt, step, decisive, prepares,"
            " wire_reference, intent, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (operation_id, 1, 1, "top_up", True, False, wire, json.dumps(intent), at),
        ).lastrowid
        self._append("operation.started", operation_id, at, {"account": "shop", "state": "open"}, [operation_id, at])
        execute("COMMIT")
        at = now().isoformat(timespec="microseconds")
        result = {"kind": "TopUp", "account": "shop", "id": "a-movement", "voucher_id": "a-voucher"}
        result |= {"reference": operation_id, "order": "1001"}
        made = json.dumps({**result, "money": {"amount": "10.00", "currency": "EUR"}})
        execute("BEGIN IMMEDIATE")
        execute("UPDATE voucher_gateway_requests SET effect = ?, finished_at = ? WHERE id = ?", ("succeeded", at, row))
        execute(
            "UPDATE voucher_gateway_operations SET state = ?, result = ?, updated_at = ? WHERE id = ? AND epoch = ?",
            ("succeeded", made, at, operation_id, 1),
        )
        sent = execute("SELECT * FROM voucher_gateway_requests WHERE operation_id = ?", (operation_id,)).fetchall()
        self._append("operation.succeeded", operation_id, at, {"account": "shop", "state": "succeeded"}, [made, sent])
        execute("COMMIT")

    def _append(self, kind: str, subject: str, at: str, data: dict[str, str], rows: list[Any]) -> None:
        """Append an event to the chain."""
        execute = self._connection.execute
        chain = execute("SELECT length, head FROM voucher_gateway_chains WHERE id = 1").fetchone()
        if chain is None:
            execute("INSERT INTO voucher_gateway_chains VALUES (1, ?, 1, '', 0, '', '', '1')", (at,))
            chain = 0, ""
        text, covered = json.dumps(data), _digest(rows)
        content = _digest([text, covered])
        head = _digest([chain[1], kind, subject, at, content])
        execute(
            "INSERT INTO voucher_gateway_events (chain, number, at, kind, subject, order_number, data, row_digest,"
            " content, digest, key_id) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (chain[0] + 1, at, kind, subject, "1001", text, covered, content, head, "1"),
        )
        execute(
            "UPDATE voucher_gateway_chains SET length = ?, head = ?, mac = ? WHERE id = 1",
            (chain[0] + 1, head, _digest([chain[0] + 1, head])),
        )


def _digest(values: list[Any]) -> str:
    return hmac.digest(b"a-key-for-the-benchmark", ascii(values).encode(), "sha256").hex()


# --- a whole redemption ---


def _redemption(folder: Path) -> Ratio:
    with simulated_vendor() as said, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {said['token']}"
        code = create_voucher(session, said["base_url"])
        journal = open_journal(f"sqlite:///{folder / 'redemptions.db'}", KEYS)
        with Gateway({"shop": make_provider(said)}, journal=journal) as gateway, make_provider(said) as bare:

            def ours() -> None:
                gateway.redeem("shop", code, Money("0.01", "EUR"), reference=secrets.token_hex(8))

            def without() -> None:
                reservation = bare.reserve(code, Money("0.01", "EUR"), reference="r")
                bare.capture(reservation, reference="r")

            took = compared({"ours": ours, "bare": without}, calls=REDEMPTIONS, rounds=5)
    name = (
        f"a redemption at {LATENCY_MS} ms latency ({took['ours'] / 1000:.1f} ms)"
        f" to its bare requests ({took['bare'] / 1000:.1f} ms)"
    )
    return Ratio(name, took["ours"] / took["bare"], TO_BARE)


def create_voucher(session: requests.Session, base_url: str) -> str:
    body = {"amount": "500.00", "currency": "EUR", "status": "active", "type": "digital"}
    code: str = session.post(f"{base_url}/vouchers", json=body).json()["code"]
    return code


@contextmanager
def simulated_vendor(latency_ms: int = LATENCY_MS) -> Iterator[dict[str, str]]:
    """Run the vendor in another process, so that it does not share our interpreter; give what it announces."""
    command = [sys.executable, "-m", "voucher_gateway.simulator", "jtl", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def make_provider(said: dict[str, str]) -> JtlProvider:
    secret = SecretSource.of(said["client_secret"])
    return JtlProvider(
        "shop", JtlSettings(base_url=said["base_url"], client_id=said["client_id"], client_secret=secret)
    )


# --- threads ---


@attrs.frozen
class _Run:
    rate: float
    slowest_s: float


def _threads(folder: Path) -> Iterator[Ratio]:
    journal = open_journal(f"sqlite:///{folder / 'threads.db'}", KEYS)
    one, many, slowest = [], [], []
    for _ in range(5):
        one.append(_run(journal, threads=1, calls=480).rate)
        together = _run(journal, threads=16, calls=30)
        many.append(together.rate)
        slowest.append(together.slowest_s)
    journal.close()
    alone, sixteen = statistics.median(one), statistics.median(many)
    name = f"the rate of one thread ({alone:.0f}/s) to that of 16 ({sixteen:.0f}/s) on SQLite"
    yield Ratio(name, alone / sixteen, 1 / RATE_OF_16)
    yield Ratio("the slowest call of 16 threads on SQLite, in seconds", max(slowest), LONGEST_S)


def _postgres() -> Ratio:
    with running_postgres() as url:
        journal = open_journal(url, KEYS)
        _run(journal, threads=8, calls=10)
        one, many = [], []
        for _ in range(5):
            one.append(_run(journal, threads=1, calls=120).rate)
            many.append(_run(journal, threads=8, calls=60).rate)
        journal.close()
    alone, eight = statistics.median(one), statistics.median(many)
    name = f"twice the rate of one thread ({alone:.0f}/s) to that of 8 ({eight:.0f}/s) on PostgreSQL"
    return Ratio(name, RATE_OF_8 * alone / eight, 1.0)


def _run(journal: Journal, *, threads: int, calls: int) -> _Run:
    """Let threads make calls; return how many a second they made together, and the longest of all."""
    slowest = [0.0] * threads

    def work(place: int) -> None:
        for _ in range(calls):
            start = time.perf_counter()
            journalled(journal)
            slowest[place] = max(slowest[place], time.perf_counter() - start)

    workers = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return _Run(threads * calls / (time.perf_counter() - start), max(slowest))


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
