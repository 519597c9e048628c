"""Results in the journal: what is written of them can be read again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voucher_gateway.journal.records import read_result, write_result
from voucher_gateway.outcome import Result
from voucher_gateway.provider_api import Money, Redemption, Refund, Reservation, TopUp, Voucher

TEN = Money("10.00", "EUR")
AT = datetime(2026, 5, 1, 8, tzinfo=UTC)

RESULTS: dict[str, Result] = {
    "voucher": Voucher(
        account="shop",
        id="V1",
        initial=TEN,
        login="till-7",
        origin="shop",
        links={"customer_id": "c-1", "transaction_id": "t-1"},
        taxable=True,
        tax_rate="19",
        created_at=AT,
    ),
    "reservation": Reservation(account="shop", id="R1", money=TEN, taxable=True, tax_rate="19", login="till-7"),
    "redemption": Redemption(account="shop", id="M1", money=TEN, taxable=False, login="till-7"),
    "refund": Refund(account="shop", id="M2", money=TEN, login="till-7"),
    "top_up": TopUp(account="shop", id="M3", money=TEN, login="till-7"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_what_the_vendor_said_is_read_as_it_was_written(name: str) -> None:
    assert read_result(write_result(RESULTS[name])) == RESULTS[name]


def test_a_result_that_was_written_before_there_were_links_is_read_without_any() -> None:
    old = '{"kind":"Voucher","account":"shop","id":"V1"}'
    assert read_result(old) == Voucher(account="shop", id="V1")
