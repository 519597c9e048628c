"""Codes, PINs, secrets and tokens show nowhere: not in results, errors, tickets, pickles or logs at DEBUG."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    InvalidRequest,
    Money,
    NewVoucher,
    OutcomeUnknown,
    SecretSource,
    VoucherGatewayError,
    VoucherQuery,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider
from voucher_gateway_jtl.filters import filters

if TYPE_CHECKING:
    import responses

    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway.testing.harness.canary import Canary

    MakeAdapter = Callable[..., JtlProvider]

EUR = Money(1, "EUR")
CODE = "JTL-KANA-RIEN/VOGEL 7"
PIN = "pin-kanarienvogel-8"
SECRET = "secret-kanarienvogel-9"


@pytest.fixture
def guarded(jtl: RunningSimulator, make_adapter: MakeAdapter, canary: Canary) -> JtlProvider:
    """An adapter whose client secret is planted, as are the code and PIN of the one voucher that is there."""
    for secret in (CODE, PIN, SECRET, jtl.announcement["client_secret"]):
        canary.plant(secret)
    shop = make_adapter(jtl, client_secret=SecretSource.of(SECRET), tries=1, read_timeout_s=2)
    jtl.simulator.clients.by_id[shop.login].secret = SECRET  # type: ignore[attr-defined]  # the JTL simulator's
    shop.issue(NewVoucher(initial=Money(9, "EUR"), id="V", code=CODE, pin=PIN, active=True), reference="i")
    return shop


def _hear(canary: Canary, what: object) -> None:
    canary.note(f"a {type(what).__name__}", f"{what} {what!r}")
    canary.note(f"the pickle of a {type(what).__name__}", pickle.dumps(what).decode("latin-1"))


def _plant_tokens(canary: Canary, running: RunningSimulator) -> None:
    for request in running.requests:
        header = request.header("Authorization")
        if header is not None:
            canary.plant(header.removeprefix("Bearer "))


CALLS: dict[str, Callable[[JtlProvider], object]] = {
    "find": lambda shop: shop.find(CODE, PIN),
    "get": lambda shop: shop.get("V", secrets=True),
    "balance": lambda shop: shop.balance(CODE),
    "vouchers": lambda shop: next(shop.vouchers(VoucherQuery(code=CODE))),
    "vouchers by native code": lambda shop: next(shop.vouchers(VoucherQuery(native={"code": CODE}))),
    "history": lambda shop: shop.history("V"),
    "reserve": lambda shop: shop.reserve(CODE, EUR, PIN, reference="r"),
    "capture": lambda shop: shop.capture(shop.reserve(CODE, EUR, PIN, reference="r"), reference="c"),
    "issue again": lambda shop: shop.issue(NewVoucher(initial=EUR, code=CODE, pin=PIN), reference="i-2"),
    "reserve too much": lambda shop: shop.reserve(CODE, Money(10, "EUR"), PIN, reference="r"),
    "reserve with the wrong PIN": lambda shop: shop.reserve(CODE, EUR, PIN + "x", reference="r"),
    "connect with a wrong PIN": lambda shop: shop.connect(shop.settings.base_url, PIN),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_shows_in_results_and_refusals(
    jtl: RunningSimulator, guarded: JtlProvider, canary: Canary, name: str
) -> None:
    try:
        _hear(canary, CALLS[name](guarded))
    except VoucherGatewayError as error:
        canary.saw(error)
        _hear(canary, error)
    _plant_tokens(canary, jtl)


FAULTS = [
    "drop-before",
    "commit-then-reset",
    "error-after-commit",
    "rate-limit",
    "unauthorized",
    "hang",
    "truncate",
    "html",
    "not-json",
    "nan",
    "empty",
    "wrong-echo",
    "redirect",
    "expire-token",
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["find", "get", "reserve", "issue again"])
def test_nothing_shows_when_calls_fail(
    jtl: RunningSimulator, guarded: JtlProvider, canary: Canary, name: str, fault: str
) -> None:
    jtl.inject(fault, "* /v1/*", times=0 if fault != "expire-token" else 1)
    try:
        _hear(canary, CALLS[name](guarded))
    except OutcomeUnknown as error:
        canary.saw(error)
        _hear(canary, error.ticket)
        canary.note("a ticket", error.ticket.to_json())
    except VoucherGatewayError as error:
        canary.saw(error)
        _hear(canary, error)
    _plant_tokens(canary, jtl)


def test_nothing_shows_when_the_login_fails(jtl: RunningSimulator, guarded: JtlProvider, canary: Canary) -> None:
    jtl.simulator.expire_tokens()
    jtl.simulator.clients.by_id[guarded.login].secret = "another"  # type: ignore[attr-defined]  # the JTL simulator's
    with pytest.raises(VoucherGatewayError) as caught:
        guarded.find(CODE)
    canary.saw(caught.value)
    _hear(canary, caught.value)


@pytest.mark.parametrize("reading", ["C" * 300, "half \ud83c"])
def test_nothing_shows_when_a_call_is_refused_before_it_is_sent(
    guarded: JtlProvider, canary: Canary, reading: str
) -> None:
    wrong = CODE + reading
    for call in (guarded.find, guarded.balance, lambda code: guarded.reserve(code, EUR, reference="r")):
        with pytest.raises(InvalidRequest) as caught:
            call(wrong)
        canary.saw(caught.value)


def test_nothing_shows_of_what_is_about_to_be_sent(guarded: JtlProvider, canary: Canary) -> None:
    for one in (
        NewVoucher(initial=EUR, code=CODE, pin=PIN),
        VoucherQuery(code=CODE),
        guarded.settings,
        guarded.intent("reserve", reference="r"),  # type: ignore[arg-type]  # a StrEnum's value does
        guarded,
        filters(VoucherQuery(code=CODE), array_style="comma"),
        filters(VoucherQuery(native={"code": CODE}), array_style="comma"),
        guarded.vouchers(VoucherQuery(code=CODE)).report,
        guarded.vouchers(VoucherQuery(code=CODE)).resume_token,
    ):
        canary.note(f"a {type(one).__name__}", f"{one} {one!r}")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"status": 404, "code": "VOUCHER.NOT_FOUND", "message": f"No voucher {CODE} with {PIN}"}),
        (422, {"code": f"no {CODE}", "message": PIN, "errors": [{"property": CODE, "rule": f"in:{PIN} {CODE}"}]}),
        (403, {"code": "X", "message": CODE}),
        (500, {"message": CODE}),
        (200, {"id": CODE, "amount": CODE, "pin": {"was": PIN}, "code": [CODE]}),
        (200, [CODE]),
        (200, {"id": "R", "amount": "1.00", "valid_until": PIN, "voucher_id": [CODE]}),
    ],
)
def test_nothing_shows_of_what_the_vendor_says_in_an_error(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, canary: Canary, status: int, body: object
) -> None:
    for secret in (CODE, PIN, "a-client-secret", "a-good-token"):
        canary.plant(secret)
    vendor.post(f"{PRODUCTION}/reservations", json=body, status=status)
    vendor.get(f"{PRODUCTION}/vouchers", json=body, status=status)
    vendor.get(f"{PRODUCTION}/vouchers/V", json=body, status=status)
    calls: list[Callable[[], object]] = [
        lambda: lone_adapter.reserve(CODE, EUR, PIN, reference="r"),
        lambda: lone_adapter.find(CODE),
        lambda: lone_adapter.get("V", secrets=True),
    ]
    for call in calls:
        with pytest.raises(VoucherGatewayError) as caught:
            call()
        canary.saw(caught.value)
        _hear(canary, caught.value)
