"""No code, PIN, token, secret or text of a body shows anywhere, however talkative everything is."""

from __future__ import annotations

import base64
import json
import logging
import re
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests
import responses

from voucher_gateway.provider_api import (
    BearerKey,
    ClientCredentials,
    Code,
    HttpClient,
    Intent,
    Path,
    Pin,
    Request,
    Response,
    VoucherGatewayError,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Server, Visit
    from voucher_gateway.testing.harness.canary import Canary

CODE, PIN, NOTE = "JAR/7 öl?#3142-zwölf", "pin:0815/4711", "note of the customer Ümit"
SECRET, TOKEN, ECHO = "cl13nt s3cret&=", "t0k3n.0f+the/day==", "what the vendor repeats: Ärger"

SCRIPTS: dict[str, Callable[[Visit], None]] = {
    "a success": lambda visit: visit.answer(200, f'{{"echo": "{ECHO}"}}'),
    "half of it": lambda visit: visit.send(f"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{ECHO}".encode()),
    "half a header": lambda visit: visit.send(f"HTTP/1.1 200 {ECHO}\r\nX: {ECHO}".encode()),
    "a bad status line": lambda visit: visit.send(f"{ECHO}\r\n\r\n".encode()),
    "a bad header": lambda visit: visit.send(f"HTTP/1.1 200 OK\r\n{ECHO}\r\n{ECHO}: a\r\n\r\n".encode()),
    "a bad chunk": lambda visit: visit.send(
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{ECHO}\r\n".encode()
    ),
    "rubbish as gzip": lambda visit: visit.answer(200, ECHO, {"Content-Encoding": "gzip"}),
    "HTML": lambda visit: visit.answer(200, f"<html>{ECHO}</html>"),
    "bad JSON": lambda visit: visit.answer(200, f'{{"{ECHO}": "{ECHO}", "{ECHO}": NaN}}'),
    "a number beyond bounds": lambda visit: visit.answer(200, f'["{ECHO}", 1e999999999999999999999]'),
    "a refusal": lambda visit: visit.answer(422, f'{{"code": "JAR.EMPTY", "message": "{ECHO}"}}'),
    "a refusal in another shape": lambda visit: visit.answer(422, f'["{ECHO}"]'),
    "401": lambda visit: visit.answer(401, f'"{ECHO}"', {"WWW-Authenticate": 'Bearer realm="x"'}),
    "403": lambda visit: visit.answer(403, f'"{ECHO}"'),
    "429": lambda visit: visit.answer(429, f'"{ECHO}"', {"Retry-After": "0"}),
    "500": lambda visit: visit.answer(500, f'"{ECHO}"'),
    "a redirect": lambda visit: visit.answer(307, ECHO, {"Location": f"/codes/{quote(CODE, safe='')}"}),
    "silence": lambda visit: visit.silence(),
    "nothing": lambda visit: visit.end(),
    "a reset": lambda visit: visit.reset(),
}


@pytest.fixture
def planted(canary: Canary) -> Canary:
    for text in (CODE, PIN, NOTE, SECRET, TOKEN, ECHO):
        canary.plant(text)
    return canary


def requests_with_secrets() -> tuple[Request, Request]:
    path, query = Path.of("/codes/{code}", code=Code(CODE)), [("filter[code]", Code(CODE)), ("pin", Pin(PIN))]
    body = {"code": Code(CODE), "pin": Pin(PIN), "note": NOTE}
    return (
        Request(method="GET", path=path, query=query),
        Request(method="POST", path=path, query=query, json=body),
    )


def call_all(canary: Canary, client: HttpClient, intent: Intent) -> int:
    """Read, change, and change with a reader that stumbles; return how many of them failed."""
    look, charge = requests_with_secrets()
    calls: list[Callable[[], object]] = [
        lambda: client.read(look, Response.json),
        lambda: client.change(charge, intent, Response.json),
        lambda: client.change(charge, intent, stumble),
    ]
    failed = 0
    for call in calls:
        try:
            call()
        except VoucherGatewayError as error:
            canary.saw(error)
            canary.note("the text of an error", str(error))
            failed += 1
    return failed


def stumble(reply: Response) -> object:
    raise KeyError(reply.body.decode())


def signed_in(client: HttpClient, server: Server) -> HttpClient:
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of(SECRET), post=client.post_form(f"{server.url}/token")
    )
    return client


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_shows_when_the_vendor_answers_with(
    name: str, planted: Canary, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.target == "/token":
                visit.answer(200, f'{{"access_token": "{TOKEN}"}}')
                continue
            SCRIPTS[name](visit)
            if not name[0].isdigit():
                return

    server = serve(play)
    client = signed_in(client_of(server, read_timeout_s=0.1), server)
    assert call_all(planted, client, intent) >= (1 if name == "a success" else 3)
    deadline = time.monotonic() + 10  # the client may give up before the server has read what was sent
    while not any(CODE.encode() in asked.body for asked in server.heard):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    planted.note("the client", f"{client!r} {vars(client)!r} {client.auth!r} {vars(client.auth)!r}")


@pytest.mark.parametrize("name", ["401", "reset", "a success"])
def test_nothing_shows_of_a_secret_header(
    name: str, planted: Canary, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        while visit.asked():
            if name == "reset":
                visit.reset()
                return
            visit.answer(*((401, ECHO) if name == "401" else (200, "{}")))

    server = serve(play)
    sources = {"X-Shopify-Access-Token": SecretSource.of(SECRET)}
    client = client_of(server, client={"secret_headers": sources})
    assert call_all(planted, client, intent) >= (1 if name == "a success" else 3)
    assert all(asked.headers["x-shopify-access-token"] == SECRET for asked in server.heard)
    planted.note("the client", f"{client!r} {vars(client)!r} {vars(client._secret_headers)!r}")


def test_nothing_shows_of_a_secret_that_cannot_be_a_header(
    planted: Canary, client_of: ClientOf, intent: Intent
) -> None:
    client = client_of("https://127.0.0.3", client={"secret_headers": {"X-Key": SecretSource.of(f"{SECRET}ü")}})
    assert call_all(planted, client, intent) == 3


@pytest.mark.parametrize(
    "answer",
    [
        (200, f'{{"access_token": "{TOKEN}\\n"}}'),
        (200, f'"{TOKEN}"'),
        (400, f'{{"error": "{SECRET}", "error_description": "{ECHO}"}}'),
        (401, f"<html>{ECHO}</html>"),
        (500, ECHO),
        (307, ECHO, {"Location": "/elsewhere"}),
    ],
)
def test_nothing_shows_when_the_token_endpoint_answers_with(
    answer: tuple[int, str], planted: Canary, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve(each=lambda _: answer)
    assert call_all(planted, signed_in(client_of(server), server), intent) == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://vouchers.invalid", "TLS"])
def test_nothing_shows_when_there_is_no_connection(
    url: str, planted: Canary, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    client = client_of(serve(tls=True) if url == "TLS" else url)
    client.auth = BearerKey(SecretSource.of(TOKEN))
    assert call_all(planted, client, intent) == 3


def test_nothing_shows_of_a_proxys_password(
    planted: Canary, serve: Serve, client_of: ClientOf, intent: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(each=lambda _: (407, ECHO))
    password = planted.plant("pr0xy-p4ssword")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", f"//us3r:{password}@"))
    client = client_of("https://vouchers.example")
    client.auth = BearerKey(SecretSource.of(TOKEN))
    assert call_all(planted, client, intent) == 3
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://us3r:{password}@127.0.0.1")
    assert call_all(planted, client_of("https://vouchers.example"), intent) == 3


def test_nothing_shows_of_what_is_refused_before_sending(planted: Canary, client_of: ClientOf, intent: Intent) -> None:
    client = client_of("https://127.0.0.3")
    half = "\ud800"
    for make in (
        lambda: Path.of("/codes/{code}", code=Code(CODE + half)),
        lambda: client.read(Request(method="GET", path=Path.of("/a"), query=[("a", CODE + half)]), Response.json),
        lambda: client.read(Request(method="GET", path=Path.of("/a"), json={"a": CODE + half}), Response.json),
        lambda: BearerKey(SecretSource.of(SECRET)).header(0),
    ):
        with pytest.raises(VoucherGatewayError) as refused:
            make()
        planted.saw(refused.value)


def test_nothing_shows_of_an_error_that_carries_the_request(
    planted: Canary, client_of: ClientOf, intent: Intent
) -> None:
    client = client_of("https://jars.example")
    client.auth = BearerKey(SecretSource.of(TOKEN))
    with responses.RequestsMock() as mocked:
        error = requests.ConnectionError(f"{CODE} {TOKEN} {ECHO}", request=requests.Request("GET", CODE))
        mocked.add_callback("GET", re.compile(r"https://jars\.example/.*"), callback=raising(error))
        mocked.add_callback("POST", re.compile(r"https://jars\.example/.*"), callback=raising(error))
        assert call_all(planted, client, intent) == 3


def raising(error: Exception) -> Callable[[object], tuple[int, dict[str, str], str]]:
    def callback(_: object) -> tuple[int, dict[str, str], str]:
        raise error

    return callback


def test_nothing_shows_when_somebody_presses_ctrl_c(planted: Canary, serve: Serve, client_of: ClientOf) -> None:
    server = serve(lambda visit: visit.stall(b"HTTP/1.1 200 OK\r\n"))
    client = client_of(server, read_timeout_s=5, total_timeout_s=5)
    client.auth = BearerKey(SecretSource.of(TOKEN))
    look, _ = requests_with_secrets()

    def press() -> None:
        while not server.visits:
            time.sleep(0.01)
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt) as pressed:
        client.read(look, Response.json)
    planted.saw(pressed.value)


@pytest.mark.parametrize(
    "seen",
    [
        CODE,
        quote(CODE),
        quote(CODE, safe=""),
        quote(CODE, safe="").lower().replace("jar", "JAR"),
        ascii(CODE),
        json.dumps(CODE),
        repr(CODE.encode()),
        base64.b64encode(CODE.encode()).decode(),
        base64.b64encode(b"user:" + CODE.encode()).decode(),
        base64.urlsafe_b64encode(b"longer" + CODE.encode() + b"more").decode(),
    ],
)
def test_the_canary_knows_a_secret_in_every_form(seen: str, canary: Canary) -> None:
    another = type(canary)()
    another.plant(CODE)
    another.look()
    another.note("a test", f"before {seen} after")
    with pytest.raises(AssertionError, match="a planted secret shows in a test"):
        another.look()


def test_the_canary_hears_what_requests_would_have_told(
    canary: Canary, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    another = type(canary)()
    another.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().addHandler(another)
    try:
        requests.get(f"{serve().url}/{CODE}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=1)
        try:
            requests.get(f"http://127.0.0.1:1/{CODE}", timeout=1)
        except requests.ConnectionError as error:
            another.saw(error)
    finally:
        logging.getLogger().removeHandler(another)
    another.note("stdout", capsys.readouterr().out)
    told = {where for where, text in another._seen if quote(CODE.split("?")[0]) in text or TOKEN in text}
    assert {"a log line of urllib3.connectionpool", "the error ConnectionError", "stdout"} <= told
