"""What becomes of a call in doubt at JTL: presence proves, absence only where the rule of its verb says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.provider_api import (
    Effect,
    Intent,
    Money,
    NewVoucher,
    Operation,
    OperationInProgress,
    OutcomeUnknown,
    VoucherChanges,
    now,
)

if TYPE_CHECKING:
    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")
HALF_AN_HOUR = 30 * 60


def _prepared(shop: Shop, verb: str) -> tuple[str, Callable[[], Any], str]:
    """Return the pattern of the verb's request, a call of it, and the voucher."""
    gateway = shop.gateway
    if verb == "issue":
        return "POST /v1/vouchers", lambda: gateway.issue("shop", NewVoucher(initial=TEN), reference="x"), ""
    voucher_id, code = shop.voucher(status="inactive" if verb in ("activate", "update", "delete") else "active")
    if verb in ("capture", "refund"):
        reservation = gateway.reserve("shop", code, TEN, reference="before")
        if verb == "capture":
            call: Callable[[], Any] = lambda: gateway.capture("shop", reservation, reference="x")  # noqa: E731 - one of a table
            return "POST /v1/reservations/*/charge", call, voucher_id
        redemption = gateway.capture("shop", reservation, reference="before")
        return "POST /v1/charges/*/refund", lambda: gateway.refund("shop", redemption, reference="x"), voucher_id
    calls: dict[str, tuple[str, Callable[[], Any]]] = {
        "activate": ("PATCH *", lambda: gateway.activate("shop", voucher_id, reference="x")),
        "deactivate": ("PATCH *", lambda: gateway.deactivate("shop", voucher_id, reference="x")),
        "update": ("PATCH *", lambda: gateway.update("shop", voucher_id, VoucherChanges(sku="S-1"), reference="x")),
        "top_up": ("POST /v1/vouchers/recharge", lambda: gateway.top_up("shop", voucher_id, TEN, reference="x")),
        "delete": ("DELETE *", lambda: gateway.delete("shop", voucher_id, "misprint", reference="x")),
        "reserve": ("POST /v1/reservations", lambda: gateway.reserve("shop", code, TEN, reference="x")),
        "redeem": ("POST /v1/reservations/*/charge", lambda: gateway.redeem("shop", code, TEN, reference="x")),
    }
    return (*calls[verb], voucher_id)


def _resolved(shop: Shop, verb: str, fault: str) -> OperationState:
    pattern, call, _ = _prepared(shop, verb)
    shop.running.inject(fault, pattern)
    with pytest.raises(OutcomeUnknown):
        call()
    before = shop.changes()
    state = shop.gateway.resolve(OperationKey("shop", Operation(verb), "x")).state
    assert shop.changes() == before, "a look-up changes nothing"
    return state


PRESENCE = ["issue", "activate", "deactivate", "update", "top_up", "delete", "capture", "redeem", "refund"]


@pytest.mark.parametrize("verb", PRESENCE)
@pytest.mark.parametrize("fault", ["commit-then-drop", "error-after-commit"])
def test_what_the_vendor_shows_has_happened(shop: Shop, verb: str, fault: str) -> None:
    assert _resolved(shop, verb, fault) is OperationState.SUCCEEDED


@pytest.mark.parametrize("verb", [*PRESENCE, "reserve"])
def test_what_the_vendor_does_not_show_may_still_come(shop: Shop, verb: str) -> None:
    assert _resolved(shop, verb, "drop-before") is OperationState.UNKNOWN


@pytest.mark.parametrize("verb", ["capture", "redeem"])
def test_a_capture_is_ruled_out_by_the_whole_history_after_the_reservations_end(shop: Shop, verb: str) -> None:
    key = OperationKey("shop", Operation(verb), "x")
    assert _resolved(shop, verb, "drop-before") is OperationState.UNKNOWN
    shop.running.clock.advance(HALF_AN_HOUR + 30)  # over, but within the margin
    assert shop.gateway.resolve(key).state is OperationState.UNKNOWN
    shop.running.clock.advance(60)
    assert shop.gateway.resolve(key).state is OperationState.NOT_EXECUTED


