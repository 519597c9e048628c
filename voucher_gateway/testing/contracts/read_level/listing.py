"""The read level: lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.errors import ConfigurationError, InvalidRequest, UnsupportedOperation, VoucherGatewayError
from voucher_gateway.instants import now
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.ledger import by_id, check_voucher, ledger_vouchers
from voucher_gateway.testing.harness.vendor import IMPATIENT, PAGE_SIZE, VendorUnderTest, select_settings
from voucher_gateway.testing.promises.checks import fail, for_promise, require

_LARGEST_USUAL: Final = 300
"""The largest usual page that a test fills."""

_LARGEST_TRIED: Final = 500
"""The largest page that a test fills: more vouchers are slow, and two small pages have a border, too."""

_FRACTION: Final = timedelta(milliseconds=300)
"""Added to a bound, it excludes instants exactly on the bound, at any resolution of the vendor."""

_IMPROPER: Final[tuple[Any, ...]] = ("", 7, None, [], ["\ud800", 7])
"""Values that no filter accepts."""

_SOME: Final[dict[str, Any]] = {
    "code": "ANY-CODE-1",
    "status": Status.ACTIVE,
    "created_from": now(),
    "created_to": now(),
    "valid_until_from": now(),
    "valid_until_to": now(),
    "sku": "ANY-SKU",
    "batch": "ANY-BATCH",
    "has_value": True,
}
"""A value for every common filter."""


class ListingContract(Contract):
    """Lists are complete, in order, and filtered as requested."""

    def page_size(self) -> int:
        """Return how many vouchers a page has in this run."""
        if "page_size" in self.settings:
            return int(self.settings["page_size"])
        own = select_settings(self.provider, {"page_size": PAGE_SIZE})
        return PAGE_SIZE if own else self.provider.declared.listing.page_size

    def usual_page_size(self) -> int:
        """Return how many vouchers a page has by default."""
        for field in attrs.fields(self.provider.settings_type):
            if field.alias == "page_size" and type(field.default) is int:
                return field.default
        return self.provider.declared.listing.page_size

    def vendor_with_pages(self, count: int = 1) -> VendorUnderTest:
        """Return a vendor with three pages of vouchers and this number of further ones."""
        size = self.page_size()
        return self.make_vendor(vouchers=(3 * size if size <= _LARGEST_TRIED else 20) + count)

    @for_promise("P1")
    def test_a_listing_gives_every_voucher_once(self) -> None:
        for extra in (0, 1):
            with closing(self.vendor_with_pages(extra)) as vendor:
                listing = vendor.provider().vouchers()
                vouchers = list(listing)
                expected = {truth.id: truth for truth in ledger_vouchers(vendor)}
                require(
                    len(expected) > self.page_size(), "the vendor has one page of vouchers, so no border: seed more"
                )
                _check_once(vouchers)
                missing = expected.keys() - by_id(vouchers).keys()
                require(not missing, f"{len(missing)} of {len(expected)} vouchers did not come")
                require(len(vouchers) == len(expected), "vouchers came that the vendor does not have")
                for voucher in vouchers:
                    check_voucher(voucher, expected[voucher.id], "the list")
                _check_report(listing.report, len(expected))

    @for_promise("P1")
    def test_a_listing_in_pages_of_the_usual_size_gives_every_voucher_once(self) -> None:
        size = self.usual_page_size()
        if size == self.page_size() or size > _LARGEST_USUAL:
            return
        own = select_settings(self.provider, {"page_size": size})
        with closing(self.make_vendor(vouchers=2 * size + 1)) as vendor:
            vouchers = list(vendor.provider(**own).vouchers())
            ids = {truth.id for truth in ledger_vouchers(vendor)}
            _check_once(vouchers)
            missing = ids - by_id(vouchers).keys()
            require(not missing, f"in pages of {size}, as is usual, {len(missing)} of {len(ids)} vouchers did not come")

    @for_promise("P2")
    def test_a_listing_is_lazy(self) -> None:
        with closing(self.vendor_with_pages()) as vendor:
            provider = vendor.provider()
            provider.get(ledger_vouchers(vendor)[0].id)  # sends the requests that a provider sends only once
            before = len(vendor.request_lines)
            listing = provider.vouchers()
            require(len(vendor.request_lines) == before, "making a listing sent a request")
            listing.close()
            with provider.vouchers(VoucherQuery(limit=1)) as limited:
                list(limited)
            requests_sent = len(vendor.request_lines) - before
            list(provider.vouchers())
            everything = len(vendor.request_lines) - before - requests_sent
            require(requests_sent <= everything, "a listing of one voucher takes more requests than the whole list")

    @for_promise("P3")
    def test_a_limit_is_kept(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        count = len(ledger_vouchers(vendor))
        for limit in sorted({1, 2, self.page_size(), self.page_size() + 1, count, count + 3}):
            vouchers = list(provider_.vouchers(VoucherQuery(limit=limit)))
            _check_once(vouchers)
            require(len(vouchers) == min(limit, count), f"limit={limit} gave {len(vouchers)} of {count} vouchers")

    @for_promise("P4")
    def test_a_listing_goes_on_where_it_stopped(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        ids = {truth.id for truth in ledger_vouchers(vendor)}
        whole = [voucher.id for voucher in provider_.vouchers()]
        for stop in sorted({1, self.page_size(), self.page_size() + 2}):
            with provider_.vouchers() as listing:
                first = [next(listing).id for _ in range(min(stop, len(whole)))]
                token = listing.resume_token
            rest = [voucher.id for voucher in vendor.provider().vouchers(VoucherQuery(resume=token))]
            require(not set(first) & set(rest), f"after a stop at {stop}, vouchers came again")
            require(set(first) | set(rest) == ids, f"after a stop at {stop}, vouchers did not come")
            for true in ledger_vouchers(vendor):
                require(len(true.code) < 4 or true.code not in token, "the resume token holds a code")
        try:
            list(provider_.vouchers(VoucherQuery(resume="not-a-token")))
        except InvalidRequest:
            pass
        else:
            fail("a text that is not a resume token was accepted as one")
        self._check_scope(provider_)

    def _check_scope(self, provider: VoucherProvider) -> None:
        """Check that the resume token of one query is refused for another query."""
        filters = sorted(provider.declared.listing.filters)
        if not filters:
            return
        with provider.vouchers() as listing:
            next(listing, None)
            token = listing.resume_token
        try:
            list(provider.vouchers(VoucherQuery(**{filters[0]: _SOME[filters[0]], "resume": token})))
        except InvalidRequest:
            return
        fail("the resume token of one query was taken for that of another")

    @for_promise("P5")
    def test_vouchers_that_appear_hide_no_others(self) -> None:
        with closing(self.vendor_with_pages(2)) as vendor:
            provider = vendor.provider()
            ids = {truth.id for truth in ledger_vouchers(vendor)}
            list(provider.vouchers(VoucherQuery(limit=1)))
            for at in range(3):
                vendor.inject_fault("insert-while-paging", at)
            listing = provider.vouchers()
            vouchers = list(listing)
            _check_once(vouchers)
            missing = ids - by_id(vouchers).keys()
            require(not missing, f"{len(missing)} vouchers that were there all the time did not come")
            after = {truth.id for truth in ledger_vouchers(vendor)}
            whole = by_id(vouchers).keys() == after
            require(
                whole or listing.report.consistent is not True, "vouchers are missing, and the report says consistent"
            )

    @for_promise("P6")
    def test_every_declared_filter_filters(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        everything = list(provider_.vouchers())
        ledger = {truth.id: truth for truth in ledger_vouchers(vendor)}
        codes = {id: true.code for id, true in ledger.items()}
        for name in sorted(provider_.declared.listing.filters):
            for value, fits in _filters(name, everything, codes):
                results = by_id(provider_.vouchers(VoucherQuery(**{name: value})))
                expected = {voucher.id for voucher in everything if fits(voucher)}
                filter_text = name if name == "code" else f"{name}={value}"
                require(
                    not results.keys() - expected,
                    f"{filter_text} let {len(results.keys() - expected)} through that do not fit",
                )
                require(
                    not expected - results.keys(), f"{filter_text} kept {len(expected - results.keys())} back that fit"
                )

    @for_promise("P7")
    def test_other_filters_and_orders_are_refused(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        declared = provider_.declared.listing
        queries = {name: VoucherQuery(**{name: value}) for name, value in _SOME.items() if name not in declared.filters}
        queries["native"] = VoucherQuery(native={"x-no-such-filter": "1"})
        if not declared.sortable:
            queries["newest_first"] = VoucherQuery(newest_first=True)
        for name, query in queries.items():
            before = len(vendor.request_lines)
            try:
                list(provider_.vouchers(query))
            except (UnsupportedOperation, InvalidRequest):
                require(len(vendor.request_lines) == before, f"{name} was refused only after something had been sent")
            else:
                fail(f"{name} is not declared, and was not refused")

    @for_promise("P13")
    def test_a_native_filter_without_a_proper_value_is_refused(
        self, vendor: VendorUnderTest, provider_: VoucherProvider
    ) -> None:
        for name in sorted(provider_.declared.listing.native_filters):
            for value in _IMPROPER:
                before = len(vendor.request_lines)
                try:
                    list(provider_.vouchers(VoucherQuery(native={name: value})))
                except (InvalidRequest, TypeError):
                    sent = len(vendor.request_lines) != before
                    require(not sent, f"{name}={value!r} was refused only after something had been sent")
                else:
                    fail(f"{name}={value!r} is not a value of a filter, and was not refused")

    @for_promise("P8")
    def test_the_order_is_the_one_asked_for(self, provider_: VoucherProvider) -> None:
        for newest_first in (False, True):
            dates = [voucher.created_at for voucher in provider_.vouchers(VoucherQuery(newest_first=newest_first))]
            instants = [at for at in dates if at is not None]
            require(len(instants) == len(dates), "the order of creation is declared, and created_at is missing")
            require(
                instants == sorted(instants, reverse=newest_first),
                f"newest_first={newest_first} did not sort by created_at",
            )

    @for_promise("P9")
    def test_a_page_that_cannot_be_read_is_an_error(self) -> None:
        with closing(self.vendor_with_pages()) as vendor:
            impatient = select_settings(self.provider, {**IMPATIENT, "workers": 1})
            ids = {truth.id for truth in ledger_vouchers(vendor)}
            for fault in ("truncate", "error-before", "not-json", "empty"):
                if fault not in vendor.faults:
                    continue
                for at in range(1, 3):
                    provider = vendor.provider(**impatient)
                    provider.get(ledger_vouchers(vendor)[0].id)
                    vendor.inject_fault(fault, at)
                    vouchers: list[Voucher] = []
                    listing = provider.vouchers()
                    try:
                        vouchers.extend(listing)
                    except VoucherGatewayError:
                        rest = vendor.provider().vouchers(VoucherQuery(resume=listing.resume_token))
                        vouchers.extend(rest)
                    vendor.clear_faults()
                    require(
                        by_id(vouchers).keys() == ids,
                        f"after {fault} on page {at + 1}, {len(vouchers)} of {len(ids)} came",
                    )

    @for_promise("P10")
    def test_no_page_is_larger_than_the_vendors_limit(self, vendor: VendorUnderTest) -> None:
        most = self.provider.declared.listing.max_page_size
        assert most is not None
        if not select_settings(self.provider, {"page_size": most}):
            require(self.provider.declared.listing.page_size <= most, "the default page is larger than the largest")
            return
        vendor.provider(page_size=most)
        try:
            vendor.provider(page_size=most + 1)
        except ConfigurationError:
            return
        fail(f"page_size = {most + 1} is taken, and the largest page is declared to be {most}")


def _check_once(given: list[Voucher]) -> None:
    ids = [voucher.id for voucher in given]
    require(len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} vouchers came more than once")


def _check_report(report: Any, count: int) -> None:
    require(report.finished, "the whole list was read, and the report says that it was not finished")
    require(report.seen == count, f"{count} vouchers came, and the report says {report.seen}")
    require(
        report.vendor_total in (None, count), f"the vendor counts {count}, and the report says {report.vendor_total}"
    )
    require(report.duplicates == 0, f"the report has {report.duplicates} duplicates, and nothing was doubled")
    require(report.consistent is not False, "nothing changed while reading, and the report says that the list did")


Fits = Callable[[Voucher], bool]


def _filters(name: str, everything: list[Voucher], codes: dict[str, str]) -> Iterator[tuple[Any, Fits]]:
    """Yield values to filter by, each with the test whether a voucher fits."""
    match name:
        case "code":
            for id, code in list(codes.items())[:6]:
                yield code, _has("id", id)
            yield "NOSUCHVOUCHER1234", _has("id", None)
        case "status":
            for status in (Status.ACTIVE, Status.INACTIVE):
                yield status, _has("status", status)
        case "has_value":
            yield True, _has_value
            yield False, _has_no_value
        case "sku" | "batch":
            for text in sorted({getattr(voucher, name) for voucher in everything} - {None})[:4]:
                yield text, _has(name, text)
        case _:
            yield from _ranges(name, everything)


def _has(name: str, value: object) -> Fits:
    def fits(voucher: Voucher) -> bool:
        return bool(getattr(voucher, name) == value)

    return fits


def _has_value(voucher: Voucher) -> bool:
    return bool(voucher.remaining)


def _has_no_value(voucher: Voucher) -> bool:
    return not voucher.remaining


def _ranges(name: str, everything: list[Voucher]) -> Iterator[tuple[datetime, Fits]]:
    field, _, bound = name.rpartition("_")
    attribute = {"created": "created_at", "valid_until": "valid_until"}[field]
    instants = sorted({at for voucher in everything if (at := getattr(voucher, attribute)) is not None})
    for edge in (instants[len(instants) // 2], instants[0]) if instants else ():
        for bound_at in (edge, edge + _FRACTION, edge - _FRACTION):
            yield bound_at, _on_side(attribute, bound_at, from_it=bound == "from")


def _on_side(attribute: str, edge: datetime, *, from_it: bool) -> Fits:
    def fits(voucher: Voucher) -> bool:
        at: datetime | None = getattr(voucher, attribute)
        return at is not None and (at >= edge if from_it else at <= edge)

    return fits
