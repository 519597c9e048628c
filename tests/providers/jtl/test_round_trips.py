"""Rules that hold for all values: what goes out comes back the same, and the contract allows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_core.contrib.requests import RequestsOpenAPIRequest

from tests.support.examples import examples
from voucher_gateway.provider_api import (
    Code,
    Interval,
    Medium,
    Money,
    NewVoucher,
    Pin,
    Redemption,
    Reservation,
    SecretSource,
    Status,
    Validity,
    Voucher,
    metadata_of,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider, JtlSettings

if TYPE_CHECKING:
    from openapi_core import OpenAPI

    from voucher_gateway.simulator import RunningSimulator

LOGIN = JtlSettings(base_url=PRODUCTION, client_id="c", client_secret=SecretSource.of("s"), tries=1)
CENTS = st.integers(1, 99_999_99)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=255)
MONEY = st.one_of(
    st.builds(Money.from_minor, CENTS, st.sampled_from(["EUR", "USD", "CHF", "PLN"])),
    st.builds(Money, st.integers(1, 99_999), st.just("JPY")),
    # Dinars have three decimals: those whose third is zero can be written with two.
    CENTS.map(lambda cents: Money.from_minor(cents * 10, "BHD")),
)
KEPT = ("initial", "code", "pin", "medium", "validity", "taxable", "tax_rate", "sku", "batch", "order", "metadata")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=5,
)
METADATA = VALUES.map(metadata_of)


class Echo:
    """A vendor that answers each change with what it was sent, and with `more`."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.more: dict[str, str] = {}

    def __call__(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        assert isinstance(request.body, bytes)
        self.bodies.append(request.body)
        verb = (request.url or "").rpartition("/")[2]
        kind = {"type": verb} if verb in ("charge", "recharge", "refund") else {}
        return 201, {}, json.dumps({"id": "M", **kind, **json.loads(request.body), **self.more})


@contextmanager
def _echo() -> Iterator[tuple[JtlProvider, Echo]]:
    """An adapter of an echoing vendor, and that vendor."""
    echo = Echo()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(re.compile(".*/oauth/token"), json={"access_token": "t"})
        mock.add_callback("POST", re.compile(f"{PRODUCTION}/.*"), echo)
        with JtlProvider("shop", LOGIN) as shop:
            yield shop, echo


def _expect_written(echo: Echo, money: Money) -> None:
    body = json.loads(echo.bodies[-1])
    assert body["currency"] == money.currency
    assert re.fullmatch(r"[0-9]+\.[0-9]{2}", body["amount"])
    assert 4 <= len(body["amount"]) <= 9
    assert Decimal(body["amount"]) == money.amount


def test_every_amount_goes_out_as_text_with_two_decimals_and_comes_back_equal() -> None:
    redemption = Redemption(account="shop", id="C1", money=Money("99999.99", "EUR"))
    with _echo() as (shop, echo):

        @given(MONEY)
        @settings(max_examples=examples(150), deadline=None)
        def holds(money: Money) -> None:
            assert shop.top_up("V", money, reference="r").money == money
            _expect_written(echo, money)
            assert shop.refund(redemption, money, reference="r").money == money
            _expect_written(echo, money)
            assert shop.reserve("C", money, reference="r").money == money
            _expect_written(echo, money)
            assert shop.issue(NewVoucher(initial=money), reference="r").initial == money
            _expect_written(echo, money)

        holds()


def test_a_capture_gives_the_amount_that_was_reserved() -> None:
    with _echo() as (shop, echo):

        @given(MONEY)
        @settings(max_examples=examples(50), deadline=None)
        def holds(money: Money) -> None:
            echo.more["amount"] = f"{money.amount.quantize(Decimal('0.01')):f}"
            reservation = Reservation(account="shop", id="R1", money=money)
            assert shop.capture(reservation, reference="r-1").money == money
            assert echo.bodies[-1] == b'{"order_number":"r-1"}'

        holds()


@st.composite
def _new_vouchers(draw: st.DrawFn) -> NewVoucher:
    def perhaps(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(st.none() | strategy)

    taxable = perhaps(st.booleans())
    return NewVoucher(
        initial=draw(MONEY | st.sampled_from([Money(0, "EUR"), Money(0, "JPY")])),
        id=perhaps(TEXT.filter(lambda id: id not in (".", ".."))),
        code=perhaps(TEXT),
        pin=perhaps(TEXT),
        active=perhaps(st.booleans()),
        medium=perhaps(st.sampled_from([Medium.DIGITAL, Medium.PRINT])),
        validity=perhaps(
            st.builds(Validity, st.integers(1, 1000), st.sampled_from(list(Interval)[:4])),
        ),
        taxable=taxable,
        tax_rate=draw(st.sampled_from(["19", "7.0"])) if taxable else None,
        sku=perhaps(TEXT),
        batch=perhaps(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)),
        order=perhaps(TEXT),
        metadata=perhaps(METADATA),
    )


def test_the_body_of_every_new_voucher_keeps_the_contract(jtl_document: OpenAPI) -> None:
    with _echo() as (shop, echo):

        @given(_new_vouchers())
        @settings(max_examples=examples(60), deadline=None)
        def holds(new: NewVoucher) -> None:
            voucher = shop.issue(new, reference="r")
            headers = {"Content-Type": "application/json", "Authorization": "Bearer t"}
            request = requests.Request("POST", "http://localhost/v1/vouchers", headers, data=echo.bodies[-1])
            jtl_document.validate_request(RequestsOpenAPIRequest(request))
            for name in KEPT:
                assert getattr(voucher, name) == getattr(new, name)
            assert new.id in (None, voucher.id)

        holds()


def test_every_new_voucher_arrives_at_the_vendor_whole(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    @given(_new_vouchers())
    @settings(max_examples=examples(40), deadline=None)
    def holds(new: NewVoucher) -> None:
        taken = {(voucher["id"], voucher["code"]) for voucher in jtl.ledger()}
        if any(new.id == id or (new.code and new.code.reveal() == code) for id, code in taken):
            return
        made = adapter.issue(new, reference="r")
        shown = adapter.get(made.id, secrets=True)
        assert shown.remaining == new.initial
        if new.id is not None:
            assert made.id == new.id
        for name in KEPT:
            wanted = getattr(new, name)
            assert wanted is None or getattr(shown, name) == wanted
        assert shown.code is not None
        assert adapter.find(shown.code).id == made.id

    holds()


_AMOUNT = st.integers(0, 999_999_99).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
_INSTANT = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware right here
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
_SHOWN: dict[str, st.SearchStrategy[Any]] = {
    "sku": TEXT,
    "batch": TEXT,
    "amount": _AMOUNT,
    "remaining_amount": _AMOUNT,
    "valid_until": _INSTANT,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
    "taxable": st.booleans(),
    "tax_rate": TEXT,
    "order_number": TEXT,
    "deletable": st.booleans(),
    "code": TEXT,
    "pin": TEXT,
    "status": st.sampled_from(["active", "inactive"]),
    "type": st.sampled_from(["digital", "print"]),
    "client_id": TEXT,
    "something new": TEXT,
}
_OURS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "amount": ("initial", lambda text: Money(text, "EUR")),
    "remaining_amount": ("remaining", lambda text: Money(text, "EUR")),
    "type": ("medium", Medium),
    "status": ("status", Status),
    "order_number": ("order", str),
    "code": ("code", Code),
    "pin": ("pin", Pin),
    "client_id": ("login", str),
}
_IN_RAW_ONLY = ("something new",)


@given(st.fixed_dictionaries({"id": st.just("V")}, optional={name: st.none() | one for name, one in _SHOWN.items()}))
@settings(max_examples=examples(60), deadline=None)
def test_everything_that_the_vendor_says_of_a_voucher_is_in_the_domain(shown: dict[str, Any]) -> None:
    sent = {
        name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in {**shown, "currency": "EUR"}.items()
    }
    expected: dict[str, Any] = {"account": "shop"}
    for name in shown.keys() - set(_IN_RAW_ONLY):
        ours, make = _OURS.get(name, (name, lambda same: same))
        expected[ours] = None if shown[name] is None else make(shown[name])
    with responses.RequestsMock() as mock, JtlProvider("shop", LOGIN) as shop:
        mock.post(re.compile(".*/oauth/token"), json={"access_token": "t"})
        mock.get(f"{PRODUCTION}/vouchers/V", json=sent)
        voucher = shop.get("V")
    assert voucher == Voucher(**expected)
    assert voucher.raw == sent
