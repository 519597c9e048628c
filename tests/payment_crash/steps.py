"""The steps of a payment at which a process can die, what comes before each, and how the shop goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from decimal import Decimal
from typing import Any, Final

import attrs

from tests.payment_crash.person import decide_by_ledger
from tests.payment_crash.world import (
    CARD,
    CURRENCY,
    EVENTS,
    LIMIT,
    PARTS,
    SHOP,
    SPENT_ELSEWHERE,
    TOTAL,
    WAIT_S,
    Order,
    PaymentWorld,
    open_charges,
)
from voucher_gateway import Gateway, Money, NotExecuted, OperationInProgress, OutcomeUnknown, PaymentShort
from voucher_gateway.payments.rows.states import PaymentState

CHANGED_TOTAL: Final = Money("70.00", CURRENCY)
REFUND: Final = Money("45.00", CURRENCY)

NOTHING: Final[Mapping[str, Decimal]] = dict.fromkeys((SHOP, EVENTS, CARD), Decimal(0))
WHOLE: Final = PARTS
HALF: Final[Mapping[str, Decimal]] = {part: amount / 2 for part, amount in PARTS.items()}
CHANGED: Final[Mapping[str, Decimal]] = {**PARTS, CARD: PARTS[CARD] - (TOTAL - CHANGED_TOTAL).amount}
WITHOUT_EVENT: Final[Mapping[str, Decimal]] = {
    SHOP: PARTS[SHOP],
    EVENTS: SPENT_ELSEWHERE,
    CARD: PARTS[CARD] + PARTS[EVENTS],
}
EVENT_SPENT: Final[Mapping[str, Decimal]] = {**NOTHING, EVENTS: SPENT_ELSEWHERE}


@attrs.frozen
class Shop:
    """A worker of the shop with its own gateway, at one order.

    Attributes:
        world: the vendors and the card.
        order: the order.
        gateway: the worker's.
        card: the order's card, or None for a worker that cannot reach it.
    """

    world: PaymentWorld
    order: Order
    gateway: Gateway
    card: Any

    def payment(self, total: Money = TOTAL) -> Any:
        """Open the payment of the order, or return it."""
        return self.gateway.payment(self.order.number, total=total, other=self.card, wait=WAIT_S)

    def current(self) -> Any:
        """Return the payment of the order as it is; None if there is none."""
        return self.gateway.find_payment(self.order.number, other=self.card, wait=WAIT_S)

    def add_vouchers(self, total: Money = TOTAL) -> Any:
        """Open the payment and add both vouchers."""
        payment = self.payment(total)
        if payment.state is PaymentState.OPEN:
            payment.add(self.order.codes[SHOP])
            payment.add(self.order.codes[EVENTS], limit=LIMIT)
        return payment

    def check_out(self, total: Money = TOTAL) -> Any:
        """Open the payment, add both vouchers, and authorize it."""
        payment = self.add_vouchers(total)
        payment.authorize()
        return payment

    def pay(self, total: Money = TOTAL) -> Any:
        """Check out and capture."""
        payment = self.check_out(total)
        payment.capture()
        return payment

    def spend_event_elsewhere(self) -> None:
        """Let the customer spend nearly all of the event voucher at the vendor's own checkout."""
        self.world.spend_event_elsewhere(self.order)

    def fall_short(self) -> Any:
        """Check out, lose the event voucher to another channel, and try to capture."""
        payment = self.check_out()
        self.spend_event_elsewhere()
        with suppress(PaymentShort):
            payment.capture()
        assert payment.state is PaymentState.SHORT, payment.state
        return payment

    def pay_short(self) -> Any:
        """Let the card pay what is missing."""
        payment = self.payment()
        if payment.state is PaymentState.SHORT:
            payment.capture(due=payment.due)
        else:
            payment.capture()
        return payment


Act = Callable[[Shop], Any]


@attrs.frozen(kw_only=True)
class Step:
    """One step of a payment.

    Attributes:
        prepare: what the shop did before.
        act: the step, which can be repeated.
        captured: what each part has paid in the end, where the payment is captured.
        cancelled: what each part has paid in the end, where it is cancelled.
        total: of the last attempt.
        at_once: whether the card's money is taken when it is authorized.
        decides: what the step decides itself: "capture", "cancel", "refund", or nothing.
    """

    prepare: Act
    act: Act
    captured: Mapping[str, Decimal] = WHOLE
    cancelled: Mapping[str, Decimal] = NOTHING
    total: Money = TOTAL
    at_once: bool = False
    decides: str = ""


