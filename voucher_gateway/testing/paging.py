"""The read level: lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.adapter import (
    ConfigurationError,
    InvalidRequest,
    Status,
    UnsupportedOperation,
    Voucher,
    VoucherGatewayError,
    VoucherProvider,
    VoucherQuery,
    now,
)
from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.keeping import broke, keeps, must
from voucher_gateway.testing.stage import HASTY, PAGE_SIZE, Stage, known_settings
from voucher_gateway.testing.truth import by_id, check_voucher, truths

_LARGEST_USUAL: Final = 300
"""Usual pages of more vouchers are not filled either."""

_LARGEST_TRIED: Final = 500
"""Pages of more vouchers are not filled: a stage would be slow, and two small pages have a border too."""

_FRACTION: Final = timedelta(milliseconds=300)
"""Added to a bound, it leaves out what is exactly on it, whatever grain the vendor's instants have."""

_IMPROPER: Final[tuple[Any, ...]] = ("", 7, None, [], ["\ud800", 7])
"""What is not a value of any filter."""

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


class PagingContract(Contract):
    """Lists are whole, in order, and filtered as was asked."""

    def page_size(self) -> int:
        """Return how many vouchers a page has in this run."""
        if "page_size" in self.settings:
            return int(self.settings["page_size"])
        own = known_settings(self.provider, {"page_size": PAGE_SIZE})
        return PAGE_SIZE if own else self.provider.declared.listing.page_size

    def usual_page_size(self) -> int:
        """Return how many vouchers a page has where nobody says otherwise."""
        for one in attrs.fields(self.provider.settings_type):
            if one.alias == "page_size" and type(one.default) is int:
                return one.default
        return self.provider.declared.listing.page_size

    def full_stage(self, more: int = 1) -> Stage:
        """Return a stage with three pages of vouchers, and so many more."""
        size = self.page_size()
        return self.make_stage(vouchers=(3 * size if size <= _LARGEST_TRIED else 20) + more)

    @keeps("P1")
    def test_a_listing_gives_every_voucher_once(self) -> None:
        for more in (0, 1):
            with closing(self.full_stage(more)) as stage:
                listing = stage.provider().vouchers()
                given = list(listing)
                held = {one.id: one for one in truths(stage)}
                must(len(held) > self.page_size(), "the stage has one page of vouchers, so no border: seed more")
                _check_once(given)
                missing = held.keys() - by_id(given).keys()
                must(not missing, f"{len(missing)} of {len(held)} vouchers did not come")
                must(len(given) == len(held), "vouchers came that the vendor does not have")
                for one in given:
                    check_voucher(one, held[one.id], "the list")
                _check_report(listing.report, len(held))

    @keeps("P1")
    def test_a_listing_in_pages_of_the_usual_size_gives_every_voucher_once(self) -> None:
        size = self.usual_page_size()
        if size == self.page_size() or size > _LARGEST_USUAL:
            return
        own = known_settings(self.provider, {"page_size": size})
        with closing(self.make_stage(vouchers=2 * size + 1)) as stage:
            given = list(stage.provider(**own).vouchers())
            held = {one.id for one in truths(stage)}
            _check_once(given)
            missing = held - by_id(given).keys()
            must(not missing, f"in pages of {size}, as is usual, {len(missing)} of {len(held)} vouchers did not come")

    @keeps("P2")
    def test_a_listing_is_lazy(self) -> None:
        with closing(self.full_stage()) as stage:
            provider = stage.provider()
            provider.get(truths(stage)[0].id)  # whatever is asked only once is asked now
            before = len(stage.arrivals())
            listing = provider.vouchers()
            must(len(stage.arrivals()) == before, "making a listing sent a request")
            listing.close()
            with provider.vouchers(VoucherQuery(limit=1)) as limited:
                list(limited)
            one = len(stage.arrivals()) - before
            list(provider.vouchers())
            everything = len(stage.arrivals()) - before - one
            must(one <= everything, "a listing of one voucher takes more requests than the whole list")

    @keeps("P3")
    def test_a_limit_is_kept(self, stage: Stage, provider_: VoucherProvider) -> None:
        count = len(truths(stage))
        for limit in sorted({1, 2, self.page_size(), self.page_size() + 1, count, count + 3}):
            given = list(provider_.vouchers(VoucherQuery(limit=limit)))
            _check_once(given)
            must(len(given) == min(limit, count), f"limit={limit} gave {len(given)} of {count} vouchers")

    @keeps("P4")
    def test_a_listing_goes_on_where_it_stopped(self, stage: Stage, provider_: VoucherProvider) -> None:
        held = {one.id for one in truths(stage)}
        whole = [one.id for one in provider_.vouchers()]
        for stop in sorted({1, self.page_size(), self.page_size() + 2}):
            with provider_.vouchers() as listing:
                first = [next(listing).id for _ in range(min(stop, len(whole)))]
                token = listing.resume_token
            rest = [one.id for one in stage.provider().vouchers(VoucherQuery(resume=token))]
            must(not set(first) & set(rest), f"after a stop at {stop}, vouchers came again")
            must(set(first) | set(rest) == held, f"after a stop at {stop}, vouchers did not come")
            for true in truths(stage):
                must(len(true.code) < 4 or true.code not in token, "the resume token holds a code")
        try:
            list(provider_.vouchers(VoucherQuery(resume="not-a-token")))
        except InvalidRequest:
            pass
        else:
            broke("a text that is no resume token was taken for one")
        self._check_scope(provider_)

    def _check_scope(self, provider: VoucherProvider) -> None:
        """A token of one query must not go on with another."""
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
        broke("the resume token of one query was taken for that of another")

    @keeps("P5")
    def test_vouchers_that_appear_hide_no_others(self) -> None:
        with closing(self.full_stage(2)) as stage:
            provider = stage.provider()
            held = {one.id for one in truths(stage)}
            list(provider.vouchers(VoucherQuery(limit=1)))
            for at in range(3):
                stage.strike("insert-while-paging", at)
            listing = provider.vouchers()
            given = list(listing)
            _check_once(given)
            missing = held - by_id(given).keys()
            must(not missing, f"{len(missing)} vouchers that were there all the time did not come")
            after = {one.id for one in truths(stage)}
            whole = by_id(given).keys() == after
            must(whole or listing.report.consistent is not True, "vouchers are missing, and the report says consistent")

    @keeps("P6")
    def test_every_declared_filter_filters(self, stage: Stage, provider_: VoucherProvider) -> None:
        everything = list(provider_.vouchers())
        held = {one.id: one for one in truths(stage)}
        codes = {id: true.code for id, true in held.items()}
        for name in sorted(provider_.declared.listing.filters):
            for value, fits in _filters(name, everything, codes):
                given = by_id(provider_.vouchers(VoucherQuery(**{name: value})))
                expected = {one.id for one in everything if fits(one)}
                shown = name if name == "code" else f"{name}={value}"
                must(not given.keys() - expected, f"{shown} let {len(given.keys() - expected)} through that do not fit")
                must(not expected - given.keys(), f"{shown} kept {len(expected - given.keys())} back that fit")

    @keeps("P7")
    def test_other_filters_and_orders_are_refused(self, stage: Stage, provider_: VoucherProvider) -> None:
        declared = provider_.declared.listing
        queries = {name: VoucherQuery(**{name: value}) for name, value in _SOME.items() if name not in declared.filters}
        queries["native"] = VoucherQuery(native={"x-no-such-filter": "1"})
        if not declared.sortable:
            queries["newest_first"] = VoucherQuery(newest_first=True)
        for name, query in queries.items():
            before = len(stage.arrivals())
            try:
                list(provider_.vouchers(query))
            except (UnsupportedOperation, InvalidRequest):
                must(len(stage.arrivals()) == before, f"{name} was refused only after something had been sent")
            else:
                broke(f"{name} is not declared, and was not refused")

    @keeps("P13")
    def test_a_native_filter_without_a_proper_value_is_refused(self, stage: Stage, provider_: VoucherProvider) -> None:
        for name in sorted(provider_.declared.listing.native_filters):
            for value in _IMPROPER:
                before = len(stage.arrivals())
                try:
                    list(provider_.vouchers(VoucherQuery(native={name: value})))
                except (InvalidRequest, TypeError):
                    sent = len(stage.arrivals()) != before
                    must(not sent, f"{name}={value!r} was refused only after something had been sent")
                else:
                    broke(f"{name}={value!r} is not a value of a filter, and was not refused")

    @keeps("P8")
    def test_the_order_is_the_one_asked_for(self, provider_: VoucherProvider) -> None:
        for newest_first in (False, True):
            given = [one.created_at for one in provider_.vouchers(VoucherQuery(newest_first=newest_first))]
            told = [at for at in given if at is not None]
            must(len(told) == len(given), "the order of creation is declared, and created_at is not told")
            must(told == sorted(told, reverse=newest_first), f"newest_first={newest_first} did not sort by created_at")

    @keeps("P9")
    def test_a_page_that_cannot_be_read_is_an_error(self) -> None:
        with closing(self.full_stage()) as stage:
            hasty = known_settings(self.provider, {**HASTY, "workers": 1})
            held = {one.id for one in truths(stage)}
            for fault in ("truncate", "error-before", "not-json", "empty"):
                if fault not in stage.faults:
                    continue
                for at in range(1, 3):
                    provider = stage.provider(**hasty)
                    provider.get(truths(stage)[0].id)
                    stage.strike(fault, at)
                    given: list[Voucher] = []
                    listing = provider.vouchers()
                    try:
                        given.extend(listing)
                    except VoucherGatewayError:
                        rest = stage.provider().vouchers(VoucherQuery(resume=listing.resume_token))
                        given.extend(rest)
                    stage.clear()
                    must(
                        by_id(given).keys() == held, f"after {fault} on page {at + 1}, {len(given)} of {len(held)} came"
                    )

    @keeps("P10")
    def test_no_page_is_larger_than_the_vendors_limit(self, stage: Stage) -> None:
        most = self.provider.declared.listing.max_page_size
        assert most is not None
        if not known_settings(self.provider, {"page_size": most}):
            must(self.provider.declared.listing.page_size <= most, "the default page is larger than the largest")
            return
        stage.provider(page_size=most)
        try:
            stage.provider(page_size=most + 1)
        except ConfigurationError:
            return
        broke(f"page_size = {most + 1} is taken, and the largest page is declared to be {most}")


