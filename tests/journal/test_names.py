"""An account that is renamed in the configuration keeps its references."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.errors import ReferenceConflict, VoucherHeld
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.backup import copy_journal, import_missing_movements
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import ConfigurationError, Money, NewVoucher, OutcomeUnknown, Redemption, SecretSource
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.simulator import start
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

TEN = Money("10.00", "EUR")


class Renamed:
    """Opens gateways on the journal of a shop, with accounts at its vendor under names of their own."""

    def __init__(self, shop: Shop, stack: ExitStack) -> None:
        self.shop = shop
        self._stack = stack

    def account(self, name: str, former_names: tuple[str, ...] | None = None, **settings: Any) -> Account:
        settings_of_shop = self.shop.provider().settings
        login = {
            field: getattr(settings_of_shop, field) for field in ("base_url", "client_id", "client_secret", "tries")
        }
        provider = self._stack.enter_context(JtlProvider(name, JtlSettings(**{**login, **settings})))
        return Account(name=name, provider=provider, former_names=former_names)

    def gateway(self, *accounts: Account, url: str | None = None) -> Gateway:
        journal = open_journal(url or self.shop.url, make_journal_keys())
        try:
            return self._stack.enter_context(Gateway(accounts, journal=journal))
        except BaseException:
            journal.close()
            raise

    def to(self, name: str, former: str = "shop") -> Gateway:
        """Open a gateway whose account says that it had another name."""
        return self.gateway(self.account(name, (former,)))


@pytest.fixture
def renamed(either_shop: Shop) -> Iterator[Renamed]:
    with ExitStack() as stack:
        yield Renamed(either_shop, stack)


def test_a_new_name_for_a_known_login_is_refused(renamed: Renamed) -> None:
    _, code = renamed.shop.voucher()
    renamed.shop.redeem(code)
    with pytest.raises(ConfigurationError, match=r'account main-shop: .* as shop.*former_names = \["shop"\]'):
        renamed.gateway(renamed.account("main-shop"))
    with pytest.raises(ConfigurationError, match="as shop"):
        renamed.gateway(renamed.account("main-shop", ("shpo",)))


def test_a_renamed_account_replays_its_references(renamed: Renamed) -> None:
    shop = renamed.shop
    voucher_id, code = shop.voucher()
    _, other_code = shop.voucher()
    shop.redeem(code)
    gateway = renamed.to("main-shop")
    again = gateway.redeem("main-shop", code, TEN, reference="1001-a")
    assert (again.replayed, again.account) == (True, "main-shop")
    with pytest.raises(ReferenceConflict, match="another code"):
        gateway.redeem("main-shop", other_code, TEN, reference="1001-a")
    assert shop.charges() == 1
    assert shop.remaining(voucher_id) == "40.00"
    assert [entry.key.account for entry in gateway.operations()] == ["main-shop"]


def test_a_renamed_account_can_say_so_only_once(renamed: Renamed) -> None:
    """After the journal has the new name, the former name may stay in the configuration or go."""
    _, code = renamed.shop.voucher()
    renamed.shop.redeem(code)
    renamed.to("main-shop").close()
    for account in (renamed.account("main-shop", ("shop",)), renamed.account("main-shop")):
        assert renamed.gateway(account).redeem("main-shop", code, TEN, reference="1001-a").replayed


def test_an_unknown_outcome_is_resolved_under_the_new_name(renamed: Renamed) -> None:
    shop = renamed.shop
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown) as lost:
        shop.redeem(code)
    gateway = renamed.to("main-shop")
    with pytest.raises(ConfigurationError, match="shop is called main-shop now"):
        gateway.balance("shop", code)
    resolution = gateway.resolve(lost.value.ticket)
    assert (resolution.account, resolution.state.value) == ("main-shop", "succeeded")
    assert isinstance(resolution.result, Redemption)
    assert resolution.result.account == "main-shop"
    assert gateway.redeem("main-shop", code, TEN, reference="1001-a").replayed
    assert shop.charges() == 1


def test_the_ticket_of_an_operation_that_stays_unknown_names_the_new_account(renamed: Renamed) -> None:
    _, code = renamed.shop.voucher()
    renamed.shop.running.inject("drop-before", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        renamed.shop.redeem(code)
    gateway = renamed.to("main-shop")
    with pytest.raises(OutcomeUnknown) as still:
        gateway.redeem("main-shop", code, TEN, reference="1001-a")
    assert still.value.ticket.account == "main-shop"
    (resolution,) = gateway.recover(account="main-shop", everything=True)
    assert (resolution.account, resolution.state.value) == ("main-shop", "unknown")


def test_reservations_are_captured_and_protected_under_the_new_name(renamed: Renamed) -> None:
    _, code = renamed.shop.voucher()
    renamed.shop.gateway.reserve("shop", code, TEN, reference="1001-a", order="1001")
    gateway = renamed.to("main-shop")
    with pytest.raises(VoucherHeld):
        gateway.reserve("main-shop", code, TEN, reference="1002-a", order="1002")
    held = gateway.journal.active_holds(account="main-shop", at=gateway.provider("main-shop").vendor_now())  # type: ignore[union-attr]
    assert [hold.money for hold, _ in held] == [TEN]
    reservation = gateway.reservation("main-shop", "1001-a")
    assert gateway.capture("main-shop", reservation, reference="1001-a", order="1001").money == TEN


def test_a_refund_by_reference_and_reconciliation_know_the_old_redemption(renamed: Renamed) -> None:
    voucher_id, code = renamed.shop.voucher()
    renamed.shop.redeem(code)
    gateway = renamed.to("main-shop")
    gateway.refund("main-shop", gateway.redemption("main-shop", "1001-a"), reference="1001-back")
    assert renamed.shop.remaining(voucher_id) == "50.00"
    found = reconcile(gateway, "main-shop")
    assert (found.operations, found.findings) == (2, ())


def test_two_accounts_of_one_login_stay_possible(renamed: Renamed) -> None:
    _, code = renamed.shop.voucher()
    renamed.shop.redeem(code)
    both = renamed.gateway(renamed.account("shop"), renamed.account("till"))
    assert not both.redeem("till", code, TEN, reference="1001-a").replayed
    assert both.redeem("shop", code, TEN, reference="1001-a").replayed
    both.close()
    # Each name is known by now, and may be used alone.
    assert renamed.gateway(renamed.account("till")).redeem("till", code, TEN, reference="1001-a").replayed
    with pytest.raises(ConfigurationError, match="'1001-a' under both names, shop and till"):
        renamed.gateway(renamed.account("till", ("shop",)))


def test_an_empty_list_says_that_it_is_another_account(renamed: Renamed) -> None:
    _, code = renamed.shop.voucher()
    renamed.shop.redeem(code)
    kiosk = renamed.gateway(renamed.account("kiosk", ()))
    assert not kiosk.redeem("kiosk", code, TEN, reference="1001-a").replayed


def test_a_machine_that_runs_under_the_former_name_sends_nothing_new(renamed: Renamed) -> None:
    """It would not find what others do under the new name."""
    _, code = renamed.shop.voucher()
    renamed.shop.redeem(code)
    renamed.to("main-shop").redeem("main-shop", code, TEN, reference="1002-a")
    sent = renamed.shop.changes()
    with pytest.raises(ConfigurationError, match="renamed to main-shop"):
        renamed.shop.redeem(code, reference="1002-a")
    with pytest.raises(ConfigurationError, match="renamed to main-shop"):
        renamed.gateway(renamed.account("shop"))
    assert renamed.shop.changes() == sent


def test_a_name_can_be_taken_back(renamed: Renamed) -> None:
    _, code = renamed.shop.voucher()
    renamed.shop.redeem(code)
    renamed.to("main-shop").close()
    renamed.to("shop", former="main-shop").close()
    assert renamed.shop.redeem(code).replayed
    assert renamed.to("third").redeem("third", code, TEN, reference="1001-a").replayed


def test_of_machines_that_begin_with_different_names_one_wins(
    renamed: Renamed, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    voucher_id, code = renamed.shop.voucher()

    def work() -> str:
        name = f"shop-{os.getpid()}"
        with renamed.gateway(renamed.account(name)) as gateway:
            gateway.redeem(name, code, TEN, reference="1001-a")
        return "redeemed"

    said = at_once(work, 4)
    assert said.count("redeemed") == 1
    assert all("former_names" in one for one in said if one != "redeemed"), said
    assert renamed.shop.remaining(voucher_id) == "40.00"


class _LateLogin(JtlProvider):
    """A provider that knows its login only after the first request."""

    _asked = False

    @property
    def login(self) -> str | None:  # type: ignore[override]
        return super().login if self._asked else None

    def reserve(self, *given: Any, **more: Any) -> Any:
        self._asked = True
        return super().reserve(*given, **more)


def test_a_login_that_is_known_only_with_the_first_request_is_refused_before_it_is_sent(renamed: Renamed) -> None:
    shop = renamed.shop
    _, code = shop.voucher()
    shop.redeem(code)
    late = _LateLogin("main-shop", shop.provider().settings)
    gateway = renamed.gateway(Account(name="main-shop", provider=late))
    sent = shop.changes()
    with pytest.raises(ConfigurationError, match="as shop"):
        gateway.redeem("main-shop", code, TEN, reference="1001-a")
    assert shop.changes() == sent

    late = _LateLogin("main-shop", shop.provider().settings)
    gateway = renamed.gateway(Account(name="main-shop", provider=late, former_names=("shop",)))
    assert gateway.redeem("main-shop", code, TEN, reference="1001-a", wait=1).replayed
    assert gateway.redeem("main-shop", code, TEN, reference="1002-a").money == TEN
    assert gateway.redeem("main-shop", code, TEN, reference="1002-a").replayed
    assert shop.charges() == 2


def test_where_a_vendor_shows_no_login_its_host_counts(sqlite_url: str) -> None:
    """The API key of another seller cannot be told from a new one of the same seller."""
    keys = make_journal_keys()
    with start("ticketing") as running, ExitStack() as stack:
        vendor = running.announcement
        settings = TicketingSettings(base_url=vendor["base_url"], api_key=SecretSource.of(vendor["api_key"]))

        def gateway_with(name: str, former_names: tuple[str, ...] | None = None) -> Gateway:
            provider = stack.enter_context(TicketingProvider(name, settings))
            journal = open_journal(sqlite_url, keys)
            stack.callback(journal.close)
            return Gateway([Account(name=name, provider=provider, former_names=former_names)], journal=journal)

        voucher = gateway_with("events").issue("events", NewVoucher(initial=TEN), reference="1001-a")
        with pytest.raises(ConfigurationError, match=r"account berlin: .*ticketing at 127.* as events"):
            gateway_with("berlin")
        again = gateway_with("berlin", ("events",)).issue("berlin", NewVoucher(initial=TEN), reference="1001-a")
        assert (again.id, again.code, again.account) == (voucher.id, voucher.code, "berlin")
        other = gateway_with("paris", ()).issue("paris", NewVoucher(initial=TEN), reference="1001-a")
        assert other.id != voucher.id


def test_a_restored_journal_knows_what_was_done_under_the_former_name(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher()
    shop.redeem(code)
    copy_journal(shop.journal, tmp_path / "copy.db")
    shop.redeem(code, reference="1002-a")  # which the copy does not know
    with ExitStack() as stack:
        renamed = Renamed(shop, stack)
        gateway = renamed.gateway(renamed.account("main-shop", ("shop",)), url=f"sqlite:///{tmp_path / 'copy.db'}")
        assert gateway.journal is not None
        (adoption,) = import_missing_movements(gateway.journal, [gateway.provider("main-shop")])
        assert adoption.adopted == 1
        for reference in ("1001-a", "1002-a"):
            assert gateway.redeem("main-shop", code, TEN, reference=reference).replayed
    assert shop.charges() == 2