def _nothing(_: Shop) -> None:
    """Do nothing."""


def _authorize(shop: Shop) -> None:
    shop.payment().authorize()


def _capture(shop: Shop) -> None:
    shop.payment().capture()


def _cancel(shop: Shop) -> None:
    shop.payment().cancel()


def _refund(shop: Shop) -> None:
    shop.payment().refund(REFUND, reference="return-1", strategy="proportional")


def _pay_and_refund(shop: Shop) -> None:
    shop.pay()
    _refund(shop)


def _change_cart(shop: Shop) -> None:
    shop.check_out(CHANGED_TOTAL)


def _check_out_and_wait(shop: Shop) -> None:
    shop.check_out()
    shop.world.lapse()
    shop.gateway.provider(SHOP).check()


def _check_out_and_spend(shop: Shop) -> None:
    shop.check_out()
    shop.spend_event_elsewhere()


STEPS: Final[Mapping[str, Step]] = {
    "check-out": Step(prepare=_nothing, act=Shop.check_out),
    "authorize": Step(prepare=Shop.add_vouchers, act=_authorize),
    "capture": Step(prepare=Shop.check_out, act=_capture, decides="capture"),
    "capture-late": Step(prepare=_check_out_and_wait, act=_capture, decides="capture"),
    "capture-at-once": Step(prepare=Shop.check_out, act=_capture, at_once=True, decides="capture"),
    "cancel-at-once": Step(prepare=Shop.check_out, act=_cancel, at_once=True, decides="cancel"),
    "cancel-authorized": Step(prepare=Shop.check_out, act=_cancel, decides="cancel"),
    "cancel-captured": Step(prepare=Shop.pay, act=_cancel, decides="cancel"),
    "refund": Step(prepare=Shop.pay, act=_refund, decides="refund", captured=HALF),
    "cancel-refunded": Step(prepare=_pay_and_refund, act=_cancel, captured=HALF, decides="cancel"),
    "supersede": Step(prepare=Shop.check_out, act=_change_cart, total=CHANGED_TOTAL, captured=CHANGED),
    "fall-short": Step(
        prepare=_check_out_and_spend,
        act=_capture,
        captured=WITHOUT_EVENT,
        cancelled=EVENT_SPENT,
        decides="short",
    ),
    "pay-short": Step(
        prepare=Shop.fall_short, act=Shop.pay_short, captured=WITHOUT_EVENT, cancelled=EVENT_SPENT, decides="capture"
    ),
    "cancel-short": Step(
        prepare=Shop.fall_short, act=_cancel, captured=WITHOUT_EVENT, cancelled=EVENT_SPENT, decides="cancel"
    ),
}
"""Every step, by its name."""

FOR_NOW: Final = (NotExecuted, OutcomeUnknown, OperationInProgress)
"""What may be over soon: the shop goes on later."""

CANCEL, CAPTURE, REPEAT, ABORT = "cancel", "capture", "repeat", "cancel at once"
WAYS: Final = (CANCEL, CAPTURE, REPEAT, ABORT)
"""How the shop goes on: `recover` runs first, and where nothing was decided, the shop cancels or captures; or the shop
repeats the step and then completes it; or it cancels before anything else, whatever was decided."""


def settle(world: PaymentWorld, order: Order, step: Step, way: str, *, with_person: bool = True) -> int:
    """Go on after a step that was interrupted, as a shop does, until the payment is over.

    Args:
        world: the vendors and the card.
        order: the order.
        step: the step.
        way: one of `WAYS`.
        with_person: whether a person decides what no reading can decide. Nobody can, while the worker only sleeps.

    Returns:
        how often a person had to decide.
    """
    with closing(world.gateway()) as gateway:
        shop = Shop(world, order, gateway, world.card(order))
        if way == REPEAT:
            with suppress(*FOR_NOW, PaymentShort):
                step.act(shop)
        elif way == ABORT and (payment := shop.current()) is not None:
            with suppress(*FOR_NOW):
                payment.cancel()
        _recover(shop)
        decided = 0
        for _ in range(4):
            if with_person:
                decided += decide_by_ledger(gateway, world, order)
            _recover(shop)
            with suppress(*(() if with_person else FOR_NOW)):
                if _complete(shop, step, way):
                    break
        return decided


