"""The life of a voucher, over real HTTP, held against the vendor's own ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import (
    Declined,
    DuplicateCode,
    Interval,
    Medium,
    Money,
    MovementKind,
    NewVoucher,
    Rejected,
    Status,
    Validity,
    VoucherChanges,
    VoucherNotFound,
)

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway_jtl import JtlProvider

    StartJtl = Callable[..., RunningSimulator]
    MakeAdapter = Callable[..., JtlProvider]


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


def _true(running: RunningSimulator, id: str) -> dict[str, Any]:
    """The voucher as the vendor's ledger has it."""
    (voucher,) = (voucher for voucher in running.ledger() if voucher["id"] == id)
    return voucher


@pytest.mark.parametrize("omit_unset", [False, True])
def test_the_whole_life_of_a_voucher(start_jtl: StartJtl, make_adapter: MakeAdapter, omit_unset: bool) -> None:
    jtl = start_jtl(strict=True, omit_unset=omit_unset)
    shop = make_adapter(jtl)

    new = NewVoucher(
        initial=eur("50.00"),
        code="MY-CODE",
        pin="0042",
        medium=Medium.PRINT,
        validity=Validity(24, Interval.MONTHS),
        taxable=True,
        tax_rate="19",
        metadata={"to": "Ada"},
    )
    voucher = shop.issue(new, reference="i-1", order="W-1")
    assert (voucher.status, voucher.valid_until, voucher.order) == (Status.INACTIVE, None, "W-1")

    voucher = shop.update(voucher.id, VoucherChanges(sku="MUG", batch="Spring"), reference="u-1")
    assert (voucher.sku, voucher.batch, voucher.metadata) == ("MUG", "Spring", {"to": "Ada"})

    voucher = shop.activate(voucher.id, reference="a-1")
    assert voucher.status is Status.ACTIVE
    assert voucher.valid_until is not None
    assert voucher.created_at is not None
    assert timedelta(days=729) < voucher.valid_until - voucher.created_at < timedelta(days=733)

    reservation = shop.reserve("MY-CODE", eur("20.00"), "0042", reference="r-1", order="W-2")
    assert (reservation.voucher_id, reservation.money) == (voucher.id, eur("20.00"))
    assert (reservation.reference, reservation.order) == ("r-1", "W-2")
    assert reservation.valid_until is not None
    assert reservation.created_at is not None
    assert reservation.valid_until - reservation.created_at == timedelta(minutes=30)
    assert _true(jtl, voucher.id)["remaining"] == "50.00"

    redemption = shop.capture(reservation, reference="c-1", order="W-2")
    assert (redemption.money, redemption.reservation_id) == (eur("20.00"), reservation.id)
    assert _true(jtl, voucher.id)["remaining"] == "30.00"

    refund = shop.refund(redemption, eur("7.50"), reference="f-1")
    assert (refund.money, refund.redemption_id) == (eur("7.50"), redemption.id)
    top_up = shop.top_up(voucher.id, eur("0.01"), reference="t-1")
    assert _true(jtl, voucher.id)["remaining"] == "37.51"

    assert shop.balance("MY-CODE", "0042").remaining == eur("37.51")
    found = shop.find("MY-CODE")
    assert (found.id, found.remaining, found.deletable) == (voucher.id, eur("37.51"), False)

    jtl.clock.advance(1)
    last = shop.top_up(voucher.id, eur("1.00"), reference="t-2")
    history = shop.history(voucher.id)
    assert history.complete
    assert {(movement.id, movement.kind, movement.money, movement.reference) for movement in history} == {
        (redemption.id, MovementKind.REDEMPTION, eur("20.00"), "c-1"),
        (refund.id, MovementKind.REFUND, eur("7.50"), None),
        (top_up.id, MovementKind.TOP_UP, eur("0.01"), "t-1"),
        (last.id, MovementKind.TOP_UP, eur("1.00"), "t-2"),
    }
    assert history.movements[-1].id == last.id
    assert {movement.login for movement in history} == {shop.login}

    voucher = shop.deactivate(voucher.id, reference="d-1")
    assert (voucher.status, voucher.valid_until) == (Status.INACTIVE, None)
    with pytest.raises(Rejected):
        shop.delete(voucher.id, "it was charged", reference="x-1")
    assert _true(jtl, voucher.id)["remaining"] == "38.51"

    unused = shop.issue(NewVoucher(initial=eur("5.00")), reference="i-2")
    assert shop.get(unused.id).deletable is True
    assert shop.delete(unused.id, "never sold", reference="x-2").voucher_id == unused.id
    assert [entry["id"] for entry in jtl.ledger()] == [voucher.id]
    with pytest.raises(VoucherNotFound):
        shop.get(unused.id)


ODD = [
    "a/b",
    "../../etc",
    "%2e%2E%2f",
    "what?x=1&y=2#z",
    "two  words ",
    " leading",
    "a+b=c;d,e",
    "[x]{y}|^`",
    "Grüße",
    "🎁🎁",
    "e\u0301",
    "\u00e9",
    '"quoted\\',
    "line\nfeed\ttab",
    "\x00\x1f",
    "-",
    "recharge",
    "ß" * 255,
]


