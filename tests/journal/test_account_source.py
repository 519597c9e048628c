"""Accounts of a source with a journal: names, renames, `recover`, payments and sales."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import psycopg
import pytest

from tests.support.shop import Shop
from tests.support.simulators import account_table, make_journal_keys
from voucher_gateway import (
    AccountCache,
    ConfigurationError,
    Gateway,
    Money,
    NewVoucher,
    OperationKey,
    OutcomeUnknown,
    Ticket,
    VoucherGatewayError,
)
from voucher_gateway.errors import AccountsUnavailable
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Operation
from voucher_gateway.reconciliation.reconcile import reconcile

TEN = Money("10.00", "EUR")
CHARGE = "POST /v1/reservations/*/charge"


class Tenants:
    """A source of accounts whose tables a test changes."""

    def __init__(self, **tables: dict[str, Any]) -> None:
        self.tables = tables
        self.broken: set[str] = set()

    def find_account(self, name: str) -> dict[str, Any] | None:
        if name in self.broken:
            raise OSError("down")
        return self.tables.get(name)

    def account_names(self) -> Iterable[str]:
        return list(self.tables)


@pytest.fixture
def tenants(either_shop: Shop) -> Tenants:
    table = account_table(either_shop.running, tries=1)
    return Tenants(anna=table, berta=dict(table))


@pytest.fixture
def open_process(either_shop: Shop, tenants: Tenants) -> Iterator[Callable[[], Gateway]]:
    """Open gateways on one journal and one source, as several processes would."""
    with ExitStack() as stack:

        def open_gateway() -> Gateway:
            journal = open_journal(either_shop.url, make_journal_keys())
            return stack.enter_context(Gateway(AccountCache(tenants, lifetime_s=0.0), journal=journal))

        yield open_gateway


def issue(gateway: Gateway, account: str, reference: str = "i-1") -> str:
    voucher = gateway.issue(account, NewVoucher(initial=Money("50.00", "EUR"), active=True), reference=reference)
    assert voucher.code is not None
    return voucher.code.reveal()


def test_two_accounts_with_one_login_are_known_apart_though_one_is_not_loaded(
    open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    issue(open_process(), "anna")
    # This process has not used `anna` yet: only the source says that it is still an account.
    other = open_process()
    issue(other, "berta")
    assert {record.key.account for record in other.operations()} == {"anna", "berta"}


def test_a_login_under_another_name_is_refused_if_the_source_has_the_old_one_no_more(
    open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    issue(open_process(), "anna")
    del tenants.tables["anna"]
    with pytest.raises(ConfigurationError, match=r"account berta: the journal knows its login .* as anna"):
        issue(open_process(), "berta")


def test_a_renamed_account_keeps_its_references(open_process: Callable[[], Gateway], tenants: Tenants) -> None:
    gateway = open_process()
    code = issue(gateway, "anna")
    gateway.redeem("anna", code, TEN, reference="r-1")
    tenants.tables = {"clara": {**tenants.tables["anna"], "former_names": ["anna"]}, "berta": tenants.tables["berta"]}
    again = open_process().redeem("clara", code, TEN, reference="r-1")
    assert again.replayed
    with pytest.raises(ConfigurationError, match="unknown account 'anna'"):
        gateway.account("anna")


def test_recover_finds_the_accounts_that_it_needs(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    gateway = open_process()
    code = issue(gateway, "anna")
    either_shop.running.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        gateway.redeem("anna", code, TEN, reference="r-1")
    (resolution,) = open_process().recover(everything=True)
    assert (resolution.account, resolution.state) == ("anna", "succeeded")


def rename_anna(tenants: Tenants) -> None:
    tenants.tables = {
        "berta": tenants.tables["berta"],
        "clara": {**tenants.tables["anna"], "former_names": ["anna"]},
    }


@pytest.mark.parametrize("account", [None, "anna", "clara"])
def test_recover_follows_an_account_that_was_renamed_since(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants, account: str | None
) -> None:
    gateway = open_process()
    code = issue(gateway, "anna")
    either_shop.running.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        gateway.redeem("anna", code, TEN, reference="r-1")
    rename_anna(tenants)
    (resolution,) = open_process().recover(account=account, everything=True)
    assert (resolution.account, resolution.state) == ("clara", "succeeded")
    assert either_shop.charges() == 1


def test_recover_completes_payments_and_sales_of_an_account_that_was_renamed_since(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    gateway = open_process()
    payment = gateway.payment("1001", total=TEN)
    payment.add(issue(gateway, "anna"), account="anna")
    payment.authorize()
    sale = gateway.sale("s-1", "anna", NewVoucher(initial=Money("20.00", "EUR")))
    sale.prepare()
    either_shop.running.inject("rate-limit", "* *", times=0)
    for call in (payment.capture, sale.fulfil):
        with pytest.raises(VoucherGatewayError):
            call()
    either_shop.running.clear_faults()
    rename_anna(tenants)
    open_process().recover(everything=True)
    assert (payment.refresh().state, sale.refresh().state) == ("captured", "fulfilled")
    assert payment.legs[0].account == "clara"


def redeem_in_doubt(shop: Shop, gateway: Gateway, account: str) -> Ticket:
    """Redeem a new voucher of an account; the answer is lost. Return the ticket."""
    code = issue(gateway, account)
    shop.running.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown) as caught:
        gateway.redeem(account, code, TEN, reference="r-1")
    return caught.value.ticket


@pytest.mark.parametrize("name", ["clara", "anna"])
@pytest.mark.parametrize("by_ticket", [False, True])
def test_an_outcome_is_resolved_at_once_after_the_account_was_renamed(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants, name: str, by_ticket: bool
) -> None:
    ticket = redeem_in_doubt(either_shop, open_process(), "anna")
    rename_anna(tenants)
    doubt = attrs.evolve(ticket, account=name) if by_ticket else OperationKey(name, Operation.REDEEM, "r-1")
    resolution = open_process().resolve(doubt)
    assert (resolution.account, resolution.state) == ("clara", "succeeded")
    assert either_shop.charges() == 1


def test_what_the_journal_knows_is_found_at_once_after_the_account_was_renamed(
    open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    gateway = open_process()
    gateway.redeem("anna", issue(gateway, "anna"), TEN, reference="r-1")
    rename_anna(tenants)
    record = open_process().operation("clara", "redeem", "r-1")
    assert record is not None
    assert record.key.account == "clara"


@pytest.mark.parametrize(
    "find",
    [
        lambda gateway: gateway.redemption("clara", "r-1"),
        lambda gateway: gateway.lookup_hints(OperationKey("clara", Operation.REDEEM, "r-1")) == [],
        lambda gateway: [record.key.reference for record in gateway.operations(account="clara", verb="redeem")],
        lambda gateway: reconcile(gateway, "clara").operations,
    ],
)
def test_each_verb_of_the_journal_follows_an_account_that_was_renamed(
    open_process: Callable[[], Gateway], tenants: Tenants, find: Callable[[Gateway], object]
) -> None:
    gateway = open_process()
    gateway.redeem("anna", issue(gateway, "anna"), TEN, reference="r-1")
    rename_anna(tenants)
    assert find(open_process())


def test_a_person_decides_at_once_after_the_account_was_renamed(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    redeem_in_doubt(either_shop, open_process(), "anna")
    rename_anna(tenants)
    key = OperationKey("clara", Operation.REDEEM, "r-1")
    either_shop.running.inject("error-before", "* *", times=0)
    resolution = open_process().decide(key, succeeded=True, by="Ann", reason="seen")
    assert (resolution.account, resolution.state) == ("clara", "succeeded")


def test_a_function_resolves_under_the_new_name_and_says_what_to_do_under_the_former_one(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    redeem_in_doubt(either_shop, open_process(), "anna")
    rename_anna(tenants)
    former = OperationKey("anna", Operation.REDEEM, "r-1")

    def open_with_function() -> Gateway:
        return Gateway(tenants.find_account, journal=open_journal(either_shop.url, make_journal_keys()))

    with open_with_function() as gateway:
        with pytest.raises(ConfigurationError, match=r"unknown account 'anna'.*name it by the name that it has now"):
            gateway.resolve(former)
        resolution = gateway.resolve(OperationKey("clara", Operation.REDEEM, "r-1"))
        assert (resolution.account, resolution.state) == ("clara", "succeeded")
    with open_with_function() as gateway:  # the journal knows the new name now
        assert gateway.resolve(former).account == "clara"


def test_recover_leaves_what_the_source_cannot_tell(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    for name in ("anna", "berta"):
        redeem_in_doubt(either_shop, open_process(), name)
    rename_anna(tenants)
    tenants.broken = {"clara"}
    states = {resolution.account: resolution.state for resolution in open_process().recover(everything=True)}
    assert states == {"anna": "unknown", "berta": "succeeded"}
    tenants.broken = set()
    (resolution,) = open_process().recover(everything=True)
    assert (resolution.account, resolution.state) == ("clara", "succeeded")


def test_recover_goes_on_with_other_accounts_if_the_source_fails_for_one(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    for name in ("anna", "berta"):
        redeem_in_doubt(either_shop, open_process(), name)
    tenants.broken = {"anna"}
    other = open_process()
    resolutions = {resolution.account: resolution for resolution in other.recover(everything=True)}
    assert resolutions["berta"].state == "succeeded"
    assert resolutions["anna"].state == "unknown"
    assert "the source of accounts raised OSError" in resolutions["anna"].reason
    record = other.operation("anna", Operation.REDEEM, "r-1")
    assert record is not None
    with pytest.raises(AccountsUnavailable):
        other.resolve(OperationKey("anna", Operation.REDEEM, "r-1"))


def test_payments_and_sales_use_accounts_of_the_source(
    either_shop: Shop, open_process: Callable[[], Gateway], tenants: Tenants
) -> None:
    gateway = open_process()
    tenants.tables["anna"]["code_pattern"] = "."
    payment = gateway.payment("1001", total=TEN)
    payment.add(issue(gateway, "anna"), account="anna")
    payment.authorize()
    payment.capture()
    assert payment.state == "captured"
    sale = gateway.sale("s-1", "anna", NewVoucher(initial=Money("20.00", "EUR")))
    assert sale.prepare().fulfil().state == "fulfilled"


def test_a_source_whose_database_is_down_sends_and_records_nothing(shop: Shop) -> None:
    def find_account(name: str) -> dict[str, Any] | None:
        with psycopg.connect("postgresql://shop:4711@127.0.0.1:1/tenants", connect_timeout=5) as connection:
            return dict(connection.execute("SELECT 1").fetchone() or {})

    _, code = shop.voucher()
    before = shop.changes()
    with Gateway(find_account, journal=open_journal(shop.url, make_journal_keys())) as gateway:
        with pytest.raises(AccountsUnavailable, match="raised OperationalError for this account") as caught:
            gateway.redeem("anna", code, TEN, reference="r-1")
        assert "4711" not in str(caught.value)
        assert list(gateway.operations()) == []
        assert list(gateway.events()) == []
    assert shop.changes() == before
