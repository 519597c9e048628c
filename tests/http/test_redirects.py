"""Neither token nor body ever goes where a vendor's answer points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    BearerKey,
    ClientCredentials,
    Code,
    Intent,
    MalformedResponse,
    NotExecuted,
    OutcomeUnknown,
    Path,
    Request,
    Response,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve

REDIRECTS = (300, 301, 302, 303, 307, 308)


@pytest.mark.parametrize("status", REDIRECTS)
def test_nothing_goes_to_another_host(status: int, serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    other = serve(host="127.0.0.2")
    server = serve(each=lambda _: (status, "{}", {"Location": f"{other.url}/charges", "Set-Cookie": "a=b"}))
    client = client_of(server, tries=3)
    client.auth = BearerKey(SecretSource.of("a-key"))
    charge = Request(method="POST", path=Path.of("/charges"), json={"code": Code("JAR-1")})
    with pytest.raises(OutcomeUnknown, match="POST /charges: answered with a redirect, which is never followed"):
        client.change(charge, intent, Response.json)
    with pytest.raises(MalformedResponse):
        client.read(Request(method="GET", path=Path.of("/charges")), Response.json)
    assert other.visits == []
    assert len(server.heard) == 2
    assert "cookie" not in server.heard[1].headers


def test_nothing_goes_to_another_path_of_the_same_host(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=lambda asked: (307, "{}", {"Location": "/v2/jars"}))
    with pytest.raises(MalformedResponse):
        client_of(server).read(Request(method="GET", path=Path.of("/v1/jars")), Response.json)
    assert [asked.target for asked in server.heard] == ["/v1/jars"]


@pytest.mark.parametrize("status", REDIRECTS)
def test_the_client_secret_goes_to_the_token_url_only(
    status: int, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    other = serve(host="127.0.0.2")
    server = serve(each=lambda _: (status, "{}", {"Location": f"{other.url}/oauth/token"}))
    client = client_of(server)
    client.auth = ClientCredentials(
        client_id="till-1",
        client_secret=SecretSource.of("a-secret"),
        post=client.post_form(f"{server.url}/oauth/token"),
    )
    with pytest.raises(NotExecuted):
        client.change(Request(method="POST", path=Path.of("/charges"), json={}), intent, Response.json)
    assert other.visits == []
    assert [asked.target for asked in server.heard] == ["/oauth/token"]
