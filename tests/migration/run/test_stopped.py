"""What a run leaves to the next one when it is stopped, or stops because no reply can be read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.migration.run.test_runner import carried
from tests.migration.run.vendor_pair import SpendableValues, VendorPair
from voucher_gateway.migration import RowState, pause_plan, status_of, verify_plan
from voucher_gateway.migration.run import context
from voucher_gateway.provider_api import MalformedResponse
from voucher_gateway.simulator import RunningSimulator


@pytest.fixture(autouse=True)
def long_pauses(short_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker wait before it asks again, until the run stops."""
    monkeypatch.setattr(context, "_PAUSES_S", (20.0,))


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_reply_that_cannot_be_read_while_the_run_stops_leaves_the_voucher_to_the_next_run(
    pair: VendorPair, end: str
) -> None:
    pair.plan()
    before, planned = SpendableValues.of(pair), len(carried(pair))
    vendor: RunningSimulator = getattr(pair, end)
    vendor.inject("html", "GET */vouchers/*", times=2)
    run_and_pause(pair, vendor)
    seen = status_of(pair.gateway, pair.path)
    assert (seen.count(RowState.REFUSED), seen.count(RowState.IN_DOUBT)) == (0, 0)
    assert seen.count(RowState.PLANNED) >= 2
    pair.run()
    assert status_of(pair.gateway, pair.path).count(RowState.MOVED) == planned
    assert SpendableValues.of(pair).all == before.all
    assert verify_plan(pair.gateway, pair.path).proved


def test_a_vendor_that_answers_all_reads_with_a_page_for_people_stops_the_run(
    make_pair: Callable[..., VendorPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "_PAUSES_S", (0.001,))
    pair = make_pair(vouchers=200)
    pair.plan()
    before, planned = SpendableValues.of(pair), len(carried(pair))
    pair.source.inject("html", "GET */vouchers/*", times=0)
    report = pair.run(workers=2)
    assert isinstance(report.error, MalformedResponse)
    refused = report.counts[RowState.REFUSED]
    assert 20 <= refused < 24
    pair.source.clear_faults()
    assert pair.run().counts == {RowState.MOVED: planned - refused}
    assert SpendableValues.of(pair).all == before.all


def run_and_pause(pair: VendorPair, vendor: RunningSimulator) -> None:
    """Run the plan, and pause it as soon as two replies of a vendor could not be read."""

    def pause_soon() -> None:
        deadline = time.monotonic() + 15
        while sum("html" in request.faults for request in vendor.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        pause_plan(pair.gateway, pair.path)

    pausing = threading.Thread(target=pause_soon)
    pausing.start()
    try:
        assert pair.run(workers=2).stopped == "paused"
    finally:
        pausing.join()
