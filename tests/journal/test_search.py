"""Asking the journal for operations: what each filter finds, in which order, and by which index."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from tests.support.many_operations import write_operations
from tests.support.shop import Shop
from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway import Code, Money, NewVoucher, OutcomeUnknown
from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.journal.records import UNRESOLVED, OperationRecord, OperationState
from voucher_gateway.journal.schema import operations
from voucher_gateway.journal.search import OperationFilter, VendorVoucher, iterate_operations, operations_query
from voucher_gateway.rules.codes import CodeNormalization

COUNT: Final = 400
BEGIN: Final = datetime(2026, 11, 1, tzinfo=UTC)
VOUCHER: Final = VendorVoucher("jtl", "vendor.test", "voucher-07")
FEW_VALUES: Final = ("operations_state_id", "operations_account_id", "operations_verb_id")
"""The indexes that leave many rows: no call of the gateway may use one where another condition leaves fewer."""

SUCCEEDED: Final = (OperationState.SUCCEEDED,)


def number_of(record: OperationRecord) -> int:
    """Which of the operations it is: the first is 0."""
    return int(record.key.reference.removeprefix("reference-"))


def is_of_voucher_7(record: OperationRecord) -> bool:
    return number_of(record) % 99 == 7


CASES: Final[list[tuple[OperationFilter, Callable[[OperationRecord], bool], str]]] = [
    (OperationFilter(), lambda record: True, "autoindex_voucher_gateway_operations_1"),
    (OperationFilter(order="order-000007"), lambda record: record.order == "order-000007", "order_number_id"),
    (
        OperationFilter(reference="reference-000007"),
        lambda record: number_of(record) == 7,
        "_2 (reference",
    ),
    (
        OperationFilter(voucher_id="voucher-07"),
        lambda record: record.voucher_id == "voucher-07",
        "voucher_id_provi",
    ),
    (
        OperationFilter(fingerprints=[f"{7:064x}"], vouchers=[VOUCHER]),
        is_of_voucher_7,
        "fingerprint_provider_host",
    ),
    (OperationFilter(account="events"), lambda record: record.key.account == "events", "account_id"),
    (OperationFilter(verb=Operation.REDEEM), lambda record: record.key.verb is Operation.REDEEM, "verb_id"),
    (OperationFilter(states=SUCCEEDED), lambda record: record.state == "succeeded", "state_id"),
    (OperationFilter(states=UNRESOLVED), lambda record: record.state == "unknown", "state_id"),
    (
        OperationFilter(states=[OperationState.SUCCEEDED, OperationState.DECLINED]),
        lambda record: record.state == "succeeded",
        "autoindex_voucher_gateway_operations_1",
    ),
    (
        OperationFilter(since=BEGIN + timedelta(seconds=100), until=BEGIN + timedelta(seconds=200)),
        lambda record: 100 <= (record.created_at - BEGIN).seconds < 200,
        "_1 (id>? AND id<?)",
    ),
    (
        OperationFilter(account="events", since=BEGIN + timedelta(seconds=100)),
        lambda record: record.key.account == "events" and (record.created_at - BEGIN).seconds >= 100,
        "account_id (account=? AND id>?",
    ),
    (
        OperationFilter(
            account="events", verb=Operation.RESERVE, states=[OperationState.SUCCEEDED], order="order-000005"
        ),
        lambda record: record.key.account == "events" and record.order == "order-000005",
        "order_number_id",
    ),
    (
        OperationFilter(account="shop", voucher_id="voucher-07", states=UNRESOLVED),
        lambda record: False,
        "voucher_id_provider_host",
    ),
]


@pytest.fixture
def journal(sqlite_url: str) -> Iterator[Journal]:
    """A journal of operations that were recorded a second after each other."""
    with_rows = open_journal(sqlite_url, make_journal_keys(JOURNAL_KEYS))
    write_operations(with_rows, COUNT, begin=BEGIN)
    yield with_rows
    with_rows.close()


def _plan(journal: Journal, wanted: OperationFilter) -> list[str]:
    """The plan of the second page of a filter, the newest first."""
    query = operations_query(wanted).where(operations.c.id < "x").order_by(operations.c.id.desc()).limit(100)
    with journal.database.read() as connection:
        compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
        rows = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {_with_literals(str(compiled))}"))
        return [row.detail for row in rows]


def _with_literals(statement: str) -> str:
    return statement.replace("?", "'x'")


@pytest.mark.parametrize(("wanted", "matches", "index"), CASES)
def test_a_filter_finds_what_it_names_the_newest_first_by_its_index(
    journal: Journal, wanted: OperationFilter, matches: Callable[[OperationRecord], bool], index: str
) -> None:
    everything = list(journal.iterate_operations())
    expected = [record for record in reversed(everything) if matches(record)]
    assert len(everything) == COUNT
    assert list(journal.search(wanted)) == expected
    assert list(iterate_operations(journal.database, wanted, newest_first=False)) == expected[::-1]
    assert list(journal.search(wanted, limit=3)) == expected[:3]
    assert any(index in line for line in _plan(journal, wanted)), _plan(journal, wanted)


@pytest.mark.parametrize(
    "wanted", [wanted for wanted, _, _ in CASES if len(wanted.states) < 2 and wanted.fingerprints is None]
)
def test_no_page_sorts_more_than_the_operations_of_one_voucher_or_reference(
    journal: Journal, wanted: OperationFilter
) -> None:
    is_of_few = wanted.voucher_id is not None or wanted.reference is not None
    assert any("TEMP B-TREE" in line for line in _plan(journal, wanted)) is is_of_few


@pytest.mark.parametrize(("wanted", "matches", "index"), CASES)
def test_postgresql_needs_no_scan_of_the_table_either(
    postgres_journal: Journal, wanted: OperationFilter, matches: Any, index: str
) -> None:
    found = [record.key.reference for record in postgres_journal.search(wanted)]
    expected = [record.key.reference for record in postgres_journal.iterate_operations() if matches(record)]
    assert found == expected[::-1]
    query = operations_query(wanted).where(operations.c.id < "x").order_by(operations.c.id.desc()).limit(100)
    with postgres_journal.database.write() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        text = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = [row[0] for row in connection.execute(sa.text(f"EXPLAIN {text}"))]
    assert not any("Seq Scan" in line for line in plan), plan


@pytest.fixture(scope="module")
def postgres_journal(postgres_server: str) -> Iterator[Journal]:
    """The same operations in PostgreSQL, which nobody changes."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE search_of_operations STRATEGY = FILE_COPY")
    url = sa.make_url(postgres_server).set(database="search_of_operations").render_as_string(hide_password=False)
    with_rows = open_journal(url, make_journal_keys(JOURNAL_KEYS))
    write_operations(with_rows, COUNT, begin=BEGIN)
    yield with_rows
    with_rows.close()


