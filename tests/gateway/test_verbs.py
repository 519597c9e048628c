"""Every verb, with the account's name first, all the way to a vendor that speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from voucher_gateway import (
    Code,
    Gateway,
    Interval,
    Medium,
    Money,
    MovementKind,
    NewVoucher,
    Status,
    Validity,
    Voucher,
    VoucherChanges,
    VoucherNotFound,
    VoucherQuery,
)
from voucher_gateway.simulator import RunningSimulator


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def code_of(voucher: Voucher) -> Code:
    assert voucher.code is not None
    return voucher.code


def test_an_issued_voucher_has_what_was_asked_for_and_a_code(gateway: Gateway) -> None:
    new = NewVoucher(
        initial=euros("25.50"),
        id="voucher-7",
        active=False,
        medium=Medium.PRINT,
        validity=Validity(3, Interval.YEARS),
        sku="GIFT",
        batch="spring",
    )
    voucher = gateway.issue("shop", new, reference="i-7", order="1007")
    assert (voucher.account, voucher.id, voucher.initial) == ("shop", "voucher-7", euros("25.50"))
    assert (voucher.status, voucher.medium, voucher.sku, voucher.batch) == (
        Status.INACTIVE,
        Medium.PRINT,
        "GIFT",
        "spring",
    )
    assert voucher.code is not None


def test_activating_makes_a_voucher_spendable_and_deactivating_stops_it(gateway: Gateway) -> None:
    voucher = gateway.issue("shop", NewVoucher(initial=euros("10"), active=False), reference="i-1")
    assert gateway.activate("shop", voucher.id, reference="a-1").status is Status.ACTIVE
    assert gateway.get("shop", voucher.id).status is Status.ACTIVE
    assert gateway.deactivate("shop", voucher.id, reference="d-1").status is Status.INACTIVE
    assert gateway.get("shop", voucher.id).status is Status.INACTIVE


def test_a_voucher_is_read_by_id_and_its_secrets_only_on_demand(gateway: Gateway, voucher: Voucher) -> None:
    plain = gateway.get("shop", voucher.id)
    assert (plain.id, plain.remaining, plain.code) == (voucher.id, euros("50.00"), None)
    assert gateway.get("shop", voucher.id, secrets=True).code == voucher.code


def test_what_is_not_there_is_not_found(gateway: Gateway) -> None:
    with pytest.raises(VoucherNotFound) as caught:
        gateway.get("shop", "nowhere")
    assert (caught.value.account, caught.value.operation) == ("shop", "get")


def test_the_balance_is_what_is_left_now(gateway: Gateway, voucher: Voucher) -> None:
    gateway.redeem("shop", code_of(voucher), euros("10.53"), reference="r-1", order="1001")
    balance = gateway.balance("shop", code_of(voucher))
    assert (balance.voucher_id, balance.remaining, balance.status) == (voucher.id, euros("39.47"), Status.ACTIVE)


def test_codes_may_be_given_as_text(gateway: Gateway, voucher: Voucher) -> None:
    text = code_of(voucher).reveal()
    assert gateway.balance("shop", text).remaining == euros("50.00")
    assert gateway.reserve("shop", text, euros("1"), reference="h-1").money == euros("1.00")
    assert gateway.redeem("shop", text, euros("1"), reference="r-1").money == euros("1.00")


def test_a_voucher_with_a_pin_is_spent_with_it(gateway: Gateway) -> None:
    card = NewVoucher(initial=euros("20"), code="CARD-1", pin="0815", active=True)
    gateway.issue("shop", card, reference="i-1")
    assert gateway.redeem("shop", "CARD-1", euros("5"), "0815", reference="r-1").money == euros("5.00")
    assert gateway.reserve("shop", "CARD-1", euros("5"), "0815", reference="h-1").money == euros("5.00")


def test_vouchers_are_listed_lazily_with_filters(gateway: Gateway, jtl: RunningSimulator) -> None:
    for number in range(3):
        new = NewVoucher(initial=euros("10"), id=f"v-{number}", batch="b" if number else "a")
        gateway.issue("shop", new, reference=f"i-{number}")
    before = len(jtl.requests)
    listing = gateway.vouchers("shop", VoucherQuery(batch="b"))
    assert len(jtl.requests) == before
    assert {voucher.id for voucher in listing} == {"v-1", "v-2"}
    assert listing.report.consistent
    assert len(list(gateway.vouchers("shop"))) == 3


def test_the_history_tells_what_moved(gateway: Gateway, voucher: Voucher) -> None:
    redemption = gateway.redeem("shop", code_of(voucher), euros("10"), reference="r-1")
    gateway.refund("shop", redemption, euros("4"), reference="b-1")
    gateway.top_up("shop", voucher.id, euros("2.50"), reference="t-1")
    history = gateway.history("shop", voucher.id)
    assert history.complete
    assert sorted((movement.kind, movement.money) for movement in history) == [
        (MovementKind.REDEMPTION, euros("10.00")),
        (MovementKind.REFUND, euros("4.00")),
        (MovementKind.TOP_UP, euros("2.50")),
    ]


def test_an_update_changes_only_what_it_names(gateway: Gateway) -> None:
    new = NewVoucher(initial=euros("10"), sku="OLD", batch="keep", active=False)
    voucher = gateway.issue("shop", new, reference="i-1")
    changed = gateway.update("shop", voucher.id, VoucherChanges(sku="NEW"), reference="u-1")
    assert (changed.sku, changed.batch) == ("NEW", "keep")


def test_a_top_up_adds_value(gateway: Gateway, voucher: Voucher, true_value: Callable[[str], tuple[str, str]]) -> None:
    added = gateway.top_up("shop", voucher.id, euros("7.25"), reference="t-1", order="1001")
    assert (added.voucher_id, added.money, added.order) == (voucher.id, euros("7.25"), "1001")
    assert true_value(voucher.id) == ("57.25", "0.00")


def test_a_deleted_voucher_is_gone(gateway: Gateway) -> None:
    voucher = gateway.issue("shop", NewVoucher(initial=euros("10"), active=False), reference="i-1")
    assert gateway.delete("shop", voucher.id, "printed twice", reference="x-1").voucher_id == voucher.id
    with pytest.raises(VoucherNotFound):
        gateway.get("shop", voucher.id)


def test_a_reservation_sets_value_aside_and_its_capture_takes_it(
    gateway: Gateway, voucher: Voucher, true_value: Callable[[str], tuple[str, str]]
) -> None:
    reservation = gateway.reserve("shop", code_of(voucher), euros("30"), reference="o-1", order="1001")
    assert (reservation.voucher_id, reservation.money) == (voucher.id, euros("30.00"))
    assert true_value(voucher.id) == ("50.00", "30.00")
    # One reference may stand for a reservation and its capture.
    redemption = gateway.capture("shop", reservation, reference="o-1", order="1001")
    assert (redemption.voucher_id, redemption.money, redemption.reservation_id) == (
        voucher.id,
        euros("30.00"),
        reservation.id,
    )
    assert true_value(voucher.id) == ("20.00", "0.00")


def test_the_whole_reservation_may_be_named_on_capture(gateway: Gateway, voucher: Voucher) -> None:
    reservation = gateway.reserve("shop", code_of(voucher), euros("30"), reference="h-1")
    assert gateway.capture("shop", reservation, euros("30"), reference="c-1").money == euros("30.00")


def test_a_release_at_jtl_says_when_the_value_is_free(
    gateway: Gateway, voucher: Voucher, jtl: RunningSimulator, true_value: Callable[[str], tuple[str, str]]
) -> None:
    reservation = gateway.reserve("shop", code_of(voucher), euros("30"), reference="h-1")
    sent = len(jtl.requests)
    release = gateway.release("shop", reservation, reference="l-1")
    assert (release.reservation_id, release.freed, release.frees_at) == (
        reservation.id,
        False,
        reservation.valid_until,
    )
    assert len(jtl.requests) == sent
    jtl.clock.advance(timedelta(minutes=31).total_seconds())
    assert true_value(voucher.id) == ("50.00", "0.00")


def test_a_release_after_the_end_by_the_vendors_clock_finds_the_value_free(
    gateway: Gateway, voucher: Voucher, jtl: RunningSimulator
) -> None:
    reservation = gateway.reserve("shop", code_of(voucher), euros("30"), reference="h-1")
    jtl.clock.advance(timedelta(minutes=31).total_seconds())
    gateway.get("shop", voucher.id)  # an answer that tells the vendor's time
    release = gateway.release("shop", reservation, reference="l-1")
    assert (release.freed, release.frees_at) == (True, None)


def test_a_redemption_takes_value_in_one_call(
    gateway: Gateway, voucher: Voucher, true_value: Callable[[str], tuple[str, str]]
) -> None:
    redemption = gateway.redeem("shop", code_of(voucher), euros("10.53"), reference="r-1", order="1001")
    assert (redemption.account, redemption.voucher_id, redemption.money, redemption.order) == (
        "shop",
        voucher.id,
        euros("10.53"),
        "1001",
    )
    assert true_value(voucher.id) == ("39.47", "0.00")


def test_refunds_give_back_in_part_and_then_the_rest(
    gateway: Gateway, voucher: Voucher, true_value: Callable[[str], tuple[str, str]]
) -> None:
    redemption = gateway.redeem("shop", code_of(voucher), euros("20"), reference="r-1")
    part = gateway.refund("shop", redemption, euros("5.01"), reference="b-1")
    assert (part.redemption_id, part.money) == (redemption.id, euros("5.01"))
    assert true_value(voucher.id) == ("35.01", "0.00")
    gateway.refund("shop", redemption, euros("14.99"), reference="b-2")
    assert true_value(voucher.id) == ("50.00", "0.00")


def test_a_refund_without_an_amount_gives_all_of_it_back(
    gateway: Gateway, voucher: Voucher, true_value: Callable[[str], tuple[str, str]]
) -> None:
    redemption = gateway.redeem("shop", code_of(voucher), euros("20"), reference="r-1")
    assert gateway.refund("shop", redemption, reference="b-1").money == euros("20.00")
    assert true_value(voucher.id) == ("50.00", "0.00")


def test_without_a_journal_a_repeated_call_is_sent_again(
    gateway: Gateway, voucher: Voucher, true_value: Callable[[str], tuple[str, str]]
) -> None:
    for _ in range(2):
        assert not gateway.redeem("shop", code_of(voucher), euros("10"), reference="r-1").replayed
    assert true_value(voucher.id) == ("30.00", "0.00")


def test_the_reference_is_the_name_under_which_the_vendor_knows_the_call(gateway: Gateway, voucher: Voucher) -> None:
    gateway.redeem("shop", code_of(voucher), euros("10"), reference="1001-a", order="1001")
    (movement,) = gateway.history("shop", voucher.id)
    assert movement.reference == "1001-a"
