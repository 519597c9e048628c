"""Every fault of the vendors and of the card at every request of a payment: nothing twice, and no wrong report."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final

import pytest

from docs.examples.card_processor.app import FAULTS as CARD_FAULTS
from docs.examples.card_processor.client import CardUnknown
from tests.payment_crash.findings import Findings
from tests.payment_crash.processes import prepare
from tests.payment_crash.steps import CAPTURE, STEPS, WAYS, Shop, Step, check_books, settle
from tests.payment_crash.world import CARD, EVENTS, SHOP, Order, PaymentWorld
from voucher_gateway import PaymentDeclined, VoucherGatewayError
from voucher_gateway.testing.harness.fault_injection import LAGGING
from voucher_gateway.testing.harness.vendor import IMPATIENT

LASTING: Final = frozenset({LAGGING, "clock-skew", "insert-while-paging"})
"""Faults that do not meet one request, but hold from it on."""

REPEATED: Final = 12
"""How many requests in a row meet a fault that goes on until the step is over."""

CARD_REFUSES: Final = {("declined", "void"), ("declined", "refund")}
"""What another test tries: nothing can be done about a void or a refund that is surely refused."""


def _act(world: PaymentWorld, order: Order, step: Step) -> Exception | None:
    """Take a step with an impatient gateway, and return its error."""
    with closing(world.gateway(**{key: IMPATIENT[key] for key in ("read_timeout_s", "total_timeout_s")})) as gateway:
        try:
            step.act(Shop(world, order, gateway, world.card(order, timeout_s=0.1)))
        except (VoucherGatewayError, CardUnknown) as error:
            return error
    return None


_MAY_LOSE_A_LEG = ("clock-skew", "replace-reservation")
"""Faults after which a reservation is not ours any more, or looks ended: the card may pay the part of that leg."""


def _ids(world: PaymentWorld, order: Order) -> tuple[str, ...]:
    with closing(world.gateway()) as gateway:
        return tuple(record.id for record in gateway.payments(order=order.number))


def _try(
    world: PaymentWorld, name: str, way: str, inject: Callable[[], None], seen: Counter[str], *, lost: str = ""
) -> None:
    step = STEPS[name]
    order = prepare(world, step)
    ids = _ids(world, order)
    before = world.taken(order, ids or ("none",))
    inject()
    try:
        error = _act(world, order, step)
        world.clear_faults()
        seen["no error" if error is None else type(error).__name__] += 1
        if isinstance(error, PaymentDeclined):
            assert world.taken(order, _ids(world, order)) == before, f"declined, and something moved: {error}"
        seen["decided by a person"] += settle(world, order, step, way)
        check_books(world, order, step, way, lost=lost)
    finally:
        world.clear_faults()


def _requests_of(world: PaymentWorld, step: Step, account: str) -> int:
    order = prepare(world, step)
    before = len(world.vendors[account].request_lines)
    _act(world, order, step)
    return len(world.vendors[account].request_lines) - before


def _card_calls_of(world: PaymentWorld, step: Step) -> list[str]:
    order = prepare(world, step)
    before = len(world.processor.requests())
    _act(world, order, step)
    return sorted({request["operation"] for request in world.processor.requests()[before:]})


def _inject(world: PaymentWorld, account: str, fault: str, at: int, *, lasting: bool) -> None:
    vendor = world.vendors[account]
    if fault in LASTING:
        options: dict[str, Any] = {"lag_s": 1e6} if fault == LAGGING else {}
        vendor.inject(fault, times=0, after=at, **options)
        return
    for number in range(REPEATED if lasting else 1):
        vendor.inject_fault(fault, at + number)


def try_vendor_faults(
    world: PaymentWorld, name: str, account: str, faults: Sequence[str], forms: Sequence[bool]
) -> Findings:
    """Try faults at each request of a step; the ways in which the shop goes on take turns."""
    findings = Findings()
    ways = itertools.cycle(WAYS)
    for at in range(_requests_of(world, STEPS[name], account)):
        for fault, lasting in itertools.product(faults, forms):
            way = next(ways)
            end = " and all later ones" if lasting else ""
            with findings.case(f"{name} with {fault} at request {at}{end} of {account}, then {way}"):
                inject = partial(_inject, world, account, fault, at, lasting=lasting)
                _try(world, name, way, inject, findings.seen, lost=account if fault in _MAY_LOSE_A_LEG else "")
    return findings


def try_card_faults(
    world: PaymentWorld,
    name: str,
    faults: Sequence[str],
    ways: Sequence[str] = WAYS,
) -> Findings:
    """Try faults at each call of the card in a step, once and again and again."""
    findings = Findings()
    for fault, call, times, way in itertools.product(faults, _card_calls_of(world, STEPS[name]), (1, REPEATED), ways):
        if (fault, call) in CARD_REFUSES:
            continue
        with findings.case(f"{name} with {fault} at {times} requests of the card's {call}, then {way}"):
            inject = partial(world.processor.arm, fault, call, times=times)
            _try(world, name, way, inject, findings.seen)
    return findings


def test_lost_replies_of_a_vendor_lead_to_a_payment_that_ends_right(
    make_world: Callable[[str], PaymentWorld], sqlite_url: str
) -> None:
    world = make_world(sqlite_url)
    try_vendor_faults(world, "capture", SHOP, ["commit-then-drop"], [True]).check(least=2)


def test_a_card_that_does_not_answer_leads_to_a_payment_that_ends_right(
    make_world: Callable[[str], PaymentWorld], sqlite_url: str
) -> None:
    world = make_world(sqlite_url)
    try_card_faults(world, "capture", ["reset-after"], [CAPTURE]).check(least=2)


@pytest.mark.slow
@pytest.mark.parametrize("account", [SHOP, EVENTS])
@pytest.mark.parametrize("name", STEPS)
def test_every_fault_of_a_vendor_leads_to_a_payment_that_ends_right(
    name: str,
    account: str,
    make_world: Callable[[str], PaymentWorld],
    sqlite_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = make_world(sqlite_url)
    findings = try_vendor_faults(world, name, account, sorted(world.vendors[account].faults), [False, True])
    with capsys.disabled():
        print(f"\n{name} with faults of {account}: {findings}", end="")  # noqa: T201 - for readers
    findings.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STEPS if name != "fall-short"])  # which ends before the card
def test_every_fault_of_the_card_leads_to_a_payment_that_ends_right(
    name: str, make_world: Callable[[str], PaymentWorld], sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = try_card_faults(make_world(sqlite_url), name, sorted(CARD_FAULTS))
    with capsys.disabled():
        print(f"\n{name} with faults of the {CARD}: {findings}", end="")  # noqa: T201 - for readers
    findings.check()