def test_a_page_is_read_when_it_is_needed(journal: Journal) -> None:
    """Memory holds one page, and no transaction is open: what is written in between counts."""
    found = journal.search(OperationFilter())
    newest = [next(found) for _ in range(100)]
    with journal.database.write() as connection:
        connection.execute(sa.delete(operations).where(operations.c.order_number != "order-000003"))
    assert [record.order for record in found] == ["order-000003"] * 2
    assert newest[0].key.reference == f"reference-{COUNT - 1:06}"


def test_a_period_counts_from_its_first_moment_to_before_its_last(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code)
    (record,) = shop.gateway.operations()
    at, later = record.created_at, record.created_at + timedelta(microseconds=1)
    assert [list(shop.gateway.operations(since=at, until=later))] == [[record]]
    assert list(shop.gateway.operations(until=at)) == []
    assert list(shop.gateway.operations(since=later)) == []


def test_a_code_finds_all_operations_on_its_voucher(either_shop: Shop) -> None:
    voucher_id, code = either_shop.voucher()
    other_id, other_code = either_shop.voucher()
    redemption = either_shop.redeem(code, reference="a", order="1001")
    either_shop.gateway.refund("shop", redemption, Money("1.00", "EUR"), reference="b")  # it names no code
    either_shop.redeem(other_code, reference="c", order="1001")
    for wanted in ({"code": code}, {"code": Code(code)}, {"voucher": voucher_id}):
        found = either_shop.gateway.operations(**wanted)
        assert [(record.key.verb.value, record.key.reference) for record in found] == [("refund", "b"), ("redeem", "a")]
    assert [record.key.reference for record in either_shop.gateway.operations(order="1001")] == ["c", "a"]
    assert [record.voucher_id for record in either_shop.gateway.operations(code=other_code)] == [other_id]
    assert list(either_shop.gateway.operations(code="JTL-NOT-THERE")) == []


