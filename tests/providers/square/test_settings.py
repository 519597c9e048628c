"""The settings of an account at Square."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.provider_api import SecretSource
from voucher_gateway_square import PRODUCTION, SANDBOX, SquareSettings


def settings(**fields: Any) -> SquareSettings:
    known = {"base_url": PRODUCTION, "access_token": SecretSource.of("EAAA"), "location_id": "L1"}
    return SquareSettings(**{**known, **fields})


@pytest.mark.parametrize("base_url", [PRODUCTION, SANDBOX, "http://127.0.0.1:8080"])
def test_the_host_comes_without_the_version(base_url: str) -> None:
    assert settings(base_url=base_url).base_url == base_url
    with pytest.raises(ConfigurationError, match="/v2"):
        settings(base_url=f"{base_url}/v2")


@pytest.mark.parametrize(
    "fields",
    [
        {"location_id": ""},
        {"location_id": "L\n1"},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"payment_instrument": ""},
        {"payment_instrument": "x" * 256},
        {"page_size": 0},
        {"page_size": 201},
    ],
)
def test_values_that_the_vendor_would_refuse_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        settings(**fields)


def test_the_token_does_not_show() -> None:
    assert "EAAA" not in repr(settings())
