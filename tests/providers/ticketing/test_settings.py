"""Settings of a ticketing account that a program makes itself."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.provider_api import ConfigurationError, Secret
from voucher_gateway_ticketing import STAGING, TicketingSettings


@pytest.mark.parametrize("key", ["key_1", Secret("key_1"), lambda: "key_1"])
def test_a_key_may_be_given_as_in_the_config(key: Any) -> None:
    settings = TicketingSettings(base_url=STAGING, api_key=key)
    assert settings.api_key.get().reveal() == "key_1"
    assert "key_1" not in repr(settings)


@pytest.mark.parametrize("key", ["", 7, None, b"key_1"])
def test_what_is_no_key_is_refused_at_once(key: Any) -> None:
    with pytest.raises(ConfigurationError):
        TicketingSettings(base_url=STAGING, api_key=key)
