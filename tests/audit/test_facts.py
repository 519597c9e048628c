"""Facts of the journal that were changed or removed by hand are found by the events that tell of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from voucher_gateway.instants import now
from voucher_gateway.journal.backup import import_missing_movements, mark_restored
from voucher_gateway.journal.resolution_queries import note_changed_reference
from voucher_gateway.journal.schema import facts, pruned
from voucher_gateway.upkeep.prune import prune


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    """A shop whose journal was pruned and restored, at a vendor that changes references."""
    shop = make_shop(either_url)
    redeem_and_prune(shop, "first")
    mark_restored(shop.journal)
    import_missing_movements(shop.journal, [])
    note_changed_reference(shop.journal, provider="jtl", host="vendor.example", login=None)
    note_changed_reference(shop.journal, provider="jtl", host="vendor.example", login=None)
    assert shop.gateway.verify_journal().differences == ()
    return shop


def redeem_and_prune(shop: Shop, reference: str) -> None:
    """Redeem, and prune that. The event of the prune stays, as it does where only old rows are pruned."""
    _, code = shop.voucher()
    shop.redeem(code, reference=reference)
    time.sleep(0.002)
    assert prune(shop.journal, now()).operations == 1


def named(shop: Shop) -> list[tuple[str, str, str]]:
    report = shop.gateway.verify_journal()
    return [(difference.kind.value, difference.table, difference.id) for difference in report.differences]


def set_fact(shop: Shop, name: str, value: str | None) -> None:
    of_name = facts.c.name.startswith(name)
    with shop.journal.database.write() as connection:
        if value is None:
            connection.execute(sa.delete(facts).where(of_name))
        else:
            connection.execute(sa.update(facts).where(of_name).values(value=value))


@pytest.mark.parametrize("name", ["restored-at", "pruned-before"])
def test_a_changed_or_removed_moment_is_named(shop: Shop, name: str) -> None:
    set_fact(shop, name, "2001-01-01T00:00:00.000000Z")
    assert named(shop) == [("changed", "facts", name)]

    set_fact(shop, name, None)

    assert named(shop) == [("removed", "facts", name)]


def test_a_restoration_that_was_written_by_hand_is_named(make_shop: Callable[..., Shop], either_url: str) -> None:
    shop = make_shop(either_url)
    with shop.journal.database.write() as connection:
        connection.execute(sa.insert(facts), {"name": "restored-at", "value": "2001-01-01T00:00:00.000000Z"})

    assert named(shop) == [("inserted", "facts", "restored-at")]


def test_a_removed_note_that_a_vendor_changes_references_is_counted(shop: Shop) -> None:
    set_fact(shop, "changes-ref:", None)

    assert named(shop) == [("removed", "references", "count")]


def test_an_older_number_of_removed_references_with_the_rows_of_that_time_is_found(shop: Shop) -> None:
    with shop.journal.database.read() as connection:
        older = connection.scalar(sa.select(facts.c.value).where(facts.c.name == "pruned-count"))
        known = list(connection.scalars(sa.select(pruned.c.digest)))
    redeem_and_prune(shop, "another")
    assert named(shop) == []

    set_fact(shop, "pruned-count", older)
    with shop.journal.database.write() as connection:
        connection.execute(sa.delete(pruned).where(pruned.c.digest.not_in(known)))

    assert named(shop) == [("removed", "pruned", "count")]
