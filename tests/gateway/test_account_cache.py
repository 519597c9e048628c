"""Accounts of a source, such as tenants in a database: found when they are used, renewed, and dropped."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.forked_child import run_in_children
from tests.support.leaks import note_call
from tests.support.threads import run_numbered_threads
from voucher_gateway import (
    AccountCache,
    AccountsUnavailable,
    ConfigurationError,
    Gateway,
    InvalidRequest,
    Money,
    NewVoucher,
)
from voucher_gateway.config.account import AccountConfig, read_account_table
from voucher_gateway.config.loader import load_config
from voucher_gateway.gateway import account_cache
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway.testing.harness.canary import Canary
from voucher_gateway_jtl import JtlProvider

TEN = Money("10.00", "EUR")


class Tenants:
    """A source of accounts that counts what it is asked, and that can fail."""

    def __init__(self, **tables: Any) -> None:
        self.tables = tables
        self.asked: list[str] = []
        self.error: Exception | None = None

    def find_account(self, name: str) -> Any:
        self.asked.append(name)
        if self.error is not None:
            raise self.error
        return self.tables.get(name)

    def account_names(self) -> Iterable[str]:
        if self.error is not None:
            raise self.error
        return list(self.tables)


@pytest.fixture
def tenants(jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]]) -> Tenants:
    """Two tenants with their logins at JTL."""
    return Tenants(anna=account_at(jtl, tries=1), berta=account_at(jtl, tries=1, client_type="berta"))


@pytest.fixture
def open_at(tenants: Tenants) -> Iterator[Callable[..., Gateway]]:
    """Open gateways on the tenants, with a lifetime of the answers."""
    with ExitStack() as stack:

        def open_gateway(lifetime_s: float = 60.0, **options: Any) -> Gateway:
            return stack.enter_context(Gateway(AccountCache(tenants, lifetime_s=lifetime_s, **options)))

        yield open_gateway


def issue(gateway: Gateway, account: str, reference: str = "i-1") -> str:
    voucher = gateway.issue(account, NewVoucher(initial=Money("50.00", "EUR"), active=True), reference=reference)
    assert voucher.code is not None
    return voucher.code.reveal()


def closed_providers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which the id of each provider of JTL is added when it is closed."""
    closed: list[int] = []
    close = JtlProvider.close

    def note(self: JtlProvider) -> None:
        closed.append(id(self))
        close(self)

    monkeypatch.setattr(JtlProvider, "close", note)
    return closed


# --- finding ---


def test_an_account_is_found_when_it_is_used(tenants: Tenants) -> None:
    with Gateway(tenants) as gateway:
        assert tenants.asked == []
        code = issue(gateway, "anna")
        assert gateway.redeem("anna", code, TEN, reference="r-1").money == TEN
        assert tenants.asked == ["anna"]
        assert [account.name for account in gateway.loaded_accounts] == ["anna"]


def test_a_function_can_find_accounts(tenants: Tenants) -> None:
    with Gateway(tenants.find_account) as gateway:
        assert gateway.account("anna").name == "anna"
        with pytest.raises(ConfigurationError, match="cannot list them: name an account"):
            _ = gateway.accounts


def test_an_account_that_the_source_does_not_have_is_refused(tenants: Tenants) -> None:
    with Gateway(tenants) as gateway, pytest.raises(ConfigurationError, match="unknown account 'clara'"):
        gateway.balance("clara", "CODE")


def test_all_accounts_can_be_listed(tenants: Tenants) -> None:
    with Gateway(tenants) as gateway:
        assert gateway.account_names == ("anna", "berta")
        assert tenants.asked == []
        assert [account.name for account in gateway.accounts] == ["anna", "berta"]


def test_accounts_of_the_configuration_come_before_those_of_the_source(
    tenants: Tenants, jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]]
) -> None:
    table = {"accounts": {"anna": account_at(jtl, client_type="mine"), "own": account_at(jtl)}}
    with Gateway.from_config(table, accounts=tenants) as gateway:
        assert gateway.account("anna").provider.settings.client_type == "mine"
        assert gateway.account("berta").provider.settings.client_type == "berta"
        assert gateway.account_names == ("anna", "own", "berta")
        assert tenants.asked == ["berta"]


def test_a_configuration_needs_no_accounts_beside_a_source(tenants: Tenants) -> None:
    with Gateway.from_config({}, accounts=tenants) as gateway:
        assert gateway.account("anna").name == "anna"
    with Gateway.from_config(load_config({"account_source": Tenants()}), accounts=tenants) as gateway:
        assert gateway.account("anna").name == "anna"