def test_our_own_clock_rules_nothing_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's clock decides, by the Date of the very answer that shows the history."""
    assert _resolved(shop, "capture", "drop-before") is OperationState.UNKNOWN
    for module in ("voucher_gateway_jtl.provider", "voucher_gateway.http.client"):
        monkeypatch.setattr(f"{module}.now", lambda: now() + timedelta(days=1))
    assert shop.gateway.resolve(OperationKey("shop", Operation.CAPTURE, "x")).state is OperationState.UNKNOWN


def test_a_filter_that_lags_behind_does_not_rule_a_capture_out(shop: Shop) -> None:
    pattern, call, _ = _prepared(shop, "capture")
    shop.running.inject("lagging-lookups", "GET /v1/vouchers/*/charges", times=2, lag_s=30)
    shop.running.inject("commit-then-drop", pattern)
    with pytest.raises(OutcomeUnknown):
        call()
    key = OperationKey("shop", Operation.CAPTURE, "x")
    assert shop.gateway.resolve(key).state is OperationState.UNKNOWN
    assert shop.gateway.resolve(key).state is OperationState.SUCCEEDED


def test_a_history_that_does_not_fit_together_rules_nothing_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _resolved(shop, "capture", "drop-before") is OperationState.UNKNOWN
    shop.running.clock.advance(2 * HALF_AN_HOUR)
    provider = shop.gateway.provider("shop")
    real = provider.history
    monkeypatch.setattr(provider, "history", lambda id: attrs.evolve(real(id), complete=False))
    assert shop.gateway.resolve(OperationKey("shop", Operation.CAPTURE, "x")).state is OperationState.UNKNOWN
    monkeypatch.setattr(provider, "history", lambda id: attrs.evolve(real(id), as_of=None))
    assert shop.gateway.resolve(OperationKey("shop", Operation.CAPTURE, "x")).state is OperationState.UNKNOWN


