"""A vendor accepts a call and decides about it later: it stays pending until then, and nothing is sent again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from tests.support.deferring import CODE, DeferringProvider, DeferringSettings, DeferringSimulator
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.journal.backup import import_missing_movements, mark_restored
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState
from voucher_gateway.provider_api import (
    Code,
    Money,
    Operation,
    OperationInProgress,
    OutcomePending,
    OutcomeUnknown,
    Pin,
    Redemption,
    Refund,
    SecretSource,
    VoucherGatewayError,
)
from voucher_gateway.reconciliation.findings import FindingKind
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.simulator import start

TEN = Money("10.00", "EUR")
REDEEM = OperationKey("shop", Operation.REDEEM, "1001")
PAY = "POST /payments"


class DeferringShop:
    """A shop with a journal and one account at a vendor that decides later."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.running = stack.enter_context(start(DeferringSimulator))
        assert isinstance(self.running.simulator, DeferringSimulator)
        self.vendor = self.running.simulator
        self.url = url
        self._stack = stack
        self.gateway = self.another_gateway()

    def provider(self, kind: type[DeferringProvider] = DeferringProvider) -> DeferringProvider:
        token = SecretSource.of("t")
        return kind("shop", DeferringSettings(base_url=self.running.announcement["base_url"], token=token, tries=1))

    def another_gateway(self, url: str | None = None, kind: type[DeferringProvider] = DeferringProvider) -> Gateway:
        journal = open_journal(url or self.url, make_journal_keys())
        return self._stack.enter_context(Gateway({"shop": self.provider(kind)}, journal=journal))

    def redeem(self, gateway: Gateway | None = None, reference: str = "1001") -> Redemption:
        return (gateway or self.gateway).redeem("shop", CODE, TEN, reference=reference)

    def defer(self, reference: str = "1001") -> OutcomePending:
        """Redeem, and return the error that says that it is pending."""
        with pytest.raises(OutcomePending) as pending:
            self.redeem(reference=reference)
        return pending.value

    def decide(self, state: Any, number: int = 1) -> None:
        self.vendor.activities.settle(f"p{number}", state)

    def record(self, key: OperationKey = REDEEM) -> OperationRecord:
        assert self.gateway.journal is not None
        record = self.gateway.journal.find(key)
        assert record is not None
        return record

    def payments(self) -> int:
        """How many payments were sent."""
        return sum(request.method == "POST" for request in self.running.requests)


@pytest.fixture
def deferring_shop(either_url: str) -> Iterator[DeferringShop]:
    with ExitStack() as stack:
        yield DeferringShop(either_url, stack)


def test_an_accepted_call_is_pending_and_its_ticket_names_it(deferring_shop: DeferringShop) -> None:
    pending = deferring_shop.defer()
    assert (pending.outcome, pending.retry_safe, pending.http_status) == ("pending", False, 202)
    assert isinstance(pending, OutcomeUnknown)
    assert (pending.ticket.reference, pending.ticket.verb, pending.ticket.amount) == ("1001", "redeem", "10.00")
    assert pending.ticket.notes["payment_id"] == "p1"
    assert deferring_shop.record().state is OperationState.PENDING


def test_a_repeat_asks_for_news_and_sends_nothing(deferring_shop: DeferringShop) -> None:
    deferring_shop.defer()
    for gateway in (deferring_shop.gateway, deferring_shop.another_gateway()):
        with pytest.raises(OutcomePending, match="the vendor shows it as PENDING"):
            deferring_shop.redeem(gateway)
    deferring_shop.decide("completed")
    taken = deferring_shop.redeem()
    assert (taken.money, taken.id, taken.reference) == (TEN, "p1", "1001")
    assert deferring_shop.redeem().replayed
    assert (deferring_shop.payments(), deferring_shop.vendor.cents) == (1, 9_000)


