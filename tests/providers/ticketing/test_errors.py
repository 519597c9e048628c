"""What the vendor answers when it does not do what is asked, and the error that each answer becomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import pytest

from voucher_gateway.provider_api import (
    AccessDenied,
    AuthenticationFailed,
    DuplicateCode,
    MalformedResponse,
    Money,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    SecretSource,
    VoucherChanges,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.simulator import start
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider, TicketingSettings
from voucher_gateway_ticketing.simulator import TicketingSimulator

if TYPE_CHECKING:
    import responses

LEAK = "SECRET-CODE-90210"
HTML = f"<html><body>{LEAK}</body></html>"
ID = "64d0a1b2c3d4e5f601234567"
ONE = f"{PRODUCTION}/api/vouchers/{ID}"
AT = "2030-01-23T23:00:00.123Z"
VOUCHER = {"_id": ID, "code": LEAK, "amount": 10.5, "createdAt": AT, "updatedAt": AT}
NEW = NewVoucher(initial=Money(5, "EUR"), code=LEAK)


def http_error(status: object, error: object = "Bad Request") -> str:
    return json.dumps({"statusCode": status, "error": error, "message": f"There is no {LEAK}"})


# status, body, what a read raises, what a change raises, the vendor's code
ANSWERS: dict[str, tuple[int, str, type[VoucherGatewayError], type[VoucherGatewayError], str | None]] = {
    "400 in their shape": (400, http_error("400"), Rejected, Rejected, None),
    "400 with a number": (400, http_error(400), Rejected, Rejected, None),
    "400 with a name": (400, http_error("400", "AMOUNT_INVALID"), Rejected, Rejected, "AMOUNT_INVALID"),
    "400 with a text that could be a code": (400, http_error("400", LEAK), Rejected, Rejected, None),
    "400 with an object for a name": (400, http_error("400", {"a": LEAK}), Rejected, Rejected, None),
    "400 with nothing but the status": (400, '{"statusCode": "400"}', Rejected, Rejected, None),
    "403 in their shape": (403, http_error("403"), AccessDenied, AccessDenied, None),
    "404 in their shape": (404, http_error("404"), VoucherNotFound, VoucherNotFound, None),
    "422 in their shape": (422, http_error(422), Rejected, Rejected, None),
    "401 in their shape": (401, http_error("401"), AuthenticationFailed, AuthenticationFailed, None),
    "401 in HTML": (401, HTML, AuthenticationFailed, AuthenticationFailed, None),
    "429": (429, http_error("429"), RateLimited, RateLimited, None),
    "400 of another status": (400, http_error("404"), MalformedResponse, OutcomeUnknown, None),
    "400 with a flag for a status": (400, http_error(True), MalformedResponse, OutcomeUnknown, None),
    "400 without a status": (400, f'{{"message": "{LEAK}"}}', Rejected, Rejected, None),
    "400 as a list": (400, f'["{LEAK}"]', Rejected, Rejected, None),
    "400 as a text": (400, f'"{LEAK}"', Rejected, Rejected, None),
    "400 in plain words": (400, f"no {LEAK}", Rejected, Rejected, None),
    "400 without a body": (400, "", Rejected, Rejected, None),
    "400 in XML": (400, f"<?xml version='1.0'?><e>{LEAK}</e>", MalformedResponse, OutcomeUnknown, None),
    "403 without a status": (403, f'{{"message": "{LEAK}"}}', MalformedResponse, OutcomeUnknown, None),
    "422 without a body": (422, "", MalformedResponse, OutcomeUnknown, None),
    "400 in HTML": (400, HTML, MalformedResponse, OutcomeUnknown, None),
    "403 in HTML": (403, HTML, MalformedResponse, OutcomeUnknown, None),
    "404 in HTML": (404, HTML, MalformedResponse, OutcomeUnknown, None),
    "404 without a body": (404, "", VoucherNotFound, VoucherNotFound, None),
    "404 in plain words": (404, f"no {LEAK}", VoucherNotFound, VoucherNotFound, None),
    "404 of an API gateway": (404, '{"message": "no route"}', MalformedResponse, OutcomeUnknown, None),
    "409 in their shape": (409, http_error("409"), MalformedResponse, OutcomeUnknown, None),
    "408 in their shape": (408, http_error("408"), ProviderUnavailable, OutcomeUnknown, None),
    "500 in their shape": (500, http_error("500"), ProviderUnavailable, OutcomeUnknown, None),
    "502 in HTML": (502, HTML, ProviderUnavailable, OutcomeUnknown, None),
    "503 without a body": (503, "", ProviderUnavailable, OutcomeUnknown, None),
    "a redirect": (302, "", MalformedResponse, OutcomeUnknown, None),
    "200 without a body": (200, "", MalformedResponse, OutcomeUnknown, None),
    "200 in HTML": (200, HTML, MalformedResponse, OutcomeUnknown, None),
    "200 as a list": (200, f'["{LEAK}"]', MalformedResponse, OutcomeUnknown, None),
    "200 as null": (200, "null", MalformedResponse, OutcomeUnknown, None),
    "200 cut off": (200, f'{{"code": "{LEAK}', MalformedResponse, OutcomeUnknown, None),
    "200 with NaN": (200, json.dumps({**VOUCHER, "amount": float("nan")}), MalformedResponse, OutcomeUnknown, None),
    "200 with an error in it": (200, http_error("400"), MalformedResponse, OutcomeUnknown, None),
    "200 with a list of vouchers": (200, json.dumps({"docs": [], "total": 0}), MalformedResponse, OutcomeUnknown, None),
}
HEADERS = {"Location": "https://elsewhere.example/", "X-Request-Id": "req-7"}

CHANGES: dict[str, Callable[[TicketingProvider], object]] = {
    "issue": lambda events: events.issue(NEW, reference="r-1", order="W-1"),
    "update": lambda events: events.update(ID, VoucherChanges(valid_until=None), reference="r-1", order="W-1"),
}
READS: dict[str, Callable[[TicketingProvider], object]] = {
    "find": lambda events: events.find(LEAK),
    "balance": lambda events: events.balance(LEAK),
    "read_value": lambda events: events.read_value(LEAK),
    "presentation": lambda events: events.presentation(LEAK, id=ID),
    "vouchers": lambda events: next(events.vouchers()),
    "history": lambda events: events.history(ID),
}


def _chain(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_chain(error.__cause__), *_chain(error.__context__)]


def _expect_no_leak(error: VoucherGatewayError) -> None:
    for one in _chain(error):
        assert LEAK not in f"{one} {one!r} {one.args} {getattr(one, 'ticket', '')} {getattr(one, 'problems', '')}"


def _listed(verb: str) -> dict[str, object]:
    """Return the list that is read before an update, or after a refused creation."""
    return {"docs": [{**VOUCHER, "balance": 10.5}], "total": 1} if verb == "update" else {"docs": [], "total": 0}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_read_ends_in_the_error_that_fits(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, name: str
) -> None:
    status, body, kind, _, code = ANSWERS[name]
    vendor.get(ONE, body=body, status=status, headers=HEADERS)
    with pytest.raises(VoucherGatewayError) as caught:
        lone_adapter.get(ID)
    error = caught.value
    assert type(error) is kind
    assert (error.account, error.operation, error.vendor_code) == ("events", "get", code)
    if status != 200:
        assert (error.http_status, error.request_id) == (status, "req-7")
    assert error.retry_safe
    _expect_no_leak(error)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("verb", CHANGES)
def test_a_change_ends_in_the_error_that_fits(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, verb: str, name: str
) -> None:
    status, body, _, kind, code = ANSWERS[name]
    vendor.get(ONE, json=VOUCHER)
    vendor.get(f"{PRODUCTION}/api/vouchers", json=_listed(verb))
    vendor.add("POST", f"{PRODUCTION}/api/vouchers", body=body, status=status, headers=HEADERS)
    vendor.put(ONE, body=body, status=status, headers=HEADERS)
    with pytest.raises(VoucherGatewayError) as caught:
        CHANGES[verb](lone_adapter)
    error = caught.value
    assert type(error) is (Rejected if (verb, kind) == ("issue", VoucherNotFound) else kind)
    assert (error.account, error.operation, error.vendor_code) == ("events", verb, code)
    assert (error.http_status, error.request_id) == (status, "req-7")
    assert error.retry_safe is not isinstance(error, OutcomeUnknown)
    _expect_no_leak(error)


@pytest.mark.parametrize("call", READS)
@pytest.mark.parametrize("name", ["400 in their shape", "403 in their shape", "502 in HTML", "200 in HTML"])
def test_every_read_names_its_account_and_never_the_code(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, call: str, name: str
) -> None:
    status, body, kind, *_ = ANSWERS[name]
    for url in (f"{PRODUCTION}/api/vouchers", f"{ONE}/{LEAK}/info", f"{ONE}/transactions"):
        vendor.get(url, body=body, status=status)
    with pytest.raises(VoucherGatewayError) as caught:
        READS[call](lone_adapter)
    assert type(caught.value) is kind
    assert caught.value.account == "events"
    assert caught.value.operation
    _expect_no_leak(caught.value)


@pytest.mark.parametrize("name", ["500 in their shape", "400 in their shape", "200 in HTML", "a redirect"])
def test_a_change_is_sent_once_where_a_read_would_be_repeated(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, name: str
) -> None:
    status, body, *_ = ANSWERS[name]
    vendor.get(ONE, status=500)
    vendor.get(ONE, json=VOUCHER)
    vendor.get(f"{PRODUCTION}/api/vouchers", json=_listed("update"))
    vendor.put(ONE, body=body, status=status)
    patient = TicketingProvider("events", attrs.evolve(lone_adapter.settings, tries=3))
    with patient, pytest.raises(VoucherGatewayError):
        CHANGES["update"](patient)
    assert [call.request.method for call in vendor.calls] == ["GET", "GET", "GET", "PUT"]


@pytest.mark.parametrize("bodies", ["described", "message", "text", "empty"])
def test_a_documented_refusal_counts_whatever_its_body_is(bodies: str) -> None:
    with start("ticketing", refusal_bodies=bodies) as running:
        said = running.announcement
        key = SecretSource.of(said["api_key"])
        settings = TicketingSettings(base_url=said["base_url"], api_key=key, currency="EUR", tries=1)
        with TicketingProvider("events", settings) as events:
            voucher = events.issue(NEW, reference="r")
            with pytest.raises(DuplicateCode):
                events.issue(NEW, reference="r")
            changes = VoucherChanges(valid_until=None)
            for call in (
                lambda: events.get(ID),
                lambda: events.history(ID),
                lambda: events.presentation("ANOTHER", id=voucher.id),
                lambda: events.update(ID, changes, reference="r"),
            ):
                # An API gateway answers 404 in JSON of its own, so that such a one is not the vendor's word.
                with pytest.raises((MalformedResponse, OutcomeUnknown) if bodies == "message" else VoucherNotFound):
                    call()
            assert isinstance(running.simulator, TicketingSimulator)
            running.simulator.redeem_at_checkout(LEAK, "3.00")
            intent = events.intent(Operation.REDEEM, reference="r", voucher_id=voucher.id)
            with pytest.raises(Rejected):
                events.write_value(events.read_value(LEAK), Money(2, "EUR"), intent=intent)
        assert running.crashes == []


def test_a_refused_creation_whose_code_is_there_is_a_duplicate(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.post(f"{PRODUCTION}/api/vouchers", body=http_error("400"), status=400, headers=HEADERS)
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [{**VOUCHER, "balance": 0}], "total": 1})
    with pytest.raises(DuplicateCode) as caught:
        lone_adapter.issue(NEW, reference="r")
    assert (caught.value.http_status, caught.value.request_id) == (400, "req-7")
    _expect_no_leak(caught.value)


@pytest.mark.parametrize("look_up", [(500, ""), (200, json.dumps({"docs": [], "total": 0})), (401, "")])
def test_a_refused_creation_whose_code_is_not_seen_stays_as_the_vendor_put_it(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, look_up: tuple[int, str]
) -> None:
    vendor.post(f"{PRODUCTION}/api/vouchers", body=http_error("400", "AMOUNT_INVALID"), status=400)
    vendor.get(f"{PRODUCTION}/api/vouchers", body=look_up[1], status=look_up[0])
    with pytest.raises(Rejected) as caught:
        lone_adapter.issue(NEW, reference="r")
    assert caught.value.vendor_code == "AMOUNT_INVALID"


def test_a_rotated_key_is_read_again_and_the_call_repeated(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    keys = iter(["key_old", "key_new"])
    settings = attrs.evolve(lone_adapter.settings, api_key=SecretSource.of(lambda: next(keys)))
    vendor.get(ONE, body=http_error("401"), status=401)
    vendor.get(ONE, json=VOUCHER)
    with TicketingProvider("events", settings) as events:
        assert events.get(ID).id == ID
    assert [call.request.headers["Authorization"] for call in vendor.calls] == ["Bearer key_old", "Bearer key_new"]
