"""Certificates of migrations between two simulated vendors."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from tests.migration.run.conftest import make_pair as make_pair
from tests.migration.run.vendor_pair import ANYTHING, VendorPair
from tests.support.ledger import Ledger, LedgerVoucher
from voucher_gateway.migration import Action, PlannedVoucher, Policy, Recode, read_vouchers
from voucher_gateway.money import Money
from voucher_gateway.provider_api import NewVoucher

KEEPING_CODES: Policy = attrs.evolve(
    ANYTHING, inactive=Action.SKIP, code_unfit=Recode.REFUSE, accept=frozenset(ANYTHING.accept)
)


@attrs.frozen
class EventfulMove:
    """A move during which customers and vendors did what they do.

    Attributes:
        pair: both vendors.
        before: the ledger of the source when the plan was made, by code.
        spent_before: what a customer spent at the source between the plan and the run.
        sold: what the source issued between the plan and the run.
        spent_after: what a customer spent at the target after the run.
        in_doubt: the code whose creation was cut off.
    """

    pair: VendorPair
    before: dict[str, LedgerVoucher]
    spent_before: Money
    sold: Money
    spent_after: Money
    in_doubt: str


@pytest.fixture
def pair(make_pair: Callable[..., VendorPair]) -> VendorPair:
    """From JTL to the ticketing vendor."""
    return make_pair(vouchers=24)


@pytest.fixture
def eventful_move(make_pair: Callable[..., VendorPair], either_url: str) -> EventfulMove:
    """A purchase and a sale before the run, a creation that is cut off, and a purchase after the run."""
    pair = make_pair(vouchers=24, url=either_url)
    pair.plan(KEEPING_CODES)
    before = Ledger(pair.source).vouchers()
    spent_before, sold, spent_after = Money("1.25", "EUR"), Money("7.77", "EUR"), Money("2.50", "EUR")
    first, second = carried_with_value(pair)[:2]
    seen = pair.gateway.get("source", first.source_id, secrets=True)
    assert seen.code is not None
    pair.gateway.redeem("source", seen.code, spent_before, seen.pin, reference="purchase-1")
    pair.gateway.issue("source", NewVoucher(initial=sold), reference="sale-1", order="1")
    pair.run(limit=3, by="Ann")
    pair.target.inject("drop-before", "POST /api/vouchers", times=1)
    assert pair.run(by="Ben").in_doubt == 1
    there = pair.gateway.find_moved("source", second.source_id)
    assert there is not None
    assert there.to_voucher_id is not None
    moved = pair.gateway.get("target", there.to_voucher_id, secrets=True)
    assert moved.code is not None
    pair.gateway.redeem("target", moved.code, spent_after, moved.pin, reference="purchase-2")
    carried = {Ledger(pair.source).codes()[planned.source_id] for planned in carried_with_value(pair, least=0)}
    at_target = set(Ledger(pair.target).vouchers())
    changed = seen.code.reveal()
    (in_doubt,) = carried - at_target - {changed}
    return EventfulMove(pair, before, spent_before, sold, spent_after, in_doubt)


def carried_with_value(pair: VendorPair, least: int = 5) -> list[PlannedVoucher]:
    """Return the vouchers that are carried and have at least this value."""
    return [
        planned
        for planned in read_vouchers(pair.path)
        if planned.action is Action.CARRY and planned.remaining is not None and planned.remaining.amount >= least
    ]
