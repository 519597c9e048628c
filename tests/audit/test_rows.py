"""Rows that were changed, removed or inserted by hand are found and named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.audit.edited_journal import EditedJournal

OPERATION = "(SELECT id FROM voucher_gateway_operations WHERE reference = 'r-1')"
DECLINED = "(SELECT id FROM voucher_gateway_operations WHERE reference = 'r-2')"
PAYMENT = "(SELECT id FROM voucher_gateway_payments WHERE order_number = '1003')"


def test_a_journal_that_nobody_edited_is_clean(edited: EditedJournal) -> None:
    report = edited.verify()

    assert report.differences == ()
    assert report.is_clean
    assert report.events == edited.select("SELECT count(*) FROM voucher_gateway_events")[0] > 30
    assert (report.chains, report.payments, report.sales) == (1, 2, 1)
    assert report.operations == edited.select("SELECT count(*) FROM voucher_gateway_operations")[0]
    assert report.restored_at == ()


CHANGES = {
    "the amount of an operation": (
        f"UPDATE voucher_gateway_operations SET amount = '1.00' WHERE id = {OPERATION}",
        ("changed", "operations", "r-1"),
    ),
    "the result of an operation": (
        f"UPDATE voucher_gateway_operations SET result = replace(result, '10.00', '1.00') WHERE id = {OPERATION}",
        ("changed", "operations", "r-1"),
    ),
    "the state of an operation": (
        f"UPDATE voucher_gateway_operations SET state = 'succeeded' WHERE id = {DECLINED}",
        ("changed", "operations", "r-2"),
    ),
    "an operation that is opened again": (
        f"UPDATE voucher_gateway_operations SET state = 'open' WHERE id = {DECLINED}",
        ("changed", "operations", "r-2"),
    ),
    "the account of an operation": (
        f"UPDATE voucher_gateway_operations SET account = 'other' WHERE id = {OPERATION}",
        ("changed", "operations", "r-1"),
    ),
    "a decision": (
        f"UPDATE voucher_gateway_operations SET decided_by = 'Somebody' WHERE id = {DECLINED}",
        ("changed", "operations", "r-2"),
    ),
    "a removed operation": (
        f"DELETE FROM voucher_gateway_operations WHERE id = {DECLINED}",
        ("removed", "operations", "r-2"),
    ),
    "the effect of a request": (
        f"UPDATE voucher_gateway_requests SET effect = 'not_executed' WHERE operation_id = {OPERATION}",
        ("changed", "requests", "r-1"),
    ),
    "a removed request": (
        f"DELETE FROM voucher_gateway_requests WHERE operation_id = {DECLINED}",
        ("changed", "requests", "r-2"),
    ),
    "a request of no operation": (
        f"UPDATE voucher_gateway_requests SET operation_id = 'nothing' WHERE operation_id = {DECLINED}",
        ("inserted", "requests", None),
    ),
    "the total of a payment": (
        f"UPDATE voucher_gateway_payments SET total = '4.00' WHERE id = {PAYMENT}",
        ("changed", "payments", "1003"),
    ),
    "the state of a payment": (
        f"UPDATE voucher_gateway_payments SET state = 'cancelled' WHERE id = {PAYMENT}",
        ("changed", "payments", "1003"),
    ),
    "a removed payment": (
        "DELETE FROM voucher_gateway_payments WHERE order_number = '1004'",
        ("removed", "payments", "1004"),
    ),
    "what a leg took": (
        f"UPDATE voucher_gateway_payment_legs SET taken = '1.00' WHERE payment_id = {PAYMENT} AND number = 1",
        ("changed", "legs", "1003"),
    ),
    "the account of a leg": (
        f"UPDATE voucher_gateway_payment_legs SET account = 'events' WHERE payment_id = {PAYMENT} AND number = 1",
        ("changed", "legs", "1003"),
    ),
    "a removed leg": (
        f"DELETE FROM voucher_gateway_payment_legs WHERE payment_id = {PAYMENT} AND number = 2",
        ("changed", "legs", "1003"),
    ),
    "the amount of a refund": (
        "UPDATE voucher_gateway_payment_refunds SET amount = '40.00'",
        ("changed", "refunds", "1003"),
    ),
    "a removed refund": (
        "DELETE FROM voucher_gateway_payment_refunds",
        ("changed", "refunds", "1003"),
    ),
    "the amount of a part of a refund": (
        "UPDATE voucher_gateway_payment_refund_parts SET amount = '40.00' WHERE leg = 1",
        ("changed", "refund parts", "1003"),
    ),
    "the state of a sale": (
        "UPDATE voucher_gateway_sales SET state = 'revoked'",
        ("changed", "sales", "1005-1"),
    ),
    "the account of a sale": (
        "UPDATE voucher_gateway_sales SET account = 'events'",
        ("changed", "sales", "1005-1"),
    ),
    "a removed sale": ("DELETE FROM voucher_gateway_sales", ("removed", "sales", "1005-1")),
}


INSERTIONS = {
    "an operation": (
        "operations",
        f"id = {OPERATION}",
        {"id": "'f' || substr(id, 2)", "reference": "'forged'"},
        ("inserted", "operations", "forged"),
    ),
    "a request": ("requests", f"operation_id = {DECLINED}", {"id": "NULL"}, ("changed", "requests", "r-2")),
    "a payment": (
        "payments",
        f"id = {PAYMENT}",
        {"id": "'f' || substr(id, 2)", "order_number": "'forged'"},
        ("inserted", "payments", "forged"),
    ),
    "a leg": ("payment_legs", f"payment_id = {PAYMENT}", {"number": "9"}, ("changed", "legs", "1003")),
    "a refund": (
        "payment_refunds",
        f"payment_id = {PAYMENT}",
        {"number": "9", "reference": "'forged'"},
        ("changed", "refunds", "1003"),
    ),
    "a part of a refund": ("payment_refund_parts", "leg > 0", {"leg": "9"}, ("changed", "refund parts", "1003")),
    "a sale": (
        "sales",
        "true",
        {"id": "'f' || substr(id, 2)", "name": "'forged'"},
        ("inserted", "sales", "forged"),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_or_removed_row_is_found_and_named(edited: EditedJournal, what: str) -> None:
    statement, expected = CHANGES[what]
    assert edited.edit(statement) > 0

    require_difference(edited, expected)


@pytest.mark.parametrize("what", INSERTIONS)
def test_an_inserted_row_is_found_and_named(edited: EditedJournal, what: str) -> None:
    table, condition, changes, expected = INSERTIONS[what]
    assert edited.insert_copy(f"voucher_gateway_{table}", condition, **changes) == 1

    require_difference(edited, expected)


def require_difference(edited: EditedJournal, expected: tuple[str, str, str | None]) -> None:
    report = edited.verify()

    named = [(difference.kind.value, difference.table, difference.reference) for difference in report.differences]
    assert expected in named, report.differences
    assert not report.is_clean
    assert len(named) <= 2, report.differences


def test_nothing_is_missed_at_the_ends_of_batches(edited: EditedJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    make_batches_small(monkeypatch)
    assert edited.verify().differences == ()
    ids: Sequence[str] = edited.select("SELECT id FROM voucher_gateway_operations ORDER BY id")
    edited.edit("UPDATE voucher_gateway_operations SET decision = 'forged'")

    report = edited.verify()

    assert [difference.id for difference in report.differences] == list(ids)


def make_batches_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.audit.subjects._SUBJECTS", 2)
    monkeypatch.setattr("voucher_gateway.audit.subjects._EVENTS", 3)