@pytest.mark.parametrize("by", ["ticket", "key", "recover"])
def test_news_of_a_completion_make_it_succeeded(deferring_shop: DeferringShop, by: str) -> None:
    pending = deferring_shop.defer()
    deferring_shop.decide("completed")
    resolution = _ask(deferring_shop, by, pending)
    assert resolution.state is OperationState.SUCCEEDED
    assert isinstance(resolution.result, Redemption)
    assert resolution.result.money == TEN
    assert deferring_shop.gateway.redemption("shop", "1001").id == "p1"
    assert "/payments/p1" in [request.path for request in deferring_shop.running.requests]  # by the vendor's own id


@pytest.mark.parametrize("by", ["ticket", "key", "recover"])
def test_news_of_a_cancellation_make_it_declined(deferring_shop: DeferringShop, by: str) -> None:
    pending = deferring_shop.defer()
    deferring_shop.decide("cancelled")
    resolution = _ask(deferring_shop, by, pending)
    assert (resolution.state, resolution.result) == (OperationState.DECLINED, None)
    assert resolution.reason == "the vendor has cancelled it"
    assert deferring_shop.vendor.cents == 10_000
    deferring_shop.vendor.defers = False
    assert deferring_shop.redeem().money == TEN  # nothing moved, so the call may be made again
    assert (deferring_shop.payments(), deferring_shop.vendor.cents) == (2, 9_000)


def _ask(shop: DeferringShop, by: str, pending: OutcomePending) -> Any:
    if by == "recover":
        (resolution,) = shop.gateway.recover()
        return resolution
    return shop.gateway.resolve(pending.ticket if by == "ticket" else REDEEM)


def test_it_never_fails_by_waiting(deferring_shop: DeferringShop) -> None:
    """A look-up that does not show the payment any more proves nothing about what the vendor has accepted."""
    deferring_shop.defer()
    deferring_shop.vendor.hides = 3
    (resolution,) = deferring_shop.gateway.recover()
    assert resolution.state is OperationState.PENDING
    assert resolution.reason.startswith("the vendor has accepted it before, and now does not show it")
    deferring_shop.running.clock.advance(400 * 86_400)
    assert deferring_shop.gateway.resolve(REDEEM).state is OperationState.PENDING
    with pytest.raises(OutcomePending):
        deferring_shop.redeem()
    assert deferring_shop.payments() == 1
    deferring_shop.decide("completed")
    assert deferring_shop.gateway.resolve(REDEEM).state is OperationState.SUCCEEDED


def test_a_vendor_that_cannot_be_asked_leaves_it_pending(deferring_shop: DeferringShop) -> None:
    deferring_shop.defer()
    deferring_shop.running.inject("error-before", "GET /payments/*", times=9)
    assert deferring_shop.gateway.resolve(REDEEM).state is OperationState.PENDING
    with pytest.raises(OutcomePending):
        deferring_shop.redeem()
    assert deferring_shop.payments() == 1


def test_a_lost_acceptance_is_unknown_and_pending_after_the_look_up(deferring_shop: DeferringShop) -> None:
    deferring_shop.running.inject("commit-then-drop", PAY)
    with pytest.raises(OutcomeUnknown) as lost:
        deferring_shop.redeem()
    assert not isinstance(lost.value, OutcomePending)
    with pytest.raises(OutcomePending):
        deferring_shop.redeem()
    deferring_shop.vendor.hides = 1  # what was pending once stays pending
    assert deferring_shop.gateway.resolve(REDEEM).state is OperationState.PENDING
    deferring_shop.decide("completed")
    assert deferring_shop.redeem().id == "p1"
    assert deferring_shop.payments() == 1