def test_a_source_may_return_accounts_that_it_has_read(tenants: Tenants) -> None:
    from voucher_gateway import registry
    from voucher_gateway.config.provider_settings import ConfigProblems

    def read(name: str) -> AccountConfig | None:
        installed = registry.list_installed()
        return read_account_table("anna", tenants.tables["anna"], ConfigProblems("test"), None, installed)

    with Gateway(read) as gateway:
        provider = gateway.provider("anna")
        assert gateway.provider("anna") is provider
        with pytest.raises(ConfigurationError, match="the source of accounts returned anna for 'berta'"):
            gateway.account("berta")


# --- what is wrong ---


def test_a_source_that_raises_sends_nothing_and_names_the_error(tenants: Tenants, jtl: RunningSimulator) -> None:
    tenants.error = OSError("database at 10.0.0.1 with password 4711 is down")
    with Gateway(tenants) as gateway:
        with pytest.raises(AccountsUnavailable, match="raised OSError for this account; nothing was sent") as caught:
            gateway.redeem("anna", "CODE", TEN, reference="r-1")
        assert "4711" not in str(caught.value)
        assert (caught.value.retry_safe, caught.value.outcome) == (True, "not_executed")
        with pytest.raises(AccountsUnavailable, match="raised OSError when it was asked for all names"):
            _ = gateway.accounts
    assert jtl.requests == []


def test_an_answer_that_is_too_old_is_not_used_while_the_source_fails(
    tenants: Tenants, open_at: Callable[..., Gateway]
) -> None:
    gateway = open_at(lifetime_s=0.05)
    code = issue(gateway, "anna")
    tenants.error = OSError("down")
    time.sleep(0.06)
    with pytest.raises(AccountsUnavailable):
        gateway.redeem("anna", code, TEN, reference="r-1")
    tenants.error = None
    assert gateway.redeem("anna", code, TEN, reference="r-1").money == TEN


def test_an_account_that_is_wrong_is_refused_with_everything_that_is_wrong(tenants: Tenants) -> None:
    tenants.tables["anna"] = {**tenants.tables["anna"], "client_idd": "4711", "code_pattern": ""}
    with Gateway(tenants) as gateway, pytest.raises(ConfigurationError) as caught:
        gateway.account("anna")
    lines = caught.value.message.splitlines()
    assert lines[0] == "account source: accounts.anna.code_pattern: must not be empty"
    assert lines[1].startswith("account source: accounts.anna.client_idd: is not a key of this provider")
    assert "4711" not in caught.value.message


def test_a_source_must_return_a_table_or_nothing() -> None:
    answers: Any = {"x": 1}
    with Gateway(answers.get) as gateway, pytest.raises(ConfigurationError, match="returned int for 'x'; expected"):
        gateway.account("x")


@pytest.mark.parametrize(
    "wrong", [{"lifetime_s": -1}, {"lifetime_s": float("nan")}, {"lifetime_s": 10**400}, {"capacity": 0}]
)
def test_the_rules_of_the_cache_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        AccountCache(Tenants(), **wrong)


def test_a_former_name_that_is_still_an_account_is_refused(tenants: Tenants) -> None:
    tenants.tables["berta"]["former_names"] = ["anna"]
    with Gateway(tenants) as gateway, pytest.raises(ConfigurationError, match="anna is still the name of an account"):
        gateway.account("berta")


# --- renewing ---


