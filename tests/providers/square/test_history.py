"""Histories and lists: the whole life of a card, kinds and states of movements, cursors and filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import Money, MovementKind, MovementState, Status, VoucherQuery
from voucher_gateway.errors import InvalidRequest, MalformedResponse, UnsupportedOperation
from voucher_gateway_square import PRODUCTION

if TYPE_CHECKING:
    import responses

    from tests.support.square import VendorClient
    from voucher_gateway_square import SquareProvider

CARDS = f"{PRODUCTION}/v2/gift-cards"


def euros(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR"}


def test_a_history_of_years_and_of_many_pages_is_read_whole(
    start_square: Callable[..., VendorClient], make_adapter: Callable[..., SquareProvider]
) -> None:
    client = start_square(history=250)
    (entry,) = client.running.ledger()
    history = make_adapter(client).history(str(entry["id"]))
    assert len(history) == 251
    assert history.complete
    assert history.movements[0].kind is MovementKind.ACTIVATION
    assert sum(movement.change or 0 for movement in history) == Money(str(entry["remaining"]), "EUR").amount


def test_each_activity_has_its_kind_and_the_history_adds_up(square: VendorClient, adapter: SquareProvider) -> None:
    card = square.sell(5000)
    square.running.clock.advance(1)  # the order of activities of one moment is not documented
    redeemed = square.act("REDEEM", card, amount_money=euros(1053), reference_id="r").json()["gift_card_activity"]
    square.running.clock.advance(1)
    square.act("REFUND", card, amount_money=euros(53), redeem_activity_id=redeemed["id"])
    square.running.clock.advance(1)
    square.act("UNLINKED_ACTIVITY_REFUND", card, amount_money=euros(7))
    square.running.clock.advance(1)
    square.act("ADJUST_INCREMENT", card, amount_money=euros(100), reason="COMPLIMENTARY")
    square.running.clock.advance(1)
    square.act("ADJUST_DECREMENT", card, amount_money=euros(50), reason="SUPPORT_ISSUE")
    square.running.clock.advance(1)
    square.simulator.till.block(card["gan"])
    square.running.clock.advance(1)
    square.simulator.till.unblock(card["gan"])
    square.running.clock.advance(1)
    square.act("CLEAR_BALANCE", card, reason="REUSE_GIFTCARD")
    square.running.clock.advance(1)
    square.act("DEACTIVATE", card, reason="SUSPICIOUS_ACTIVITY")
    history = adapter.history(card["id"])
    assert [(movement.kind, movement.money) for movement in history] == [
        (MovementKind.ACTIVATION, Money(50, "EUR")),
        (MovementKind.REDEMPTION, Money("10.53", "EUR")),
        (MovementKind.REFUND, Money("0.53", "EUR")),
        (MovementKind.ADJUSTMENT_UP, Money("0.07", "EUR")),
        (MovementKind.ADJUSTMENT_UP, Money(1, "EUR")),
        (MovementKind.ADJUSTMENT_DOWN, Money("0.50", "EUR")),
        (MovementKind.BLOCK, None),
        (MovementKind.UNBLOCK, None),
        (MovementKind.ADJUSTMENT_DOWN, Money("40.57", "EUR")),
        (MovementKind.DEACTIVATION, None),
    ]
    assert sum(movement.change or 0 for movement in history) == 0


def test_a_redemption_at_a_till_is_pending_until_it_is_settled(square: VendorClient, adapter: SquareProvider) -> None:
    card = square.sell(5000)
    for completed, state in ((True, MovementState.COMPLETED), (False, MovementState.CANCELLED)):
        redemption_id = square.simulator.till.redeem(card["gan"], "10.00")

        def state_of(id: str) -> MovementState:
            return next(movement.state for movement in adapter.history(card["id"]) if movement.id == id)

        assert state_of(redemption_id) is MovementState.PENDING
        square.simulator.till.settle(redemption_id, completed=completed)
        assert state_of(redemption_id) is state
    assert sum(movement.change or 0 for movement in adapter.history(card["id"])) == 40


def test_activities_of_another_card_are_not_believed(
    vendor: responses.RequestsMock, lone_adapter: SquareProvider
) -> None:
    activity = {
        "id": "gcact_1",
        "type": "REDEEM",
        "created_at": "2030-01-01T00:00:00.000Z",
        "gift_card_id": "gftc:2",
        "redeem_activity_details": {"amount_money": euros(1)},
    }
    vendor.get(f"{CARDS}/activities", json={"gift_card_activities": [activity]})
    with pytest.raises(MalformedResponse, match="another gift card"):
        lone_adapter.activities("history", "gftc:1")


def test_a_type_that_comes_later_is_unknown_and_its_details_do_not_matter(
    vendor: responses.RequestsMock, lone_adapter: SquareProvider
) -> None:
    activity = {"id": "a", "type": "LATER", "created_at": "2030-01-01T00:00:00.000Z", "gift_card_id": "gftc:1"}
    vendor.get(f"{CARDS}/activities", json={"gift_card_activities": [activity]})
    (movement,) = lone_adapter.activities("history", "gftc:1")
    assert (movement.kind, movement.money, movement.change) == (MovementKind.UNKNOWN, None, None)


def test_a_list_is_read_page_by_page_to_its_end(
    start_square: Callable[..., VendorClient], make_adapter: Callable[..., SquareProvider]
) -> None:
    client = start_square(vouchers=45)
    adapter = make_adapter(client, page_size=7)
    vouchers = list(adapter.vouchers())
    assert {voucher.id for voucher in vouchers} == {entry["id"] for entry in client.running.ledger()}
    created: list[Any] = [voucher.created_at for voucher in vouchers]
    assert created == sorted(created)
    assert len(client.running.requests) == 7


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.PENDING, Status.BLOCKED, Status.DEACTIVATED])
def test_a_status_is_filtered_by_the_vendor(
    start_square: Callable[..., VendorClient], make_adapter: Callable[..., SquareProvider], status: Status
) -> None:
    client = start_square(vouchers=45)
    listed = list(make_adapter(client).vouchers(VoucherQuery(status=status)))
    assert {voucher.status for voucher in listed} == {status}
    assert len(listed) == sum(entry["status"] == status.value for entry in client.running.ledger())


def test_a_status_that_no_card_can_have_lists_nothing(square: VendorClient, adapter: SquareProvider) -> None:
    square.sell()
    sent = len(square.running.requests)
    assert list(adapter.vouchers(VoucherQuery(status=Status.INACTIVE))) == []
    assert len(square.running.requests) == sent


@pytest.mark.parametrize(
    "query",
    [
        VoucherQuery(native={"type": "PLASTIC"}),
        VoucherQuery(native={"customer": "C1"}),
        VoucherQuery(status=Status.ACTIVE, native={"state": "ACTIVE"}),
        VoucherQuery(sku="1"),
        VoucherQuery(newest_first=True),
    ],
)
def test_other_filters_are_refused_before_anything_is_sent(
    square: VendorClient, adapter: SquareProvider, query: VoucherQuery
) -> None:
    with pytest.raises((InvalidRequest, UnsupportedOperation)):
        list(adapter.vouchers(query))
    assert square.running.requests == []


def test_a_native_filter_is_the_vendors(
    start_square: Callable[..., VendorClient], make_adapter: Callable[..., SquareProvider]
) -> None:
    client = start_square(vouchers=45)
    listed = list(make_adapter(client).vouchers(VoucherQuery(native={"type": "PHYSICAL"})))
    assert listed
    assert {voucher.medium for voucher in listed} == {"print"}
