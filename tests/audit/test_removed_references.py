"""What a removed row of an operation leads to, and what then keeps a repeated call from being sent again."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from voucher_gateway import Money
from voucher_gateway.instants import now
from voucher_gateway.journal.backup import import_missing_movements, mark_restored
from voucher_gateway.journal.schema import holds, operations, pruned, requests
from voucher_gateway.upkeep.prune import prune


@pytest.mark.parametrize("is_pruned", [False, True])
def test_a_repeated_call_whose_row_was_removed_is_recognised_after_an_import(
    make_shop: Callable[..., Shop], either_url: str, is_pruned: bool
) -> None:
    shop = make_shop(either_url)
    voucher_id, code = shop.voucher("50.00")
    shop.redeem(code, "10.00")
    if is_pruned:
        time.sleep(0.002)
        assert prune(shop.journal, now()).operations == 1
    with shop.journal.database.write() as connection:
        for table in (pruned,) if is_pruned else (requests, holds, operations):
            connection.execute(sa.delete(table))
    (difference,) = [
        difference for difference in shop.gateway.verify_journal().differences if difference.kind.value == "removed"
    ]
    assert "run `recover --after-restore`" in difference.explanation

    mark_restored(shop.journal)
    import_missing_movements(shop.journal, [shop.provider()])
    repeated = shop.another_gateway()
    result = repeated.redeem("shop", code, Money("10.00", "EUR"), reference="1001-a")

    assert result.replayed
    assert shop.charges() == 1
    assert shop.remaining(voucher_id) == "40.00"
