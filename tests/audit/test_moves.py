"""Where vouchers went cannot be written by hand: no refund follows such a row, and the audit names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from voucher_gateway import ConfigurationError, Money
from voucher_gateway.journal.moves import claim_moves, complete_moves, find_moved, move_chain, rename_moves
from voucher_gateway.journal.schema import moved

FIVE = Money("5.00", "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    """A shop one of whose vouchers went from the account old to the account shop."""
    shop = make_shop(either_url)
    with shop.journal.database.write() as connection:
        claim_moves(connection, shop.journal.keys, "old", ["a", "b"], "plan")
        complete_moves(connection, shop.journal.keys, "old", "shop", [("a", "4711")], "plan")
    assert shop.gateway.verify_journal().differences == ()
    return shop


def edit(shop: Shop, change: sa.Update | sa.Insert) -> None:
    with shop.journal.database.write() as connection:
        connection.execute(change)


def named(shop: Shop) -> list[tuple[str, str, str]]:
    report = shop.gateway.verify_journal()
    return [(difference.kind.value, difference.table, difference.id) for difference in report.differences]


def test_a_refund_does_not_go_where_a_row_says_that_was_inserted_by_hand(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    other_id, _ = shop.voucher()
    redemption = shop.redeem(code)
    row = {"account": "shop", "voucher_id": voucher_id, "to_account": "shop", "to_voucher_id": other_id}
    row |= {"plan_id": "plan", "moved_at": "2026-01-01T00:00:00.000000Z", "key_id": "1", "seal": "0" * 16}
    edit(shop, sa.insert(moved).values(row))
    sent = shop.changes()

    with pytest.raises(ConfigurationError, match="not as this library wrote it"):
        shop.gateway.refund("shop", redemption, FIVE, reference="back")

    assert shop.changes() == sent
    assert named(shop) == [("changed", "moved", voucher_id), ("inserted", "moved", "count")]


@pytest.mark.parametrize(
    "column", ["account", "voucher_id", "to_account", "to_voucher_id", "plan_id", "moved_at", "key_id", "seal"]
)
def test_a_changed_row_is_named(shop: Shop, column: str) -> None:
    edit(shop, sa.update(moved).where(moved.c.voucher_id == "a").values({column: "c"}))
    assert named(shop) == [("changed", "moved", "c" if column == "voucher_id" else "a")]


def test_the_seal_of_another_row_does_not_fit(shop: Shop) -> None:
    seal = sa.select(moved.c.seal).where(moved.c.voucher_id == "b").scalar_subquery()
    edit(shop, sa.update(moved).where(moved.c.voucher_id == "a").values(seal=seal))
    assert named(shop) == [("changed", "moved", "a")]


def test_a_renamed_account_keeps_its_moves_and_a_changed_one_stays_changed(shop: Shop) -> None:
    edit(shop, sa.update(moved).where(moved.c.voucher_id == "b").values(plan_id="another"))
    with shop.journal.database.write() as connection:
        for former, name in (("old", "older"), ("shop", "store")):
            rename_moves(connection, shop.journal.keys, former, name)
        (move,) = move_chain(connection, shop.journal.keys, "older", "a")
        assert (move.to_account, move.to_voucher_id) == ("store", "4711")
        with pytest.raises(ConfigurationError):
            find_moved(connection, shop.journal.keys, "older", "b")
    assert named(shop) == [("changed", "moved", "b")]
