"""What was moved stays unspendable where it was: nothing that would bring value back there is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.migration.run.vendor_pair import VendorPair
from tests.support.ledger import Ledger
from tests.support.long import first
from voucher_gateway import Gateway
from voucher_gateway.journal.schema import moved
from voucher_gateway.migration import rollback_plan
from voucher_gateway.provider_api import Money, NewVoucher, OperationInProgress, VoucherChanges, VoucherMoved

CODE = "MOVED-CODE-0001"
TEN = Money("10.00", "EUR")

Call = Callable[[Gateway, str], object]


def top_up(gateway: Gateway, id: str) -> object:
    return gateway.top_up("source", id, TEN, reference="by-hand")


def activate(gateway: Gateway, id: str) -> object:
    return gateway.activate("source", id, reference="by-hand")


def prolong(gateway: Gateway, id: str) -> object:
    later = VoucherChanges(valid_until=datetime(2031, 1, 1, tzinfo=UTC))
    return gateway.update("source", id, later, reference="by-hand")


def issued(pair: VendorPair) -> str:
    jtl = pair.source.announcement["provider"] == "jtl"
    new = NewVoucher(initial=Money("50.00", "EUR"), code=CODE, active=True if jtl else None)
    return pair.gateway.issue("source", new, reference="sale").id


def refused(pair: VendorPair, call: Call, id: str, error: type[Exception], match: str) -> None:
    before = pair.changes(), pair.source.ledger()
    with pytest.raises(error, match=match):
        call(pair.gateway, id)
    assert (pair.changes(), pair.source.ledger()) == before


@pytest.mark.parametrize("call", [top_up, activate])
def test_a_voucher_that_was_moved_is_neither_filled_nor_thawed_where_it_was(pair: VendorPair, call: Call) -> None:
    id = issued(pair)
    pair.move()
    there = pair.gateway.find_moved("source", id)
    assert there is not None
    place = f"moved to the account target, where its id is {there.to_voucher_id}"
    refused(pair, call, id, VoucherMoved, place)


@pytest.mark.parametrize("call", first([top_up, prolong]))
def test_one_that_was_retired_by_its_expiry_does_not_become_valid_again(reverse_pair: VendorPair, call: Call) -> None:
    id = issued(reverse_pair)
    reverse_pair.move()
    refused(reverse_pair, call, id, VoucherMoved, "moved to the account target")


def test_while_it_is_under_way_whoever_asks_is_told_to_come_again(pair: VendorPair) -> None:
    id = issued(pair)
    pair.plan()
    pair.target.inject("error-before", "POST */vouchers", times=0)  # whether it was created stays open
    pair.run()
    for call in (top_up, activate):
        refused(pair, call, id, OperationInProgress, "being moved")


def test_where_it_is_now_it_is_a_voucher_like_any_other(pair: VendorPair) -> None:
    id = issued(pair)
    pair.move()
    there = pair.gateway.find_moved("source", id)
    assert there is not None
    pair.gateway.top_up("target", str(there.to_voucher_id), TEN, reference="by-hand")
    assert str(Ledger(pair.target).entry(code=CODE)["remaining"]) == "60.00"


def test_after_a_rollback_it_is_one_at_the_source_again(pair: VendorPair) -> None:
    id = issued(pair)
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    top_up(pair.gateway, id)
    assert str(Ledger(pair.source).entry(code=CODE)["remaining"]) == "60.00"


def test_an_audit_names_a_moved_voucher_whose_row_was_removed(
    make_pair: Callable[..., VendorPair], either_url: str
) -> None:
    pair = make_pair("jtl", "ticketing", 20, url=either_url)
    pair.move()
    assert pair.gateway.verify_journal().differences == ()
    journal = pair.gateway.journal
    assert journal is not None
    with journal.database.write() as connection:
        row = dict(connection.execute(sa.select(moved).limit(1)).mappings().one())
        connection.execute(sa.delete(moved).where(moved.c.voucher_id == row["voucher_id"]))

    (difference,) = pair.gateway.verify_journal().differences

    assert (difference.kind.value, difference.table) == ("removed", "moved")
    assert f"are not there any more ({row['voucher_id']}): " in difference.explanation
    with journal.database.write() as connection:
        connection.execute(sa.insert(moved).values(row))
    rollback_plan(pair.gateway, pair.path)
    assert pair.gateway.verify_journal().differences == ()
