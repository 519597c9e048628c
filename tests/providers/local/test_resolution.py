"""What is said when the database does not do its part, and how it is found out afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from tests.providers.local.conftest import KEY, MakeTill, Till, eur
from tests.support.commits import replace_commit
from voucher_gateway.provider_api import (
    DatabaseUnavailable,
    Effect,
    Intent,
    Operation,
    OutcomeUnknown,
    Ticket,
)
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway.storage.locks import transaction_lock
from voucher_gateway_local import LocalProvider, LocalSettings, transactions


def intent(till: Till, reference: str, amount: str = "10.00", verb: Operation = Operation.REDEEM) -> Intent:
    return till.provider.intent(verb, reference=reference, money=eur(amount))


class Told:
    """A witness that does something when it hears of a request."""

    def __init__(self, then: Callable[[], Any] = lambda: None) -> None:
        self.intents: list[Intent] = []
        self._then = then

    def before_send(self, intent: Intent) -> None:
        self.intents.append(intent)
        self._then()


# --- what is told before ---


def test_every_changing_call_is_announced_once_before_anything_is_written(either_till: Till) -> None:
    own = either_till.provider
    voucher = either_till.issue(code="GIFT-1")
    held, other = either_till.reserve("GIFT-1"), either_till.reserve("GIFT-1")
    redemption = either_till.redeem("GIFT-1")
    spare = either_till.issue("5.00")
    transactions: dict[str, Callable[[], Any]] = {
        "issue": lambda: either_till.issue(reference="x"),
        "activate": lambda: own.activate(voucher.id, reference="x"),
        "deactivate": lambda: own.deactivate(spare.id, reference="x"),
        "top_up": lambda: own.top_up(voucher.id, eur("1.00"), reference="x", order="7"),
        "delete": lambda: own.delete(spare.id, "why", reference="x"),
        "reserve": lambda: either_till.reserve("GIFT-1", reference="x"),
        "capture": lambda: own.capture(held, reference="x"),
        "release": lambda: own.release(other, reference="x"),
        "redeem": lambda: either_till.redeem("GIFT-1", "3.00", reference="x"),
        "refund": lambda: own.refund(redemption, eur("2.00"), reference="x"),
    }
    for name, call in transactions.items():
        before = len(either_till.rows("local_entries"))
        seen: list[int] = []
        told = Told(lambda seen=seen: seen.append(len(either_till.rows("local_entries"))))  # type: ignore[misc]  # bound
        with use_before_send_hook(told):
            call()
        (one,) = told.intents
        assert (one.verb, one.reference, one.account, one.host) == (name, "x", "own", own.host)
        assert seen == [before], name
        assert own.resolve(one).effect is Effect.SUCCEEDED, name


def test_no_request_without_a_witness_who_agrees(either_till: Till) -> None:
    code = either_till.code()

    def refuse() -> None:
        raise DatabaseUnavailable("the journal is full")

    with use_before_send_hook(Told(refuse)), pytest.raises(DatabaseUnavailable, match="journal"):
        either_till.redeem(code)
    assert either_till.remaining(code) == "50.00"


# --- resolution ---


def test_an_entry_proves_every_call_and_shows_its_result(either_till: Till) -> None:
    own = either_till.provider
    voucher = either_till.issue(code="GIFT-1", reference="issue", pin="4711")
    results: dict[str, Any] = {
        "redeem": either_till.redeem("GIFT-1", pin="4711", reference="redeem"),
        "reserve": either_till.reserve("GIFT-1", "5.00", "4711", reference="reserve"),
        "top_up": own.top_up(voucher.id, eur("1.00"), reference="top_up"),
    }
    results["refund"] = own.refund(results["redeem"], reference="refund")
    results["capture"] = own.capture(results["reserve"], reference="capture")
    for name, result in results.items():
        outcome = own.resolve(own.intent(Operation(name), reference=name, money=result.money))
        assert (outcome.effect, outcome.result) == (Effect.SUCCEEDED, result), name
    issued = own.resolve(own.intent(Operation.ISSUE, reference="issue", money=eur("50.00"))).result
    assert issued == voucher


def test_the_lack_of_an_entry_proves_that_nothing_happened(either_till: Till) -> None:
    outcome = either_till.provider.resolve(intent(either_till, "never"))
    assert (outcome.effect, outcome.result) == (Effect.NOT_EXECUTED, None)


def test_another_amount_under_the_reference_is_for_a_person(either_till: Till) -> None:
    either_till.redeem(either_till.code(), "10.00", reference="a")
    outcome = either_till.provider.resolve(intent(either_till, "a", "11.00"))
    assert (outcome.effect, outcome.repeatable) == (Effect.UNKNOWN, False)
    assert "10.00 EUR" in outcome.reason


def test_a_call_without_a_reference_is_not_looked_for(either_till: Till) -> None:
    nameless = either_till.provider.intent(Operation.REDEEM, reference=None)
    assert either_till.provider.resolve(nameless).effect is Effect.UNKNOWN


def test_a_deleted_voucher_still_proves_that_it_was_issued(either_till: Till) -> None:
    voucher = either_till.issue("5.00", reference="a")
    either_till.provider.delete(voucher.id, "a mistake", reference="b")
    assert either_till.provider.resolve(intent(either_till, "a", "5.00", Operation.ISSUE)).effect is Effect.SUCCEEDED
    assert either_till.provider.resolve(intent(either_till, "b", verb=Operation.DELETE)).effect is Effect.SUCCEEDED


@contextmanager
def held_open(till: Till, code: str, reference: str) -> Iterator[int]:
    """Run another process that redeems ten euros and freezes right before it commits; gives its process id."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child starts no thread of the parent's
        child = os.fork()
    if child == 0:
        real = transactions.commit_once

        def freezing(database: Any, intent: Intent, act: Callable[[Any], Any]) -> Any:
            def acted(connection: Any) -> Any:
                made = act(connection)
                os.write(writing, b"!")
                signal.pause()
                return made

            return real(database, intent, acted)

        vars(transactions)["commit_once"] = freezing
        try:
            till.provider.redeem(code, eur("10.00"), reference=reference)
        finally:
            os._exit(1)
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"!"
        yield child
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_while_a_transaction_is_open_nothing_is_proved(either_till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "LOOK_WAIT_S", 0.2)
    code = either_till.code()
    with held_open(either_till, code, "a"):
        outcome = either_till.provider.resolve(intent(either_till, "a"))
        assert outcome.effect is Effect.UNKNOWN
        assert "not over" in outcome.reason


