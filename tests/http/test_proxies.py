"""The environment's proxies and trust stores are honoured, and read once; its .netrc is not."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path as File
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    BearerKey,
    ClientCredentials,
    ConfigurationError,
    Intent,
    NotExecuted,
    OutcomeUnknown,
    Path,
    ProviderUnavailable,
    Request,
    Response,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Server, Visit

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})


VENDOR = "vouchers.example"
"""A host that is not this machine. Only the proxies of these tests know a way to it."""


def tunnel_to(server: Server) -> Callable[[Visit], None]:
    """Plays a proxy that connects to this server, whatever the host that it is asked for."""

    def play(visit: Visit) -> None:
        asked = visit.asked()
        assert asked is not None
        assert asked.method == "CONNECT"
        with socket.create_connection((server.host, server.port), timeout=5) as onward:
            visit.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, visit.sock), daemon=True)
            back.start()
            pump(visit.sock, onward)
            back.join()

    return play


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("host", "tls"),
    [("127.0.0.1", False), ("127.0.0.1", True), ("127.0.0.3", False), ("127.0.0.3", True), ("localhost", False)],
)
def test_a_request_to_this_machine_never_goes_through_a_proxy(
    host: str,
    tls: bool,
    serve: Serve,
    client_of: ClientOf,
    certificate: File,
    intent: Intent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, proxy = serve(tls=tls, host=host if host != "localhost" else "127.0.0.1"), serve()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    url = f"{'https' if tls else 'http'}://{host}:{server.port}"
    client = client_of(url, ca_bundle=str(certificate))
    client.auth = BearerKey(SecretSource.of("a-key"))
    assert client.read(LOOK, Response.json) == {"ok": True}
    assert client.change(CHARGE, intent, Response.json) == {"ok": True}
    assert (len(server.heard), proxy.visits, proxy.heard) == (2, [], [])


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_request_goes_through_a_tunnel_of_the_proxy_that_sees_nothing_of_it(
    name: str,
    serve: Serve,
    client_of: ClientOf,
    certificate: File,
    intent: Intent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(tls=True)
    proxy = serve(tunnel_to(server))
    monkeypatch.setenv(name, proxy.url.replace("//", "//us%40er:pass@"))
    client = client_of(f"https://{VENDOR}:8443", ca_bundle=str(certificate))
    client.auth = BearerKey(SecretSource.of("a-key"))
    for _ in range(2):
        assert client.change(CHARGE, intent, Response.json) == {"ok": True}

    (asked,) = proxy.heard
    assert (asked.target, asked.body) == (f"{VENDOR}:8443", b"")
    assert asked.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'us@er:pass').decode()}"
    assert "authorization" not in asked.headers
    assert [asked.headers["authorization"] for asked in server.heard] == ["Bearer a-key"] * 2
    assert "proxy-authorization" not in server.heard[0].headers
    assert (len(proxy.visits), len(server.visits)) == (1, 1)


@pytest.mark.parametrize("exception", ["vouchers.invalid", "*", ".invalid"])
def test_a_host_that_needs_no_proxy_is_reached_straight(
    exception: str, serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exception)
    with pytest.raises(ProviderUnavailable, match="the host name could not be resolved"):
        client_of("https://vouchers.invalid").read(LOOK, Response.json)
    assert proxy.visits == []


def test_each_host_has_its_own_way(
    serve: Serve, client_of: ClientOf, certificate: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, server = serve(each=lambda _: (200, '{"access_token": "t"}'), host="127.0.0.2"), serve(tls=True)
    proxy = serve(tunnel_to(server))
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    client = client_of(f"https://{VENDOR}", ca_bundle=str(certificate))
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of("a-secret"), post=client.post_form(f"{tokens.url}/token")
    )
    client.read(LOOK, Response.json)
    assert [asked.target for asked in tokens.heard] == ["/token"]
    assert [asked.target for asked in proxy.heard] == [f"{VENDOR}:443"]
    assert [asked.target for asked in server.heard] == ["/jars"]


def test_the_environment_is_read_once_for_a_session(
    serve: Serve, client_of: ClientOf, certificate: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(tls=True)
    first, second = serve(tunnel_to(server)), serve(tunnel_to(server))
    monkeypatch.setenv("HTTPS_PROXY", first.url)
    client = client_of(f"https://{VENDOR}", ca_bundle=str(certificate))
    client.read(LOOK, Response.json)
    monkeypatch.setenv("HTTPS_PROXY", second.url)
    client.close()
    client.read(LOOK, Response.json)
    assert (len(first.heard), second.visits) == (2, [])

    client_of(f"https://{VENDOR}", ca_bundle=str(certificate)).read(LOOK, Response.json)
    assert (len(first.heard), len(second.heard)) == (2, 1)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_trust_store_of_the_environment_is_used(
    name: str, serve: Serve, client_of: ClientOf, certificate: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(certificate))
    assert client_of(serve(tls=True)).read(LOOK, Response.json) == {"ok": True}


def test_the_configured_trust_store_goes_before_that_of_the_environment(
    serve: Serve, client_of: ClientOf, certificate: File, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    client = client_of(serve(tls=True), ca_bundle=str(certificate))
    assert client.read(LOOK, Response.json) == {"ok": True}


def test_a_trust_store_of_the_environment_that_does_not_exist_is_a_mistake_in_the_config(
    serve: Serve, client_of: ClientOf, intent: Intent, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        client_of(serve(tls=True)).change(CHARGE, intent, Response.json)
    assert client_of(serve()).read(LOOK, Response.json) == {"ok": True}  # which it does not concern


def test_a_netrc_file_never_replaces_our_credentials(
    serve: Serve, client_of: ClientOf, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login any password one\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve()
    client = client_of(server)
    client.read(LOOK, Response.json)
    client.auth = BearerKey(SecretSource.of("a-key"))
    client.read(LOOK, Response.json)
    client.read(Request(method="GET", path=Path.of("/jars"), anonymous=True), Response.json)
    assert [asked.headers.get("authorization") for asked in server.heard] == [None, "Bearer a-key", None]


REFUSALS: dict[str, Callable[[Visit], None]] = {
    "it forbids": lambda visit: visit.answer(403, "no"),
    "it wants a password": lambda visit: visit.answer(407, "who?"),
    "it finds nobody": lambda visit: visit.answer(502, "<html>"),
    "it hangs up": lambda visit: visit.end(),
    "it resets the connection": lambda visit: visit.reset(),
    "it says something else": lambda visit: visit.send(b"220 mail.example.com ESMTP ready\r\n"),
    "it never answers": lambda visit: visit.silence(),
    "it drips": lambda visit: visit.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 99),
    "it says yes and hangs up": lambda visit: visit.send(b"HTTP/1.1 200 OK\r\n\r\n"),
    "it says yes and answers itself": lambda visit: visit.send(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_nothing_was_done_if_the_proxy_does_not_connect_us(
    name: str,
    serve: Serve,
    client_of: ClientOf,
    intent: Intent,
    monkeypatch: pytest.MonkeyPatch,
    stopwatch: Callable[[], float],
) -> None:
    def play(visit: Visit) -> None:
        visit.asked()
        REFUSALS[name](visit)

    proxy = serve(play)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with pytest.raises(ProviderUnavailable) as failed:
        client_of(f"https://{VENDOR}", read_timeout_s=0.8, total_timeout_s=1.2).change(CHARGE, intent, Response.json)
    assert failed.value.outcome == "not_executed"
    assert [asked.method for asked in proxy.heard] == ["CONNECT"]
    assert stopwatch() < 15


@pytest.mark.parametrize("proxy", ["http://proxy.invalid:3128", "proxy.invalid:3128", "http://127.0.0.1:1"])
def test_nothing_was_done_if_the_proxy_cannot_be_reached(
    proxy: str, client_of: ClientOf, intent: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(NotExecuted):
        client_of(f"https://{VENDOR}").change(CHARGE, intent, Response.json)


@pytest.mark.parametrize("how", ["the proxy hangs up", "the proxy resets the connection"])
def test_a_change_may_have_run_if_the_proxy_that_carries_it_fails(
    how: str,
    serve: Serve,
    client_of: ClientOf,
    certificate: File,
    intent: Intent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hear_and_let_the_proxy_fail(visit: Visit) -> None:
        visit.asked()
        to_client = proxy.visits[0]
        to_client.reset() if how == "the proxy resets the connection" else to_client.sock.shutdown(socket.SHUT_RDWR)
        visit.silence()

    server = serve(hear_and_let_the_proxy_fail, tls=True)
    proxy = serve(tunnel_to(server))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    client = client_of(f"https://{VENDOR}", ca_bundle=str(certificate), tries=3, read_timeout_s=2, total_timeout_s=4)
    with pytest.raises(OutcomeUnknown):
        client.change(CHARGE, intent, Response.json)
    assert (len(proxy.heard), len(server.heard)) == (1, 1)


@pytest.mark.parametrize(
    "proxy", ["socks5://user:hush@127.0.0.1:1080", "ftp://user:hush@127.0.0.1", "http://", "http://user:hush@:x"]
)
def test_a_proxy_that_we_cannot_use_is_a_mistake_in_the_config(
    proxy: str, client_of: ClientOf, intent: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    client = client_of(f"https://{VENDOR}")
    with pytest.raises(ConfigurationError, match="the proxy in the environment must be") as refused:
        client.change(CHARGE, intent, Response.json)
    assert "hush" not in str(refused.value)
