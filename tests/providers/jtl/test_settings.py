"""Settings of a JTL account that a program makes itself."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.provider_api import ConfigurationError, Secret
from voucher_gateway_jtl import SANDBOX, JtlProvider, JtlSettings


@pytest.mark.parametrize("secret", ["a secret", Secret("a secret"), lambda: "a secret"])
def test_a_secret_may_be_given_as_in_the_config(secret: Any) -> None:
    settings = JtlSettings(base_url=SANDBOX, client_id="id", client_secret=secret)
    assert settings.client_secret.get().reveal() == "a secret"
    assert "a secret" not in repr(settings)
    with JtlProvider("shop", settings) as provider:
        assert provider.login == "id"


@pytest.mark.parametrize("secret", ["", 7, None, b"a secret"])
def test_what_is_no_secret_is_refused_at_once(secret: Any) -> None:
    with pytest.raises(ConfigurationError):
        JtlSettings(base_url=SANDBOX, client_id="id", client_secret=secret)
