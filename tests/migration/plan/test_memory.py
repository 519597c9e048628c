"""A plan is made in memory that does not grow with the estate, but for small hashes."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from voucher_gateway import Gateway
from voucher_gateway.migration import Action, make_plan
from voucher_gateway.provider_api import (
    Capabilities,
    Code,
    CodeRules,
    Expiry,
    Listing,
    ListingRules,
    Money,
    NewVoucher,
    Operation,
    Page,
    Pin,
    Voucher,
    VoucherNotFound,
    VoucherProvider,
    VoucherQuery,
    native,
)

PAGE = 500
MOST_BYTES = 300
"""A voucher: one hash in the listing, one of its code, and room for the sets to grow; a `Voucher` has thousands."""


class Shelf(VoucherProvider):
    """Has as many vouchers as it is told, made when they are asked for."""

    name = "shelf"
    title = "A shelf"
    settings_type = int
    settings: int
    declared = Capabilities(
        operations={one: native() for one in (Operation.FIND, Operation.GET, Operation.VOUCHERS, Operation.ISSUE)},
        codes=CodeRules(choosable=True, readable=True),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=PAGE),
        record=True,
    )

    @property
    def host(self) -> str:
        return self.account

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        raise VoucherNotFound("nothing is looked for here")

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        raise VoucherNotFound("nothing is looked for here")

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        raise AssertionError("a plan issues nothing")

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        count, account = self.settings, self.account

        def fetch(index: int) -> Page[Voucher]:
            numbers = range(index * PAGE, min((index + 1) * PAGE, count))
            return Page(items=[_voucher(account, number) for number in numbers], total=count, size=PAGE)

        return Listing(fetch, key=lambda voucher: voucher.id, workers=1, limit=query.limit if query else None)


def _voucher(account: str, number: int) -> Voucher:
    money = Money.from_minor(number + 1, "EUR")
    return Voucher(account=account, id=f"v{number}", code=Code(f"CODE-{number:08}"), initial=money, remaining=money)


def _peak(count: int, folder: Path) -> int:
    """Return the most bytes that Python held while a plan of so many vouchers was made."""
    accounts = {"from": Shelf("from", count), "to": Shelf("to", 0)}
    with Gateway(accounts, journal=f"sqlite:///{folder}/{count}.db") as gateway:
        gc.collect()
        tracemalloc.start()
        try:
            summary = make_plan(gateway, "from", "to", folder / f"{count}.plan", workers=2)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert summary.totals.of(Action.CARRY).count == count
    assert summary.totals.all.money["EUR"].minor == count * (count + 1) // 2
    return peak


@pytest.mark.long
def test_memory_grows_by_two_small_hashes_a_voucher_and_by_nothing_else(tmp_path: Path) -> None:
    few, many = 1_000, 6_000
    _peak(few, tmp_path)  # what is made once, is there from now on
    (tmp_path / f"{few}.plan").unlink()
    grew = _peak(many, tmp_path) - _peak(few, tmp_path)
    assert grew / (many - few) < MOST_BYTES