@pytest.mark.parametrize("decision", ["completed", "cancelled"])
def test_a_crash_between_the_acceptance_and_its_record_loses_nothing(
    deferring_shop: DeferringShop, decision: str
) -> None:
    child = os.fork()
    if child == 0:  # dies with the acceptance in its hands, before it is written
        with suppress(BaseException):
            gateway = deferring_shop.another_gateway()
            assert gateway.journal is not None
            gateway.journal.close_operation = _die  # type: ignore[method-assign,assignment]
            deferring_shop.redeem(gateway)
        os._exit(1)
    os.waitpid(child, 0)
    with pytest.raises(OutcomePending):  # a PostgreSQL server notices a moment later that the child has died
        deferring_shop.gateway.redeem("shop", CODE, TEN, reference="1001", wait=30)
    deferring_shop.decide(decision)
    (resolution,) = deferring_shop.gateway.recover(everything=True)
    expected = OperationState.SUCCEEDED if decision == "completed" else OperationState.DECLINED
    assert resolution.state is expected
    assert deferring_shop.payments() == 1


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_recover_asks_for_news_of_many(deferring_shop: DeferringShop) -> None:
    for number in range(7):
        deferring_shop.defer(f"order-{number}")
    for number in (2, 4):
        deferring_shop.decide("completed", number)
    deferring_shop.decide("cancelled", 6)
    states = [resolution.state for resolution in deferring_shop.gateway.recover()]
    assert states.count(OperationState.SUCCEEDED) == 2
    assert states.count(OperationState.DECLINED) == 1
    assert states.count(OperationState.PENDING) == 4
    assert deferring_shop.gateway.recover() == []  # none is due yet
    assert len(deferring_shop.gateway.recover(everything=True)) == 4
    assert len(list(deferring_shop.gateway.operations(states=[OperationState.PENDING]))) == 4
    assert (deferring_shop.payments(), deferring_shop.vendor.cents) == (7, 8_000)


def test_another_process_does_not_send_it_again(deferring_shop: DeferringShop, at_once: Any) -> None:
    deferring_shop.defer()

    def repeat() -> str:
        try:
            return deferring_shop.redeem(deferring_shop.another_gateway()).id
        except VoucherGatewayError as error:
            return type(error).__name__

    assert set(at_once(repeat, 4)) <= {"OutcomePending", "OperationInProgress"}
    assert deferring_shop.payments() == 1


def test_a_pending_refund_counts_as_given_back(deferring_shop: DeferringShop) -> None:
    deferring_shop.vendor.defers = False
    taken = deferring_shop.redeem()
    deferring_shop.vendor.defers = True
    with pytest.raises(OutcomePending):
        deferring_shop.gateway.refund("shop", taken, Money("6.00", "EUR"), reference="back-1")
    assert deferring_shop.gateway.refundable(taken) == Money("4.00", "EUR")
    with pytest.raises(OperationInProgress):
        deferring_shop.gateway.refund("shop", taken, Money("5.00", "EUR"), reference="back-2")
    deferring_shop.decide("cancelled", 2)
    deferring_shop.vendor.defers = False
    deferring_shop.gateway.recover()
    assert deferring_shop.gateway.refundable(taken) == TEN
    assert isinstance(deferring_shop.gateway.refund("shop", taken, reference="back-2"), Refund)


def test_a_pending_reservation_holds_until_the_vendor_decides(deferring_shop: DeferringShop) -> None:
    gateway, provider = deferring_shop.gateway, deferring_shop.gateway.provider("shop")
    with pytest.raises(OutcomePending):
        gateway.reserve("shop", CODE, TEN, reference="hold")
    assert gateway.journal is not None

    def is_reserved() -> bool:
        assert gateway.journal is not None
        return gateway.journal.is_reserved(
            Code(CODE), provider=provider.name, host=provider.host, at=provider.vendor_now()
        )

    assert is_reserved()
    deferring_shop.running.clock.advance(7200)  # longer than a reservation lasts: the vendor has not made it yet
    assert provider.get("c1").id == "c1"
    assert is_reserved()
    assert reconcile(gateway, "shop").findings == ()
    deferring_shop.decide("completed")
    with pytest.raises(OutcomePending):
        gateway.reserve("shop", CODE, TEN, reference="hold-2")
    gateway.recover()
    reservation = gateway.reservation("shop", "hold")
    assert (reservation.id, reservation.money) == ("p1", TEN)
    assert is_reserved()
    deferring_shop.decide("cancelled", 2)
    gateway.recover(everything=True)
    states = {record.key.reference: record.state for record in gateway.operations()}
    assert states == {"hold": OperationState.SUCCEEDED, "hold-2": OperationState.DECLINED}
    active = gateway.journal.active_holds(account="shop", at=provider.vendor_now())
    assert [hold.reservation_id for hold, _ in active] == ["p1"]


