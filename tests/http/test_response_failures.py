"""What goes wrong after the request was sent: nothing is known of a change, and a read is told what was wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    AccessDenied,
    AuthenticationFailed,
    HttpClient,
    IntegrityMismatch,
    Intent,
    MalformedResponse,
    OutcomeUnknown,
    Path,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Request,
    Response,
    VoucherGatewayError,
)

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Visit

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})

Script = Callable[["Visit"], None]


def after_the_request(play: Callable[[Visit], None]) -> Script:
    def script(visit: Visit) -> None:
        visit.asked()
        play(visit)

    return script


def says(raw: bytes) -> Script:
    """Answers with these bytes and hangs up."""
    return after_the_request(lambda visit: visit.send(raw))


def whole(status: int, body: str, *headers: str) -> Script:
    head = "".join(f"{line}\r\n" for line in ("Connection: close", f"Content-Length: {len(body)}", *headers))
    return says(f"HTTP/1.1 {status} Said\r\n{head}\r\n{body}".encode())


BROKEN_OFF = {
    "it hangs up without a word": after_the_request(lambda visit: None),
    "it resets the connection": after_the_request(lambda visit: visit.reset()),
    "it stops within the status line": says(b"HTTP/1.1 20"),
    "it stops within a header": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "it stops after the headers": says(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"),
    "it stops within the body": says(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"ok":'),
    "it stops within a chunk": says(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"ok": true}'),
    "it stops between two chunks": says(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{"ok": true}\r\n'),
    "it counts its chunks in words": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ntwelve\r\n{}\r\n"),
    "it speaks something else": says(b"220 mail.example.com ESMTP ready\r\n"),
    "it calls rubbish gzip": whole(200, "rubbish", "Content-Encoding: gzip"),
    "it sends a hundred headers too many": whole(200, "{}", *(f"X-{n}: n" for n in range(200))),
    "it sends a header without an end": says(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000),
}

SILENT = {
    "it never answers": after_the_request(lambda visit: visit.silence()),
    "it falls silent within the headers": after_the_request(lambda visit: visit.stall(b"HTTP/1.1 200 OK\r\n")),
    "it falls silent within the body": after_the_request(
        lambda visit: visit.stall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{")
    ),
}

UNREADABLE = {
    "HTML": whole(200, "<html>We are back soon</html>", "Content-Type: text/html"),
    "nothing": whole(200, ""),
    "no content": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "NaN": whole(200, '{"amount": NaN}'),
    "infinity": whole(200, '{"amount": -Infinity}'),
    "half a JSON text": whole(200, '{"amount": '),
    "a name twice": whole(200, '{"amount": "1.00", "amount": "2.00"}'),
    "another encoding": says('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"a": "ä"}'.encode("latin-1")),
}


def change(client: HttpClient, intent: Intent) -> OutcomeUnknown:
    with pytest.raises(OutcomeUnknown) as left_open:
        client.change(CHARGE, intent, Response.json)
    assert left_open.value.outcome == "unknown"
    assert not left_open.value.retry_safe
    assert left_open.value.ticket.reference == "1001-a"
    assert left_open.value.ticket.amount == "10.53"
    assert left_open.value.ticket.reason in left_open.value.message
    return left_open.value


@pytest.mark.parametrize("name", [*BROKEN_OFF, *SILENT, *UNREADABLE])
def test_a_change_is_unknown_and_not_sent_again_when(
    name: str, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve({**BROKEN_OFF, **SILENT, **UNREADABLE}[name])
    change(client_of(server, tries=3, read_timeout_s=0.2), intent)
    assert len(server.heard) == len(server.visits) == 1


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_a_read_is_unavailable_when(name: str, serve: Serve, client_of: ClientOf) -> None:
    with pytest.raises(ProviderUnavailable, match="GET /jars: the connection broke before a complete answer"):
        client_of(serve(BROKEN_OFF[name])).read(LOOK, Response.json)


@pytest.mark.parametrize("name", SILENT)
def test_a_read_times_out_when(name: str, serve: Serve, client_of: ClientOf) -> None:
    with pytest.raises(ProviderUnavailable, match="GET /jars: no complete answer within the time allowed"):
        client_of(serve(SILENT[name]), read_timeout_s=0.2).read(LOOK, Response.json)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_read_is_malformed_and_not_repeated_when_the_answer_is(name: str, serve: Serve, client_of: ClientOf) -> None:
    server = serve(UNREADABLE[name])
    with pytest.raises(MalformedResponse):
        client_of(server, tries=3).read(LOOK, Response.json)
    assert len(server.heard) == 1


IN_SHAPE, HTML = json.dumps({"code": "JAR.EMPTY"}), "<html>no</html>"
OPEN = [300, 304, 307, 402, 405, 408, 409, 410, 413, 425, 451, 500, 502, 503, 504, 599]


@pytest.mark.parametrize(
    ("status", "body"),
    [(status, body) for status in OPEN for body in (IN_SHAPE, HTML)]
    + [(status, HTML) for status in (400, 403, 404, 422)],
)
def test_a_change_is_unknown_after(status: int, body: str, serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    server = serve(each=lambda _: (status, "" if status == 304 else body, {"X-Request-Id": "r-1"}))
    error = change(client_of(server, tries=3), intent)
    assert (error.http_status, error.request_id, error.account, error.operation) == (status, "r-1", "shop", "redeem")
    assert len(server.heard) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 422])
@pytest.mark.parametrize("verb", ["read", "change"])
def test_a_refusal_in_the_vendors_shape_declines(
    status: int, verb: str, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve(each=lambda _: (status, IN_SHAPE, {"X-Request-Id": "r-1"}))
    client = client_of(server, tries=3)
    with pytest.raises(Rejected) as refused:
        client.read(LOOK, Response.json) if verb == "read" else client.change(CHARGE, intent, Response.json)
    assert (refused.value.vendor_code, refused.value.http_status) == ("JAR.EMPTY", status)
    assert (refused.value.request_id, refused.value.account) == ("r-1", "shop")
    assert len(server.heard) == 1


@pytest.mark.parametrize("body", [IN_SHAPE, HTML])
@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationFailed), (429, RateLimited)])
def test_these_statuses_did_nothing_in_any_shape(
    status: int, kind: type[VoucherGatewayError], body: str, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    client = client_of(serve(each=lambda _: (status, body)))
    with pytest.raises(kind) as read:
        client.read(LOOK, Response.json)
    with pytest.raises(kind) as changed:
        client.change(CHARGE, intent, Response.json)
    for refused in (read.value, changed.value):
        assert (refused.outcome, refused.http_status) == ("not_executed", status)


@pytest.mark.parametrize("status", [300, 307, 402, 405, 409, 451])
def test_a_read_that_is_answered_beside_the_contract_is_malformed(
    status: int, serve: Serve, client_of: ClientOf
) -> None:
    server = serve(each=lambda _: (status, IN_SHAPE))
    with pytest.raises(MalformedResponse) as failed:
        client_of(server, tries=3).read(LOOK, Response.json)
    assert failed.value.http_status == status
    assert len(server.heard) == 1


def test_a_provider_can_name_the_refusals_that_its_vendor_documents(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    client = client_of(serve(each=lambda _: (409, IN_SHAPE)), refusals=frozenset({409}))
    with pytest.raises(Rejected):
        client.change(CHARGE, intent, Response.json)


def stumble(error: Exception) -> Callable[[Response], object]:
    def read(_: Response) -> object:
        raise error

    return read


@pytest.mark.parametrize(
    "error",
    [
        MalformedResponse("the amount is missing"),
        IntegrityMismatch("the reply has 1.00 EUR instead of 10.53 EUR"),
        KeyError("amount"),
        RecursionError(),
        # Were this taken at its word, the charge would be sent again.
        ProviderUnavailable("a second look failed"),
        RateLimited("a second look came too soon", retry_after=0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_change_is_unknown_whatever_its_reader_stumbles_over(
    error: Exception, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve()
    with pytest.raises(OutcomeUnknown):
        client_of(server, tries=3).change(CHARGE, intent, stumble(error))
    assert len(server.heard) == 1


@pytest.mark.parametrize("error", [Rejected("not in this state"), AccessDenied("not by this login")])
def test_a_reader_may_find_a_refusal_in_a_success(
    error: VoucherGatewayError, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    with pytest.raises(type(error)) as refused:
        client_of(serve()).change(CHARGE, intent, stumble(error))
    assert refused.value is error


def test_an_explanation_that_stumbles_is_none(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    client = client_of(serve(each=lambda _: (422, '["odd"]')), explain=lambda reply: reply.json()["code"])
    with pytest.raises(OutcomeUnknown):
        client.change(CHARGE, intent, Response.json)
    with pytest.raises(MalformedResponse):
        client.read(LOOK, Response.json)