def test_the_source_is_asked_again_when_its_answer_is_old_and_the_provider_stays_if_it_is_the_same(
    tenants: Tenants, open_at: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(at=1000.0)
    monkeypatch.setattr(account_cache, "time", SimpleNamespace(monotonic=lambda: clock.at))
    gateway = open_at(lifetime_s=60.0)
    provider = gateway.provider("anna")
    clock.at += 59.9
    assert gateway.provider("anna") is provider
    assert tenants.asked == ["anna"]
    clock.at += 0.2
    assert gateway.provider("anna") is provider
    assert tenants.asked == ["anna", "anna"]


def test_a_changed_account_gets_another_provider_and_the_old_one_is_closed(
    tenants: Tenants, open_at: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = closed_providers(monkeypatch)
    gateway = open_at(lifetime_s=0.0)
    old = id(gateway.provider("anna"))
    tenants.tables["anna"]["client_type"] = "new"  # the same table, changed in place
    assert gateway.provider("anna").settings.client_type == "new"
    gc.collect()
    assert closed == [old]


def test_an_account_that_was_deleted_is_refused_from_then_on(tenants: Tenants, open_at: Callable[..., Gateway]) -> None:
    gateway = open_at(lifetime_s=0.0)
    gateway.account("anna")
    del tenants.tables["anna"]
    with pytest.raises(ConfigurationError, match="unknown account 'anna'"):
        gateway.account("anna")
    assert gateway.loaded_accounts == ()


def test_a_dropped_provider_is_closed_only_when_no_call_uses_it(
    tenants: Tenants, open_at: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = closed_providers(monkeypatch)
    gateway = open_at(lifetime_s=0.0)
    code = issue(gateway, "anna")
    gc.collect()
    closed.clear()
    has_begun, may_end, balance = threading.Event(), threading.Event(), JtlProvider.balance

    def wait_then_ask(self: JtlProvider, *arguments: Any) -> Any:
        has_begun.set()
        assert may_end.wait(60)
        return balance(self, *arguments)

    monkeypatch.setattr(JtlProvider, "balance", wait_then_ask)
    results: list[Any] = []
    call = threading.Thread(target=lambda: results.append(gateway.balance("anna", code).remaining))
    call.start()
    assert has_begun.wait(60)
    tenants.tables["anna"]["client_type"] = "new"
    gateway.account("anna")
    gc.collect()
    assert closed == []  # the call is not over
    may_end.set()
    call.join()
    gc.collect()
    assert results == [Money("50.00", "EUR")]
    assert len(closed) == 1


def test_the_account_that_was_not_used_for_longest_is_dropped_when_the_cache_is_full(
    tenants: Tenants, open_at: Callable[..., Gateway]
) -> None:
    gateway = open_at(capacity=2)
    tenants.tables["clara"] = tenants.tables["anna"]
    for name in ("anna", "berta", "anna", "clara"):
        gateway.account(name)
    assert [account.name for account in gateway.loaded_accounts] == ["anna", "clara"]


def test_a_closed_gateway_has_closed_what_was_dropped_and_is_still_in_use(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = closed_providers(monkeypatch)
    with Gateway(AccountCache(tenants, lifetime_s=0.0)) as gateway:
        old = gateway.provider("anna")
        tenants.tables["anna"]["client_type"] = "new"
        new = gateway.provider("anna")
        assert closed == []
    assert {id(old), id(new)} <= set(closed)


# --- threads and forks ---


def test_threads_that_need_one_account_ask_the_source_once(tenants: Tenants) -> None:
    find = tenants.find_account

    def slow(name: str) -> Any:
        time.sleep(0.05)
        return find(name)

    with Gateway(slow) as gateway:
        providers = run_numbered_threads(20, lambda _: gateway.provider("anna"))
    assert len(set(map(id, providers))) == 1
    assert tenants.asked == ["anna"]


def test_a_slow_answer_about_one_account_does_not_delay_another(tenants: Tenants) -> None:
    waits = threading.Event()

    def find(name: str) -> Any:
        if name == "anna":
            waits.wait(10)
        return tenants.find_account(name)

    with Gateway(find) as gateway:
        slow = threading.Thread(target=gateway.account, args=("anna",))
        slow.start()
        assert gateway.account("berta").name == "berta"
        assert slow.is_alive()
        waits.set()
        slow.join()


def test_threads_spend_exactly_while_their_account_changes_all_the_time(
    tenants: Tenants, open_at: Callable[..., Gateway], jtl: RunningSimulator
) -> None:
    gateway = open_at(lifetime_s=0.0)
    codes = [issue(gateway, "anna", f"i-{number}") for number in range(8)]

    def spend(number: int) -> object:
        for turn in range(5):
            tenants.tables["anna"] = {**tenants.tables["anna"], "client_type": f"t{number}-{turn}"}
            gateway.redeem("anna", codes[number], TEN, reference=f"r-{number}-{turn}")
        return gateway.balance("anna", codes[number]).remaining

    assert run_numbered_threads(8, spend) == [Money("0.00", "EUR")] * 8


def test_forked_children_find_accounts_of_their_own(tmp_path: Path) -> None:
    table = {"provider": "file", "path": str(tmp_path / "vouchers.csv")}
    with Gateway(AccountCache(lambda name: table, lifetime_s=0.0)) as gateway:
        gateway.account("anna")
        with_lock = gateway._accounts
        assert isinstance(with_lock, AccountCache)
        with with_lock._guard:  # as if a thread of the parent held it at the fork
            answers = run_in_children(lambda: (gateway.account("anna").name, gateway.account("berta").name), 2)
    assert answers == ["('anna', 'berta')"] * 2


def test_a_tracker_of_errors_sees_no_secret_of_a_wrong_account_and_asks_for_no_other(
    tenants: Tenants, canary: Canary
) -> None:
    tenants.tables["anna"] |= {"client_secret": canary.plant("SECRET-OF-TENANT-4711"), "read_timeout_s": "slow"}
    config = load_config({}, accounts=tenants)
    with Gateway(tenants) as gateway:
        assert isinstance(note_call(canary, lambda: gateway.balance("anna", "A-CODE")), ConfigurationError)
        assert tenants.asked == ["anna"]
        assert isinstance(note_call(canary, lambda: list(config.iterate_accounts())), ConfigurationError)
        tenants.error = RuntimeError("down")
        assert isinstance(note_call(canary, lambda: gateway.find("A-CODE")), AccountsUnavailable)
