"""How large a journal is, and how far it reaches back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.support.shop import Shop
from voucher_gateway.instants import now
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.upkeep.prune import prune


def test_the_status_counts_the_rows_and_says_what_was_removed(make_shop: Callable[..., Shop], either_url: str) -> None:
    shop = make_shop(either_url)
    empty = shop.gateway.journal_status()
    assert (empty.rows["operations"], empty.oldest, empty.newest, empty.pruned_before) == (0, None, None, None)
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a")
    shop.redeem(code, reference="1001-b")
    status = shop.gateway.journal_status()
    assert (status.rows["operations"], status.rows["requests"], status.rows["removed"]) == (2, 4, 0)
    assert status.oldest is not None
    assert status.newest is not None
    assert status.oldest < status.newest
    assert status.size > 100_000
    assert [state.needs_upgrade for state in status.schemas] == [False]
    before = now() + timedelta(days=2)
    prune(shop.journal, before)
    status = shop.gateway.journal_status()
    assert (status.rows["operations"], status.rows["removed"], status.pruned_before) == (0, 2, before)
    assert (status.free is None) == either_url.startswith("postgresql")


def test_a_prune_that_removes_nothing_does_not_say_that_something_may_be_missing(
    make_shop: Callable[..., Shop], either_url: str
) -> None:
    shop = make_shop(either_url)
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a")
    prune(shop.journal, now() - timedelta(days=400))
    assert shop.gateway.journal_status().pruned_before is None
    assert reconcile(shop.gateway, "shop").pruned_before is None