def test_a_person_may_decide_about_it(deferring_shop: DeferringShop) -> None:
    deferring_shop.defer()
    decided = deferring_shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="the vendor's support says so")
    assert decided.state is OperationState.NOT_EXECUTED


def test_a_voucher_with_a_pending_operation_is_not_moved(deferring_shop: DeferringShop) -> None:
    deferring_shop.defer()
    provider, journal = deferring_shop.gateway.provider("shop"), deferring_shop.gateway.journal
    assert journal is not None
    key = journal.find_unresolved_operation(provider=provider.name, host=provider.host, voucher_id="c1")
    assert key == REDEEM


def test_reconciliation_expects_it_to_be_pending_on_both_sides(deferring_shop: DeferringShop) -> None:
    deferring_shop.defer()
    assert reconcile(deferring_shop.gateway, "shop").findings == ()
    deferring_shop.decide("completed")
    (finding,) = reconcile(deferring_shop.gateway, "shop").findings
    assert (finding.kind, finding.explanation) == (FindingKind.UNRESOLVED, "it happened; recover writes that down")
    deferring_shop.gateway.recover()
    assert reconcile(deferring_shop.gateway, "shop").findings == ()


def test_a_restored_journal_learns_that_a_forgotten_call_is_pending(
    deferring_shop: DeferringShop, tmp_path: Any
) -> None:
    deferring_shop.defer("other")
    deferring_shop.defer()
    restored = deferring_shop.another_gateway(f"sqlite:///{tmp_path / 'restored.db'}")
    assert restored.journal is not None
    mark_restored(restored.journal)
    (summary,) = import_missing_movements(restored.journal, [restored.provider("shop")])
    assert summary.adopted == 2
    with pytest.raises(OutcomePending, match="before the journal was restored") as pending:
        deferring_shop.redeem(restored)
    deferring_shop.decide("completed", 2)
    assert restored.resolve(pending.value.ticket).state is OperationState.SUCCEEDED
    assert deferring_shop.payments() == 2


class PollsAtOnce(DeferringProvider):
    """Asks for news itself after the acceptance, and lets the error of that read pass."""

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        with suppress(OutcomePending):
            return super().redeem(code, money, pin, reference=reference, order=order)
        self.get("c1")
        raise AssertionError


def test_an_error_after_the_acceptance_does_not_make_it_not_executed(deferring_shop: DeferringShop) -> None:
    deferring_shop.running.inject("error-before", "GET /card")
    with pytest.raises(OutcomePending, match="the vendor has accepted it, and what came after that failed"):
        deferring_shop.redeem(deferring_shop.another_gateway(kind=PollsAtOnce))
    assert deferring_shop.record().state is OperationState.PENDING


def test_without_a_journal_the_ticket_gives_the_news(deferring_shop: DeferringShop) -> None:
    with Gateway({"shop": deferring_shop.provider()}) as gateway:
        with pytest.raises(OutcomePending) as pending:
            gateway.redeem("shop", CODE, TEN, reference="1001")
        ticket = pending.value.ticket.to_json()
        assert gateway.resolve(ticket).state is OperationState.PENDING
        deferring_shop.decide("completed")
        assert gateway.resolve(ticket).state is OperationState.SUCCEEDED
