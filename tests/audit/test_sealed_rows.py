"""Names and pauses of accounts, places of feeds, imported movements and moves: an edit by hand is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from tests.support.simulators import JOURNAL_KEYS
from voucher_gateway.audit.report import DifferenceLog
from voucher_gateway.audit.sealed_rows import verify_sealed_rows
from voucher_gateway.audit.verify import verify_journal
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.keys.row_seals import MOVED, SEALED_TABLES, SealedTable
from voucher_gateway.journal.moves import claim_moves, complete_moves
from voucher_gateway.journal.names import rename_account
from voucher_gateway.journal.schema import facts
from voucher_gateway.models.results import Movement
from voucher_gateway.models.voucher import MovementKind
from voucher_gateway.money import Money
from voucher_gateway.setting_types import SecretSource

AT: Final = datetime(2031, 5, 4, tzinfo=UTC)
BY_NAME: Final = {table.name: table for table in SEALED_TABLES}
OTHER_VALUES: Final = {"currency": "USD", "transaction_id": 7, "event_id": 7, "everything": True, "pending": True}


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    """A shop whose journal has rows in each of these tables."""
    shop = make_shop(either_url)
    journal = shop.journal
    _, code = shop.voucher()
    shop.redeem(code)
    journal.pauses.pause("till", duration=timedelta(hours=1), reason="closed", by="mara")
    journal.pauses.pause("kiosk")
    with shop.gateway.event_feed("warehouse") as feed:
        for _ in feed:
            feed.commit()
    with journal.database.write() as connection:
        claim_moves(connection, journal.keys, "old", ["a", "b"], "plan")
        complete_moves(connection, journal.keys, "old", "shop", [("a", "4711")], "plan")
        journal.restoration.import_movements(
            connection, journal.keys, "shop", "vendor.example", [movement("1"), movement("2")]
        )
    assert shop.gateway.verify_journal().differences == ()
    return shop


def movement(number: str) -> Movement:
    """Return a movement that a restored journal does not know."""
    return Movement(
        account="shop",
        id=number,
        voucher_id=f"voucher-{number}",
        kind=MovementKind.REDEMPTION,
        money=Money(10, "EUR"),
        reference=f"1001~0000000000000{number}.1.1",
        created_at=AT,
    )


def edit(shop: Shop, change: Any) -> None:
    with shop.journal.database.write() as connection:
        assert connection.execute(change).rowcount != 0


def named(shop: Shop) -> list[tuple[str, str]]:
    log, counts = DifferenceLog(), list[int]()
    verify_sealed_rows(shop.journal, log, counts.append)
    return [(difference.kind.value, difference.table) for difference in log.differences]


def one_row(shop: Shop, table: SealedTable) -> tuple[dict[str, Any], sa.ColumnElement[bool]]:
    """Return a row of a table, and a condition that it meets alone."""
    with shop.journal.database.read() as connection:
        row = dict(connection.execute(sa.select(table.table).limit(1)).mappings().one())
    return row, sa.and_(*[column == row[column.name] for column in table.table.primary_key.columns])


def test_a_changed_column_is_named(shop: Shop) -> None:
    for table in SEALED_TABLES:
        row, is_row = one_row(shop, table)
        for column in (*table.columns, "key_id", "seal"):
            other = OTHER_VALUES.get(column, "other")
            edit(shop, sa.update(table.table).where(is_row).values({column: other}))
            is_edited = is_row if column not in table.table.primary_key.columns else table.table.c[column] == other
            assert named(shop) == [("changed", table.name)], column
            edit(shop, sa.update(table.table).where(is_edited).values(row))
    assert named(shop) == []


def test_a_removed_row_is_counted(shop: Shop) -> None:
    for table in SEALED_TABLES:
        row, is_row = one_row(shop, table)
        edit(shop, sa.delete(table.table).where(is_row))

        (difference,) = shop.gateway.verify_journal().differences

        assert (difference.kind.value, difference.table) == ("removed", table.name)
        assert difference.explanation.startswith("1 of ")
        edit(shop, sa.insert(table.table).values(row))


def test_an_inserted_row_is_named_and_counted(shop: Shop) -> None:
    for table in SEALED_TABLES:
        row, _ = one_row(shop, table)
        for column in (*table.table.primary_key.columns, *[c for c in table.table.c if c.name == "wire_reference"]):
            row[column.name] = row[column.name] + 100 if column.name == "id" else "another"
        edit(shop, sa.insert(table.table).values(row))

        assert named(shop) == [("changed", table.name), ("inserted", table.name)]
        is_inserted = sa.and_(*[column == row[column.name] for column in table.table.primary_key.columns])
        edit(shop, sa.delete(table.table).where(is_inserted))


def test_a_number_of_rows_that_was_removed_or_written_by_hand_is_named(shop: Shop) -> None:
    for table in SEALED_TABLES:
        edit(shop, sa.update(facts).where(facts.c.name == f"{table.name}-count").values(value="1:1:forged"))
    assert named(shop) == [("changed", table.name) for table in SEALED_TABLES]

    for table in SEALED_TABLES:
        edit(shop, sa.delete(table.table))
        edit(shop, sa.delete(facts).where(facts.c.name == f"{table.name}-count"))

    assert named(shop) == [("changed", table.name) for table in SEALED_TABLES]


def test_nothing_is_missed_at_the_ends_of_batches(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.audit.sealed_rows._BATCH", 1)
    assert named(shop) == []
    edit(shop, sa.update(MOVED.table).values(plan_id="another"))

    assert named(shop) == [("changed", "moved")] * 2


def test_a_removed_name_of_an_account_is_told_by_its_operations(shop: Shop) -> None:
    edit(shop, sa.delete(BY_NAME["accounts"].table))

    (difference,) = shop.gateway.verify_journal().differences

    assert difference.explanation.startswith("1 of 1 rows of voucher_gateway_accounts are not there any more (shop):")


def test_a_process_that_starts_later_does_not_hide_a_removed_number(shop: Shop) -> None:
    edit(shop, sa.delete(facts).where(facts.c.name == "adopted-count"))

    shop.another_gateway()

    assert named(shop) == [("changed", "adopted")]


def test_a_renamed_account_keeps_all_of_it_clean(shop: Shop) -> None:
    place = {"provider": "jtl", "host": shop.provider().host, "login": shop.provider().login or ""}
    journal = shop.journal
    for former, name in (("shop", "store"), ("till", "store"), ("kiosk", "store")):
        with journal.database.write() as connection:
            rename_account(connection, journal.keys, [former], name, place)

    assert named(shop) == []


@pytest.mark.parametrize("name", ["accounts", "pauses"])
def test_a_renamed_account_does_not_hide_that_a_row_was_changed(shop: Shop, name: str) -> None:
    place = {"provider": "jtl", "host": shop.provider().host, "login": shop.provider().login or ""}
    column = {"accounts": "known_as", "pauses": "reason"}[name]
    edit(shop, sa.update(BY_NAME[name].table).values({column: "forged"}))

    with shop.journal.database.write() as connection:
        rename_account(connection, shop.journal.keys, ["shop"], "store", place)
        rename_account(connection, shop.journal.keys, ["till"], "desk", place)

    assert ("changed", name) in named(shop)


def test_rows_of_a_former_key_stay_clean_and_so_do_later_ones(shop: Shop) -> None:
    later = shop.another_gateway({**JOURNAL_KEYS, "2": "a-second-key-for-these-tests"})
    assert later.journal is not None
    later.journal.pauses.pause("desk")
    later.journal.pauses.resume("kiosk")
    with later.event_feed("warehouse") as feed:
        for _ in feed:
            feed.commit()

    assert later.verify_journal().differences == ()


def test_the_numbers_are_sealed_again_under_a_later_key_so_that_the_former_one_can_go(either_url: str) -> None:
    first, second = ({"1": SecretSource.of("a-key-for-these-tests")}, {"2": SecretSource.of("a-second-key-of-these")})
    open_journal(either_url, first).close()
    open_journal(either_url, {**first, **second}).close()
    with closing(open_journal(either_url, second)) as journal:
        journal.pauses.pause("till")
        assert verify_journal(journal).differences == ()


def test_a_key_that_is_exchanged_before_there_is_anything_counts_from_then_on(either_url: str) -> None:
    open_journal(either_url, {"1": SecretSource.of("a-key-for-these-tests")}).close()
    with closing(open_journal(either_url, {"2": SecretSource.of("a-second-key-of-these")})) as journal:
        journal.pauses.pause("till")
        assert verify_journal(journal).differences == ()


def test_without_the_key_of_a_number_the_audit_names_the_key(shop: Shop) -> None:
    edit(shop, sa.update(facts).where(facts.c.name == "pauses-count").values(value="2:former:0"))
    assert named(shop) == [("changed", "pauses")]

    edit(shop, sa.insert(facts).values(name="key:former", value=""))

    with pytest.raises(ConfigurationError, match="former"):
        named(shop)
