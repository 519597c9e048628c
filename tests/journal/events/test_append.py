"""Events are written in the commit of the change, and each one continues a chain."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from tests.support.threads import run_numbered_threads
from voucher_gateway.errors import Declined
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.digests import chain_mac, content_digest, event_digest
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.schema import chains, events
from voucher_gateway.masking import Secret
from voucher_gateway.setting_types import SecretSource

KEYS: Final = {"1": SecretSource.of("a-key-for-these-tests")}


def rows_of(journal: Journal, table: sa.Table) -> list[dict[str, Any]]:
    with journal.database.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table).order_by(table.c.id)).mappings()]


def kinds_of(journal: Journal) -> list[str]:
    return [row["kind"] for row in rows_of(journal, events)]


def require_valid_chains(journal: Journal) -> None:
    """Recompute each digest by hand."""
    heads = {row["id"]: ("", 0) for row in rows_of(journal, chains)}
    for row in rows_of(journal, events):
        head, number = heads[row["chain"]]
        assert row["number"] == number + 1
        assert row["content"] == content_digest(journal.keys, row["order_number"], row["data"], row["row_digest"])
        assert row["digest"] == event_digest(journal.keys, head, row)
        heads[row["chain"]] = row["digest"], row["number"]
    for chain in rows_of(journal, chains):
        assert (chain["head"], chain["length"]) == heads[chain["id"]]
        assert chain["mac"] == chain_mac(journal.keys, chain)


def test_a_redemption_writes_its_start_and_its_end(either_shop: Shop) -> None:
    journal = either_shop.journal
    _, code = either_shop.voucher()
    before = len(rows_of(journal, events))

    either_shop.redeem(code, reference="r-1", order="1001")

    started, succeeded = rows_of(journal, events)[before:]
    assert (started["kind"], succeeded["kind"]) == ("operation.started", "operation.succeeded")
    assert started["subject"] == succeeded["subject"]
    assert started["order_number"] == "1001"
    data = json.loads(succeeded["data"])
    assert data["reference"] == "r-1"
    assert data["amount"] == "10.00"
    assert data["state"] == "succeeded"
    require_valid_chains(journal)


def test_a_refused_redemption_names_the_error(either_shop: Shop) -> None:
    _, code = either_shop.voucher("5.00")
    with pytest.raises(Declined):
        either_shop.redeem(code, reference="r-1", order="1001")

    last = rows_of(either_shop.journal, events)[-1]
    assert last["kind"] == "operation.declined"
    assert json.loads(last["data"])["error"] == "InsufficientValue"


def test_a_transaction_that_is_rolled_back_leaves_no_event(either_url: str) -> None:
    journal = open_journal(either_url, KEYS)
    append(journal, "first")
    with pytest.raises(ZeroDivisionError):
        append_and_fail(journal)
    append(journal, "second")

    assert [row["subject"] for row in rows_of(journal, events)] == ["first", "second"]
    require_valid_chains(journal)
    journal.close()


def append_and_fail(journal: Journal) -> None:
    with journal.database.write() as connection:
        append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, "lost", {})
        raise ZeroDivisionError


def test_threads_append_at_the_same_time(either_url: str) -> None:
    journal = open_journal(either_url, KEYS)
    run_numbered_threads(8, partial(append_ten, journal))

    assert len(rows_of(journal, events)) == 80
    require_valid_chains(journal)
    journal.close()


def append_ten(journal: Journal, thread: int) -> None:
    for _ in range(10):
        append(journal, f"shop-{thread}")


def append(journal: Journal, subject: str) -> None:
    with journal.database.write() as connection:
        append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, subject, {"by": "a person"})


def test_two_transactions_at_once_use_two_chains(postgres_url: str) -> None:
    journal = open_journal(postgres_url, KEYS)
    append(journal, "first")
    with journal.database.write() as connection:
        append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, "slow", {})
        append(journal, "quick")
    append(journal, "last")

    assert {row["subject"]: row["chain"] for row in rows_of(journal, events)} == {
        "first": 1,
        "slow": 1,
        "quick": 2,
        "last": 1,
    }
    require_valid_chains(journal)
    journal.close()


def test_events_of_two_processes_continue_one_chain(sqlite_url: str) -> None:
    first, second = open_journal(sqlite_url, KEYS), open_journal(sqlite_url, KEYS)
    for journal in (first, second, second, first, first, second):
        append(journal, "shop")

    assert [(row["id"], row["length"]) for row in rows_of(first, chains)] == [(1, 6)]
    require_valid_chains(first)
    first.close()
    second.close()


@pytest.mark.parametrize("column", ["started_at", "first_number", "first_digest", "length", "head", "mac", "key_id"])
def test_a_chain_that_something_else_changed_is_not_continued(sqlite_url: str, column: str) -> None:
    journal = open_journal(sqlite_url, KEYS)
    append(journal, "shop")
    changed = 7 if column in ("first_number", "length") else "changed"
    with journal.database.write() as connection:
        connection.execute(sa.update(chains).values({column: changed}))

    append(journal, "shop")

    first, second = rows_of(journal, chains)
    assert first[column] == changed
    assert (second["id"], second["length"]) == (2, 1)
    journal.close()


def test_a_chain_is_not_continued_under_keys_that_do_not_recognise_it(sqlite_url: str) -> None:
    journal = open_journal(sqlite_url, KEYS)
    append(journal, "shop")
    other = JournalKeys.of({"2": Secret("another-key-of-this-journal")})
    with journal.database.write() as connection:
        append_event(connection, other, EventKind.ACCOUNT_PAUSED, "shop", {})

    assert [row["length"] for row in rows_of(journal, chains)] == [1, 1]
    journal.close()