def _is_former(payment: Any, step: Step) -> bool:
    """Whether it is the attempt before the cart was changed."""
    return payment.total != step.total and payment.state is not PaymentState.CANCELLING


def _recover(shop: Shop) -> None:
    shop.gateway.recover(everything=True)  # by cron, which has no card
    shop.gateway.recover(everything=True, other=shop.card)
    shop.world.lapse()
    for account in shop.world.vendors:
        shop.gateway.provider(account).check()  # the vendor's clock is known from its latest answer
    shop.gateway.recover(everything=True, other=shop.card)


def _complete(shop: Shop, step: Step, way: str) -> bool:
    """Decide what was not decided, and return whether the payment is over. What was decided, `recover` completes."""
    payment, gives_up = shop.current(), way in (CANCEL, ABORT)
    if payment is None or _is_former(payment, step):
        if not gives_up:
            payment = shop.check_out(step.total)
        elif payment is None:
            return True
    state = payment.state
    if state in (PaymentState.OPEN, PaymentState.AUTHORIZED):
        if gives_up:
            payment.cancel()
        elif not payment.legs or len(payment.legs) < 2:
            shop.pay(step.total)
        else:
            payment.authorize()
            _capture_or_pay_short(payment)
    elif state is PaymentState.SHORT:
        if gives_up:
            payment.cancel()
        else:
            _capture_or_pay_short(payment)
    elif state is PaymentState.CAPTURED and step.decides == "refund" and not gives_up:
        step.act(shop)
    elif state is PaymentState.CAPTURED and gives_up and (way == ABORT or step.decides != "capture"):
        payment.cancel()
    payment = shop.current()
    return payment is None or payment.state in (PaymentState.CAPTURED, PaymentState.CANCELLED)


def _capture_or_pay_short(payment: Any) -> None:
    if payment.state is not PaymentState.SHORT:
        with suppress(PaymentShort):
            payment.capture()
    if payment.state is PaymentState.SHORT:
        payment.capture(due=payment.due)


def check_books(world: PaymentWorld, order: Order, step: Step, way: str, *, lost: str = "") -> str:
    """Check that ledgers and books agree with the payment, and return its state in the end.

    Args:
        world: the vendors and the card.
        order: the order.
        step: the step.
        way: one of `WAYS`.
        lost: the account whose voucher may have been lost to another party, so that the card paid its part too.
    """
    with closing(world.gateway()) as gateway:
        attempts = list(gateway.payments(order=order.number))
        payment = gateway.find_payment(order.number)
    ids = tuple(attempt.id for attempt in attempts)
    taken = world.taken(order, ids) if ids else dict(step.cancelled)
    states = [f"{attempt.attempt} {attempt.state} {attempt.attention or ''}" for attempt in attempts]
    seen = f"order {order.number}: {states}: {taken}"
    state = PaymentState.CANCELLED if payment is None else payment.state
    if state is PaymentState.CAPTURED:
        assert way != ABORT, seen
        assert way != CANCEL or step.decides == "capture", seen
        without = {**step.captured, lost: Decimal(0), CARD: step.captured[CARD] + step.captured.get(lost, Decimal(0))}
        assert taken == dict(step.captured) or (lost and taken == without), seen
    else:
        assert state is PaymentState.CANCELLED, seen
        assert way in (CANCEL, ABORT) or step.decides == "cancel", seen
        assert taken == dict(step.cancelled), seen
    for attempt in attempts:
        assert attempt.state in (PaymentState.CAPTURED, PaymentState.CANCELLED), seen
        assert attempt.attention is None, seen
    assert [attempt.state for attempt in attempts].count(PaymentState.CAPTURED) <= 1, seen
    assert world.reserved(order) == 0, seen
    assert open_charges(world.charges(ids) if ids else []) == [], seen
    return str(state)
