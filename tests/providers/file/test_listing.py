"""Listing: lazily, resumably, with the true number, in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from voucher_gateway import Code, InvalidRequest, NewVoucher, Status, UnsupportedOperation, VoucherQuery
from voucher_gateway.listing import duplicate_finder
from voucher_gateway_file.capabilities import DECLARED

if TYPE_CHECKING:
    from tests.providers.file.conftest import Open


def _lines(count: int) -> str:
    money = '{"amount":"10.53","currency":"EUR"}'
    return "".join(
        f'{{"id":"v-{number:06}","code":"GIFT-{number:06}","initial":{money},"remaining":{money},"status":"active"}}\n'
        for number in range(count)
    )


def test_the_vouchers_come_in_the_order_of_the_file_with_their_true_number(open_file: Open) -> None:
    listing = open_file(text=_lines(1234)).vouchers()
    assert [voucher.id for voucher in listing] == [f"v-{number:06}" for number in range(1234)]
    assert (listing.report.vendor_total, listing.report.consistent) == (1234, True)


def test_a_listing_goes_on_where_another_one_stopped(open_file: Open) -> None:
    provider = open_file(text=_lines(1100))
    first = provider.vouchers()
    seen = [next(first).id for _ in range(700)]
    seen += [voucher.id for voucher in open_file().vouchers(VoucherQuery(resume=first.resume_token))]
    assert seen == [f"v-{number:06}" for number in range(1100)]


def test_a_limit_ends_the_list_early(open_file: Open) -> None:
    assert len(list(open_file(text=_lines(20)).vouchers(VoucherQuery(limit=3)))) == 3


def test_vouchers_that_are_appended_meanwhile_come_too_and_the_change_is_told(
    open_file: Open, new: Callable[..., NewVoucher]
) -> None:
    provider = open_file(text=_lines(600), reveal=True)
    listing = provider.vouchers()
    next(listing)
    open_file(reveal=True).issue(new(code="GIFT-NEW"), reference="r-1")
    assert len(list(listing)) == 600
    assert listing.report.consistent is False


FILTERED = """id,status,sku,batch,currency,remaining,valid_until,created_at,code
a,active,card,spring,EUR,5.00,2027-01-01T00:00:00Z,2026-01-01T00:00:00Z,GIFT-A
b,inactive,mug,spring,EUR,0.00,2028-01-01T00:00:00Z,2026-02-01T00:00:00Z,GIFT-B
c,,,,,,,,GIFT-C
"""
MOMENT = datetime(2026, 1, 15, tzinfo=UTC)
LATER = datetime(2027, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (VoucherQuery(code=Code("GIFT-B")), ["b"]),
        (VoucherQuery(status=Status.ACTIVE), ["a"]),
        (VoucherQuery(created_from=MOMENT), ["b"]),
        (VoucherQuery(created_to=MOMENT), ["a"]),
        (VoucherQuery(valid_until_from=LATER), ["b"]),
        (VoucherQuery(valid_until_to=LATER), ["a"]),
        (VoucherQuery(sku="card"), ["a"]),
        (VoucherQuery(batch="spring"), ["a", "b"]),
        (VoucherQuery(has_value=True), ["a"]),
        (VoucherQuery(has_value=False), ["b"]),
        (VoucherQuery(batch="spring", sku="mug"), ["b"]),
    ],
)
def test_each_filter_gives_what_it_says(open_file: Open, query: VoucherQuery, ids: list[str]) -> None:
    assert [voucher.id for voucher in open_file("v.csv", FILTERED).vouchers(query)] == ids


def test_every_common_filter_is_declared() -> None:
    assert DECLARED.listing.filters == frozenset(
        {
            "code",
            "status",
            "created_from",
            "created_to",
            "valid_until_from",
            "valid_until_to",
            "sku",
            "batch",
            "has_value",
        }
    )


def test_an_order_and_filters_of_a_vendor_are_refused(open_file: Open) -> None:
    provider = open_file(text=_lines(1))
    with pytest.raises(UnsupportedOperation, match="in the order of its lines"):
        provider.vouchers(VoucherQuery(newest_first=True))
    with pytest.raises(InvalidRequest, match="no native filters"):
        provider.vouchers(VoucherQuery(native={"code": "x"}))


def test_a_filter_that_nearly_nothing_fulfils_does_not_end_a_long_list(
    open_file: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voucher_gateway_file.provider.PAGE_SIZE", 1)
    monkeypatch.setattr("voucher_gateway_file.provider.FILTERED_SIZE", 3)
    provider = open_file(text=_lines(2500))
    assert [voucher.id for voucher in provider.vouchers(VoucherQuery(code=Code("GIFT-002499")))] == ["v-002499"]


@pytest.mark.parametrize(
    ("name", "torn"),
    [
        ("v.jsonl", '{"id":"v-2","code":"GIFT-0002","rema'),
        ("v.jsonl", '{"i'),
        ("v.jsonl", "\0\0\0"),
        ("v.csv", '"v-2","GIFT-00'),
        ("v.csv", '"v-2"'),
        ("v.csv", '"v-2","a ""quoted"" word\r\nand a line'),
    ],
)
def test_a_last_line_that_was_cut_off_is_left_out_and_said(
    open_file: Open, name: str, torn: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = '{"id":"v-1","code":"GIFT-0001"}\n' if name == "v.jsonl" else '"id","code"\r\n"v-1","GIFT-0001"\r\n'
    provider = open_file(name, whole + torn)
    listing = provider.vouchers()
    assert [voucher.id for voucher in listing] == ["v-1"]
    assert listing.report.consistent is False
    line = 2 if name == "v.jsonl" else 3
    assert provider._file.index.cut_off == line
    assert f"line {line} is incomplete" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.long
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_memory_grows_by_some_ten_bytes_a_voucher(open_file: Open, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate_finder, "_RUN", 500)  # digests above this number are on the disk
    taken: list[tuple[int, int]] = []
    for count in (5_000, 5_000, 15_000):  # the first time, what is kept once is made
        lines = _lines(count)
        if form == "csv":
            lines = "id,code,currency,remaining\n" + "".join(
                f"v-{number:06},GIFT-{number:06},EUR,10.53\n" for number in range(count)
            )
        provider = open_file(f"{len(taken)}.{form}", lines)
        del lines
        tracemalloc.start()
        provider.prepare_source()
        read = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert sum(1 for _ in provider.vouchers()) == count
        taken.append((read, tracemalloc.get_traced_memory()[1]))
        tracemalloc.stop()
    for few, many in zip(*taken[1:], strict=True):  # the first reading, and the list
        assert (many - few) / 10_000 < 60


def test_nothing_is_read_before_the_first_voucher_is_asked_for(open_file: Open) -> None:
    provider = open_file(text="no json")
    provider.vouchers()
    provider.vouchers(VoucherQuery(sku="card"))