@pytest.mark.parametrize("odd", ODD)
def test_ids_and_codes_with_odd_signs_arrive_whole(jtl: RunningSimulator, adapter: JtlProvider, odd: str) -> None:
    new = NewVoucher(initial=eur("10.00"), id=odd, code=odd, pin=odd, sku=odd)
    voucher = adapter.issue(new, reference="r")
    assert (voucher.id, voucher.code, voucher.pin) == (odd, new.code, new.pin)
    assert [(entry["id"], entry["code"], entry["pin"]) for entry in jtl.ledger()] == [(odd, odd, odd)]
    adapter.activate(odd, reference=odd)
    assert adapter.find(odd).id == odd
    assert adapter.get(odd, secrets=True).code == new.code
    reservation = adapter.reserve(odd, eur("4.00"), odd, reference="r")
    adapter.capture(reservation, reference=odd)
    adapter.top_up(odd, eur("1.00"), reference=odd)
    assert {movement.reference for movement in adapter.history(odd)} == {odd}
    assert adapter.balance(odd).remaining == eur("7.00")


def test_codes_are_matched_exactly(adapter: JtlProvider) -> None:
    adapter.issue(NewVoucher(initial=eur("1.00"), code="ABC"), reference="r")
    for other in ("abc", "ABC ", " ABC", "AB", "ABCD", "%", "A*"):
        with pytest.raises(VoucherNotFound):
            adapter.find(other)


def test_an_id_or_a_code_cannot_be_there_twice(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    adapter.issue(NewVoucher(initial=eur("1.00"), id="V", code="C"), reference="r")
    for id, code in (("V", None), (None, "C"), ("V", "C")):
        with pytest.raises(DuplicateCode):
            adapter.issue(NewVoucher(initial=eur("1.00"), id=id, code=code), reference="r")
    assert len(jtl.ledger()) == 1


def test_a_voucher_that_is_not_there_is_not_found(adapter: JtlProvider) -> None:
    calls: list[Callable[[], object]] = [
        lambda: adapter.get("none"),
        lambda: adapter.get("none", secrets=True),
        lambda: adapter.history("none"),
        lambda: adapter.find("none"),
        lambda: adapter.balance("none"),
        lambda: adapter.activate("none", reference="r"),
        lambda: adapter.deactivate("none", reference="r"),
        lambda: adapter.update("none", VoucherChanges(sku="S"), reference="r"),
        lambda: adapter.top_up("none", eur("1.00"), reference="r"),
        lambda: adapter.delete("none", "why", reference="r"),
        lambda: adapter.reserve("none", eur("1.00"), reference="r"),
    ]
    for call in calls:
        with pytest.raises(VoucherNotFound):
            call()


def test_what_the_vendor_rules_out_is_declined_and_changes_nothing(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    voucher = adapter.issue(NewVoucher(initial=eur("10.00"), code="C", active=True), reference="r")
    first = adapter.reserve("C", eur("4.00"), reference="r")
    second = adapter.reserve("C", eur("5.00"), reference="r")
    redemption = adapter.capture(second, reference="r")
    late = adapter.reserve("C", eur("5.00"), reference="r")
    jtl.clock.advance(30 * 60)
    calls: dict[str, Callable[[], object]] = {
        "capture a replaced reservation": lambda: adapter.capture(first, reference="r"),
        "capture a reservation twice": lambda: adapter.capture(second, reference="r"),
        "capture a lapsed reservation": lambda: adapter.capture(late, reference="r"),
        "refund more than was taken": lambda: adapter.refund(redemption, eur("5.01"), reference="r"),
        "refund in another currency": lambda: adapter.refund(redemption, Money("1.00", "USD"), reference="r"),
        "top up in another currency": lambda: adapter.top_up(voucher.id, Money("1.00", "USD"), reference="r"),
        "delete an active voucher": lambda: adapter.delete(voucher.id, "why", reference="r"),
    }
    before = jtl.ledger()
    for call in calls.values():
        with pytest.raises(Declined) as caught:
            call()
        assert (caught.value.outcome, caught.value.account) == ("declined", "shop")
        assert caught.value.vendor_code
    assert jtl.ledger() == before


def test_a_redemption_can_be_refunded_in_parts_up_to_the_whole(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    voucher = adapter.issue(NewVoucher(initial=eur("10.00"), code="C", active=True), reference="r")
    redemption = adapter.capture(adapter.reserve("C", eur("10.00"), reference="r"), reference="r")
    adapter.refund(redemption, eur("0.01"), reference="r")
    adapter.refund(redemption, eur("9.99"), reference="r")
    with pytest.raises(Rejected):
        adapter.refund(redemption, eur("0.01"), reference="r")
    assert _true(jtl, voucher.id)["remaining"] == "10.00"


def test_an_update_that_the_vendor_takes_for_inactive_vouchers_only_is_rejected(
    start_jtl: StartJtl, make_adapter: MakeAdapter
) -> None:
    shop = make_adapter(start_jtl(update_inactive_only=True))
    voucher = shop.issue(NewVoucher(initial=eur("1.00"), active=True), reference="r")
    with pytest.raises(Rejected):
        shop.update(voucher.id, VoucherChanges(sku="S"), reference="r")
    shop.deactivate(voucher.id, reference="r")
    assert shop.update(voucher.id, VoucherChanges(sku="S"), reference="r").sku == "S"
