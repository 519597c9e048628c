"""Roll-forwards of a vendor in memory: which line a voucher's fate belongs to, and what is never hidden."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from tests.reports.memory_vendor import NOON, MemoryVendor
from voucher_gateway import Gateway
from voucher_gateway.provider_api import InvalidRequest, Money, MovementKind, MovementState, Status
from voucher_gateway.reports import CurrencyRollForward, Line, RollForward, Snapshots, recall_roll_forward, roll_forward
from voucher_gateway.reports.text import roll_warnings

DAY: Final = timedelta(days=1)


class Period:
    """Takes the opening snapshot when it is made, and the closing one when it is rolled."""

    def __init__(self, gateway: Gateway, vendor: MemoryVendor, snapshots: Snapshots) -> None:
        self._gateway, self._shelf, self._snapshots = gateway, vendor, snapshots

    def begin(self) -> None:
        self.opening = self._snapshots.take(self._gateway, "shop")
        self._shelf.clock += 10 * DAY

    def roll(self) -> RollForward:
        self._shelf.clock += 10 * DAY
        closing = self._snapshots.take(self._gateway, "shop")
        self._shelf.asked.clear()
        return roll_forward(self._gateway, self._snapshots, self.opening, closing)

    def lines(self, currency: str = "EUR") -> dict[Line, str]:
        """Roll, and return the lines that are not nothing."""
        rolled = {one.currency: one for one in self.roll().rolls}
        return {line: f"{money.amount:f}" for line, money in rolled[currency].lines.items() if money}


@pytest.fixture
def period(gateway: Gateway, vendor: MemoryVendor, snapshots: Snapshots) -> Period:
    return Period(gateway, vendor, snapshots)


def test_a_voucher_that_did_not_change_is_not_asked_for(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00")
    period.begin()
    found = period.roll()
    assert {line: str(money) for line, money in found.rolls[0].lines.items() if money} == {
        Line.OPENING: "50.00 EUR",
        Line.CLOSING: "50.00 EUR",
    }
    assert vendor.asked == []


def test_what_was_redeemed_given_back_and_added_has_lines(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00")
    period.begin()
    vendor.move("a", MovementKind.REDEMPTION, "30.00", vendor.clock)
    vendor.move("a", MovementKind.REFUND, "10.53", vendor.clock)
    vendor.move("a", MovementKind.TOP_UP, "0.01", vendor.clock)
    vendor.put("a", "30.54")
    assert period.lines() == {
        Line.OPENING: "50.00",
        Line.TOPPED_UP: "0.01",
        Line.REDEEMED: "30.00",
        Line.REFUNDED: "10.53",
        Line.CLOSING: "30.54",
    }


def test_what_was_taken_and_given_back_whole_is_seen_where_the_vendor_says_that_it_touched_it(
    period: Period, vendor: MemoryVendor
) -> None:
    vendor.put("a", "50.00", updated_at=NOON)
    period.begin()
    vendor.move("a", MovementKind.REDEMPTION, "30.00", vendor.clock)
    vendor.move("a", MovementKind.REFUND, "30.00", vendor.clock)
    vendor.put("a", "50.00", updated_at=vendor.clock)
    assert period.lines() == {
        Line.OPENING: "50.00",
        Line.REDEEMED: "30.00",
        Line.REFUNDED: "30.00",
        Line.CLOSING: "50.00",
    }


def test_every_history_is_read_on_demand_where_a_vendor_does_not_say_what_it_touched(
    period: Period, gateway: Gateway, vendor: MemoryVendor, snapshots: Snapshots
) -> None:
    vendor.put("a", "50.00")
    period.begin()
    vendor.move("a", MovementKind.REDEMPTION, "30.00", vendor.clock)
    vendor.move("a", MovementKind.REFUND, "30.00", vendor.clock)
    quick = period.roll()
    assert not quick.rolls[0].lines[Line.REDEEMED]
    slow = roll_forward(gateway, snapshots, quick.opening, quick.closing, every_history=True)
    assert str(slow.rolls[0].lines[Line.REDEEMED]) == str(slow.rolls[0].lines[Line.REFUNDED]) == "30.00 EUR"


def test_a_new_voucher_is_issued_at_its_initial_value(period: Period, vendor: MemoryVendor) -> None:
    period.begin()
    vendor.put("a", "20.00", initial=Money("50.00", "EUR"), created_at=vendor.clock)
    vendor.move("a", MovementKind.REDEMPTION, "30.00", vendor.clock)
    assert period.lines() == {Line.ISSUED: "50.00", Line.REDEEMED: "30.00", Line.CLOSING: "20.00"}


def test_a_first_value_that_the_history_shows_is_issued_once(period: Period, vendor: MemoryVendor) -> None:
    period.begin()
    vendor.put("a", "42.00", initial=Money("50.00", "EUR"), created_at=vendor.clock)
    vendor.move("a", MovementKind.ISSUE, "50.00", vendor.clock)
    vendor.move("a", MovementKind.REDEMPTION, "8.00", vendor.clock)
    assert period.lines() == {Line.ISSUED: "50.00", Line.REDEEMED: "8.00", Line.CLOSING: "42.00"}


def test_a_first_value_that_only_the_history_shows_is_issued(period: Period, vendor: MemoryVendor) -> None:
    period.begin()
    vendor.put("a", "42.00", initial=None, created_at=vendor.clock)
    vendor.move("a", MovementKind.ACTIVATION, "50.00", vendor.clock)
    vendor.move("a", MovementKind.REDEMPTION, "8.00", vendor.clock)
    assert period.lines() == {Line.ISSUED: "50.00", Line.REDEEMED: "8.00", Line.CLOSING: "42.00"}


def test_a_card_that_gets_its_value_with_the_activation_is_issued_then(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "0.00", status=Status.PENDING)
    period.begin()
    vendor.put("a", "25.00", initial=Money("0.00", "EUR"))
    vendor.move("a", MovementKind.ACTIVATION, "25.00", vendor.clock)
    assert period.lines() == {Line.ISSUED: "25.00", Line.CLOSING: "25.00"}


def test_a_block_takes_the_value_out_for_now(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "25.00")
    period.begin()
    vendor.put("a", "25.00", status=Status.BLOCKED)
    assert period.lines() == {Line.OPENING: "25.00", Line.DEACTIVATED: "25.00"}


def test_a_pending_redemption_explains_nothing_yet_and_is_named(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "25.00")
    period.begin()
    vendor.put("a", "20.00", initial=Money("25.00", "EUR"))
    vendor.move("a", MovementKind.REDEMPTION, "5.00", vendor.clock, state=MovementState.PENDING)
    rolled = period.roll()
    assert [change.reason for change in rolled.unexplained] == ["a movement in its history is still pending"]
    assert str(rolled.rolls[0].lines[Line.UNEXPLAINED]) == "-5.00 EUR"


def test_a_new_voucher_that_cannot_be_spent_owes_nobody_anything(period: Period, vendor: MemoryVendor) -> None:
    period.begin()
    vendor.put("a", "20.00", status=Status.INACTIVE, created_at=vendor.clock)
    assert period.lines() == {}


def test_a_card_from_stock_is_owed_from_its_activation_on(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00", status=Status.INACTIVE)
    period.begin()
    vendor.move("a", MovementKind.REDEMPTION, "8.00", vendor.clock)
    vendor.put("a", "42.00")
    assert period.lines() == {Line.ACTIVATED: "50.00", Line.REDEEMED: "8.00", Line.CLOSING: "42.00"}


def test_a_voucher_that_was_stopped_leaves_with_what_was_left(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00")
    period.begin()
    vendor.move("a", MovementKind.REDEMPTION, "8.00", vendor.clock)
    vendor.put("a", "42.00", status=Status.INACTIVE)
    assert period.lines() == {Line.OPENING: "50.00", Line.REDEEMED: "8.00", Line.DEACTIVATED: "42.00"}


def test_validity_that_ended_takes_what_was_left(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00", valid_until=NOON + 15 * DAY)
    period.begin()
    vendor.move("a", MovementKind.REDEMPTION, "8.00", vendor.clock)
    vendor.put("a", "42.00", valid_until=NOON + 15 * DAY)
    assert period.lines() == {Line.OPENING: "50.00", Line.REDEEMED: "8.00", Line.EXPIRED: "42.00"}


def test_a_voucher_that_came_and_expired_in_between_shows_both(period: Period, vendor: MemoryVendor) -> None:
    period.begin()
    vendor.put("a", "5.00", valid_until=vendor.clock + DAY, created_at=vendor.clock)
    assert period.lines() == {Line.ISSUED: "5.00", Line.EXPIRED: "5.00"}


def test_validity_that_was_extended_brings_an_expired_voucher_back(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00", valid_until=NOON - DAY)
    period.begin()
    vendor.put("a", "50.00", valid_until=NOON + 1000 * DAY)
    assert period.lines() == {Line.VALID_AGAIN: "50.00", Line.CLOSING: "50.00"}


def test_what_is_given_back_on_an_expired_voucher_expires_at_once(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00", valid_until=NOON - DAY)
    period.begin()
    vendor.move("a", MovementKind.REFUND, "7.00", vendor.clock)
    vendor.put("a", "57.00", valid_until=NOON - DAY)
    assert period.lines() == {Line.REFUNDED: "7.00", Line.EXPIRED: "7.00"}


def test_a_voucher_that_was_spent_between_two_idle_times_shows_what_was_redeemed(
    period: Period, vendor: MemoryVendor
) -> None:
    vendor.put("a", "50.00", status=Status.INACTIVE)
    period.begin()
    vendor.move("a", MovementKind.REDEMPTION, "7.00", vendor.clock)
    vendor.put("a", "43.00", status=Status.INACTIVE)
    assert period.lines() == {Line.ACTIVATED: "7.00", Line.REDEEMED: "7.00"}


def test_a_voucher_that_is_gone_at_the_vendor_was_deleted(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00")
    vendor.put("b", "50.00", status=Status.INACTIVE)
    period.begin()
    vendor.take_away("a")
    vendor.take_away("b")
    assert period.lines() == {Line.OPENING: "50.00", Line.DELETED: "50.00"}


def test_a_voucher_that_only_the_list_lost_is_unexplained_and_not_deleted(
    period: Period, gateway: Gateway, vendor: MemoryVendor, snapshots: Snapshots
) -> None:
    vendor.put("a", "50.00")
    period.begin()
    lost = vendor.listed_vouchers
    vendor.listed_vouchers = []
    closing = snapshots.take(gateway, "shop")
    vendor.listed_vouchers = lost
    found = roll_forward(gateway, snapshots, period.opening, closing)
    assert str(found.rolls[0].lines[Line.UNEXPLAINED]) == "-50.00 EUR"
    assert found.unexplained[0].reason == "it is not in the second snapshot, but still exists at the vendor"


def test_a_voucher_that_the_first_list_lost_is_unexplained_and_not_issued(period: Period, vendor: MemoryVendor) -> None:
    period.begin()
    vendor.put("a", "50.00", created_at=NOON - 100 * DAY)
    found = period.roll()
    assert str(found.rolls[0].lines[Line.UNEXPLAINED]) == "50.00 EUR"
    assert found.unexplained[0].reason == "it is older than the first snapshot, but is not in it"


def test_what_the_history_does_not_explain_is_named(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00")
    vendor.put("b", "50.00")
    period.begin()
    vendor.put("a", "49.99")
    vendor.move("b", MovementKind.REDEMPTION, "10.00", vendor.clock)
    vendor.put("b", "41.00")
    found = period.roll()
    assert [(one.voucher_id, str(one.money), one.reason) for one in found.unexplained] == [
        ("a", "-0.01 EUR", "its history has no movement for the change"),
        ("b", "1.00 EUR", "its history does not explain the change"),
    ]
    (rolled,) = found.rolls
    assert str(rolled.lines[Line.UNEXPLAINED]) == "0.99 EUR"
    assert str(rolled.lines[Line.REDEEMED]) == "10.00 EUR"
    assert roll_warnings(found) == ["shop: the records do not explain the change of 2 vouchers, together 0.99 EUR."]


def test_of_many_unexplained_vouchers_all_are_counted_and_some_named(period: Period, vendor: MemoryVendor) -> None:
    for number in range(150):
        vendor.put(f"v-{number}", "1.00")
    period.begin()
    for number in range(150):
        vendor.put(f"v-{number}", "0.99")
    found = period.roll()
    assert (found.unexplained_count, len(found.unexplained)) == (150, 100)
    assert str(found.rolls[0].lines[Line.UNEXPLAINED]) == "-1.50 EUR"
    assert "150 vouchers, together -1.50 EUR; the first 100 are named" in roll_warnings(found)[0]


def test_a_voucher_whose_currency_changed_leaves_one_and_comes_to_the_other_unexplained(
    period: Period, vendor: MemoryVendor
) -> None:
    vendor.put("a", "50.00", "EUR")
    period.begin()
    vendor.put("a", "70", "JPY")
    found = period.roll()
    assert {one.currency: str(one.lines[Line.UNEXPLAINED].amount) for one in found.rolls} == {
        "EUR": "-50.00",
        "JPY": "70",
    }


def test_a_balance_that_was_not_told_is_unexplained(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00")
    period.begin()
    vendor.mute = {"a"}
    found = period.roll()
    assert str(found.rolls[0].lines[Line.UNEXPLAINED]) == "-50.00 EUR"
    assert "did not show" in found.unexplained[0].reason
    assert (found.silent, "did not show the remaining value of 1 voucher" in roll_warnings(found)[0]) == (
        (found.closing,),
        True,
    )


def test_a_balance_that_was_never_told_is_said_though_no_line_has_it(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00")
    vendor.mute = {"a"}
    period.begin()
    found = period.roll()
    assert (found.rolls[0].lines[Line.CLOSING].minor, found.unexplained_count) == (0, 0)
    assert found.silent == (found.opening, found.closing)
    assert len(roll_warnings(found)) == 2


def test_currencies_have_rolls_of_their_own(period: Period, vendor: MemoryVendor) -> None:
    vendor.put("a", "50.00", "EUR")
    vendor.put("b", "7", "JPY")
    period.begin()
    assert [(one.currency, str(one.lines[Line.CLOSING])) for one in period.roll().rolls] == [
        ("EUR", "50.00 EUR"),
        ("JPY", "7 JPY"),
    ]


def test_snapshots_are_walked_side_by_side_whatever_their_ids(
    gateway: Gateway, vendor: MemoryVendor, either_snapshots: Snapshots
) -> None:
    ids = ["Z", "a", "B", "ä", "a-1", "a_1", "A1", "ß", "zz", "😀", "é", "e\u0301", " ", "~"]
    period = Period(gateway, vendor, either_snapshots)
    for each in ids:
        vendor.put(each, "1.00")
    period.begin()
    for each in ids[::2]:
        vendor.take_away(each)
    for each in ("ö", "Y", "b"):
        vendor.put(each, "2.00", created_at=vendor.clock)
    assert period.lines() == {
        Line.OPENING: "14.00",
        Line.ISSUED: "6.00",
        Line.DELETED: "7.00",
        Line.CLOSING: "13.00",
    }


def test_a_roll_that_does_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ArithmeticError, match="adds up to 4999, not to 5000"):
        CurrencyRollForward.of("EUR", {Line.OPENING: 5000, Line.REDEEMED: 1, Line.CLOSING: 5000})
    rolled = CurrencyRollForward.of(
        "EUR", {Line.OPENING: 5000, Line.REDEEMED: 1, Line.UNEXPLAINED: 1, Line.CLOSING: 5000}
    )
    assert str(rolled.balance_change(Line.REDEEMED)) == "-0.01 EUR"
    assert str(rolled.balance_change(Line.EXPIRED)) == "0.00 EUR"


def test_the_two_snapshots_must_be_of_one_account_and_in_order(
    period: Period, gateway: Gateway, vendor: MemoryVendor, snapshots: Snapshots
) -> None:
    vendor.put("a")
    period.begin()
    later = snapshots.take(gateway, "shop")
    with pytest.raises(InvalidRequest, match="an earlier and a later"):
        roll_forward(gateway, snapshots, later, period.opening)
    other = MemoryVendor("other")
    with pytest.raises(InvalidRequest, match="one account at one vendor"):
        roll_forward(gateway, snapshots, period.opening, snapshots.take(Gateway({"other": other}), "other"))
    with pytest.raises(InvalidRequest, match="the same snapshot for both moments"):
        recall_roll_forward(gateway, snapshots, "shop", later.began_at, later.began_at)
    found = recall_roll_forward(gateway, snapshots, "shop", NOON + DAY)
    assert (found.opening, found.closing) == (period.opening, later)
