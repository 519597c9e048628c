"""What the vendor answers when it does not do what is asked, and the error that each answer becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import (
    AccessDenied,
    AuthenticationFailed,
    DuplicateCode,
    FieldError,
    MalformedResponse,
    Money,
    NewVoucher,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Reservation,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider

if TYPE_CHECKING:
    import responses

LEAK = "JTL-SECR-ETCO-DE99"
RESERVATION = Reservation(
    account="shop",
    id="R1",
    voucher_id="V1",
    money=Money("10.53", "EUR"),
    valid_until=datetime(2026, 5, 1, 8, 30, tzinfo=UTC),
)
HTML = f"<html><body>{LEAK}</body></html>"


def _json(code: str, **more: str) -> str:
    members = {"status": "404.0", "code": f'"{code}"', "message": f'"There is no {LEAK}"', **more}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"


NOT_A_CURRENCY = (
    '[{"code": "VOUCHER.CREATE.CURRENCY.VALID_CURRENCY", "property": "currency", "rule": "valid_currency",'
    f' "message": "{LEAK} is none"}}, {{"code": "VOUCHER.CREATE.SKU.MAX:255", "property": "sku", "rule": "max:255"}}]'
)

# status, body, what a read raises, what a change raises, the vendor's code
ANSWERS: dict[str, tuple[int, str, type[VoucherGatewayError], type[VoucherGatewayError], str | None]] = {
    "403 as the bare text of the documents": (403, '"Forbidden"', AccessDenied, AccessDenied, None),
    "403 as an object": (403, _json("CLIENT.SCOPE"), AccessDenied, AccessDenied, "CLIENT.SCOPE"),
    "404 for a voucher": (404, _json("VOUCHER.NOT_FOUND"), VoucherNotFound, VoucherNotFound, "VOUCHER.NOT_FOUND"),
    "404 for something else": (404, _json("RESERVATION.GONE"), MalformedResponse, Rejected, "RESERVATION.GONE"),
    "404 of an API gateway": (404, _json("ROUTE.NOT_FOUND"), MalformedResponse, OutcomeUnknown, None),
    "404 of another API of the vendor's": (404, _json("NOT_FOUND"), MalformedResponse, OutcomeUnknown, None),
    "404 for a voucher, in other letters": (404, _json("voucher.not_found"), MalformedResponse, OutcomeUnknown, None),
    "404 for a voucher, with another status": (
        404,
        _json("VOUCHER.NOT_FOUND", status="200"),
        MalformedResponse,
        OutcomeUnknown,
        None,
    ),
    "404 for a voucher, without a message": (
        404,
        '{"status": 404, "code": "VOUCHER.NOT_FOUND"}',
        MalformedResponse,
        OutcomeUnknown,
        None,
    ),
    "422 with fields": (422, _json("A.B", errors=NOT_A_CURRENCY), Rejected, Rejected, "A.B"),
    "422 without fields": (422, _json("A.B"), Rejected, Rejected, "A.B"),
    "422 with fields that are none": (422, _json("A.B", errors='["x", null, 7]'), Rejected, Rejected, "A.B"),
    "422 with a field error that is no list": (422, _json("A.B", errors='"x"'), Rejected, Rejected, "A.B"),
    "400 in their shape": (400, _json("A.B"), Rejected, Rejected, "A.B"),
    "a code that could be anything": (422, _json(f"no {LEAK}"), Rejected, Rejected, None),
    "401": (401, _json("A.B"), AuthenticationFailed, AuthenticationFailed, None),
    "409 in their shape": (409, _json("A.B"), MalformedResponse, OutcomeUnknown, None),
    "408": (408, _json("A.B"), ProviderUnavailable, OutcomeUnknown, None),
    "425": (425, _json("A.B"), ProviderUnavailable, OutcomeUnknown, None),
    "418": (418, _json("A.B"), MalformedResponse, OutcomeUnknown, None),
    "500 in their shape": (500, _json("A.B"), ProviderUnavailable, OutcomeUnknown, None),
    "502 in HTML": (502, HTML, ProviderUnavailable, OutcomeUnknown, None),
    "503 without a body": (503, "", ProviderUnavailable, OutcomeUnknown, None),
    "403 in HTML": (403, HTML, MalformedResponse, OutcomeUnknown, None),
    "404 in HTML": (404, HTML, MalformedResponse, OutcomeUnknown, None),
    "404 as a bare text": (404, f'"{LEAK}"', MalformedResponse, OutcomeUnknown, None),
    "404 without a body": (404, "", MalformedResponse, OutcomeUnknown, None),
    "404 without a code": (404, f'{{"message": "{LEAK}"}}', MalformedResponse, OutcomeUnknown, None),
    "404 with a number as code": (404, '{"code": 404}', MalformedResponse, OutcomeUnknown, None),
    "422 as a list": (422, f'["{LEAK}"]', MalformedResponse, OutcomeUnknown, None),
    "422 cut off": (
        422,
        f'{{"status": 422, "code": "A.B", "message": "{LEAK}',
        MalformedResponse,
        OutcomeUnknown,
        None,
    ),
    "422 as a number": (422, "422", MalformedResponse, OutcomeUnknown, None),
    "a redirect": (302, "", MalformedResponse, OutcomeUnknown, None),
    "200 without a body": (200, "", MalformedResponse, OutcomeUnknown, None),
    "200 in HTML": (200, HTML, MalformedResponse, OutcomeUnknown, None),
    "200 as a list": (200, f'["{LEAK}"]', MalformedResponse, OutcomeUnknown, None),
    "200 as a text": (200, f'"{LEAK}"', MalformedResponse, OutcomeUnknown, None),
    "200 as null": (200, "null", MalformedResponse, OutcomeUnknown, None),
    "200 cut off": (200, f'{{"id": "{LEAK}', MalformedResponse, OutcomeUnknown, None),
    "200 with NaN": (200, '{"id": "V1", "amount": NaN}', MalformedResponse, OutcomeUnknown, None),
    "200 with a name twice": (200, '{"id": "V1", "id": "V2"}', MalformedResponse, OutcomeUnknown, None),
    "200 with a number where text is due": (200, '{"id": 7, "amount": 7}', MalformedResponse, OutcomeUnknown, None),
    "200 with an error in it": (200, _json("A.B"), MalformedResponse, OutcomeUnknown, None),
}


def _chain(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_chain(error.__cause__), *_chain(error.__context__)]


def _expect_no_leak(error: VoucherGatewayError) -> None:
    for one in _chain(error):
        assert LEAK not in f"{one} {one!r} {one.args} {getattr(one, 'fields', '')}"


@pytest.mark.parametrize("name", ANSWERS)
def test_a_read_ends_in_the_error_that_fits(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, name: str
) -> None:
    status, body, kind, _, code = ANSWERS[name]
    headers = {"Location": "https://elsewhere.example/", "X-Request-Id": "req-7"}
    vendor.get(f"{PRODUCTION}/vouchers/V1", body=body, status=status, headers=headers)
    with pytest.raises(VoucherGatewayError) as caught:
        lone_adapter.get("V1")
    error = caught.value
    assert type(error) is kind
    assert (error.account, error.operation, error.vendor_code) == ("shop", "get", code)
    if status != 200:
        assert (error.http_status, error.request_id) == (status, "req-7")
    assert error.retry_safe
    _expect_no_leak(error)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_change_ends_in_the_error_that_fits(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, name: str
) -> None:
    status, body, _, kind, code = ANSWERS[name]
    headers = {"Location": "https://elsewhere.example/", "X-Request-Id": "req-7"}
    vendor.post(f"{PRODUCTION}/reservations/R1/charge", body=body, status=status, headers=headers)
    with pytest.raises(VoucherGatewayError) as caught:
        lone_adapter.capture(RESERVATION, reference="r-1", order="W-1")
    error = caught.value
    assert type(error) is kind
    assert (error.account, error.operation, error.vendor_code) == ("shop", "capture", code)
    assert (error.http_status, error.request_id) == (status, "req-7")
    assert error.retry_safe is not isinstance(error, OutcomeUnknown)
    _expect_no_leak(error)


@pytest.mark.parametrize("name", ["500 in their shape", "422 with fields", "200 in HTML", "a redirect", "408"])
def test_a_change_is_sent_once_where_a_read_would_be_repeated(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, name: str
) -> None:
    status, body, *_ = ANSWERS[name]
    vendor.post(f"{PRODUCTION}/reservations/R1/charge", body=body, status=status)
    vendor.get(f"{PRODUCTION}/vouchers/V1", status=500)
    vendor.get(f"{PRODUCTION}/vouchers/V1", json={"id": "V1"})
    with JtlProvider("shop", attrs.evolve(lone_adapter.settings, tries=3)) as patient:
        with pytest.raises(VoucherGatewayError):
            patient.capture(RESERVATION, reference="r-1")
        assert patient.get("V1").id == "V1"
    urls = [call.request.url for call in vendor.calls[1:]]
    assert urls == [f"{PRODUCTION}/reservations/R1/charge", f"{PRODUCTION}/vouchers/V1", f"{PRODUCTION}/vouchers/V1"]


def test_the_ticket_of_an_unknown_capture_has_all_that_finding_it_needs(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.post(f"{PRODUCTION}/reservations/R1/charge", status=500)
    with pytest.raises(OutcomeUnknown) as caught:
        lone_adapter.capture(RESERVATION, reference="r-1", order="W-1")
    ticket = caught.value.ticket
    assert (ticket.account, ticket.provider, ticket.verb) == ("shop", "jtl", "capture")
    assert (ticket.host, ticket.login) == ("vouchers.api.jtl-software.com", "a-client")
    assert (ticket.wire_reference, ticket.order) == ("r-1", "W-1")
    assert (ticket.subject, ticket.voucher_id) == ("R1", "V1")
    assert (ticket.amount, ticket.currency) == ("10.53", "EUR")
    assert ticket.notes == {"valid_until": "2026-05-01T08:30:00Z"}
    assert ticket.reason == "answered with HTTP 500"


def test_the_fields_that_the_vendor_complains_of_are_told(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.post(f"{PRODUCTION}/vouchers", body=_json("A.B", errors=NOT_A_CURRENCY), status=422)
    with pytest.raises(Rejected) as caught:
        lone_adapter.issue(NewVoucher(initial=Money(1, "EUR")), reference="r")
    assert caught.value.fields == (
        FieldError("currency", rule="valid_currency", code="VOUCHER.CREATE.CURRENCY.VALID_CURRENCY"),
        FieldError("sku", rule="max:255", code="VOUCHER.CREATE.SKU.MAX:255"),
    )
    reason = "A.B: currency breaks valid_currency, sku breaks max:255"
    assert caught.value.message == f"the vendor refused the call ({reason})"


@pytest.mark.parametrize(
    ("property", "rule"),
    [("filter[created_from]", "date"), ("tax_rate", "required_if:taxable,true"), ("client.client_group_id", "in")],
)
def test_names_of_fields_and_rules_are_shown_with_all_their_signs(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, property: str, rule: str
) -> None:
    error = f'[{{"code": "A.B.C", "property": "{property}", "rule": "{rule}"}}]'
    vendor.get(f"{PRODUCTION}/vouchers", body=_json("A.B", errors=error), status=422)
    with pytest.raises(Rejected) as caught:
        next(lone_adapter.vouchers())
    assert caught.value.fields == (FieldError(property, rule=rule, code="A.B.C"),)


@pytest.mark.parametrize(
    "echo", [LEAK, LEAK.lower(), LEAK.replace("-", ""), f"VOUCHER.{LEAK}", f"exists:vouchers,{LEAK}"]
)
def test_a_voucher_code_in_the_place_of_a_name_is_not_quoted(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, echo: str
) -> None:
    error = f'[{{"code": "{echo}", "property": "{echo}", "rule": "{echo}"}}]'
    vendor.post(f"{PRODUCTION}/vouchers", body=_json(echo, errors=error), status=422)
    with pytest.raises(Rejected) as caught:
        lone_adapter.issue(NewVoucher(initial=Money(1, "EUR"), code=LEAK), reference="r")
    assert caught.value.message == (
        "the vendor refused the call (with a code that cannot be shown: a field breaks a rule)"
    )
    assert (caught.value.vendor_code, caught.value.fields) == (None, (FieldError("", rule="", code=""),))
    _expect_no_leak(caught.value)


@pytest.mark.parametrize("taken", ["CUSTOM_ID", "CODE"])
def test_an_id_or_code_that_is_taken_is_a_duplicate(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, taken: str
) -> None:
    error = f'[{{"code": "VOUCHER.CREATE.{taken}.UNIQUE", "property": "id", "rule": "unique", "message": "{LEAK}"}}]'
    vendor.post(f"{PRODUCTION}/vouchers", body=_json("VOUCHER.CREATE.X", errors=error), status=422)
    with pytest.raises(DuplicateCode) as caught:
        lone_adapter.issue(NewVoucher(initial=Money(1, "EUR"), id="V1", code=LEAK), reference="r")
    assert (caught.value.vendor_code, caught.value.outcome) == ("VOUCHER.CREATE.X", "declined")
    _expect_no_leak(caught.value)


def test_too_many_requests_say_when_to_come_back(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    vendor.post(f"{PRODUCTION}/reservations/R1/charge", status=429, headers={"Retry-After": "17"})
    with pytest.raises(RateLimited) as caught:
        lone_adapter.capture(RESERVATION, reference="r-1")
    assert (caught.value.retry_after, caught.value.outcome) == (17.0, "not_executed")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"error": "invalid_client", "error_description": "JTL-SECR-ETCO-DE99"}', AuthenticationFailed),
        (400, '{"error": "invalid_scope"}', AuthenticationFailed),
        (403, '"Forbidden"', AuthenticationFailed),
        (500, HTML, ProviderUnavailable),
        (302, "", ProviderUnavailable),
        (200, HTML, MalformedResponse),
        (200, '{"access_token": 7}', MalformedResponse),
    ],
)
def test_without_a_token_nothing_is_sent_and_nothing_is_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, status: int, body: str, kind: type[VoucherGatewayError]
) -> None:
    vendor.replace("POST", "https://vouchers.api.jtl-software.com/oauth/token", body=body, status=status)
    with pytest.raises(VoucherGatewayError) as caught:
        lone_adapter.capture(RESERVATION, reference="r-1")
    assert type(caught.value) is kind
    assert (caught.value.outcome, caught.value.retry_safe) == ("not_executed", True)
    assert [call.request.url for call in vendor.calls] == ["https://vouchers.api.jtl-software.com/oauth/token"]
    _expect_no_leak(caught.value)


def test_a_401_fetches_one_new_token_and_tries_once_more(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    answers: list[dict[str, Any]] = [{"status": 401}, {"json": {"id": "V1"}}]
    for answer in answers:
        vendor.get(f"{PRODUCTION}/vouchers/V1", **answer)
    assert lone_adapter.get("V1").id == "V1"
    assert [call.request.method for call in vendor.calls] == ["POST", "GET", "POST", "GET"]
