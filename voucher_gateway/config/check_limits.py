"""The table ``[checks]`` of a configuration: how many codes may be tried."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import attrs

from voucher_gateway.config.provider_settings import ConfigProblems, read_settings, toml_type_name
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.limits.call_deadline import is_finite_number

_MAX_CALLER_GUESSES: Final = 1000
"""Each check reads the rows of its caller, up to ten for a guess."""
_MAX_GUESSES: Final = 100_000
_MAX_PERIOD_S: Final = 7 * 24 * 3600
"""A caller's row is deleted after the longer of the two periods."""
_MAX_TIME_S: Final = 10


def _require_range(maximum: int, *, minimum: int = 1) -> Any:
    def check(_: object, __: object, value: float) -> None:
        if not (is_finite_number(value) and minimum <= value <= maximum):
            raise ConfigurationError(f"must be from {minimum} to {maximum}")

    return check


@attrs.frozen(kw_only=True)
class CheckLimits:
    """How many codes that cannot be used may be tried.

    Attributes:
        caller_guesses: How many codes that cannot be used one caller may try in its period.
        caller_period_s: The length of that period, in seconds.
        total_guesses: How many codes that cannot be used all callers together may try in their period.
        total_period_s: The length of that period, in seconds.
        unusable_time_s: An answer that a code cannot be used takes a multiple of this time, in seconds, so that its
            time tells nothing about the code; 0 for no delay.
    """

    caller_guesses: int = attrs.field(default=10, validator=_require_range(_MAX_CALLER_GUESSES))
    caller_period_s: int = attrs.field(default=600, validator=_require_range(_MAX_PERIOD_S))
    total_guesses: int = attrs.field(default=1000, validator=_require_range(_MAX_GUESSES))
    total_period_s: int = attrs.field(default=3600, validator=_require_range(_MAX_PERIOD_S))
    unusable_time_s: float = attrs.field(default=1.0, validator=_require_range(_MAX_TIME_S, minimum=0))

    @property
    def caller_period(self) -> timedelta:
        """The period of one caller."""
        return timedelta(seconds=self.caller_period_s)

    @property
    def total_period(self) -> timedelta:
        """The period of all callers."""
        return timedelta(seconds=self.total_period_s)

    @property
    def longest_period(self) -> timedelta:
        """The longer one of the two."""
        return max(self.caller_period, self.total_period)


def read_check_limits(table: Any, problems: ConfigProblems) -> CheckLimits:
    """Return the limits of the table ``[checks]``; the defaults after a problem.

    Args:
        table: the table.
        problems: receives the problems.
    """
    if not isinstance(table, Mapping):
        problems.add(("checks",), f"must be a table, not {toml_type_name(table)}")
        return CheckLimits()
    limits = read_settings(CheckLimits, table, problems, ("checks",), folder=None, owner="the table checks")
    return limits if isinstance(limits, CheckLimits) else CheckLimits()
