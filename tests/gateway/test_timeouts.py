"""`timeout`: a call ends in time. What was sent is not called failed, and what was not sent is."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.leaks import note_call
from tests.support.shop import Shop
from voucher_gateway import (
    DatabaseUnavailable,
    Gateway,
    InvalidRequest,
    Money,
    NewVoucher,
    Operation,
    OperationInProgress,
    OutcomeUnknown,
    Payment,
    PaymentState,
    ProviderUnavailable,
    Redemption,
    Reservation,
    Sale,
    SaleState,
    VoucherChanges,
)
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.limits.call_deadline import seconds_left, use_call_deadline
from voucher_gateway.storage import waits
from voucher_gateway.testing.harness.canary import Canary

TEN = Money("10.00", "EUR")
PATIENT: dict[str, Any] = {"connect_timeout_s": 30.0, "read_timeout_s": 30.0, "total_timeout_s": 30.0}
SHORT_S = 0.3
"""The time-out of the calls."""
SOON_S = 6.0
"""Far longer than the time-out, and shorter than those of the account and of the database."""


@pytest.fixture
def gateway(either_shop: Shop) -> Gateway:
    """A gateway whose account waits for half a minute."""
    return either_shop.another_gateway(**PATIENT)


@contextmanager
def ends_soon(timeout: float = SHORT_S) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < timeout + SOON_S


def call_in_time(call: Callable[..., object]) -> object:
    """Make a call with a short time-out, and with longer ones until it comes as far as the fault at the vendor.

    A busy machine may not come so far in the shortest one. Then nothing was sent, and the call must say so.
    """
    for timeout in (SHORT_S, 1.0, 3.0, 10.0):
        with ends_soon(timeout):
            try:
                return call(timeout=timeout)
            except (ProviderUnavailable, DatabaseUnavailable) as error:
                outcome = error.outcome
            assert outcome == "not_executed"
    raise AssertionError("the call did not reach the vendor in time")


@pytest.fixture
def code(either_shop: Shop) -> str:
    return either_shop.voucher()[1]


def test_a_change_that_was_sent_is_unknown_and_the_same_reference_tells_its_outcome(
    either_shop: Shop, gateway: Gateway, code: str
) -> None:
    either_shop.running.inject("commit-then-hang", "POST */charge", times=1)
    with pytest.raises(OutcomeUnknown):
        call_in_time(partial(gateway.redeem, "shop", code, TEN, reference="1001-a"))
    either_shop.running.clear_faults()
    assert gateway.redeem("shop", code, TEN, reference="1001-a", timeout=30).money == TEN
    assert either_shop.charges() == 1


def test_a_change_that_was_not_sent_is_not_executed(either_shop: Shop, gateway: Gateway, code: str) -> None:
    either_shop.running.inject("hang", "POST */reservations", times=1)
    with ends_soon(), pytest.raises(ProviderUnavailable, match=r"nothing was taken|before it could be sent"):
        gateway.redeem("shop", code, TEN, reference="1001-a", timeout=SHORT_S)
    assert either_shop.charges() == 0
    either_shop.running.clear_faults()
    assert gateway.redeem("shop", code, TEN, reference="1001-a").money == TEN


def test_the_time_counts_for_all_requests_of_the_call_together(either_shop: Shop, gateway: Gateway, code: str) -> None:
    either_shop.running.inject("slow", "* *", times=0, delay_s=SHORT_S * 0.7)
    with ends_soon(), pytest.raises((ProviderUnavailable, OutcomeUnknown)):
        gateway.redeem("shop", code, TEN, reference="1001-a", timeout=SHORT_S)


def test_a_read_ends_in_time(either_shop: Shop, gateway: Gateway, code: str) -> None:
    voucher_id = gateway.balance("shop", code, timeout=30).voucher_id
    assert voucher_id is not None
    either_shop.running.inject("hang", "* *", times=0)
    calls: tuple[Callable[[], object], ...] = (
        lambda: gateway.balance("shop", code, timeout=SHORT_S),
        lambda: gateway.get("shop", voucher_id, timeout=SHORT_S),
        lambda: gateway.history("shop", voucher_id, timeout=SHORT_S),
    )
    for call in calls:
        with ends_soon(), pytest.raises(ProviderUnavailable):
            call()
    with ends_soon():
        assert gateway.find(code, broadcast=True, timeout=SHORT_S).state == "incomplete"


def test_a_wait_for_another_worker_on_the_order_ends_in_time(either_shop: Shop, gateway: Gateway) -> None:
    payment = gateway.payment("1001", total=TEN, wait=60)
    locks = either_shop.journal.database.locks
    with locks.hold("payment:1001", wait_s=1), ends_soon(), pytest.raises(OperationInProgress):
        payment.cancel(timeout=SHORT_S)


def test_a_wait_for_another_worker_on_the_call_ends_in_time(either_shop: Shop, gateway: Gateway, code: str) -> None:
    either_shop.running.inject("slow", "POST */charge", delay_s=1.5)
    with ThreadPoolExecutor(1) as other:
        call = other.submit(either_shop.redeem, code)
        while not either_shop.charges():
            time.sleep(0.01)
        began = time.monotonic()
        with pytest.raises(OperationInProgress):
            gateway.redeem("shop", code, TEN, reference="1001-a", wait=60, timeout=SHORT_S)
        assert time.monotonic() - began < 1.2
        assert call.result().money == TEN


def test_a_busy_journal_ends_the_call_in_time_and_nothing_is_sent(
    either_shop: Shop, gateway: Gateway, code: str
) -> None:
    gateway.balance("shop", code)
    blocker = either_shop.another_gateway().journal
    assert blocker is not None
    with blocker.database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE voucher_gateway_operations IN EXCLUSIVE MODE")
        with ends_soon(), pytest.raises((DatabaseUnavailable, ProviderUnavailable)) as refused:
            gateway.redeem("shop", code, TEN, reference="1001-a", timeout=SHORT_S)
        assert refused.value.outcome == "not_executed"
    assert either_shop.charges() == 0
    assert gateway.redeem("shop", code, TEN, reference="1001-a").money == TEN


@contextmanager
def locked_database(shop: Shop) -> Iterator[None]:
    """Another process writes to the journal's database, and does not end."""
    blocker = shop.another_gateway().journal
    assert blocker is not None
    with blocker.database.write() as connection:
        if connection.dialect.name == "postgresql":
            for table in sa.inspect(connection).get_table_names():
                connection.exec_driver_sql(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield


def test_payments_sales_and_checks_end_in_time_under_a_locked_database(
    either_shop: Shop, gateway: Gateway, code: str
) -> None:
    new, gateway = NewVoucher(initial=TEN), either_shop.gateway
    payment, authorized = gateway.payment("1001", total=TEN), gateway.payment("1002", total=TEN)
    authorized.add(code, account="shop")
    authorized.authorize()
    sale = gateway.sale("1003-1", "shop", new)
    gateway.check(either_shop.voucher()[1], caller="203.0.113.7")
    fresh = either_shop.voucher()[1]
    calls: list[Callable[..., object]] = [
        partial(gateway.payment, "1004", total=TEN),
        partial(payment.add, fresh, account="shop"),
        partial(payment.add, fresh, account="shop", caller="203.0.113.7"),
        authorized.capture,
        authorized.cancel,
        sale.prepare,
        sale.fulfil,
        partial(sale.revoke, "why"),
        partial(gateway.check, fresh, caller="203.0.113.7"),
    ]
    with locked_database(either_shop):
        for call in calls:
            with ends_soon(), pytest.raises(DatabaseUnavailable) as refused:
                call(timeout=SHORT_S)
            assert refused.value.outcome == "not_executed"
    assert either_shop.charges() == 0
    authorized.capture(timeout=30)
    assert (authorized.state, sale.fulfil().state) == (PaymentState.CAPTURED, SaleState.FULFILLED)


KEEP_FILE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def file_kept_by_another_program(shop: Shop) -> Iterator[None]:
    """Another program keeps the journal's file locked: no other program can even read it."""
    shop.journal.database._shared.drop()  # as after an error; an open connection would not let it
    command = [sys.executable, "-c", KEEP_FILE, str(shop.journal.database.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            program.stdin.close()


def test_reading_a_file_that_another_program_keeps_for_itself_ends_in_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "SHORTEST_WAIT_S", SHORT_S)
    _, code = shop.voucher()
    payment = shop.gateway.payment("1001", total=TEN)
    shop.gateway.balance("shop", code)
    calls: list[Callable[..., object]] = [
        partial(shop.redeem, code),
        payment.cancel,
        partial(shop.gateway.check, code, caller="203.0.113.7"),
        partial(shop.gateway.resolve, OperationKey("shop", Operation.REDEEM, "1001-a")),
    ]
    with file_kept_by_another_program(shop):
        for call in calls:
            with ends_soon(), pytest.raises(DatabaseUnavailable) as refused:
                call(timeout=SHORT_S)
            assert refused.value.outcome == "not_executed"
    assert shop.redeem(code).money == TEN


def test_a_captured_payment_that_runs_out_of_time_is_completed_by_the_next_call(
    either_shop: Shop, gateway: Gateway, code: str
) -> None:
    payment = gateway.payment("1001", total=TEN, timeout=30)
    payment.add(code, account="shop", timeout=30)
    payment.authorize(timeout=30)
    either_shop.running.inject("commit-then-hang", "POST */charge", times=1)
    with pytest.raises(OutcomeUnknown):
        call_in_time(payment.capture)
    assert payment.state is PaymentState.CAPTURING
    either_shop.running.clear_faults()
    payment.resume(timeout=30)
    assert payment.record.state is PaymentState.CAPTURED
    assert either_shop.charges() == 1


def test_an_authorization_that_runs_out_of_time_is_repeated_by_the_next_call(
    either_shop: Shop, gateway: Gateway, code: str
) -> None:
    payment = gateway.payment("1001", total=TEN)
    payment.add(code, account="shop")
    either_shop.running.inject("hang", "POST */reservations", times=0)
    with ends_soon(), pytest.raises(Exception):  # noqa: B017, PT011 - whichever; it must end, and go on afterwards
        payment.authorize(timeout=SHORT_S)
    either_shop.running.clear_faults()
    payment.authorize(timeout=30)
    payment.capture(timeout=30)
    assert payment.state is PaymentState.CAPTURED
    assert either_shop.charges() == 1


def test_a_sale_that_runs_out_of_time_is_completed_by_the_next_call(either_shop: Shop, gateway: Gateway) -> None:
    sale = gateway.sale("1002-1", "shop", NewVoucher(initial=TEN))
    either_shop.running.inject("commit-then-hang", "POST */vouchers", times=1)
    with pytest.raises(OutcomeUnknown):
        call_in_time(sale.fulfil)
    either_shop.running.clear_faults()
    assert sale.fulfil(timeout=30).state is SaleState.FULFILLED
    assert either_shop.changes().count("POST /vouchers") <= 1


NO_SECONDS: list[Any] = [
    -1,
    -1.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    True,
    False,
    "8",
    "",
    Decimal(8),
    [8],
    10**400,
    -(10**400),
]
"""What is not a number of seconds."""


def calls_with_seconds(shop: Shop, code: str) -> dict[str, Callable[..., object]]:
    """Return a call of each verb and method that has a time-out."""
    gateway, new = shop.gateway, NewVoucher(initial=TEN)
    reference: dict[str, Any] = {"reference": "1001-a"}
    reservation = Reservation(account="shop", id="h", voucher_id="v", money=TEN)
    redemption = Redemption(account="shop", id="r", voucher_id="v", money=TEN)
    payment, sale = gateway.payment("1001", total=TEN), gateway.sale("1002-1", "shop", new)
    key = OperationKey("shop", Operation.REDEEM, "1001-a")
    return {
        "find": partial(gateway.find, code, "4711-pin"),
        "get": partial(gateway.get, "shop", "v"),
        "balance": partial(gateway.balance, "shop", code),
        "history": partial(gateway.history, "shop", "v"),
        "check": partial(gateway.check, code, caller="203.0.113.7"),
        "explain": partial(gateway.explain, code, "4711-pin"),
        "explain an order": partial(gateway.explain, order="1001"),
        "issue": partial(gateway.issue, "shop", new, **reference),
        "activate": partial(gateway.activate, "shop", "v", **reference),
        "deactivate": partial(gateway.deactivate, "shop", "v", **reference),
        "update": partial(gateway.update, "shop", "v", VoucherChanges(batch="B"), **reference),
        "top_up": partial(gateway.top_up, "shop", "v", TEN, **reference),
        "delete": partial(gateway.delete, "shop", "v", "reason", **reference),
        "reserve": partial(gateway.reserve, "shop", code, TEN, **reference),
        "capture": partial(gateway.capture, "shop", reservation, **reference),
        "release": partial(gateway.release, "shop", reservation, **reference),
        "redeem": partial(gateway.redeem, "shop", code, TEN, **reference),
        "refund": partial(gateway.refund, "shop", redemption, TEN, **reference),
        "resolve": partial(gateway.resolve, key),
        "decide": partial(gateway.decide, key, succeeded=False, by="Ann", reason="why"),
        "lookup_hints": partial(gateway.lookup_hints, key),
        "payment": partial(gateway.payment, "1003", total=TEN),
        "add": partial(payment.add, code),
        **{name: getattr(payment, name) for name in ("authorize", "capture", "cancel", "reopen", "resume")},
        "refund of a payment": partial(payment.refund, TEN, **reference),
        **{f"{name} of a sale": getattr(sale, name) for name in ("prepare", "fulfil", "restore", "resume")},
        "revoke of a sale": partial(sale.revoke, "why"),
    }


def test_a_time_out_that_is_not_a_number_of_seconds_is_refused_by_every_call(shop: Shop, canary: Canary) -> None:
    code = canary.plant(shop.voucher()[1])
    canary.plant("4711-pin")
    accepted = []
    for name, call in calls_with_seconds(shop, code).items():
        for timeout in (*NO_SECONDS, 0, 0.0):
            error = note_call(canary, partial(call, timeout=timeout))
            if not isinstance(error, InvalidRequest) or (error.field, error.rule) != (
                "timeout",
                "a number of seconds above zero",
            ):
                accepted.append((name, repr(timeout)[:20], repr(error)))
    assert accepted == []
    assert shop.running.requests[1:] == []  # the first one issued the voucher
    assert list(shop.gateway.operations()) == []


def test_a_wait_that_is_not_a_number_of_seconds_is_refused_by_every_call(shop: Shop, canary: Canary) -> None:
    code = canary.plant(shop.voucher()[1])
    gateway, new = shop.gateway, NewVoucher(initial=TEN)
    reference: dict[str, Any] = {"reference": "1001-a"}
    calls: list[Callable[..., object]] = [
        partial(gateway.redeem, "shop", code, TEN, **reference),
        partial(gateway.issue, "shop", new, **reference),
        partial(gateway.payment, "1001", total=TEN),
        partial(gateway.find_payment, "1001"),
        partial(gateway.sale, "1002-1", "shop", new),
        partial(gateway.find_sale, "1002-1"),
        partial(gateway.sell_many, "batch", "shop", new, 2),
        partial(gateway.event_feed, "warehouse"),
    ]
    for call in calls:
        for wait in NO_SECONDS:
            error = note_call(canary, partial(call, wait=wait))
            assert isinstance(error, InvalidRequest), (call, wait)
            assert (error.field, error.rule) == ("wait", "a number of seconds, zero or more")
    assert (list(gateway.operations()), list(gateway.payments()), list(gateway.sales())) == ([], [], [])


@pytest.mark.parametrize("seconds", [1e308, 10**300, threading.TIMEOUT_MAX * 10])
def test_a_very_long_time_is_one(shop: Shop, seconds: float) -> None:
    _, code = shop.voucher()
    taken = shop.redeem(code, timeout=seconds, wait=seconds)
    payment = shop.gateway.payment("1001", total=TEN, wait=seconds, timeout=seconds)
    payment.add(code, timeout=seconds, account="shop")
    payment.authorize(timeout=seconds)
    payment.capture(timeout=seconds)
    assert (taken.money, payment.state) == (TEN, PaymentState.CAPTURED)


def test_the_deadline_of_an_outer_call_is_not_moved_by_an_inner_one() -> None:
    with use_call_deadline(0.1), use_call_deadline(60):
        left = seconds_left()
        assert left is not None
        assert left <= 0.1
    assert seconds_left() is None


VERBS = {operation.value for operation in Operation} - {"vouchers"}  # each page of a list has its own time-out
OTHERS = {"check", "decide", "explain", "lookup_hints", "payment", "resolve"}


@pytest.mark.parametrize(
    ("kind", "verbs"),
    [
        (Gateway, VERBS | OTHERS),
        (Payment, {"add", "authorize", "cancel", "capture", "refund", "reopen", "resume"}),
        (Sale, {"fulfil", "prepare", "restore", "resume", "revoke"}),
    ],
)
def test_every_verb_that_asks_a_vendor_has_a_time_out(kind: type, verbs: set[str]) -> None:
    without = {name for name in verbs if "timeout" not in inspect.signature(getattr(kind, name)).parameters}
    assert without == set()


def test_a_short_time_out_of_a_caller_does_not_open_the_circuit(shop: Shop) -> None:
    _, code = shop.voucher()
    gateway = shop.another_gateway(**PATIENT, breaker_timeouts=2)
    gateway.balance("shop", code)
    shop.running.inject("hang", "* *", times=0)
    for _ in range(4):
        with pytest.raises(ProviderUnavailable):
            gateway.balance("shop", code, timeout=0.05)
    shop.running.clear_faults()
    gateway.balance("shop", code)
