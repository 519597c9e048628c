"""What happens on one Black Friday: orders, vouchers and disturbances, drawn from a seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import attrs

from voucher_gateway import AllocationOrder

ACCOUNTS: Final = ("shop", "events", "cafe", "own")
"""The accounts: JTL, ticketing, Square, and vouchers of our own."""

VENDORS: Final = ("shop", "events", "cafe")
"""The accounts whose vendors speak HTTP, so that faults can be injected."""

PATHS: Final = {
    "pay": 58,
    "double-click": 8,
    "abandon-open": 5,
    "abandon-authorized": 6,
    "change-cart": 6,
    "cancel-authorized": 5,
    "cancel-captured": 6,
    "race-cancel": 6,
}
"""What the customer of an order does, and how often."""

TWO_WORKERS: Final = ("double-click", "race-cancel")
"""Paths on which two workers have the order at the same moment."""

CARDS: Final = {"tok_good": 82, "tok_declined": 6, "tok_capture_declined": 6, "tok_3ds": 6}
STRATEGIES: Final = ("proportional", "vouchers-first", "other-first")
ALLOCATIONS: Final = tuple(AllocationOrder)

ONCE: Final = (
    "drop-before",
    "reset-before",
    "commit-then-drop",
    "commit-then-reset",
    "error-before",
    "error-after-commit",
    "rate-limit",
    "truncate",
    "html-error",
    "deliver-late",
)
"""Faults of vendors that meet single requests."""

LOST_REPLY: Final = "commit-then-drop"
OUTAGE: Final = "error-before"
CARD_FAULTS: Final = (
    "time-out-before",
    "time-out-after",
    "error-before",
    "error-after",
    "reset-before",
    "reset-after",
    "declined",
    "rate-limit",
    "late",
)

DECLINABLE: Final = ("authorize", "capture", "refund")
"""The operations of the card that it may decline. It declines a void only where it has nothing to give up."""

_CENT: Final = Decimal("0.01")
_PARTS: Final = (Decimal("0.1"), Decimal("0.25"), Decimal("0.5"))


@attrs.frozen
class VoucherPlan:
    """A voucher that a customer has.

    Attributes:
        account: the account.
        amount: its value.
    """

    account: str
    amount: Decimal


@attrs.frozen(kw_only=True)
class OrderPlan:
    """One order, and what its customer does.

    Attributes:
        number: the order number.
        total: what it costs.
        changed_total: what it costs after the cart was changed.
        vouchers: the numbers of its vouchers, each with a limit or None.
        path: a key of `PATHS`.
        card: the token of its card.
        at_once: whether the card's money is taken when it is authorized.
        allocation: in which order the vouchers pay.
        returns: the parts of the total that come back, each with the strategy.
        guesses: how many wrong codes the customer tries first.
        kill_at: the number of the point at which the worker is killed, or None.
        retries: whether the shop starts the order again after that, or leaves it to its nightly run.
        pays_short: whether the customer pays what a lost voucher leaves open, or gives up.
        workers: the workers that have the order.
    """

    number: str
    total: Decimal
    changed_total: Decimal
    vouchers: tuple[tuple[int, Decimal | None], ...]
    path: str
    card: str
    at_once: bool
    allocation: AllocationOrder
    returns: tuple[tuple[Decimal, str], ...]
    guesses: int
    kill_at: int | None
    retries: bool
    pays_short: bool
    workers: tuple[int, ...]

    @property
    def abandoned(self) -> bool:
        """Whether the customer leaves before paying."""
        return self.path.startswith("abandon") or self.path == "cancel-authorized"


@attrs.frozen(kw_only=True)
class Disturbance:
    """Something that goes wrong once so many orders were taken up.

    Attributes:
        at: the number of orders.
        kind: fault, lost-replies, outage, repaired, clock, or card-fault.
        account: the account; empty for the card.
        name: the fault's name.
        operation: the operation of the card that meets it; * for each.
        times: how many requests meet it.
        seconds: by how much a clock jumps.
    """

    at: int
    kind: str
    account: str = ""
    name: str = ""
    operation: str = "*"
    times: int = 1
    seconds: float = 0.0


@attrs.frozen
class Plan:
    """One Black Friday.

    Attributes:
        seed: what it was drawn from.
        vouchers: all vouchers.
        orders: all orders.
        disturbances: what goes wrong, in order.
    """

    seed: int
    vouchers: tuple[VoucherPlan, ...]
    orders: tuple[OrderPlan, ...]
    disturbances: tuple[Disturbance, ...]


def make_plan(seed: int, orders: int, processes: int) -> Plan:
    """Draw a plan. The same arguments give the same plan."""
    draw = random.Random(f"black friday {seed}")
    vouchers = tuple(VoucherPlan(draw.choice(ACCOUNTS), _amount(draw, 500, 9000)) for _ in range(max(4, orders)))
    popular = draw.sample(range(len(vouchers)), max(1, len(vouchers) // 25))
    planned = tuple(_order(draw, number, len(vouchers), popular, processes) for number in range(1, orders + 1))
    return Plan(seed, vouchers, planned, tuple(sorted(_disturbances(draw, orders), key=_position)))


def _position(disturbance: Disturbance) -> int:
    return disturbance.at


def _amount(draw: random.Random, least: int, most: int) -> Decimal:
    return Decimal(draw.randint(least, most)) * _CENT


def _weighted(draw: random.Random, weights: dict[str, int]) -> str:
    return draw.choices(list(weights), list(weights.values()))[0]


def _voucher(draw: random.Random, vouchers: int, popular: list[int]) -> int:
    """Return the number of a voucher: now and then one that many customers share."""
    return draw.choice(popular) if draw.random() < 0.2 else draw.randrange(vouchers)


def _order(draw: random.Random, number: int, vouchers: int, popular: list[int], processes: int) -> OrderPlan:
    total = _amount(draw, 300, 15000)
    path = _weighted(draw, PATHS)
    chosen = [_voucher(draw, vouchers, popular) for _ in range(draw.randint(0, 3))]
    limits = [_amount(draw, 100, 3000) if draw.random() < 0.2 else None for _ in chosen]
    parts = [draw.choice(_PARTS) for _ in range(draw.choice((0, 0, 0, 1, 2)))]
    first = number % processes
    second = (first + draw.randrange(1, processes)) % processes if processes > 1 else first
    return OrderPlan(
        number=f"{number}",
        total=total,
        changed_total=total + _amount(draw, 1, 500),
        vouchers=tuple(zip(dict.fromkeys(chosen), limits, strict=False)),
        path=path,
        card=_weighted(draw, CARDS),
        at_once=draw.random() < 0.1,
        allocation=draw.choice(ALLOCATIONS),
        returns=tuple(((part * total).quantize(_CENT), draw.choice(STRATEGIES)) for part in parts),
        guesses=draw.choice((0, 0, 0, 0, 0, 0, 0, 3)),
        kill_at=draw.randrange(120) if draw.random() < 0.05 else None,
        retries=draw.random() < 0.5,
        pays_short=draw.random() < 0.5,
        workers=(first, second) if path in TWO_WORKERS and second != first else (first,),
    )


def _disturbances(draw: random.Random, orders: int) -> Iterator[Disturbance]:
    for at in range(orders):
        if draw.random() < 0.10:
            account, name = draw.choice(VENDORS), draw.choice(ONCE)
            yield Disturbance(at=at, kind="fault", account=account, name=name, times=draw.randint(1, 3))
        if draw.random() < 0.05:
            name, operation = draw.choice(CARD_FAULTS), draw.choice(DECLINABLE)
            operation = operation if name == "declined" else "*"
            yield Disturbance(at=at, kind="card-fault", name=name, operation=operation, times=draw.randint(1, 2))
        if draw.random() < 0.01:
            yield Disturbance(at=at, kind="lost-replies", account=draw.choice(VENDORS), name=LOST_REPLY, times=10)
        if draw.random() < 0.01:
            yield Disturbance(at=at, kind="clock", account="shop", seconds=draw.uniform(300, 2400))
    for _ in range(max(1, orders // 250)):
        at, account = draw.randrange(orders), draw.choice(VENDORS)
        yield Disturbance(at=at, kind="outage", account=account, name=OUTAGE, times=0)
        yield Disturbance(at=min(at + draw.randint(3, 15), orders), kind="repaired", account=account)