@pytest.mark.parametrize("verb", ["capture", "top_up"])
def test_another_amount_under_our_reference_is_for_a_person(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Money that moved under our name must never be taken for absence."""
    pattern, call, voucher_id = _prepared(shop, verb)
    shop.running.inject("commit-then-drop", pattern)
    with pytest.raises(OutcomeUnknown):
        call()
    book = shop.running.simulator.voucher_ledger  # type: ignore[attr-defined]  # of JTL's simulator
    book.vouchers[voucher_id].movements[-1].cents += 1
    shop.running.clock.advance(2 * HALF_AN_HOUR)
    resolution = shop.gateway.resolve(OperationKey("shop", Operation(verb), "x"))
    assert resolution.state is OperationState.UNKNOWN
    assert "10.01" in resolution.reason


def test_a_top_up_never_ages_into_not_executed(shop: Shop) -> None:
    assert _resolved(shop, "top_up", "drop-before") is OperationState.UNKNOWN
    shop.running.clock.advance(400 * 24 * 3600)
    assert shop.gateway.resolve(OperationKey("shop", Operation.TOP_UP, "x")).state is OperationState.UNKNOWN


def test_an_unknown_reservation_has_no_effect_after_its_longest_life(shop: Shop) -> None:
    assert _resolved(shop, "reserve", "commit-then-drop") is OperationState.UNKNOWN
    shop.running.clock.advance(HALF_AN_HOUR + 120)
    assert shop.gateway.resolve(OperationKey("shop", Operation.RESERVE, "x")).state is OperationState.NOT_EXECUTED


@pytest.mark.parametrize(("fault", "options"), [("foreign-404", {}), ("html-error", {"status": 404})])
def test_a_404_of_an_api_gateway_settles_no_deletion(shop: Shop, fault: str, options: dict[str, Any]) -> None:
    pattern, call, voucher_id = _prepared(shop, "delete")
    shop.running.inject("drop-before", pattern)
    with pytest.raises(OutcomeUnknown):
        call()
    shop.running.inject(fault, f"GET /v1/vouchers/{voucher_id}", **options)
    assert shop.gateway.resolve(OperationKey("shop", Operation.DELETE, "x")).state is OperationState.UNKNOWN
    assert call().voucher_id == voucher_id


# --- refunds, which carry no reference ---


def _two_charges(shop: Shop) -> tuple[str, Any, Any]:
    voucher_id, code = shop.voucher()
    return voucher_id, shop.redeem(code, reference="a"), shop.redeem(code, reference="b")


def test_a_refund_of_before_is_not_taken_for_ours(shop: Shop) -> None:
    _, one, other = _two_charges(shop)
    shop.gateway.refund("shop", one, reference="x")
    shop.running.inject("drop-before", "POST /v1/charges/*/refund")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.refund("shop", other, reference="y")
    assert shop.gateway.resolve(OperationKey("shop", Operation.REFUND, "y")).state is OperationState.UNKNOWN


def test_a_voucher_has_one_open_refund(shop: Shop) -> None:
    """A second one of the same amount could be taken for the first."""
    _, one, other = _two_charges(shop)
    shop.running.inject("drop-before", "POST /v1/charges/*/refund")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.refund("shop", one, reference="x")
    before = shop.changes()
    with pytest.raises(OperationInProgress, match="not known"):
        shop.gateway.refund("shop", other, reference="y")
    assert shop.changes() == before
    shop.gateway.decide(
        OperationKey("shop", Operation.REFUND, "x"), succeeded=False, by="Ada", reason="seen in the portal"
    )
    assert shop.gateway.refund("shop", other, reference="y").money == TEN


def test_two_refunds_that_look_alike_are_for_a_person(shop: Shop) -> None:
    _, one, other = _two_charges(shop)
    shop.running.inject("commit-then-drop", "POST /v1/charges/*/refund")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.refund("shop", one, reference="x")
    shop.request("POST", f"/charges/{other.id}/refund", {"amount": "10.00", "currency": "EUR"})
    resolution = shop.gateway.resolve(OperationKey("shop", Operation.REFUND, "x"))
    assert resolution.state is OperationState.UNKNOWN
    assert "2 new refunds" in resolution.reason


def test_a_refund_of_another_amount_is_not_ours(shop: Shop) -> None:
    _, one, other = _two_charges(shop)
    shop.running.inject("drop-before", "POST /v1/charges/*/refund")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.refund("shop", one, reference="x")
    shop.request("POST", f"/charges/{other.id}/refund", {"amount": "3.00", "currency": "EUR"})
    assert shop.gateway.resolve(OperationKey("shop", Operation.REFUND, "x")).state is OperationState.UNKNOWN


def test_a_ticket_without_a_journal_is_resolved_by_the_same_rules(shop: Shop) -> None:
    provider = shop.provider()
    _, code = shop.voucher()
    reservation = provider.reserve(code, TEN, reference="r-1")
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown) as caught:
        provider.capture(reservation, reference="r-1")
    assert provider.resolve(Intent.from_ticket(caught.value.ticket)).effect is Effect.SUCCEEDED


def test_refunds_of_one_voucher_go_one_after_another(shop: Shop) -> None:
    """Each notes the refunds before it, so none may come in between; the next finds the last one settled."""
    voucher_id, one, other = _two_charges(shop)
    gateways = [shop.gateway, shop.another_gateway()]
    done: list[Money] = []

    def work(number: int) -> None:
        redemption = one if number % 2 else other
        refund = gateways[number % 2].refund("shop", redemption, Money("2.00", "EUR"), reference=f"back-{number}")
        done.append(refund.money)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 6
    assert shop.remaining(voucher_id) == "42.00"
