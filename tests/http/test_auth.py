"""Credentials on real connections: fetched once for all threads, renewed once, never the cause of an open outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    AuthenticationFailed,
    BearerKey,
    ClientCredentials,
    HttpClient,
    Intent,
    MalformedResponse,
    NotExecuted,
    OutcomeUnknown,
    Path,
    ProviderUnavailable,
    RateLimited,
    Request,
    Response,
    VoucherGatewayError,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve, Server, Visit

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})


class Vendor:
    """Gives a new token each time, takes the tokens that are `valid`, and says so.

    Attributes:
        valid: the tokens that it takes; those it gives are added.
        secret: the client secret that it takes.
    """

    def __init__(self, *, delay_s: float = 0, expires_in: int | None = None) -> None:
        self.valid: set[str] = set()
        self.secret = "a-secret"
        self.given = 0
        self._delay_s = delay_s
        self._life = "" if expires_in is None else f', "expires_in": {expires_in}'

    def __call__(self, asked: Asked) -> Answer:
        if asked.target == "/token":
            return self._token(asked)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        return (200, '{"ok": true}') if token in self.valid else (401, '{"code": "TOKEN"}')

    def _token(self, asked: Asked) -> Answer:
        time.sleep(self._delay_s)
        if f"client_secret={self.secret}".encode() not in asked.body:
            return 401, '{"error": "invalid_client"}'
        self.given += 1
        self.valid.add(f"t-{self.given}")
        return 200, f'{{"access_token": "t-{self.given}"{self._life}}}'


def sign_in(client: HttpClient, server: Server, secret: SecretSource | None = None) -> HttpClient:
    client.auth = ClientCredentials(
        client_id="till-1",
        client_secret=secret or SecretSource.of("a-secret"),
        post=client.post_form(f"{server.url}/token"),
    )
    return client


def targets(server: Server) -> list[str]:
    return [asked.target for asked in server.heard]


def by_threads(count: int, call: Callable[[], object]) -> Iterable[object]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: call(), range(count)))


def test_a_token_is_fetched_as_a_form_and_sent_with_every_call(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=Vendor())
    client = sign_in(client_of(server), server)
    client.read(LOOK, Response.json)
    client.read(LOOK, Response.json)
    asked = server.heard[0]
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/x-www-form-urlencoded")
    assert "authorization" not in asked.headers
    assert [asked.headers["authorization"] for asked in server.heard[1:]] == ["Bearer t-1"] * 2


def test_an_anonymous_call_carries_no_credentials_and_fetches_none(serve: Serve, client_of: ClientOf) -> None:
    server = serve()
    sign_in(client_of(server), server).read(
        Request(method="GET", path=Path.of("/connect"), anonymous=True), Response.json
    )
    assert targets(server) == ["/connect"]
    assert "authorization" not in server.heard[0].headers


def test_thirty_threads_wait_for_one_token(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=Vendor(delay_s=0.1))
    client = sign_in(client_of(server, workers=30, read_timeout_s=30, total_timeout_s=30), server)
    assert list(by_threads(30, lambda: client.read(LOOK, Response.json))) == [{"ok": True}] * 30
    assert targets(server).count("/token") == 1


def test_thirty_threads_whose_token_is_refused_renew_it_once(serve: Serve, client_of: ClientOf) -> None:
    vendor = Vendor(delay_s=0.1)
    server = serve(each=vendor)
    client = sign_in(client_of(server, workers=30, read_timeout_s=30, total_timeout_s=30), server)
    client.read(LOOK, Response.json)
    vendor.valid.clear()
    assert list(by_threads(30, lambda: client.read(LOOK, Response.json))) == [{"ok": True}] * 30
    assert targets(server).count("/token") == 2


def test_a_token_is_renewed_before_the_vendor_refuses_it(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=Vendor(expires_in=1))
    client = sign_in(client_of(server), server)
    client.read(LOOK, Response.json)
    client.read(LOOK, Response.json)
    assert targets(server) == ["/token", "/jars", "/jars"]
    time.sleep(0.95)
    client.read(LOOK, Response.json)
    assert targets(server)[3:] == ["/token", "/jars"]


def test_a_change_with_a_refused_token_is_made_again_once_with_a_new_one(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    vendor = Vendor()
    server = serve(each=vendor)
    client = sign_in(client_of(server), server)
    client.read(LOOK, Response.json)
    vendor.valid.clear()
    assert client.change(CHARGE, intent, Response.json) == {"ok": True}
    assert targets(server)[2:] == ["/charges", "/token", "/charges"]
    assert server.heard[2].body == server.heard[4].body == b'{"amount":"10.53"}'


@pytest.mark.parametrize("verb", ["read", "change"])
def test_a_second_refusal_is_final(verb: str, serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    vendor = Vendor()
    server = serve(each=lambda asked: vendor(asked) if asked.target == "/token" else (401, "no"))
    client = sign_in(client_of(server, tries=5), server)
    with pytest.raises(AuthenticationFailed) as refused:
        client.read(LOOK, Response.json) if verb == "read" else client.change(CHARGE, intent, Response.json)
    assert (refused.value.outcome, refused.value.http_status) == ("not_executed", 401)
    path = "/jars" if verb == "read" else "/charges"
    assert targets(server) == ["/token", path, "/token", path]


def test_a_change_that_breaks_after_its_token_was_renewed_is_unknown(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    charges = iter([401])

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.target == "/token":
                visit.answer(200, '{"access_token": "t"}')
            elif status := next(charges, None):
                visit.answer(status)
            else:
                return

    server = serve(play)
    with pytest.raises(OutcomeUnknown):
        sign_in(client_of(server, tries=5), server).change(CHARGE, intent, Response.json)
    assert targets(server) == ["/token", "/charges", "/token", "/charges"]


def test_a_rotated_secret_is_read_again_before_a_refusal_is_final(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = Vendor()
    server = serve(each=vendor)
    monkeypatch.setenv("SHOP_SECRET", "a-secret")
    client = sign_in(client_of(server), server, SecretSource.of({"env": "SHOP_SECRET"}))
    client.read(LOOK, Response.json)

    vendor.secret = "another"
    vendor.valid.clear()
    monkeypatch.setenv("SHOP_SECRET", "another")
    assert client.read(LOOK, Response.json) == {"ok": True}


def test_a_rotated_key_is_read_again_before_a_refusal_is_final(
    serve: Serve, client_of: ClientOf, intent: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = Vendor()
    vendor.valid = {"new"}
    server = serve(each=vendor)
    client = client_of(server)
    client.auth = BearerKey(SecretSource.of({"env": "SHOP_KEY"}))
    monkeypatch.setenv("SHOP_KEY", "old")
    with pytest.raises(AuthenticationFailed):
        client.change(CHARGE, intent, Response.json)
    assert len(server.heard) == 1  # the same key again would be no use

    monkeypatch.setenv("SHOP_KEY", "new")
    assert client.change(CHARGE, intent, Response.json) == {"ok": True}
    assert [asked.headers["authorization"] for asked in server.heard[1:]] == ["Bearer old", "Bearer new"]


def test_during_a_rotation_the_next_secret_is_tried(serve: Serve, client_of: ClientOf) -> None:
    vendor = Vendor()
    server = serve(each=vendor)
    client = sign_in(client_of(server), server, SecretSource.of(["the-new-secret", "a-secret"]))
    client.read(LOOK, Response.json)
    vendor.secret = "the-new-secret"
    vendor.valid.clear()
    client.read(LOOK, Response.json)
    assert targets(server).count("/token") == 3


def test_during_a_rotation_the_next_key_is_tried_and_then_kept(serve: Serve, client_of: ClientOf) -> None:
    accepted = ["old-key"]

    def each(asked: Asked) -> Answer:
        return (200, "{}") if asked.headers["authorization"] == f"Bearer {accepted[0]}" else (401, "{}")

    server = serve(each=each)
    client = client_of(server)
    client.auth = BearerKey(SecretSource.of(["new-key", "old-key"]))
    for _ in range(2):
        client.read(LOOK, Response.json)
    assert len(server.heard) == 3
    accepted[0] = "new-key"
    client.read(LOOK, Response.json)
    assert server.heard[-1].headers["authorization"] == "Bearer new-key"
    accepted[0] = "another"
    with pytest.raises(AuthenticationFailed):
        client.read(LOOK, Response.json)


BAD_TOKEN_URLS = {
    "an unknown host": "https://tokens.invalid/token",
    "a closed port": "http://127.0.0.1:1/token",
    "a server without TLS": "https",
}
BAD_ANSWERS: dict[str, tuple[Callable[[Visit], None], type[VoucherGatewayError]]] = {
    "it hangs up": (lambda visit: visit.end(), ProviderUnavailable),
    "it resets the connection": (lambda visit: visit.reset(), ProviderUnavailable),
    "it never answers": (lambda visit: visit.silence(), ProviderUnavailable),
    "it breaks off": (lambda visit: visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), ProviderUnavailable),
    "it drips": (lambda visit: visit.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 99), ProviderUnavailable),
    "it floods": (lambda visit: visit.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200_000)), ProviderUnavailable),
    "it has moved": (lambda visit: visit.answer(308, headers={"Location": "/t"}), ProviderUnavailable),
    "it is not there": (lambda visit: visit.answer(404, "<html>"), ProviderUnavailable),
    "it is in conflict": (lambda visit: visit.answer(409), ProviderUnavailable),
    "it is broken": (lambda visit: visit.answer(500, "<html>"), ProviderUnavailable),
    "it is busy": (lambda visit: visit.answer(429), RateLimited),
    "it is busy for long": (lambda visit: visit.answer(503, headers={"Retry-After": "99"}), RateLimited),
    "it refuses": (lambda visit: visit.answer(400, '{"error": "invalid_client"}'), AuthenticationFailed),
    "it refuses in HTML": (lambda visit: visit.answer(401, "<html>"), AuthenticationFailed),
    "it answers HTML": (lambda visit: visit.answer(200, "<html>"), MalformedResponse),
    "it answers nothing": (lambda visit: visit.answer(200, ""), MalformedResponse),
    "it gives a number": (lambda visit: visit.answer(200, '{"access_token": 7}'), MalformedResponse),
}


@pytest.mark.parametrize("name", [*BAD_TOKEN_URLS, *BAD_ANSWERS])
@pytest.mark.parametrize("verb", ["read", "change"])
def test_without_a_token_nothing_was_sent_and_nothing_is_open(
    name: str, verb: str, serve: Serve, client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    play, kind = BAD_ANSWERS.get(name, (lambda visit: visit.end(), NotExecuted))

    def script(visit: Visit) -> None:
        visit.asked()
        play(visit)

    tokens, server = serve(script), serve()
    url = BAD_TOKEN_URLS.get(name, f"{tokens.url}/token")
    url = tokens.url.replace("http", "https") if url == "https" else url
    # An endpoint that answers may be late on a busy machine.
    time_s = 0.2 if name in ("it never answers", "it drips", "a server without TLS") else 5
    client = client_of(
        server,
        connect_timeout_s=time_s,
        read_timeout_s=time_s,
        total_timeout_s=2 * time_s,
        max_reply_bytes=100_000,
    )
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of("a-secret"), post=client.post_form(url)
    )
    with pytest.raises(kind) as failed:
        client.read(LOOK, Response.json) if verb == "read" else client.change(CHARGE, intent, Response.json)
    assert (failed.value.outcome, failed.value.retry_safe, failed.value.account) == ("not_executed", True, "shop")
    assert server.visits == []
    assert stopwatch() < 15


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_is_asked_for_again_while_the_endpoint_is_busy(
    status: int, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    vendor, busy = Vendor(), iter([status, status])

    def each(asked: Asked) -> Answer:
        if asked.target == "/token" and (said := next(busy, None)):
            return said, "{}", {"Retry-After": "0"}
        return vendor(asked)

    server = serve(each=each)
    client = sign_in(client_of(server, tries=3, read_timeout_s=30, total_timeout_s=30), server)
    assert client.change(CHARGE, intent, Response.json) == {"ok": True}
    assert targets(server) == ["/token"] * 3 + ["/charges"]


def test_the_token_and_the_call_share_one_total_time(
    serve: Serve, client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.target == "/token":
                time.sleep(0.3)
                visit.answer(200, '{"access_token": "t"}')
            else:
                visit.silence()

    server = serve(play)
    client = sign_in(client_of(server, read_timeout_s=30, total_timeout_s=1.5), server)
    with pytest.raises(OutcomeUnknown):
        client.change(CHARGE, intent, Response.json)
    assert stopwatch() < 15


def test_a_thread_that_waits_for_anothers_token_gives_up_at_its_own_deadline(
    serve: Serve, client_of: ClientOf, stopwatch: Callable[[], float]
) -> None:
    server = serve(lambda visit: visit.stall(b""))
    patient = client_of(server, read_timeout_s=30, total_timeout_s=30)
    sign_in(patient, server)
    hurried = client_of(server, total_timeout_s=0.3)
    hurried.auth = patient.auth

    def wait() -> None:
        with suppress(ProviderUnavailable):
            patient.read(LOOK, Response.json)

    fetching = threading.Thread(target=wait)
    fetching.start()
    while not server.visits:
        time.sleep(0.01)
    with pytest.raises(ProviderUnavailable, match="no access token within the time allowed"):
        hurried.read(LOOK, Response.json)
    assert stopwatch() < 15  # the patient one waits 30 seconds
    server.close()
    fetching.join()
