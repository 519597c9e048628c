"""The read level: replies with new words, further members, or malformed values."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import MalformedResponse, VoucherGatewayError, VoucherNotFound
from voucher_gateway.models.results import Balance
from voucher_gateway.models.voucher import Medium, Status, Voucher
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.ledger import (
    ExpectedVoucher,
    can,
    check_money,
    check_voucher,
    ledger_vouchers,
    readings,
    richest,
)
from voucher_gateway.testing.harness.reply_changes import leaves, one_leaf, one_word, with_objects
from voucher_gateway.testing.promises.checks import fail, for_promise, require
from voucher_gateway.testing.simulated_vendor import SimulatedVendor

NEW_WORD: Final = "hibernating"
EXTRA: Final = "x-contract-extra"
_ABSURD: Final = (Decimal("1e-999999"), Decimal("0e999999"))
"""Numbers that a careless reader takes for zero, and whose digits are too many to write."""
_WRONG: Final[tuple[Any, ...]] = (None, [], {"a": 1}, True, "\x00wrong", *_ABSURD)
_EXACT: Final = Decimal("0.1000000000000000000000000001")
_MOST: Final = 100
"""The largest number of replies that one read may need."""

_BY_CODE: Final = frozenset({"find", "balance", "presentation"})
"""Reads that may report a reply with another code as not found."""


class MalformedRepliesContract(Contract):
    """Changes of the vendor do no harm, and malformed replies are reported."""

    @for_promise("R8")
    def test_a_new_word_is_unknown_and_stays_readable(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        for true in ledger_vouchers(vendor)[:8]:
            for by, reading in list(readings(provider, true)):
                for name, unknown in (("status", Status.UNKNOWN), ("medium", Medium.UNKNOWN)):
                    word: Status | Medium | None = getattr(reading, name)
                    if word is None or word is unknown:
                        continue
                    texts = {text for _, text in leaves(_raw_fields(reading)) if isinstance(text, str)}
                    # The vendor may call an active voucher by another word, which is then one of its texts.
                    words = [word.value] if word.value in texts else sorted(texts)
                    on_reach = [_with_new_word(vendor, provider, true, by, word) for word in words]
                    matching = [
                        reading for reading in on_reach if reading is not None and getattr(reading, name) is unknown
                    ]
                    require(matching, f"{by} made something else than {unknown!s} of a {name} that it cannot know")
                    values = [value for reading in matching for _, value in leaves(_raw_fields(reading))]
                    require(NEW_WORD in values, f"the new {name} is not in raw of what {by} gave")

    @for_promise("R9")
    def test_nothing_that_the_vendor_sends_is_lost(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        vendor.tamper(partial(with_objects, change=_with_extra_member))
        for true in ledger_vouchers(vendor):
            for by, reading in readings(provider, true):
                check_voucher(reading, true, f"{by}, of a reply with a new member,")
                raw = _raw_fields(reading)
                require(raw is not None, f"{by} keeps nothing of the vendor's own object in raw")
                inexact = any(isinstance(value, float) for _, value in leaves(raw))
                require(not inexact, f"raw of what {by} gave holds a binary float")
                require(raw.get(EXTRA) == {"n": _EXACT}, f"raw of what {by} gave lacks a member that the vendor sent")
                require(EXTRA not in repr(reading), f"raw shows in the repr of what {by} gave")

    @for_promise("R10")
    def test_a_broken_reply_is_malformed_or_does_no_harm(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        true = richest(ledger_vouchers(vendor))
        for name, call in _reads_of(provider, true).items():
            call()  # sends the requests that a provider sends only once
            for place in _reply_places(vendor, call):
                for wrong in _WRONG:
                    vendor.tamper(one_leaf(place, wrong))
                    where = f"{name} of a reply whose {'.'.join(map(str, place))} was {wrong!r}"
                    try:
                        result = _call_within_limits(vendor, call, where)
                    except MalformedResponse:
                        continue
                    except VoucherGatewayError as error:
                        honest = isinstance(error, VoucherNotFound) and name in _BY_CODE
                        require(honest, f"{where} was reported as {type(error).__name__}")
                    else:
                        _check_money_of(result, true, where)
            vendor.clear_faults()

    @for_promise("P14")
    def test_one_voucher_that_cannot_be_read_does_not_end_a_listing(self, vendor: SimulatedVendor) -> None:
        ids = {true.id for true in ledger_vouchers(vendor)}
        require(len(ids) > 2, "the vendor has too few vouchers: seed more")
        broken = sorted(ids)[len(ids) // 2]
        for keep_id in (True, False):
            vendor.tamper(partial(with_objects, change=partial(_with_wrong_members, id=broken, keep_id=keep_id)))
            listing = vendor.provider().vouchers()
            try:
                came = {voucher.id for voucher in listing}
            except VoucherGatewayError as error:
                fail(f"the listing ended in {type(error).__name__}, because one of {len(ids)} vouchers cannot be read")
            finally:
                vendor.tamper(None)
            missing = ids - came - {broken}
            require(not missing, f"{len(missing)} vouchers that can be read did not come")
            require(broken not in came, "a voucher came of which every field was wrong")
            names = [entry.id for entry in listing.unreadable]
            what = "the id of the voucher" if keep_id else "a voucher without an id"
            require(names == [broken if keep_id else None], f"{what} is due in `unreadable`, which has {names}")
            report = listing.report
            require(report.unreadable == 1, f"the report counts {report.unreadable} vouchers that cannot be read")
            require(report.consistent is not False, "nothing changed, and the report says that the list did")


def _with_wrong_members(item: dict[str, Any], *, id: str, keep_id: bool) -> dict[str, Any]:
    """Return the object of a voucher with a wrong value in each member, and every other object as it is."""
    if id not in map(str, item.values()):
        return item
    return {name: value if keep_id and str(value) == id else {"wrong": True} for name, value in item.items()}


def _call_within_limits(vendor: SimulatedVendor, call: Callable[[], object], where: str) -> object:
    """Make a call that must end, even if a wrong reply sends it in a circle."""
    vendor.refuse(400, _MOST)
    try:
        return call()
    finally:
        require(not vendor.refuses, f"{where} was followed by {_MOST} requests and more")


def _with_extra_member(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, EXTRA: {"n": _EXACT}}


def _raw_fields(voucher: Voucher) -> Any:
    return None if voucher.raw is None else dict(voucher.raw)


def _reads_of(provider: VoucherProvider, true: ExpectedVoucher) -> dict[str, Callable[[], object]]:
    reads: dict[str, Callable[[], object]] = {
        "find": partial(provider.find, true.code),
        "get": partial(provider.get, true.id),
    }
    if can(provider, Operation.BALANCE):
        reads["balance"] = partial(provider.balance, true.code)
    if can(provider, Operation.HISTORY):
        reads["history"] = partial(provider.history, true.id)
    if can(provider, Operation.PRESENTATION):
        reads["presentation"] = lambda: provider.presentation(true.code).voucher
    return reads


def _reply_places(vendor: SimulatedVendor, call: Callable[[], object]) -> list[tuple[str | int, ...]]:
    """Return every place in the replies to a call."""
    seen: dict[tuple[str | int, ...], None] = {}

    def note(document: Any) -> Any:
        seen.update(dict.fromkeys(place for place, _ in leaves(document)))
        return document

    vendor.tamper(note)
    call()
    return list(seen)


def _check_money_of(result: object, true: ExpectedVoucher, where: str) -> None:
    if isinstance(result, Voucher):
        check_money(result.initial, true.initial, f"initial by {where}")
    if isinstance(result, Voucher | Balance):
        check_money(result.remaining, true.remaining, f"remaining by {where}")


def _with_new_word(
    vendor: SimulatedVendor, provider: VoucherProvider, true: ExpectedVoucher, by: str, word: str
) -> Voucher | None:
    """Read a voucher while one text of the vendor's is replaced; None if the read fails."""
    vendor.tamper(one_word(word, NEW_WORD))
    try:
        return provider.find(true.code) if by == "find" else provider.get(true.id)
    except (MalformedResponse, VoucherNotFound):
        return None
    finally:
        vendor.tamper(None)
