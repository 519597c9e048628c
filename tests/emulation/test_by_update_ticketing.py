"""The overwriting emulations over the ticketing vendor's wire, with ticket checkouts beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from voucher_gateway import (
    ConcurrentModification,
    Gateway,
    InsufficientValue,
    Money,
    NewVoucher,
    OutcomeUnknown,
    ProviderUnavailable,
    Redemption,
    Voucher,
    VoucherExpired,
)
from voucher_gateway.provider_api import now
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_ticketing.simulator import TicketingSimulator

CODE = "EVENT-0001"
BY_UPDATE = ["redeem-by-update", "refund-by-update", "top-up-by-update"]


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def vendor(start_vendor: Callable[..., RunningSimulator]) -> RunningSimulator:
    return start_vendor("ticketing")


@pytest.fixture
def gateway(vendor: RunningSimulator, open_gateway: Callable[..., Gateway]) -> Gateway:
    return open_gateway(vendor, currency="EUR", accept_risks=BY_UPDATE, tries=1)


@pytest.fixture
def voucher(gateway: Gateway) -> Voucher:
    return gateway.issue("shop", NewVoucher(initial=euros("50.00"), code=CODE), reference="i-1")


def books(vendor: RunningSimulator) -> tuple[object, object]:
    (entry,) = vendor.ledger()
    return entry["initial"], entry["remaining"]


def checkout(vendor: RunningSimulator, amount: str) -> None:
    assert isinstance(vendor.simulator, TicketingSimulator)
    vendor.simulator.redeem_at_checkout(CODE, amount)


def once_written(vendor: RunningSimulator, then: Callable[[], None]) -> threading.Thread:
    """Let something happen after the value was overwritten and before the answer, which is late."""
    before = books(vendor)
    vendor.inject("slow", "PUT /api/vouchers/*", delay_s=0.8)

    def watch() -> None:
        while books(vendor) == before:
            time.sleep(0.005)
        then()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    return watcher


def test_a_voucher_is_redeemed_refunded_and_topped_up_to_the_cent(
    gateway: Gateway, voucher: Voucher, vendor: RunningSimulator
) -> None:
    taken = gateway.redeem("shop", CODE, euros("10.53"), reference="r-1", order="1001")
    assert (taken.voucher_id, taken.money, taken.remaining) == (voucher.id, euros("10.53"), euros("39.47"))
    assert gateway.refund("shop", taken, euros("0.54"), reference="b-1").remaining == euros("40.01")
    assert gateway.top_up("shop", voucher.id, euros("9.99"), reference="t-1").remaining == euros("50.00")
    assert books(vendor) == ("50.00", "50.00")


def test_what_a_checkout_took_before_stays_taken(gateway: Gateway, voucher: Voucher, vendor: RunningSimulator) -> None:
    checkout(vendor, "20.10")
    assert gateway.redeem("shop", CODE, euros("29.90"), reference="r-1").remaining == euros("0.00")
    assert books(vendor) == ("20.10", "0.00")
    with pytest.raises(InsufficientValue):
        gateway.redeem("shop", CODE, euros("0.01"), reference="r-2")


def test_amounts_that_the_vendor_computes_in_floats_come_out_exact(
    start_vendor: Callable[..., RunningSimulator], open_gateway: Callable[..., Gateway]
) -> None:
    vendor = start_vendor("ticketing", float_noise=True)
    gateway = open_gateway(vendor, currency="EUR", accept_risks=BY_UPDATE)
    gateway.issue("shop", NewVoucher(initial=euros("50.00"), code=CODE), reference="i-1")
    for number in range(30):
        remaining = gateway.redeem("shop", CODE, euros("0.10"), reference=f"r-{number}").remaining
        assert remaining == Money.from_minor(5000 - 10 * (number + 1), "EUR")
    assert books(vendor) == ("47.00", "47.00")


def test_an_expired_voucher_is_refused_by_the_vendors_clock_and_the_expiry_stays(
    gateway: Gateway, vendor: RunningSimulator
) -> None:
    until = now().replace(microsecond=0)
    until = until.replace(year=until.year + 1, day=1)
    gateway.issue("shop", NewVoucher(initial=euros("50.00"), code=CODE, valid_until=until), reference="i-1")
    gateway.redeem("shop", CODE, euros("1"), reference="r-1")
    assert gateway.balance("shop", CODE).valid_until == until
    vendor.clock.advance(366 * 24 * 3600)
    with pytest.raises(VoucherExpired):
        gateway.redeem("shop", CODE, euros("1"), reference="r-2")
    assert books(vendor) == ("49.00", "49.00")


def test_a_checkout_at_the_same_moment_is_told_with_the_evidence(
    gateway: Gateway, voucher: Voucher, vendor: RunningSimulator
) -> None:
    buyer = once_written(vendor, lambda: checkout(vendor, "5.00"))
    with pytest.raises(ConcurrentModification) as caught:
        gateway.redeem("shop", CODE, euros("10.00"), reference="r-1")
    buyer.join()
    assert caught.value.evidence["remaining before"] == "50.00 EUR"
    assert caught.value.evidence["remaining after"] == "35.00 EUR"
    assert books(vendor) == ("40.00", "35.00")


@pytest.mark.parametrize("fault", ["commit-then-drop", "error-after-commit", "truncate", "html", "wrong-echo"])
def test_an_update_whose_answer_is_lost_is_of_unknown_outcome(
    gateway: Gateway, voucher: Voucher, vendor: RunningSimulator, fault: str
) -> None:
    vendor.inject(fault, "PUT /api/vouchers/*")
    with pytest.raises(OutcomeUnknown) as caught:
        gateway.redeem("shop", CODE, euros("10.00"), reference="r-1")
    ticket = caught.value.ticket
    assert (ticket.verb, ticket.voucher_id, ticket.amount) == ("redeem", voucher.id, "10.00")
    assert ticket.notes["value_after"] == "40.00 EUR"
    assert books(vendor) == ("40.00", "40.00")


def test_a_reading_after_the_update_that_fails_leaves_the_outcome_unknown(
    gateway: Gateway, voucher: Voucher, vendor: RunningSimulator
) -> None:
    trouble = once_written(vendor, lambda: vendor.inject("error-before", "GET *", times=None))
    with pytest.raises(OutcomeUnknown, match="could not be read back"):
        gateway.redeem("shop", CODE, euros("10.00"), reference="r-1")
    trouble.join()
    assert books(vendor) == ("40.00", "40.00")


def test_a_vendor_that_cannot_be_read_is_not_written_to(
    gateway: Gateway, voucher: Voucher, vendor: RunningSimulator
) -> None:
    vendor.inject("error-before", "GET *", times=None)
    with pytest.raises(ProviderUnavailable):
        gateway.redeem("shop", CODE, euros("10.00"), reference="r-1")
    assert not [record for record in vendor.requests if record.method == "PUT"]


def test_threads_never_overspend_a_voucher(gateway: Gateway, voucher: Voucher, vendor: RunningSimulator) -> None:
    results: list[object] = []

    def spend(number: int) -> None:
        try:
            results.append(gateway.redeem("shop", CODE, euros("9.00"), reference=f"r-{number}"))
        except InsufficientValue as error:
            results.append(error)

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 12
    assert sum(isinstance(result, Redemption) for result in results) == 5
    assert books(vendor) == ("5.00", "5.00")