def _check_once(given: list[Voucher]) -> None:
    ids = [one.id for one in given]
    must(len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} vouchers came more than once")


def _check_report(report: Any, count: int) -> None:
    must(report.finished, "the whole list was read, and the report says that it was not finished")
    must(report.seen == count, f"{count} vouchers came, and the report says {report.seen}")
    must(report.vendor_total in (None, count), f"the vendor counts {count}, and the report says {report.vendor_total}")
    must(report.duplicates == 0, f"the report tells of {report.duplicates} duplicates, and nothing was doubled")
    must(report.consistent is not False, "nothing changed while reading, and the report says that the list did")


Fits = Callable[[Voucher], bool]


def _filters(name: str, everything: list[Voucher], codes: dict[str, str]) -> Iterator[tuple[Any, Fits]]:
    """Yield values to filter by, and which vouchers fit each, by what the unfiltered list tells."""
    match name:
        case "code":
            for id, code in list(codes.items())[:6]:
                yield code, _has("id", id)
            yield "NOSUCHVOUCHER1234", lambda _: False
        case "status":
            for status in (Status.ACTIVE, Status.INACTIVE):
                yield status, _has("status", status)
        case "has_value":
            yield True, lambda one: bool(one.remaining)
            yield False, lambda one: not one.remaining
        case "sku" | "batch":
            for text in sorted({getattr(one, name) for one in everything} - {None})[:4]:
                yield text, _has(name, text)
        case _:
            yield from _ranges(name, everything)


def _has(name: str, value: object) -> Fits:
    return lambda one: bool(getattr(one, name) == value)


def _ranges(name: str, everything: list[Voucher]) -> Iterator[tuple[datetime, Fits]]:
    field, _, bound = name.rpartition("_")
    attribute = {"created": "created_at", "valid_until": "valid_until"}[field]
    told = sorted({at for one in everything if (at := getattr(one, attribute)) is not None})
    for edge in (told[len(told) // 2], told[0]) if told else ():
        for bound_at in (edge, edge + _FRACTION, edge - _FRACTION):
            yield bound_at, _on_side(attribute, bound_at, from_it=bound == "from")


def _on_side(attribute: str, edge: datetime, *, from_it: bool) -> Fits:
    def fits(one: Voucher) -> bool:
        at: datetime | None = getattr(one, attribute)
        return at is not None and (at >= edge if from_it else at <= edge)

    return fits
