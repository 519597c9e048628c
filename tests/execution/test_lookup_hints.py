"""What a person looks for in the vendor's screens before a decision."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.shop import Shop
from voucher_gateway import Money, OperationKey, OutcomeUnknown
from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.outcome import REFERENCE_MARGIN

CHARGE = "POST /v1/reservations/*/charge"
KEY = OperationKey("shop", Operation.REDEEM, "1001-a")


@pytest.fixture
def lost(shop: Shop) -> tuple[Shop, str]:
    """A shop where the charge of 10.00 of a voucher of 50.00 never arrived; and the voucher's id."""
    voucher_id, code = shop.voucher("55.00")
    shop.redeem(code, "5.00", reference="before")
    shop.running.clock.advance(2)
    shop.running.inject("drop-before", CHARGE)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, order="1001")
    return shop, voucher_id


def test_the_journal_knows_the_window_the_amount_and_the_order_mark(lost: tuple[Shop, str]) -> None:
    shop, voucher_id = lost
    before = len(shop.running.requests)
    (hint,) = shop.gateway.lookup_hints(KEY)
    assert len(shop.running.requests) == before
    record = next(shop.gateway.operations())
    request = shop.journal.requests_of(record.id)[-1]
    assert (hint.account, hint.step, hint.voucher_id, hint.order) == ("shop", "capture", voucher_id, "1001")
    assert (hint.money, hint.login) == (Money("10.00", "EUR"), shop.running.announcement["client_id"])
    assert (hint.reference, hint.subject) == (request.intent.reference, request.intent.subject)
    assert hint.reference is not None
    assert hint.reference.startswith("1001~")
    assert (hint.earliest, hint.before, hint.after) == (hint.sent_at - REFERENCE_MARGIN, None, None)
    assert hint.latest is not None
    assert timedelta(minutes=29) < hint.latest - hint.sent_at <= timedelta(minutes=30)


def test_the_vendor_shows_what_was_left_before_even_if_value_moved_since(lost: tuple[Shop, str]) -> None:
    shop, voucher_id = lost
    shop.running.clock.advance(2)
    shop.gateway.top_up("shop", voucher_id, Money("7.00", "EUR"), reference="t")
    (hint,) = shop.gateway.lookup_hints(KEY, ask_vendor=True)
    assert (hint.before, hint.after) == (Money("50.00", "EUR"), Money("40.00", "EUR"))


def test_a_vendor_that_cannot_be_asked_leaves_the_balance_out(lost: tuple[Shop, str]) -> None:
    shop, _ = lost
    shop.running.inject("error-before", "GET *", times=0)
    (hint,) = shop.gateway.lookup_hints(KEY, ask_vendor=True)
    assert (hint.before, hint.after) == (None, None)


def test_what_is_known_leaves_nothing_to_look_for(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code)
    assert shop.gateway.lookup_hints(KEY) == []
    with pytest.raises(InvalidRequest, match="no such operation"):
        shop.gateway.lookup_hints(OperationKey("shop", Operation.REDEEM, "nothing"))
