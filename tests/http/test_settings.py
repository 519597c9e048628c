"""The settings of HTTP refuse what is not a number, wherever they are made."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from voucher_gateway import CheckLimits, ConfigurationError
from voucher_gateway.provider_api import HttpSettings

NO_NUMBERS: list[Any] = ["5", True, Decimal(5), None, float("nan"), float("inf"), 10**400, -(10**400), -1]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("name", ["connect_timeout_s", "read_timeout_s", "total_timeout_s", "requests_per_second"])
def test_a_setting_of_seconds_or_of_a_rate_is_a_number(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        HttpSettings(base_url="https://vendor.example", **{name: value})


@pytest.mark.parametrize(
    "value", [1.5, *(value for value in NO_NUMBERS if value != 10**400)], ids=lambda value: repr(value)[:12]
)
@pytest.mark.parametrize("name", ["tries", "workers", "burst", "breaker_timeouts", "max_page_bytes"])
def test_a_setting_that_counts_is_an_integer(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        HttpSettings(base_url="https://vendor.example", **{name: value})


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("name", ["caller_guesses", "caller_period_s", "total_period_s", "unusable_time_s"])
def test_a_limit_of_checks_is_a_number(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        CheckLimits(**{name: value})
