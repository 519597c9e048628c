"""Where tokens come from, and who the adapter says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import ConfigurationError, SecretSource
from voucher_gateway_jtl import PRODUCTION, SANDBOX, JtlProvider, JtlSettings

if TYPE_CHECKING:
    import responses

VOUCHER = {"id": "V", "amount": "10.53", "currency": "EUR"}


def _shop(base_url: str = PRODUCTION, **settings: Any) -> JtlProvider:
    secret = SecretSource.of("s&c=r t")
    return JtlProvider("shop", JtlSettings(base_url=base_url, client_id="a/client", client_secret=secret, **settings))


@pytest.mark.parametrize(
    ("base_url", "settings", "token_url", "form"),
    [
        (PRODUCTION, {}, "https://vouchers.api.jtl-software.com/oauth/token", ""),
        (SANDBOX, {}, "https://vouchers-sbx.api.jtl-software.com/oauth/token", ""),
        ("https://proxy.example/jtl/v1/", {}, "https://proxy.example/jtl/oauth/token", ""),
        (SANDBOX, {"token_url": "https://login.example/t"}, "https://login.example/t", ""),
        (
            PRODUCTION,
            {"client_type": "shop 7"},
            "https://vouchers.api.jtl-software.com/oauth/token",
            "&client_type=shop+7",
        ),
        (
            PRODUCTION,
            {"scopes": ("read", "use")},
            "https://vouchers.api.jtl-software.com/oauth/token",
            "&scope=read+use",
        ),
    ],
)
def test_the_token_comes_from_beside_the_base_url(
    vendor: responses.RequestsMock, base_url: str, settings: dict[str, Any], token_url: str, form: str
) -> None:
    vendor.post(token_url, json={"access_token": "a-good-token", "token_type": "bearer"})
    vendor.get(f"{base_url.rstrip('/')}/vouchers/V", json=VOUCHER)
    with _shop(base_url, **settings) as shop:
        shop.get("V")
    token = vendor.calls[0].request
    assert (token.method, token.url) == ("POST", token_url)
    assert token.body == f"grant_type=client_credentials&client_id=a%2Fclient{form}&client_secret=s%26c%3Dr+t".encode()
    assert dict(token.headers) == {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "voucher-gateway",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(token.body)),
    }


def test_cookies_of_the_vendor_are_not_sent_back(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    vendor.get(f"{PRODUCTION}/vouchers/V", json=VOUCHER, headers={"Set-Cookie": "session=1; Path=/"})
    lone_adapter.get("V")
    lone_adapter.get("V")
    assert "Cookie" not in vendor.calls[-1].request.headers


def test_host_and_login_are_those_of_the_configuration() -> None:
    with _shop(SANDBOX) as shop:
        assert (shop.host, shop.login) == ("vouchers-sbx.api.jtl-software.com", "a/client")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"token_url": "http://login.example/oauth/token"}, "must begin with https://"),
        ({"token_url": "https://user:password@login.example/t"}, "must not hold a user name or password"),
        ({"scopes": ("read", "everything")}, "must be a list of read, read-lists, read-secrets, use, manage"),
        ({"client_type": "x" * 33}, "must have 1 to 32 characters"),
        ({"client_type": ""}, "must have 1 to 32 characters"),
        ({"array_style": "php"}, "must be 'comma' or 'repeat'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        _shop(**settings)


@pytest.mark.parametrize("wrong", [{"client_id": ""}, {"page_size": 0}])
def test_a_login_needs_an_id_and_a_page_needs_a_size(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"base_url": PRODUCTION, "client_id": "c", "client_secret": SecretSource.of("s")}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        JtlSettings(**{**given, **wrong})