def test_a_code_is_looked_for_in_the_form_of_its_account(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code)
    (account,) = shop.gateway.accounts
    as_typed = attrs.evolve(account, normalize_codes={CodeNormalization.UPPER_CASE, CodeNormalization.NO_BLANKS})
    shop.set_account(as_typed)
    assert len(list(shop.gateway.operations(code=f" {code.lower()}"))) == 1


def test_what_no_operation_can_have_is_refused_before_anything_is_read(shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="since has no time zone"):
        shop.gateway.operations(since=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(InvalidRequest, match="limit"):
        shop.gateway.operations(limit=-1)
    with pytest.raises(ValueError, match="paid"):
        shop.gateway.operations(states=["paid"])


def test_no_call_of_the_gateway_uses_an_index_that_leaves_many_rows(shop: Shop) -> None:
    """The plan of every statement of a shop's day. SQLite has no statistics: the plan is the same for many rows."""
    statements: set[str] = set()
    driver = _driver(shop.journal)
    driver.set_trace_callback(statements.add)
    _spend_a_day(shop)
    driver.set_trace_callback(None)
    asked = [text for text in statements if "voucher_gateway_operations" in text and not text.startswith("--")]
    plans = {text: [str(row[3]) for row in driver.execute(f"EXPLAIN QUERY PLAN {text}")] for text in asked}
    assert len(plans) > 10
    slow = {text: plan for text, plan in plans.items() if any(name in str(plan) for name in FEW_VALUES)}
    assert [text for text in slow if not _asks_for_the_unresolved(text)] == []


def _asks_for_the_unresolved(statement: str) -> bool:
    """Whether a statement is that of `recover`, or of its kind."""
    return "ORDER BY voucher_gateway_operations.id" in statement and "'unknown'" in statement


def _driver(journal: Journal) -> sqlite3.Connection:
    with journal.database.read() as connection:
        driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _spend_a_day(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    gateway = shop.gateway
    redemption = shop.redeem(code, order="1001")
    gateway.refund("shop", redemption, Money("1.00", "EUR"), reference="r", order="1001")
    gateway.refundable(redemption)
    held = gateway.reserve("shop", code, Money("2.00", "EUR"), reference="h", order="1002")
    gateway.release("shop", held, reference="h")
    gateway.top_up("shop", voucher_id, Money("2.00", "EUR"), reference="t")
    gateway.deactivate("shop", voucher_id, reference="d")
    gateway.activate("shop", voucher_id, reference="d")
    gateway.issue("shop", NewVoucher(initial=Money("5.00", "EUR")), reference="i")
    gateway.find(code)
    gateway.balance("shop", code)
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, "1.00", reference="lost")
    gateway.recover(everything=True)
    shop.journal.value_change("shop", voucher_id, "EUR")
    shop.journal.is_reserved(Code(code), provider="jtl", host="127.0.0.1", at=datetime.now(UTC))
    shop.journal.find_unresolved_operation(provider="jtl", host="127.0.0.1", voucher_id=voucher_id)
    list(gateway.operations(order="1001", account="shop", verb="redeem", states=["succeeded"]))
    list(gateway.operations(code=code, account="shop"))
