"""Many workers want the same voucher at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.races.workers import run_in_processes
from tests.support.threads import run_in_threads

if TYPE_CHECKING:
    from tests.races.conftest import SharedVoucher

ShareVoucher = Callable[[str, str], "SharedVoucher"]

THREADS = 50
PROCESSES = 8


def _kinds(outcomes: list[str]) -> Counter[str]:
    return Counter("redeemed" if outcome.startswith("redeemed") else outcome for outcome in outcomes)


def test_fifty_threads_with_one_reference_charge_once(share_voucher: ShareVoucher, either_url: str) -> None:
    voucher = share_voucher("jtl", either_url)
    task = voucher.task("10.00", "1001-a")
    outcomes = run_in_threads([partial(task.run, voucher.gateway)] * THREADS)
    assert len(set(outcomes)) == 1, "all of them have the same redemption"
    assert _kinds(outcomes) == {"redeemed": THREADS}
    assert voucher.charges() == 1
    assert voucher.remaining() == "40.00"


def test_eight_processes_with_one_reference_charge_once(share_voucher: ShareVoucher, either_url: str) -> None:
    voucher = share_voucher("jtl", either_url)
    task = voucher.task("10.00", "1001-a")
    outcomes = run_in_processes([[task]] * PROCESSES)
    assert len(set(outcomes)) == 1
    assert _kinds(outcomes) == {"redeemed": PROCESSES}
    assert voucher.charges() == 1
    assert voucher.remaining() == "40.00"


@pytest.mark.parametrize("vendor", ["jtl", "ticketing"])
def test_fifty_threads_with_references_of_their_own_never_spend_more_than_there_is(
    vendor: str, share_voucher: ShareVoucher, sqlite_url: str
) -> None:
    voucher = share_voucher(vendor, sqlite_url)
    tasks = [voucher.task("7.00", f"10{number}-a") for number in range(THREADS)]
    outcomes = _kinds(run_in_threads([partial(task.run, voucher.gateway) for task in tasks]))
    _all_is_accounted_for(voucher, outcomes, Decimal("7.00"))


@pytest.mark.parametrize("vendor", ["jtl", "ticketing"])
def test_eight_processes_with_references_of_their_own_never_spend_more_than_there_is(
    vendor: str, share_voucher: ShareVoucher, either_url: str
) -> None:
    voucher = share_voucher(vendor, either_url)
    rows = [[voucher.task("7.00", f"10{row}-{number}") for number in range(3)] for row in range(PROCESSES)]
    _all_is_accounted_for(voucher, _kinds(run_in_processes(rows)), Decimal("7.00"))


def test_two_gateways_on_one_postgres_charge_once(share_voucher: ShareVoucher, postgres_url: str) -> None:
    voucher = share_voucher("jtl", postgres_url)
    with voucher.another_gateway() as other:
        task = voucher.task("10.00", "1001-a")
        gateways = [voucher.gateway, other] * 8
        outcomes = run_in_threads([partial(task.run, gateway) for gateway in gateways])
    assert len(set(outcomes)) == 1
    assert voucher.charges() == 1


def test_two_gateways_on_one_postgres_overwrite_a_value_one_after_the_other(
    share_voucher: ShareVoucher, postgres_url: str
) -> None:
    voucher = share_voucher("ticketing", postgres_url)
    with voucher.another_gateway() as other:
        tasks = [voucher.task("5.00", f"10{number}-a") for number in range(12)]
        pairs = zip(tasks, [voucher.gateway, other] * 6, strict=True)
        outcomes = _kinds(run_in_threads([partial(task.run, gateway) for task, gateway in pairs]))
    assert outcomes == {"redeemed": 10, "InsufficientValue": 2}
    assert voucher.remaining() == "0.00"


def _all_is_accounted_for(voucher: SharedVoucher, outcomes: Counter[str], each: Decimal) -> None:
    """Exactly what was reported as redeemed is gone; losers heard that nothing was taken."""
    assert Decimal(voucher.remaining()) == Decimal(50) - outcomes["redeemed"] * each
    assert 1 <= outcomes["redeemed"] <= 7
    assert set(outcomes) <= {"redeemed", "InsufficientValue", "Rejected", "VoucherHeld", "ReservationSuperseded"}
    if voucher.account.vendor == "ticketing":  # under the journal's lock one comes after the other
        assert outcomes["redeemed"] == 7
