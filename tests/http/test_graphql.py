"""GraphQL: every request is a POST to one path, and a reply with the status 200 may refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import (
    HttpClient,
    InsufficientValue,
    Intent,
    KeyRules,
    MissingScope,
    OutcomeUnknown,
    Path,
    RateLimited,
    Rejected,
    Request,
    Response,
    VoucherGatewayError,
)

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Server, Visit

DEBIT = (
    "mutation($id: ID!, $input: Debit!) { debit(id: $id, input: $input) { transaction { id } userErrors { code } } }"
)
CARD = "query($id: ID!) { card(id: $id) { id balance } }"
DONE = {"data": {"debit": {"transaction": {"id": "t1"}, "userErrors": []}}}
TOO_LITTLE = {"data": {"debit": {"transaction": None, "userErrors": [{"code": "INSUFFICIENT_FUNDS"}]}}}
NOTHING = {"data": {"debit": None}}


def failed(code: str, data: object = None) -> dict[str, Any]:
    return {"data": data, "errors": [{"message": "text of the vendor", "extensions": {"code": code}}]}


THROTTLED = failed("THROTTLED")


def explain_success(reply: Response) -> VoucherGatewayError | None:
    document = reply.json()
    if not document.get("errors") or document.get("data"):
        return None
    code = document["errors"][0]["extensions"]["code"]
    if code == "THROTTLED":
        return RateLimited("the vendor asks for fewer requests", vendor_code=code)
    if code == "ACCESS_DENIED":
        return MissingScope("the login lacks a right", vendor_code=code)
    return Rejected("the vendor refuses the document", vendor_code=code)


def read_debit(reply: Response) -> str:
    payload = reply.json()["data"]["debit"]
    if payload["userErrors"]:
        raise InsufficientValue("too little value", vendor_code=payload["userErrors"][0]["code"])
    return str(payload["transaction"]["id"])


@pytest.fixture
def play(serve: Serve) -> Callable[..., Server]:
    """Start a server that gives these documents, and the last one for ever."""

    def start(*documents: object) -> Server:
        left = list(documents)

        def script(visit: Visit) -> None:
            while visit.asked():
                document = left.pop(0) if len(left) > 1 else left[0]
                visit.answer(200, json.dumps(document))

        return serve(script)

    return start


def make_client(client_of: ClientOf, server: Server, **options: Any) -> HttpClient:
    return client_of(server, client={"explain_success": explain_success, **options}, tries=3, total_timeout_s=5)


def debit(client: HttpClient, intent: Intent, key: str | None = None) -> str:
    body = {"query": DEBIT, "variables": {"id": "c1", "input": {"amount": "10.53", "once": key}}}
    return client.change(Request(method="POST", path=Path.of("/graphql.json"), json=body), intent, read_debit, key=key)


def balance(client: HttpClient) -> Any:
    body = {"query": CARD, "variables": {"id": "c1"}}
    request = Request(method="POST", path=Path.of("/graphql.json"), json=body)
    return client.read(request, lambda reply: reply.json()["data"]["card"]["balance"])


def test_a_document_that_changes_is_sent_once_and_its_result_is_read(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    server = play(DONE)
    assert debit(make_client(client_of, server), intent) == "t1"
    assert len(server.heard) == 1


def test_a_refusal_in_the_payload_is_declined(play: Callable[..., Server], client_of: ClientOf, intent: Intent) -> None:
    with pytest.raises(InsufficientValue) as caught:
        debit(make_client(client_of, play(TOO_LITTLE)), intent)
    assert (caught.value.outcome, caught.value.vendor_code) == ("declined", "INSUFFICIENT_FUNDS")


@pytest.mark.parametrize(
    ("code", "kind"), [("undefinedField", Rejected), ("ACCESS_DENIED", MissingScope), ("THROTTLED", RateLimited)]
)
def test_a_refusal_of_the_whole_document_did_nothing(
    code: str, kind: type[VoucherGatewayError], play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    with pytest.raises(kind) as caught:
        debit(make_client(client_of, play(failed(code))), intent)
    assert caught.value.outcome in ("declined", "not_executed")
    assert (caught.value.http_status, caught.value.vendor_code) == (200, code)


def test_a_throttled_document_is_sent_again_whether_it_reads_or_changes(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    changes = play(THROTTLED, DONE)
    assert debit(make_client(client_of, changes), intent) == "t1"
    reads = play(THROTTLED, {"data": {"card": {"id": "c1", "balance": "5.00"}}})
    assert balance(make_client(client_of, reads)) == "5.00"
    assert (len(changes.heard), len(reads.heard)) == (2, 2)


@pytest.mark.parametrize("document", [NOTHING, {}, [], failed("THROTTLED", data={"debit": None})])
def test_a_reply_that_proves_nothing_is_unknown_and_is_not_asked_for_again(
    document: object, play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    server = play(document)
    with pytest.raises(OutcomeUnknown):
        debit(make_client(client_of, server), intent)
    assert len(server.heard) == 1


def test_after_a_doubt_under_a_key_a_refusal_of_the_document_does_not_end_the_doubt(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    server = play(NOTHING, failed("undefinedField"))
    with pytest.raises(OutcomeUnknown):
        debit(make_client(client_of, server, keys=KeyRules()), intent, intent.make_key(max_length=64))
    assert len(server.heard) == 2


def test_an_error_that_says_nothing_of_the_outcome_is_not_taken_from_it(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    client = make_client(client_of, play(DONE), explain_success=lambda _: VoucherGatewayError("a wrong provider"))
    assert debit(client, intent) == "t1"
