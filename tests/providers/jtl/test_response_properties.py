"""Whatever the vendor answers, a call ends in a result that is true or in an error of ours with the right outcome."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from voucher_gateway.provider_api import (
    AccessDenied,
    Declined,
    IntegrityMismatch,
    MalformedResponse,
    Money,
    NewVoucher,
    NotExecuted,
    OutcomeUnknown,
    Redemption,
    Reservation,
    SecretSource,
    VoucherChanges,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider, JtlSettings

MONEY = Money("10.53", "EUR")
GOOD: dict[str, Any] = {
    "id": "V",
    "voucher_id": "V",
    "amount": "10.53",
    "currency": "EUR",
    "status": "active",
    "valid_until": "2029-01-01T00:00:00Z",
    "created_at": "2026-01-01T00:00:00Z",
    "remaining_amount": "1.00",
    "data": "{}",
    "order_number": "r",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NEARLY_RIGHT = st.text(st.sampled_from("0123456789.,-+eE EURJPY_\n\u0661"), max_size=12)
CHANGED = st.dictionaries(
    st.sampled_from([*GOOD, "type", "code", "pin", "taxable"]), ANYTHING | NEARLY_RIGHT, max_size=3
)
STATUS = st.sampled_from(
    [200, 201, 202, 204, 206, 299, 300, 304, 400, 401, 402, 403, 404, 405, 409, 410, 422, 429, 500, 503]
)


class Answers:
    """A vendor that gives every request the same answer."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""

    def __call__(self, _: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        return self.status, {}, b"" if self.status in (204, 304) else self.body  # these two have none


@contextmanager
def _vendor() -> Iterator[tuple[JtlProvider, Answers]]:
    answers = Answers()
    login = JtlSettings(base_url=PRODUCTION, client_id="c", client_secret=SecretSource.of("s"), tries=1)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock, JtlProvider("shop", login) as shop:
        mock.post(re.compile(".*/oauth/token"), json={"access_token": "t"})
        for method in ("GET", "POST", "PATCH", "DELETE"):
            mock.add_callback(method, re.compile(f"{PRODUCTION}/.*"), answers)
        yield shop, answers


CHANGES: dict[str, Callable[[JtlProvider], Any]] = {
    "": lambda shop: shop.issue(NewVoucher(initial=MONEY, id="V"), reference="r"),
    "status": lambda shop: shop.activate("V", reference="r"),
    "update": lambda shop: shop.update("V", VoucherChanges(sku="S"), reference="r"),
    "recharge": lambda shop: shop.top_up("V", MONEY, reference="r"),
    "reserve": lambda shop: shop.reserve("C", MONEY, reference="r"),
    "charge": lambda shop: shop.capture(
        Reservation(account="shop", id="R", voucher_id="V", money=MONEY), reference="r"
    ),
    "refund": lambda shop: shop.refund(Redemption(account="shop", id="M", money=MONEY), reference="r"),
    "delete": lambda shop: shop.delete("V", "why", reference="r"),
}
READS: list[Callable[[JtlProvider], Any]] = [
    lambda shop: shop.get("V", secrets=True),
    lambda shop: shop.find("C"),
    lambda shop: shop.balance("C"),
    lambda shop: shop.history("V"),
    lambda shop: list(shop.vouchers()),
]


def test_a_change_that_was_answered_with_success_is_believed_only_if_all_fits() -> None:
    with _vendor() as (shop, answers):

        @given(st.sampled_from(list(CHANGES)), CHANGED)
        @settings(max_examples=examples(300), deadline=None)
        def holds(verb: str, changed: dict[str, Any]) -> None:
            kind = {"type": verb} if verb in ("recharge", "charge", "refund") else {}
            answers.body = json.dumps({**GOOD, **kind, **changed}).encode()
            try:
                result = CHANGES[verb](shop)
            except OutcomeUnknown:
                assert changed
                return
            moved = getattr(result, "money", None) or getattr(result, "initial", None)
            if verb not in ("status", "update", "delete"):
                assert moved == MONEY
            if verb in ("", "charge"):
                assert getattr(result, "voucher_id", result.id) == "V"

        holds()


def test_a_change_ends_by_the_table_whatever_comes_back() -> None:
    with _vendor() as (shop, answers):

        @given(
            st.sampled_from(list(CHANGES)), STATUS, ANYTHING.map(json.dumps).map(str.encode) | st.binary(max_size=30)
        )
        @settings(max_examples=examples(300), deadline=None)
        def holds(verb: str, status: int, body: bytes) -> None:
            answers.status, answers.body = status, body
            outcome = "succeeded"
            try:
                CHANGES[verb](shop)
            except VoucherGatewayError as error:
                outcome = error.outcome
            if status in (401, 429):
                assert outcome == "not_executed"
            elif 200 <= status <= 299:
                assert outcome == "unknown" or verb == "delete"
            elif status in (400, 403, 404, 422):
                assert outcome in ("declined", "unknown")
            else:
                assert outcome == "unknown"

        holds()


def test_a_read_ends_in_a_result_or_in_an_error_of_ours() -> None:
    with _vendor() as (shop, answers):
        page = st.fixed_dictionaries(
            {"data": st.lists(CHANGED.map(lambda changed: {**GOOD, **changed}), max_size=3) | ANYTHING},
            optional={
                "meta": st.dictionaries(
                    st.sampled_from(["current_page", "per_page", "last_page", "total"]),
                    st.integers(-2, 3) | ANYTHING,
                    max_size=4,
                )
                | ANYTHING
            },
        )

        @given(st.sampled_from(READS), CHANGED.map(lambda changed: {**GOOD, **changed}) | page | ANYTHING, STATUS)
        @settings(max_examples=examples(400), deadline=None)
        def holds(read: Callable[[JtlProvider], Any], body: Any, status: int) -> None:
            answers.status, answers.body = status, json.dumps(body).encode()
            error: VoucherGatewayError | None = None
            try:
                read(shop)
            except VoucherGatewayError as caught:
                error = caught
            if isinstance(error, NotExecuted | AccessDenied):
                assert status >= 400
            elif isinstance(error, Declined):
                assert status in (400, 404, 422) or (status < 300 and isinstance(error, VoucherNotFound))
            elif error is None:
                assert 200 <= status <= 299
            else:
                assert type(error) in (MalformedResponse, IntegrityMismatch)

        holds()