def test_a_process_killed_before_its_commit_did_nothing_and_that_is_proved(either_till: Till) -> None:
    code = either_till.code()
    with held_open(either_till, code, "a") as child:
        os.kill(child, signal.SIGKILL)
        outcome = either_till.provider.resolve(intent(either_till, "a"))
    assert outcome.effect is Effect.NOT_EXECUTED
    assert either_till.remaining(code) == "50.00"
    either_till.redeem(code, "50.00", reference="a")


def test_a_look_waits_for_a_transaction_that_ends_meanwhile(either_till: Till) -> None:
    code = either_till.code()
    with held_open(either_till, code, "a") as child:
        timer = threading.Timer(0.4, os.kill, (child, signal.SIGKILL))
        timer.start()
        assert either_till.provider.resolve(intent(either_till, "a")).effect is Effect.NOT_EXECUTED
        timer.join()


def test_what_the_server_still_has_in_hand_of_a_dead_sender_is_waited_for(
    make_till: MakeTill, postgres_url: str
) -> None:
    """The sender is gone, its statements lie at the server: the look must not come before them."""
    till = make_till(postgres_url)
    code = till.code()
    (row,) = till.rows("local_vouchers")
    number = transaction_lock(transactions._lock_name(intent(till, "a")))
    sender = psycopg.connect(postgres_url)
    sender.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
    late = (
        "SELECT pg_sleep(0.7); INSERT INTO local_entries (voucher, seq, kind, before, amount, after, held_before,"
        " held_amount, held, previous, reference, at)"
        f" VALUES ({row['number']}, 2, 'redeem', 5000, -1000, 4000, 0, 0, 0, 1, 'a', '2026-03-01T12:00:00.000000Z');"
        " COMMIT"
    )
    sender.pgconn.send_query(late.encode())
    sender.pgconn.flush()
    outcome = till.provider.resolve(intent(till, "a"))
    assert (outcome.effect, outcome.result and outcome.result.money) == (Effect.SUCCEEDED, eur("10.00"))  # type: ignore[union-attr]  # a redemption
    sender.close()
    assert till.remaining(code) == "40.00"


def test_a_look_that_finds_nothing_writes_something_itself(either_till: Till) -> None:
    """So it overwrites what stands in SQLite's log behind the last commit that is seen, and fails at a standby."""
    till = either_till
    looks = [row["looks"] for row in till.rows("local_keys")]
    till.provider.resolve(intent(till, "never"))
    assert [row["looks"] for row in till.rows("local_keys")] == [one + 1 for one in looks]


