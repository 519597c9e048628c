"""Listing many vouchers: each one once, whatever happens at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import InvalidRequest, Money, MovementKind, ProviderUnavailable, VoucherQuery

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway_jtl import JtlProvider

    StartJtl = Callable[..., RunningSimulator]
    MakeAdapter = Callable[..., JtlProvider]


def _true_ids(running: RunningSimulator) -> list[object]:
    return [voucher["id"] for voucher in running.ledger()]


def _list_requests(running: RunningSimulator) -> list[str]:
    return [request.query for request in running.requests if request.path == "/v1/vouchers"]


@pytest.mark.parametrize("page_size", [7, 50, 100, 350])
def test_350_vouchers_come_once_each_and_in_order_with_8_workers(
    start_jtl: StartJtl, make_adapter: MakeAdapter, page_size: int
) -> None:
    jtl = start_jtl(vouchers=350, seed=2)
    listing = make_adapter(jtl, workers=8, page_size=page_size).vouchers()
    assert [voucher.id for voucher in listing] == _true_ids(jtl)
    report = listing.report
    assert (report.seen, report.vendor_total, report.duplicates) == (350, 350, 0)
    assert (report.finished, report.consistent, report.problems) == (True, True, ())
    assert len(_list_requests(jtl)) == -(-350 // page_size)


def test_every_voucher_of_a_list_says_what_the_ledger_says(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=120, seed=3)
    shop = make_adapter(jtl)
    truth: dict[Any, dict[str, Any]] = {voucher["id"]: voucher for voucher in jtl.ledger()}
    for voucher in shop.vouchers():
        true = truth[voucher.id]
        assert voucher.initial == Money(true["initial"].removesuffix(".00"), true["currency"])
        assert voucher.remaining == Money(true["remaining"].removesuffix(".00"), true["currency"])
        assert voucher.status == true["status"]
        ends = None if voucher.valid_until is None else voucher.valid_until.isoformat()
        assert ends == true["valid_until"]
        assert (voucher.code, voucher.pin) == (None, None)


def test_the_histories_say_what_the_ledger_says(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=40, seed=4, max_per_page=2)
    shop = make_adapter(jtl)
    kinds = {"charge": MovementKind.REDEMPTION, "refund": MovementKind.REFUND, "recharge": MovementKind.TOP_UP}
    for voucher in jtl.ledger():
        history = shop.history(str(voucher["id"]))
        moved = [
            (movement.id, movement.kind, f"{movement.money.amount:.2f}", movement.reference)
            for movement in history
            if movement.money is not None
        ]
        assert len(moved) == len(history)
        true: Any = voucher["movements"]
        assert sorted(moved) == sorted((one["id"], kinds[one["kind"]], one["amount"], one["reference"]) for one in true)
        times = [movement.created_at for movement in history if movement.created_at is not None]
        assert times == sorted(times)
        assert history.complete
    assert max(len(voucher["movements"]) for voucher in jtl.ledger()) > 2


def test_the_vendor_may_give_shorter_pages_than_asked_for(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=60, seed=5, max_per_page=25)
    listing = make_adapter(jtl).vouchers()
    assert [voucher.id for voucher in listing] == _true_ids(jtl)
    assert listing.report.consistent is True


def test_an_account_without_vouchers_lists_none(adapter: JtlProvider) -> None:
    listing = adapter.vouchers()
    assert list(listing) == []
    assert (listing.report.vendor_total, listing.report.consistent) == (0, True)


@pytest.mark.parametrize("workers", [1, 8])
def test_vouchers_that_appear_meanwhile_hide_none_and_double_none(
    start_jtl: StartJtl, make_adapter: MakeAdapter, workers: int
) -> None:
    jtl = start_jtl(vouchers=120, seed=6)
    before = _true_ids(jtl)
    jtl.inject("insert-while-paging", "GET /v1/vouchers", times=3)
    listing = make_adapter(jtl, workers=workers, page_size=20).vouchers()
    ids = [voucher.id for voucher in listing]
    assert ids[: len(before)] == before
    assert len(set(ids)) == len(ids)
    assert set(ids) <= set(_true_ids(jtl))
    assert len(_true_ids(jtl)) == 123
    assert listing.report.consistent is False
    assert any("total changed" in problem for problem in listing.report.problems)


def test_newest_first_doubles_are_dropped_and_reported(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=60, seed=7)
    before = set(_true_ids(jtl))
    jtl.inject("insert-while-paging", "GET /v1/vouchers", times=1)
    listing = make_adapter(jtl, workers=1, page_size=20).vouchers(VoucherQuery(newest_first=True))
    ids = [voucher.id for voucher in listing]
    assert before <= set(ids)
    assert len(set(ids)) == len(ids)
    assert (listing.report.duplicates, listing.report.consistent) == (1, False)


def test_a_listing_is_lazy(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=60, seed=8)
    listing = make_adapter(jtl, workers=1, page_size=10).vouchers()
    assert _list_requests(jtl) == []
    for _ in range(11):
        next(listing)
    assert len(_list_requests(jtl)) == 2


def test_a_limit_asks_for_no_more_than_it_needs(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=60, seed=9)
    shop = make_adapter(jtl, page_size=25)
    assert [voucher.id for voucher in shop.vouchers(VoucherQuery(limit=30))] == _true_ids(jtl)[:30]
    assert _list_requests(jtl) == [f"page={page}&per_page=25&sort=created_at" for page in (1, 2)]


def test_a_listing_goes_on_where_another_stopped(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=60, seed=10)
    shop = make_adapter(jtl, page_size=10)
    first = shop.vouchers()
    begun = [next(first).id for _ in range(23)]
    rest = shop.vouchers(VoucherQuery(resume=first.resume_token))
    assert [*begun, *(voucher.id for voucher in rest)] == _true_ids(jtl)
    with pytest.raises(InvalidRequest):
        shop.vouchers(VoucherQuery(sku="MUG", resume=first.resume_token))


def test_a_page_that_fails_once_is_read_again(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=60, seed=11)
    for fault in ("error-before", "truncate"):
        jtl.inject(fault, "GET /v1/vouchers")
    listing = make_adapter(jtl, page_size=10, tries=5, workers=2).vouchers()
    assert [voucher.id for voucher in listing] == _true_ids(jtl)
    assert listing.report.consistent is True


def test_a_page_that_keeps_failing_ends_the_listing_in_an_error(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=30, seed=12)
    shop = make_adapter(jtl, page_size=10, tries=1, workers=1)
    listing = shop.vouchers()
    begun = [next(listing).id for _ in range(10)]
    jtl.inject("error-before", "GET /v1/vouchers")
    with pytest.raises(ProviderUnavailable) as caught:
        next(listing)
    assert (caught.value.account, caught.value.operation) == ("shop", "vouchers")
    rest = shop.vouchers(VoucherQuery(resume=listing.resume_token))
    assert [*begun, *(voucher.id for voucher in rest)] == _true_ids(jtl)


def test_two_listings_of_one_adapter_do_not_mix(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=90, seed=13)
    shop = make_adapter(jtl, page_size=10, workers=4)
    found: dict[int, list[str]] = {}

    def read(number: int) -> None:
        found[number] = [voucher.id for voucher in shop.vouchers()]

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(found.values()) == [_true_ids(jtl)] * 4
