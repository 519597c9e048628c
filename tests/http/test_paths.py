"""What is put into a path or a query arrives as it was, or is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voucher_gateway.provider_api import (
    ClientCredentials,
    Code,
    HttpClient,
    Intent,
    InvalidRequest,
    Masked,
    Path,
    Request,
    Response,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Server

Live = tuple[HttpClient, "Server"]

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text("./%25eEfF\\;:?#&=+~ ä\0\n\t", max_size=8)
parts = texts.filter(lambda text: text not in ("", ".", ".."))
broken = st.builds("{}{}{}".format, texts, st.characters(categories=["Cs"]), texts)

on_one_server = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def live(serve: Serve, client_of: ClientOf) -> Live:
    """A client and the server that hears it."""
    server = serve()
    return client_of(f"{server.url}/v1", read_timeout_s=5, total_timeout_s=5), server


def target_of(live: Live, request: Request) -> str:
    client, server = live
    client.read(request, Response.json)
    return server.heard[-1].target


@on_one_server
@given(part=parts, other=parts)
def test_any_text_in_a_path_arrives_whole_and_alone(live: Live, part: str, other: str) -> None:
    path = Path.of("/jars/{jar}/of/{owner}", jar=part, owner=Code(other))
    target = target_of(live, Request(method="GET", path=path))
    assert target.isascii()
    empty, v1, jars, first, of, second = target.split("/")
    assert (empty, v1, jars, of) == ("", "v1", "jars", "of")
    assert (unquote(first, errors="strict"), unquote(second, errors="strict")) == (part, other)


@on_one_server
@given(pairs=st.lists(st.tuples(texts, texts | texts.map(Code)), min_size=1, max_size=3))
def test_any_text_in_a_query_arrives_whole(live: Live, pairs: list[tuple[str, str | Masked]]) -> None:
    target = target_of(live, Request(method="GET", path=Path.of("/jars"), query=pairs))
    path, _, query = target.partition("?")
    assert (path, query.isascii()) == ("/v1/jars", True)
    arrived = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    assert arrived == [(name, value.reveal() if isinstance(value, Masked) else value) for name, value in pairs]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ("a/b", "a%2Fb"),
        ("%2F", "%252F"),
        ("%2e", "%252e"),
        ("%2e%2e", "%252e%252e"),
        ("~a-b_c.d", "~a-b_c.d"),
        ("...", "..."),
        (".well", ".well"),
        ("..;", "..%3B"),
        ("../x", "..%2Fx"),
        ("a b+c", "a%20b%2Bc"),
        ("a?b#c", "a%3Fb%23c"),
        ("50%", "50%25"),
        ("\\", "%5C"),
        ("\r\nX: y", "%0D%0AX%3A%20y"),
        ("é", "%C3%A9"),
        ("e\u0301", "e%CC%81"),  # no normal form is forced on it
        ("\U0001f381", "%F0%9F%8E%81"),
    ],
)
def test_no_library_rewrites_our_encoding(live: Live, part: str, sent: str) -> None:
    request = Request(method="GET", path=Path.of("/jars/{id}", id=part), query=[("code", part)])
    assert target_of(live, request) == f"/v1/jars/{sent}?code={sent}"


@pytest.mark.parametrize("part", ["", ".", ".."])
@pytest.mark.parametrize("kind", [str, Code])
def test_a_part_that_would_be_a_path_step_is_refused(part: str, kind: Callable[[str], str | Masked]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Path.of("/jars/{id}", id=kind(part))
    assert refused.value.field == "id"
    assert refused.value.outcome == "not_executed"


@given(text=broken)
def test_half_a_character_in_a_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Path.of("/jars/{id}", id=text)
    assert refused.value.field == "id"


def test_a_part_that_is_no_text_is_refused() -> None:
    part: Any = 7
    with pytest.raises(TypeError, match="id is a str, not int"):
        Path.of("/jars/{id}", id=part)


@pytest.mark.parametrize("verb", ["read", "change"])
@pytest.mark.parametrize(
    "inside",
    [
        {"query": [("code", "\ud800")]},
        {"query": [("\udfff", "a")]},
        {"query": [("code", Code("\ud800"))]},
        {"json": {"code": Code("\ud800")}},
        {"json": {"notes": ["a", {"\ud800": 1}]}},
    ],
    ids=str,
)
def test_half_a_character_is_refused_before_even_a_token_is_fetched(
    inside: dict[str, Any], verb: str, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve()
    client = client_of(server)
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of("a-secret"), post=client.post_form(f"{server.url}/token")
    )
    request = Request(method="POST", path=Path.of("/charges"), **inside)
    with pytest.raises(InvalidRequest) as refused:
        client.read(request, Response.json) if verb == "read" else client.change(request, intent, Response.json)
    assert (refused.value.outcome, refused.value.account) == ("not_executed", "shop")
    assert server.visits == []


def test_messages_show_the_template_and_never_the_part() -> None:
    path = Path.of("/codes/{code}", code=Code("JAR-1234-5678"))
    request = Request(method="GET", path=path, query=[("pin", "0815")], json={"code": Code("JAR-1234-5678")})
    assert request.safe_text == "GET /codes/{code}"
    assert "JAR" not in repr(path) + repr(request) + str(request)
    assert "0815" not in repr(request)
