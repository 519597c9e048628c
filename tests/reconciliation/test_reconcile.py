"""The journal against the vendor's records: every kind of finding, from a real cause."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.support.simulators import account_table
from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import (
    ConfigurationError,
    InsufficientValue,
    InvalidRequest,
    Money,
    NewVoucher,
    OutcomeUnknown,
    SecretSource,
    now,
)
from voucher_gateway.reconciliation.findings import FindingKind, Reconciliation
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.simulator import start
from voucher_gateway.testing.simulated_vendor import start_vendor
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")


def _kinds(found: Reconciliation) -> list[FindingKind]:
    return [one.kind for one in found.findings]


def _change(shop: Shop, statement: str, **values: object) -> None:
    with shop.journal.database.write() as connection:
        connection.execute(sa.text(statement), values)


def test_where_both_agree_there_is_nothing_to_find(either_shop: Shop) -> None:
    voucher_id, code = either_shop.voucher()
    redemption = either_shop.redeem(code, order="1001")
    either_shop.gateway.refund("shop", redemption, Money("4.00", "EUR"), reference="back")
    either_shop.gateway.top_up("shop", voucher_id, TEN, reference="more")
    before = either_shop.changes()
    found = reconcile(either_shop.gateway, "shop")
    assert found.findings == ()
    assert (found.vouchers, found.operations, found.unchecked) == (1, 3, ())
    assert either_shop.changes() == before


def test_a_tills_movement_is_foreign_and_no_difference(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.redeem(code)
    reservation = shop.request("POST", "/reservations", {"code": code, "amount": "3.00", "currency": "EUR"})
    shop.request("POST", f"/reservations/{reservation['id']}/charge", {"order_number": "till-7"})
    found = reconcile(shop.gateway, "shop")
    assert _kinds(found) == [FindingKind.FOREIGN]
    assert found.differences == ()
    only = found.findings[0]
    assert (only.voucher_id, only.reference, only.money) == (voucher_id, "till-7", Money("3.00", "EUR"))


def test_a_voucher_that_the_journal_never_touched_is_looked_at_only_on_request(shop: Shop) -> None:
    _, code = shop.voucher()
    reservation = shop.request("POST", "/reservations", {"code": code, "amount": "3.00", "currency": "EUR"})
    shop.request("POST", f"/reservations/{reservation['id']}/charge", {"order_number": "till-7"})
    assert reconcile(shop.gateway, "shop").vouchers == 0
    every = reconcile(shop.gateway, "shop", everything=True)
    assert (every.vouchers, _kinds(every)) == (1, [FindingKind.FOREIGN])


def test_since_looks_only_at_what_the_journal_has_touched_from_then_on(either_shop: Shop) -> None:
    (old_id, old_code), (new_id, new_code) = either_shop.voucher(), either_shop.voucher()
    either_shop.redeem(old_code, reference="old-1")
    either_shop.redeem(new_code, reference="new-1")
    begin = now()
    either_shop.redeem(new_code, reference="new-2")
    seen: list[tuple[int, int]] = []
    found = reconcile(either_shop.gateway, "shop", since=begin, on_progress=lambda *counts: seen.append(counts))
    assert (found.vouchers, found.operations, found.findings) == (1, 2, ())
    assert seen == [(1, 1)]
    assert reconcile(either_shop.gateway, "shop").vouchers == 2
    assert old_id != new_id


def test_since_looks_at_an_operation_that_was_tried_again(shop: Shop) -> None:
    _, code = shop.voucher("5.00")
    with pytest.raises(InsufficientValue):
        shop.redeem(code, reference="1001-a")
    voucher = shop.gateway.find(code, broadcast=True).voucher
    assert voucher is not None
    shop.gateway.top_up("shop", voucher.id, TEN, reference="more")
    begin = now()
    shop.redeem(code, reference="1001-a")
    assert reconcile(shop.gateway, "shop", since=begin).operations == 2


def test_since_looks_at_every_operation_in_doubt_as_well(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    shop.running.inject("error-before", "GET *", times=0)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code)
    shop.running.clear_faults()
    found = reconcile(shop.gateway, "shop", since=now() + timedelta(days=1))
    assert (found.vouchers, _kinds(found)) == (1, [FindingKind.UNRESOLVED])


def test_since_and_everything_exclude_each_other(shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="everything and since exclude each other"):
        reconcile(shop.gateway, "shop", everything=True, since=now())


def test_what_the_vendor_has_not_got_is_missing_there(shop: Shop) -> None:
    """The vendor's side was set back to an older state, say."""
    voucher_id, code = shop.voucher()
    shop.redeem(code)
    shop.running.simulator.voucher_ledger.vouchers[voucher_id].movements.clear()  # type: ignore[attr-defined]  # of JTL's simulator
    found = reconcile(shop.gateway, "shop")
    assert _kinds(found) == [FindingKind.MISSING_AT_VENDOR]
    assert [one.reference for one in found.differences] == ["1001-a"]