def test_what_a_server_that_only_reads_does_not_have_is_not_proved_to_be_absent(
    make_till: MakeTill, postgres_url: str
) -> None:
    """A standby may lag behind: what it has was committed, and what it lacks may have been, too."""
    till = make_till(postgres_url)
    till.redeem(till.code(), reference="a")
    till.provider.close()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_read_only = on")
    found, lacking = (till.provider.resolve(intent(till, reference)) for reference in ("a", "b"))
    assert found.effect is Effect.SUCCEEDED
    assert lacking.effect is Effect.UNKNOWN
    assert "only follows another" in lacking.reason


# --- when the database does not do it ---


def test_a_database_that_is_away_did_nothing(make_till: MakeTill, postgres_url: str) -> None:
    till = make_till(postgres_url)
    code = till.code()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE local_entries RENAME TO away")
        transactions: list[Callable[[], object]] = [
            lambda: till.redeem(code),
            lambda: till.provider.find(code),
            lambda: list(till.provider.vouchers()),
        ]
        for call in transactions:
            with pytest.raises(DatabaseUnavailable) as caught:
                call()
            assert (caught.value.outcome, caught.value.retry_safe) == ("not_executed", True)
        admin.execute("ALTER TABLE away RENAME TO local_entries")
    assert till.remaining(code) == "50.00"


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Any) -> None:
    settings = LocalSettings(url="postgresql://nobody:secret@127.0.0.1:1/own", key=KEY)
    with LocalProvider("own", settings) as own:
        assert own.host == "127.0.0.1:1/own"
        with pytest.raises(DatabaseUnavailable) as caught:
            own.redeem("GIFT-1", eur("1.00"), reference="a")
        assert "secret" not in f"{caught.value} {caught.value!r}"


def test_a_session_that_the_server_ends_before_the_commit_did_nothing(make_till: MakeTill, postgres_url: str) -> None:
    till = make_till(postgres_url)
    code = till.code()

    def end_all_sessions() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    with use_before_send_hook(Told(end_all_sessions)), pytest.raises(DatabaseUnavailable):
        till.redeem(code)
    assert till.remaining(code) == "50.00"
    till.redeem(code)


def full(till: Till) -> None:
    """Let the SQLite file grow no more."""
    with till.provider._open().database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_a_full_database_did_nothing(till: Till) -> None:
    code = till.code()
    full(till)

    def fill() -> None:
        for _ in range(500):
            till.redeem(code, "0.01", order="x" * 200)

    with pytest.raises(DatabaseUnavailable, match="full") as caught:
        fill()
    assert caught.value.vendor_code == "SQLITE_FULL"
    taken = sum(row["amount"] for row in till.rows("local_entries") if row["kind"] == "redeem")
    assert till.remaining(code) == f"{50 + taken / 100:.2f}"


@pytest.mark.parametrize("commits", [True, False])
def test_a_commit_that_breaks_off_leaves_the_outcome_unknown_and_a_look_decides(
    either_till: Till, monkeypatch: pytest.MonkeyPatch, commits: bool
) -> None:
    code = either_till.code()
    database = either_till.provider._open().database
    error: Exception = sqlite3.OperationalError("disk I/O error")
    if not database.is_sqlite:
        error = psycopg.OperationalError("server closed the connection unexpectedly")

    def break_off(connection: Any) -> None:
        if commits:
            connection.commit()
        raise error

    with monkeypatch.context() as patched:
        replace_commit(patched, database, break_off)
        with pytest.raises(OutcomeUnknown) as caught:
            either_till.redeem(code, reference="a", order="1001")
    ticket = caught.value.ticket
    assert (ticket.verb, ticket.reference, ticket.amount) == ("redeem", "a", "10.00")
    assert ticket.host == either_till.provider.host
    assert code not in ticket.to_json()
    outcome = either_till.provider.resolve(Intent.from_ticket(Ticket.from_json(ticket.to_json())))
    assert outcome.effect is (Effect.SUCCEEDED if commits else Effect.NOT_EXECUTED)
    assert either_till.remaining(code) == ("40.00" if commits else "50.00")


def test_a_commit_that_the_database_says_to_have_undone_did_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = till.code()

    def no_room(_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    with monkeypatch.context() as patched:
        replace_commit(patched, till.provider._open().database, no_room)
        with pytest.raises(DatabaseUnavailable) as caught:
            till.redeem(code)
    assert caught.value.outcome == "not_executed"
    assert till.remaining(code) == "50.00"


def test_a_voucher_that_another_holds_for_too_long_is_given_up(
    make_till: MakeTill, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_LOCK", sa.text(transactions._LOCK.text.replace("'10s'", "'200ms'")))
    till = make_till(postgres_url)
    code = till.code()
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM local_vouchers FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            till.redeem(code)
        assert time.monotonic() - began < 5
    till.redeem(code)
