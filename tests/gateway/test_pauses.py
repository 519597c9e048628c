"""A paused account gets no new work, in all processes; what was begun is ended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from tests.support.shop import Shop
from tests.support.simulators import JOURNAL_KEYS
from voucher_gateway import (
    AccountPaused,
    ConfigurationError,
    DatabaseUnavailable,
    Gateway,
    InvalidRequest,
    Money,
    NewVoucher,
    OutcomeUnknown,
    PaymentState,
    SaleState,
)
from voucher_gateway.journal import pauses
from voucher_gateway.journal.names import rename_account
from voucher_gateway.simulator import RunningSimulator

TEN = Money("10.00", "EUR")


@pytest.fixture
def code(either_shop: Shop) -> str:
    return either_shop.voucher()[1]


def test_reads_and_new_operations_are_refused_before_anything_is_sent(either_shop: Shop, code: str) -> None:
    gateway = either_shop.gateway
    voucher_id = str(gateway.balance("shop", code).voucher_id)
    pause = gateway.pause_account("shop", reason="maintenance", by="Ann")
    sent = len(either_shop.running.requests)
    new = NewVoucher(initial=TEN)
    for call in (
        lambda: gateway.balance("shop", code),
        lambda: gateway.get("shop", voucher_id),
        lambda: list(gateway.vouchers("shop")),
        lambda: gateway.reserve("shop", code, TEN, reference="1"),
        lambda: gateway.redeem("shop", code, TEN, reference="2"),
        lambda: gateway.issue("shop", new, reference="3"),
        lambda: gateway.top_up("shop", voucher_id, TEN, reference="4"),
    ):
        with pytest.raises(AccountPaused, match=r"the account shop is paused \(maintenance\)") as refused:
            call()
        assert (refused.value.outcome, refused.value.retry_safe) == ("not_executed", True)
    assert isinstance(gateway.find(code, broadcast=True).failed["shop"], AccountPaused)
    assert len(either_shop.running.requests) == sent
    assert (pause.reason, pause.by, pause.until, pause.everything) == ("maintenance", "Ann", None, False)
    assert gateway.paused_accounts() == [pause]
    assert gateway.resume_account("shop")
    assert not gateway.resume_account("shop")
    assert gateway.redeem("shop", code, TEN, reference="2").money == TEN
    paused, resumed = gateway.events(kinds=["account.paused", "account.resumed"])
    assert (paused.account, paused.data["reason"], paused.data["by"]) == ("shop", "maintenance", "Ann")
    assert (resumed.kind, resumed.account) == ("account.resumed", "shop")


def test_what_was_begun_is_ended_during_a_pause(either_shop: Shop, code: str) -> None:
    gateway = either_shop.gateway
    held = gateway.reserve("shop", code, TEN, reference="1001-hold")
    taken = gateway.redeem("shop", either_shop.voucher()[1], TEN, reference="1002-a")
    either_shop.running.inject("commit-then-drop", "POST */charge")
    third = either_shop.voucher()[1]
    with pytest.raises(OutcomeUnknown):
        gateway.redeem("shop", third, TEN, reference="1003-a")
    gateway.pause_account("shop")
    assert gateway.capture("shop", held, reference="1001-take").money == TEN
    assert gateway.refund("shop", taken, reference="1002-b").money == TEN
    assert [resolution.state for resolution in gateway.recover(everything=True)] == ["succeeded"]


def test_an_emulated_refund_that_reads_and_updates_goes_on_during_a_pause(
    start_vendor: Callable[..., RunningSimulator], account_at: Callable[..., dict[str, Any]], sqlite_url: str
) -> None:
    vendor = start_vendor("ticketing", vouchers=3)
    account = {**account_at(vendor), "accept_risks": ["redeem-by-update", "refund-by-update"]}
    entry = max(vendor.ledger(), key=lambda entry: entry["remaining"])
    config = {"journal": sqlite_url, "journal_keys": {"1": "a key of a journal 4711"}, "accounts": {"events": account}}
    with Gateway.from_config(config) as gateway:
        money = Money("1.00", entry["currency"])
        taken = gateway.redeem("events", entry["code"], money, reference="1001-a")
        gateway.pause_account("events")
        with pytest.raises(AccountPaused):
            gateway.redeem("events", entry["code"], money, reference="1001-b")
        assert gateway.refund("events", taken, reference="1001-c").money == money


def test_a_pause_of_everything_stops_what_was_begun_as_well(either_shop: Shop, code: str) -> None:
    gateway = either_shop.gateway
    held = gateway.reserve("shop", code, TEN, reference="1001-hold")
    gateway.pause_account("shop", everything=True)
    sent = len(either_shop.running.requests)
    with pytest.raises(AccountPaused):
        gateway.capture("shop", held, reference="1001-take")
    assert len(either_shop.running.requests) == sent
    gateway.resume_account("shop")
    assert gateway.capture("shop", held, reference="1001-take").money == TEN


def test_a_payment_and_a_sale_go_on_after_the_pause(either_shop: Shop, code: str) -> None:
    gateway = either_shop.gateway
    payment = gateway.payment("1001", total=TEN)
    payment.add(code, account="shop")
    payment.authorize()
    sale = gateway.sale("1002-1", "shop", NewVoucher(initial=TEN))
    gateway.pause_account("shop")
    payment.capture()  # it is held
    assert payment.state is PaymentState.CAPTURED
    with pytest.raises(AccountPaused):
        sale.fulfil()
    gateway.resume_account("shop")
    gateway.recover()
    assert sale.refresh().state is SaleState.FULFILLED


def test_another_gateway_obeys_a_pause_as_soon_as_it_reads_it_again(
    either_shop: Shop, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = either_shop.another_gateway()
    other.balance("shop", code)
    either_shop.gateway.pause_account("shop")
    other.balance("shop", code)  # it has read the pauses a moment ago
    monkeypatch.setattr(pauses, "READ_EVERY_S", 0.0)
    with pytest.raises(AccountPaused):
        other.balance("shop", code)
    either_shop.gateway.resume_account("shop")
    other.balance("shop", code)


def test_calls_do_not_read_the_pauses_each_time(either_shop: Shop, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = pauses._read

    def count(connection: Connection) -> dict[str, pauses._KnownPause]:
        reads.append("read")
        return read(connection)

    monkeypatch.setattr(pauses, "_read", count)
    gateway = either_shop.another_gateway()
    began = time.monotonic()
    for _ in range(20):
        gateway.balance("shop", code)
    assert len(reads) <= 1 + (time.monotonic() - began) / pauses.READ_EVERY_S


def test_a_pause_ends_by_itself(either_shop: Shop, code: str) -> None:
    pause = either_shop.gateway.pause_account("shop", duration=timedelta(seconds=0.4))
    assert pause.until == pause.since + timedelta(seconds=0.4)
    with pytest.raises(AccountPaused, match="until"):
        either_shop.gateway.balance("shop", code)
    time.sleep(0.5)
    either_shop.gateway.balance("shop", code)
    assert either_shop.gateway.paused_accounts() == []
    assert not either_shop.gateway.resume_account("shop")


def test_a_later_pause_replaces_the_earlier_one(either_shop: Shop) -> None:
    either_shop.gateway.pause_account("shop", reason="first", everything=True)
    either_shop.gateway.pause_account("shop", reason="second")
    assert [(pause.reason, pause.everything) for pause in either_shop.gateway.paused_accounts()] == [("second", False)]


def test_the_pause_in_force_stays_so_while_the_database_cannot_be_read(
    either_shop: Shop, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    either_shop.gateway.pause_account("shop")
    book = either_shop.journal.pauses
    assert book.find("shop") is not None
    monkeypatch.setattr(pauses, "READ_EVERY_S", 0.0)

    def refuse(**_: object) -> object:
        raise DatabaseUnavailable("the database cannot be reached")

    monkeypatch.setattr(either_shop.journal.database, "read", refuse)
    assert book.find("shop") is not None


def test_the_pause_follows_an_account_to_its_new_name(either_shop: Shop) -> None:
    journal = either_shop.journal
    either_shop.gateway.pause_account("shop", reason="maintenance")
    provider = either_shop.gateway.provider("shop")
    login = {"provider": provider.name, "host": provider.host, "login": provider.login or ""}
    with journal.database.write() as connection:
        rename_account(connection, journal.keys, ["shop"], "till", login)
    assert [pause.account for pause in journal.pauses.list_all()] == ["till"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": timedelta(0)},
        {"duration": timedelta(days=9999)},
        {"duration": 5},
        {"reason": ""},
        {"reason": 5},
        {"by": "A\nB"},
        {"everything": "no"},
    ],
)
def test_a_wrong_pause_is_refused(shop: Shop, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        shop.gateway.pause_account("shop", **wrong)  # type: ignore[arg-type]  # on purpose
    assert shop.gateway.paused_accounts() == []


def test_a_pause_needs_a_journal_and_an_account(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match="unknown account"):
        shop.gateway.pause_account("elsewhere")
    with Gateway({"shop": shop.provider()}) as without, pytest.raises(ConfigurationError, match="needs a journal"):
        without.pause_account("shop")


OTHER_PROCESS = """
import json, sys, time
from tests.support.simulators import make_journal_keys, make_provider
from voucher_gateway import AccountPaused, Gateway
from voucher_gateway.journal.journal import open_journal

