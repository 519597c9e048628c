"""Why a reservation was refused: the vendor's codes do not tell, a look at the voucher does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    CurrencyMismatch,
    Declined,
    InsufficientValue,
    Interval,
    Money,
    NewVoucher,
    Rejected,
    Validity,
    VoucherExpired,
    VoucherInactive,
    VoucherNotFound,
)

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway_jtl import JtlProvider

    MakeAdapter = Callable[..., JtlProvider]

DAY_S = timedelta(days=1).total_seconds()


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def day_voucher(adapter: JtlProvider) -> str:
    """The id of an active voucher of 10.00 EUR with the code C, valid for a day."""
    new = NewVoucher(initial=eur("10.00"), code="C", pin="0042", active=True, validity=Validity(1, Interval.DAYS))
    return adapter.issue(new, reference="i").id


def _deactivate(jtl: RunningSimulator, adapter: JtlProvider, id: str) -> None:
    adapter.deactivate(id, reference="d")


def _outlive(jtl: RunningSimulator, adapter: JtlProvider, id: str) -> None:
    jtl.clock.advance(DAY_S)


def _spend(jtl: RunningSimulator, adapter: JtlProvider, id: str) -> None:
    adapter.capture(adapter.reserve("C", eur("9.99"), "0042", reference="r"), reference="c")


def _nothing(jtl: RunningSimulator, adapter: JtlProvider, id: str) -> None:
    pass


Before = Callable[["RunningSimulator", "JtlProvider", str], None]
REASONS: dict[str, tuple[Before, Money, type[Declined], str]] = {
    "too little left": (_nothing, eur("10.01"), InsufficientValue, "10.00 EUR left, less than 10.01 EUR"),
    "all but a cent spent": (_spend, eur("0.02"), InsufficientValue, "0.01 EUR left, less than 0.02 EUR"),
    "not active": (_deactivate, eur("1.00"), VoucherInactive, "not active"),
    "expired by the vendor's clock": (_outlive, eur("1.00"), VoucherExpired, "validity is over"),
    "in another currency": (_nothing, Money("1.00", "USD"), CurrencyMismatch, "in EUR, not in USD"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_refused_reservation_says_why(
    jtl: RunningSimulator, adapter: JtlProvider, day_voucher: str, name: str
) -> None:
    before, money, kind, sentence = REASONS[name]
    before(jtl, adapter, day_voucher)
    sent = len(jtl.requests)
    ledger = jtl.ledger()
    with pytest.raises(Declined, match=sentence) as caught:
        adapter.reserve("C", money, "0042", reference="r")
    error = caught.value
    assert type(error) is kind
    assert (error.account, error.operation, error.http_status) == ("shop", "reserve", 422)
    assert error.vendor_code  # the vendor's own stays readable
    # A day later the token has ended, too.
    answered = [request for request in jtl.requests[sent:] if request.status != 401 and request.path != "/oauth/token"]
    assert [(one.method, one.path) for one in answered] == [("POST", "/v1/reservations"), ("GET", "/v1/vouchers")]
    assert jtl.ledger() == ledger


@pytest.mark.parametrize("name", REASONS)
def test_without_the_right_to_look_the_vendors_code_is_all_there_is(
    jtl: RunningSimulator, adapter: JtlProvider, make_adapter: MakeAdapter, day_voucher: str, name: str
) -> None:
    before, money, *_ = REASONS[name]
    before(jtl, adapter, day_voucher)
    clients = jtl.simulator.clients  # type: ignore[attr-defined]  # the JTL simulator's
    knowing = make_adapter(jtl, scopes=("use",))
    unknowing = make_adapter(jtl)
    for shop in (knowing, unknowing):
        if shop is unknowing:
            clients.by_id[shop.login].scopes = ("use",)
        with pytest.raises(Rejected) as caught:
            shop.reserve("C", money, "0042", reference="r")
        assert caught.value.vendor_code
        assert caught.value.operation == "reserve"


def test_a_code_that_nobody_has_is_said_so_without_a_second_look(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    with pytest.raises(VoucherNotFound) as caught:
        adapter.reserve("C", eur("1.00"), reference="r")
    assert (caught.value.operation, caught.value.vendor_code) == ("reserve", "VOUCHER.NOT_FOUND")
    assert [request.path for request in jtl.requests][1:] == ["/v1/reservations"]


@pytest.mark.parametrize("pin", [None, "0043"])
def test_a_refusal_that_the_voucher_does_not_explain_stays_the_vendors(
    adapter: JtlProvider, day_voucher: str, pin: str | None
) -> None:
    with pytest.raises(Rejected) as caught:
        adapter.reserve("C", eur("10.00"), pin, reference="r")
    assert caught.value.vendor_code


@pytest.mark.parametrize(
    "fault", ["error-before", "drop-before", "html", "truncate", "not-json", "rate-limit", "redirect"]
)
def test_a_look_that_fails_leaves_the_refusal_as_it_was(
    jtl: RunningSimulator, make_adapter: MakeAdapter, day_voucher: str, fault: str
) -> None:
    shop = make_adapter(jtl, tries=1)
    jtl.inject(fault, "GET /v1/vouchers", times=0)
    with pytest.raises(Rejected) as caught:
        shop.reserve("C", eur("10.01"), "0042", reference="r")
    assert (caught.value.operation, caught.value.outcome) == ("reserve", "declined")


def test_the_vendors_clock_decides_about_expiry_and_not_ours(
    jtl: RunningSimulator, adapter: JtlProvider, day_voucher: str
) -> None:
    # A day ahead of ours, the vendor would still say "too little"; two days ahead, it says "expired".
    with pytest.raises(InsufficientValue):
        adapter.reserve("C", eur("10.01"), "0042", reference="r")
    jtl.inject("clock-skew", "GET /v1/vouchers", seconds=2 * DAY_S)
    with pytest.raises(VoucherExpired):
        adapter.reserve("C", eur("10.01"), "0042", reference="r")


def test_a_reserved_amount_is_available_again_for_the_next_reservation(
    jtl: RunningSimulator, adapter: JtlProvider, day_voucher: str
) -> None:
    first = adapter.reserve("C", eur("8.00"), "0042", reference="r-1")
    second = adapter.reserve("C", eur("9.00"), "0042", reference="r-2")
    with pytest.raises(Rejected):
        adapter.capture(first, reference="c-1")
    assert adapter.capture(second, reference="c-2").money == eur("9.00")