def test_a_voucher_that_is_gone_has_lost_its_movements(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.redeem(code)
    del shop.running.simulator.voucher_ledger.vouchers[voucher_id]  # type: ignore[attr-defined]  # of JTL's simulator
    assert _kinds(reconcile(shop.gateway, "shop")) == [FindingKind.MISSING_AT_VENDOR]


def test_what_the_journal_denies_is_missing_here(shop: Shop) -> None:
    """A person decided wrongly: it had happened, only the vendor's look-up was late."""
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code)
    shop.running.inject("error-before", "GET *", times=0)
    entry = next(shop.gateway.operations())
    shop.gateway.decide(entry.key, succeeded=False, by="Ada", reason="a guess")
    shop.running.clear_faults()
    found = reconcile(shop.gateway, "shop")
    assert _kinds(found) == [FindingKind.ORPHAN_HOLD, FindingKind.MISSING_HERE]
    assert "not_executed" in found.findings[1].explanation


def test_another_amount_at_the_vendor_differs(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.redeem(code)
    shop.running.simulator.voucher_ledger.vouchers[voucher_id].movements[0].cents = 1100  # type: ignore[attr-defined]  # of JTL's simulator
    found = reconcile(shop.gateway, "shop")
    assert _kinds(found) == [FindingKind.AMOUNT_DIFFERS]
    assert (found.findings[0].money, found.findings[0].vendor_money) == (TEN, Money("11.00", "EUR"))


def test_two_movements_under_one_name_of_ours_are_found(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.redeem(code)
    movement = shop.running.ledger()[0]["movements"][0]
    reservation = shop.request("POST", "/reservations", {"code": code, "amount": "10.00", "currency": "EUR"})
    shop.request("POST", f"/reservations/{reservation['id']}/charge", {"order_number": movement["reference"]})
    found = reconcile(shop.gateway, "shop")
    assert _kinds(found) == [FindingKind.DUPLICATE_REFERENCE]
    assert found.findings[0].voucher_id == voucher_id


def test_what_is_not_resolved_yet_is_said(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code)
    assert _kinds(reconcile(shop.gateway, "shop")) == [FindingKind.UNRESOLVED]
    shop.gateway.recover()
    assert reconcile(shop.gateway, "shop").findings == ()


def test_a_hold_that_nobody_can_end_is_an_orphan_until_it_lapses(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/reservations")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.reserve("shop", code, TEN, reference="lost")
    found = reconcile(shop.gateway, "shop")
    assert [(one.kind, one.reference) for one in found.findings] == [(FindingKind.ORPHAN_HOLD, "lost")]
    shop.running.clock.advance(2 * 3600)
    shop.gateway.find("nothing", broadcast=True)
    assert reconcile(shop.gateway, "shop").findings == ()


def test_a_reservation_that_the_caller_has_is_no_orphan(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.gateway.reserve("shop", code, TEN, reference="mine")
    assert reconcile(shop.gateway, "shop").findings == ()


def test_what_could_not_be_read_is_said(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.redeem(code)
    shop.running.inject("error-before", f"GET /v1/vouchers/{voucher_id}/charges", times=0)
    found = reconcile(shop.gateway, "shop")
    assert found.findings == ()
    assert [one for one, _ in found.unchecked] == [voucher_id]


def test_operations_of_another_vendor_are_left_out(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code)
    _change(shop, "UPDATE voucher_gateway_operations SET host = 'elsewhere.example'")
    found = reconcile(shop.gateway, "shop")
    assert (found.operations, found.vouchers) == (0, 0)


def test_without_a_journal_there_is_nothing_to_compare(shop: Shop) -> None:
    with Gateway({"shop": shop.provider()}) as bare, pytest.raises(ConfigurationError, match="needs a journal"):
        reconcile(bare, "shop")


def test_what_leaves_no_trace_at_the_vendor_cannot_be_verified(tmp_path: Path) -> None:
    """The ticketing vendor's value is overwritten, and its transactions show nothing of that."""
    with start("ticketing", vouchers=0) as running:
        said = running.announcement
        provider = TicketingProvider(
            "events",
            TicketingSettings(base_url=said["base_url"], api_key=SecretSource.of(said["api_key"]), currency="EUR"),
        )
        account = Account(name="events", provider=provider, accept_risks=frozenset({"top-up-by-update"}))
        with Gateway([account], journal=open_journal(f"sqlite:///{tmp_path / 'journal.db'}")) as gateway:
            voucher = gateway.issue("events", NewVoucher(initial=TEN), reference="sale")
            gateway.top_up("events", voucher.id, TEN, reference="more")
            found = reconcile(gateway, "events")
            assert _kinds(found) == [FindingKind.UNVERIFIABLE]
            assert found.differences == ()


@pytest.mark.parametrize("vendor", ["square", "pretix"])
def test_reservations_that_take_the_value_at_once_are_ours_with_their_captures_and_releases(
    vendor: str, tmp_path: Path
) -> None:
    with start_vendor(vendor) as running:
        table = account_table(running, accept_risks=["reserve-by-redeem"])
        config = {"journal": f"sqlite:///{tmp_path / 'journal.db'}", "accounts": {"shop": table}}
        with Gateway.from_config(config) as gateway:
            code = running.voucher("50.00").code or ""
            released, whole, part, _ = (
                gateway.reserve("shop", code, Money(amount, "EUR"), reference=amount, order=f"order-{amount}")
                for amount in ("20.00", "7.00", "5.00", "1.00")
            )
            gateway.release("shop", released, reference="20.00")
            gateway.capture("shop", whole, reference="7.00")
            gateway.capture("shop", part, Money("3.00", "EUR"), reference="5.00")
            found = reconcile(gateway, "shop")
            assert (found.findings, found.vouchers, found.operations) == ((), 1, 7)


def test_a_release_that_the_vendor_does_not_show_is_missing_there(tmp_path: Path) -> None:
    with start_vendor("square") as running:
        table = account_table(running, accept_risks=["reserve-by-redeem"])
        config = {"journal": f"sqlite:///{tmp_path / 'journal.db'}", "accounts": {"shop": table}}
        with Gateway.from_config(config) as gateway:
            held = gateway.reserve("shop", running.voucher("50.00").code or "", TEN, reference="a")
            gateway.release("shop", held, reference="a")
            assert gateway.journal is not None
            with gateway.journal.database.write() as connection:
                requests = "UPDATE voucher_gateway_requests SET intent = replace(intent, '.1.1', '.9.9')"
                connection.execute(sa.text(f"{requests} WHERE step = 'refund'"))
            found = reconcile(gateway, "shop")
            assert _kinds(found) == [FindingKind.MISSING_AT_VENDOR, FindingKind.FOREIGN]