announcement, url, keys, code = json.loads(sys.argv[1])
provider = make_provider(announcement, "shop")
with Gateway({"shop": provider}, journal=open_journal(url, make_journal_keys(keys))) as gateway:
    gateway.balance("shop", code)
    print("ready", flush=True)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            gateway.balance("shop", code)
        except AccountPaused:
            print("paused", flush=True)
            break
        time.sleep(0.02)
"""


@pytest.mark.long
def test_another_process_obeys_a_pause_within_five_seconds(either_shop: Shop, code: str) -> None:
    import json

    argument = json.dumps([either_shop.running.announcement, either_shop.url, JOURNAL_KEYS, code])
    command = [sys.executable, "-c", OTHER_PROCESS, argument]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        either_shop.gateway.pause_account("shop")
        began = time.monotonic()
        assert process.stdout.readline() == "paused\n"
        assert time.monotonic() - began < 5


def test_a_pause_on_a_locked_database_fails_in_time_and_says_what_was_not_recorded(either_shop: Shop) -> None:
    gateway = either_shop.gateway
    blocker = either_shop.another_gateway().journal
    assert blocker is not None
    with blocker.database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE voucher_gateway_pauses IN EXCLUSIVE MODE")
        for call, what in ((gateway.pause_account, "the pause"), (gateway.resume_account, "the end of the pause")):
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match=f"{what} of the account shop could not be recorded: .*; try"):
                call("shop")
            assert time.monotonic() - began < 6
    assert gateway.paused_accounts() == []
    assert gateway.pause_account("shop").account == "shop"
