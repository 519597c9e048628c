"""An audit of a journal stays clean after a prune and an erasure, and still finds what something else removed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from voucher_gateway import Money, NewVoucher
from voucher_gateway.instants import now
from voucher_gateway.journal.names import rename_account
from voucher_gateway.journal.schema import chains, events, facts, holds, operations, pruned, pruned_accounts, requests
from voucher_gateway.storage.engine import Database
from voucher_gateway.upkeep.forget import forget
from voucher_gateway.upkeep.prune import prune


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    shop = make_shop(either_url)
    _, code = shop.voucher("100.00")
    taken = shop.redeem(code, "2.00", reference="old", order="1001")
    shop.gateway.refund("shop", taken, eur("1"), reference="old-back")
    payment = shop.gateway.payment("1001", total=eur("3"))
    payment.add(code, account="shop")
    payment.authorize()
    payment.capture()
    sale = shop.gateway.sale("sold", "shop", NewVoucher(initial=eur("20")), order="1001")
    sale.fulfil()
    sale.delivered()
    shop.redeem(code, "2.00", reference="other", order="1002")
    assert shop.gateway.verify_journal().differences == ()
    return shop


def test_after_a_prune(shop: Shop) -> None:
    prune(shop.journal, now() + timedelta(days=2))
    report = shop.gateway.verify_journal()
    assert report.differences == ()
    with shop.journal.database.read() as connection:
        left = connection.execute(sa.select(events.c.kind)).scalars().all()
    assert {kind for kind in left if not kind.startswith("journal.")} == set(), "they went with what was removed"


def test_after_an_erasure(shop: Shop) -> None:
    forget(shop.journal, "1001")
    assert shop.gateway.verify_journal().differences == ()
    prune(shop.journal, now() + timedelta(days=2))
    assert shop.gateway.verify_journal().differences == ()


def test_an_operation_that_somebody_else_removed_is_found_after_a_prune(shop: Shop) -> None:
    _, code = shop.voucher()
    prune(shop.journal, now() + timedelta(days=2))
    shop.redeem(code, reference="new")
    with shop.journal.database.write() as connection:
        for table in (requests, holds, operations):
            connection.execute(sa.delete(table))
    assert len(shop.gateway.verify_journal().differences) > 0


def test_events_that_somebody_else_deleted_from_the_begin_are_found(shop: Shop) -> None:
    prune(shop.journal, now() + timedelta(days=2))
    _, code = shop.voucher()
    shop.redeem(code, reference="new")
    with shop.journal.database.write() as connection:
        first = connection.scalar(sa.select(sa.func.min(events.c.id)))
        connection.execute(sa.delete(events).where(events.c.id == first))
        connection.execute(sa.update(chains).values(first_number=chains.c.first_number + 1))
    assert len(shop.gateway.verify_journal().differences) > 0


@pytest.mark.parametrize(
    "change",
    [
        sa.update(pruned).where(pruned.c.amount == "2.00").values(amount="90.00"),
        sa.update(pruned).where(pruned.c.verb == "redeem").values(digest=sa.func.substr("f" + pruned.c.digest, 1, 32)),
        sa.update(pruned).where(pruned.c.verb == "redeem").values(seal="ü"),
        sa.update(pruned_accounts).values(key_id="other"),
        sa.update(pruned_accounts).where(pruned_accounts.c.account == "shop").values(account="another"),
        sa.update(pruned_accounts).where(pruned_accounts.c.account == "shop").values(host="another.example"),
    ],
)
def test_what_is_left_of_removed_rows_is_found_if_somebody_changed_it(shop: Shop, change: sa.Update) -> None:
    prune(shop.journal, now() + timedelta(days=2))
    with shop.journal.database.write() as connection:
        changed = connection.execute(change).rowcount
    report = shop.gateway.verify_journal()
    assert changed > 0
    assert {(difference.kind.value, difference.table) for difference in report.differences} == {("changed", "pruned")}


def test_a_removed_rest_of_removed_rows_is_found_also_after_the_next_prune(shop: Shop) -> None:
    _, code = shop.voucher()
    prune(shop.journal, now() + timedelta(days=2))
    with shop.journal.database.write() as connection:
        connection.execute(sa.delete(pruned).where(pruned.c.verb == "redeem"))
    shop.redeem(code, reference="another")
    prune(shop.journal, now() + timedelta(days=2))
    (difference,) = shop.gateway.verify_journal().differences
    assert (difference.kind.value, difference.table) == ("removed", "pruned")


def test_a_changed_number_of_them_is_not_counted_on(shop: Shop) -> None:
    _, code = shop.voucher()
    prune(shop.journal, now() + timedelta(days=2))
    with shop.journal.database.write() as connection:
        connection.execute(sa.update(facts).where(facts.c.name == "pruned-count").values(value="1:1:forged"))
    shop.redeem(code, reference="another")
    prune(shop.journal, now() + timedelta(days=2))
    (difference,) = shop.gateway.verify_journal().differences
    assert (difference.kind.value, difference.table) == ("changed", "pruned")


def test_the_rest_of_a_row_under_another_account_is_found(shop: Shop) -> None:
    prune(shop.journal, now() + timedelta(days=2))
    with shop.journal.database.write() as connection:
        first, second = connection.scalars(sa.select(pruned_accounts.c.id).order_by(pruned_accounts.c.id))
        connection.execute(sa.update(pruned).where(pruned.c.account_id == second).values(account_id=first))
    assert not shop.gateway.verify_journal().is_clean


def test_a_rest_whose_account_and_seal_were_removed_is_found(shop: Shop) -> None:
    prune(shop.journal, now() + timedelta(days=2))
    write_without_foreign_keys(shop.journal.database, "UPDATE voucher_gateway_pruned SET account_id = 999, seal = ''")
    assert {difference.table for difference in shop.gateway.verify_journal().differences} == {"pruned"}


def write_without_foreign_keys(database: Database, statement: str) -> None:
    """Change rows as somebody who owns the database can."""
    if database.path is not None:
        with closing(sqlite3.connect(database.path)) as own, own:  # SQLite checks them only where it is told to
            own.execute(statement)
        return
    with database.write() as connection:
        connection.execute(
            sa.text("ALTER TABLE voucher_gateway_pruned DROP CONSTRAINT fk_voucher_gateway_pruned_account_id")
        )
        connection.execute(sa.text(statement))


def test_a_renamed_account_of_removed_rows_is_clean_and_a_changed_one_stays_changed(shop: Shop) -> None:
    prune(shop.journal, now() + timedelta(days=2))
    place = {"provider": "jtl", "host": shop.provider().host, "login": shop.provider().login or ""}
    with shop.journal.database.write() as connection:
        rename_account(connection, shop.journal.keys, ["shop"], "store", place)
    assert shop.gateway.verify_journal().differences == ()
    with shop.journal.database.write() as connection:
        connection.execute(sa.update(pruned_accounts).values(account="another"))
        rename_account(connection, shop.journal.keys, ["another"], "store", place)
    assert {difference.table for difference in shop.gateway.verify_journal().differences} == {"pruned"}
