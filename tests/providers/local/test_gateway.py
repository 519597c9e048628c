"""Vouchers of one's own through the gateway with a journal, and on the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.providers.local.conftest import KEY, eur
from tests.support.commits import replace_commit
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.cli.app import run as run_command
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.provider_api import (
    InsufficientValue,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    ReferenceConflict,
)
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway_local import LocalProvider, LocalSettings

MakeGateway = Callable[[str, str], Gateway]


@pytest.fixture
def make_gateway() -> Iterator[MakeGateway]:
    """Makes gateways with the account `own`, by the URLs of vouchers and journal."""
    with ExitStack() as stack:

        def make(own_url: str, journal_url: str) -> Gateway:
            own = LocalProvider("own", LocalSettings(url=own_url, key=KEY))
            keys = make_journal_keys()
            return stack.enter_context(Gateway({"own": own}, journal=open_journal(journal_url, keys)))

        yield make


@pytest.fixture(params=["the same", "another"])
def gateway(request: pytest.FixtureRequest, make_gateway: MakeGateway, either_url: str, tmp_path: Path) -> Gateway:
    """A gateway whose journal is in the same database as the vouchers, and in another."""
    same = request.param == "the same"
    return make_gateway(either_url, either_url if same else f"sqlite:///{tmp_path / 'another.db'}")


def test_a_life_of_a_voucher_through_the_journal(gateway: Gateway) -> None:
    voucher = gateway.issue("own", NewVoucher(initial=eur("50.00")), reference="gift", order="1001")
    assert voucher.code is not None
    code = voucher.code.reveal()
    gateway.activate("own", voucher.id, reference="gift")
    redemption = gateway.redeem("own", code, eur("10.00"), reference="1002-a", order="1002")
    reservation = gateway.reserve("own", code, eur("20.00"), reference="1003-a")
    captured = gateway.capture("own", reservation, eur("5.00"), reference="1003-a")
    gateway.refund("own", redemption, eur("3.00"), reference="1002-back")
    gateway.refund("own", redemption, eur("3.00"), reference="1002-more")
    gateway.top_up("own", voucher.id, eur("1.00"), reference="more")
    gateway.release("own", gateway.reserve("own", code, eur("1.00"), reference="1004"), reference="1004")
    assert gateway.balance("own", code).remaining == eur("42.00")
    assert (captured.money, captured.reference) == (eur("5.00"), "1003-a")
    history = gateway.history("own", voucher.id)
    assert [str(movement.money) for movement in history] == [
        "10.00 EUR",
        "5.00 EUR",
        "3.00 EUR",
        "3.00 EUR",
        "1.00 EUR",
    ]
    assert (history.movements[0].reference or "").startswith("1002~")


def test_the_journal_replays_refuses_and_forgets_nothing(gateway: Gateway) -> None:
    new = NewVoucher(initial=eur("50.00"), active=True)
    made, again = (gateway.issue("own", new, reference="gift") for _ in range(2))
    assert again.replayed
    assert made.code is not None
    assert again.code == made.code
    first, second = (gateway.redeem("own", made.code, eur("50.00"), reference="a") for _ in range(2))
    assert (first.id, second.replayed) == (second.id, True)
    with pytest.raises(ReferenceConflict):
        gateway.redeem("own", made.code, eur("49.00"), reference="a")
    with pytest.raises(InsufficientValue):
        gateway.redeem("own", made.code, eur("0.01"), reference="b")
    gateway.top_up("own", made.id, eur("5.00"), reference="more")
    assert gateway.redeem("own", made.code, eur("0.01"), reference="b").remaining == eur("4.99")


def test_the_journal_and_the_ledger_agree(gateway: Gateway) -> None:
    voucher = gateway.issue("own", NewVoucher(initial=eur("50.00"), active=True), reference="gift")
    assert voucher.code is not None
    redemption = gateway.redeem("own", voucher.code, eur("10.00"), reference="a")
    gateway.refund("own", redemption, reference="b")
    found = reconcile(gateway, "own")
    assert (found.operations >= 2, found.findings) == (True, ())


@pytest.mark.parametrize("where", ["before the commit", "after the commit"])
def test_a_killed_worker_is_found_out_about_for_certain(make_gateway: MakeGateway, either_url: str, where: str) -> None:
    gateway = make_gateway(either_url, either_url)
    voucher = gateway.issue("own", NewVoucher(initial=eur("50.00"), active=True), reference="gift")
    assert voucher.code is not None
    code = voucher.code.reveal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child starts no thread of the parent's
        child = os.fork()
    if child == 0:
        from voucher_gateway_local import transactions

        real = vars(transactions)["commit_once"]

        def dying(database: Any, intent: Any, act: Callable[[Any], Any]) -> Any:
            def acted(connection: Any) -> Any:
                done = act(connection)
                if where == "before the commit":
                    os.kill(os.getpid(), signal.SIGKILL)
                return done

            real(database, intent, acted)
            os.kill(os.getpid(), signal.SIGKILL)

        vars(transactions)["commit_once"] = dying
        gateway.redeem("own", code, eur("10.00"), reference="a")
        os._exit(1)
    os.waitpid(child, 0)
    later = make_gateway(either_url, either_url)
    done = later.redeem("own", code, eur("10.00"), reference="a")
    assert done.money == eur("10.00")
    assert done.replayed is (where == "after the commit")
    assert later.balance("own", code).remaining == eur("40.00")
    assert later.journal is not None
    entry = later.journal.find(OperationKey("own", Operation.REDEEM, "a"))
    assert entry is not None
    assert entry.attempt == (1 if where == "after the commit" else 2)


def test_a_ticket_is_enough_to_find_out_without_a_journal(either_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalProvider("own", LocalSettings(url=either_url, key=KEY)) as own, Gateway({"own": own}) as gateway:
        voucher = gateway.issue("own", NewVoucher(initial=eur("50.00"), active=True), reference="gift")
        assert voucher.code is not None
        database = own._open().database

        error_of: Any = database._engine.dialect.loaded_dbapi.OperationalError

        def break_off_after(connection: Any) -> None:
            connection.commit()
            raise error_of("the connection is gone")

        with monkeypatch.context() as patched:
            replace_commit(patched, database, break_off_after)
            with pytest.raises(OutcomeUnknown) as caught:
                gateway.redeem("own", voucher.code, eur("10.00"), reference="a")
        outcome = gateway.resolve(caught.value.ticket)
        assert outcome.state == "succeeded"


# --- the command line ---


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs commands in a folder whose config has the account `own`; gives the JSON objects that they print."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "voucher-gateway.toml").write_text(
        'journal = "sqlite:///own.db"\n[accounts.own]\nprovider = "local"\nurl = "sqlite:///own.db"\n'
    )
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> Any:
        out, err = io.StringIO(), io.StringIO()
        config = str(folder / "voucher-gateway.toml")
        with redirect_stdout(out), redirect_stderr(err):
            ended = run_command(["--config", config, "--json", *arguments])
        assert ended == code, err.getvalue()
        lines = (out if code == 0 else err).getvalue().splitlines()
        return [json.loads(line) for line in lines]

    return run


def test_the_whole_life_of_a_voucher_on_the_command_line(run: Callable[..., Any], tmp_path: Path) -> None:
    (issued,) = run(
        "issue", "own", "50.00", "EUR", "--code", "GIFT-1", "--id", "one", "--activate", "--reference", "g"
    )[:1]
    assert issued["result"]["remaining"] == {"amount": "50.00", "currency": "EUR"}
    (done,) = run("redeem", "own", "GIFT-1", "10.53", "EUR", "--reference", "a", "--order", "1001")
    assert (done["outcome"], done["result"]["remaining"]["amount"]) == ("succeeded", "39.47")
    (again,) = run("redeem", "own", "GIFT-1", "10.53", "EUR", "--reference", "a", "--order", "1001")
    assert again["replayed"] is True
    (back,) = run("refund", "own", "--redemption", "a", "--amount", "0.53", "--reference", "b")
    assert back["result"]["money"]["amount"] == "0.53"
    (history,) = run("history", "own", "one")
    assert [movement["kind"] for movement in history["movements"]] == ["redemption", "refund"]
    (listed,) = [one for one in run("list", "own", "--status", "active") if one.get("id")]
    assert (listed["id"], listed["remaining"]["amount"], listed["code"]) == ("one", "40.00", "••••")
    (refused,) = run("redeem", "own", "GIFT-1", "100.00", "EUR", "--reference", "c", code=1)
    assert refused["error"] == "InsufficientValue"
    # Beside the config, not where the command was started.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config"]
    assert (tmp_path / "config" / "own.db.key").exists()


def test_doctor_and_accounts_know_the_account(run: Callable[..., Any]) -> None:
    assert run("accounts")[0]["provider"] == "local"
    assert run("doctor")


def test_a_code_never_stands_in_what_commands_print(run: Callable[..., Any]) -> None:
    (issued,) = run("issue", "own", "50.00", "EUR", "--activate", "--reference", "g")[:1]
    assert issued["result"]["code"].startswith("••••")
