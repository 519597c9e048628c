"""The settings of every provider that uses HTTP."""

from __future__ import annotations

from typing import Any

import attrs

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.limits.call_deadline import is_finite_number
from voucher_gateway.limits.work_class import WorkClass
from voucher_gateway.setting_types import parse_base_url


def _seconds(_: object, __: attrs.Attribute[Any], value: float) -> None:
    _require_number(value)
    if not 0 < value <= 3600:
        raise ConfigurationError("must be above 0 and at most 3600 seconds")


def _at_least_one(_: object, __: attrs.Attribute[Any], value: int) -> None:
    _require_integer(value)
    if value < 1:
        raise ConfigurationError("must be at least 1")


def _not_negative(_: object, __: attrs.Attribute[Any], value: int) -> None:
    _require_integer(value)
    if value < 0:
        raise ConfigurationError("must be at least 0")


def _rate(_: object, __: attrs.Attribute[Any], value: float) -> None:
    _require_number(value)
    if not (value == 0 or 0.01 <= value <= 100_000):
        raise ConfigurationError("must be 0, or from 0.01 to 100000 requests a second")


def _require_number(value: object) -> None:
    if not is_finite_number(value):
        raise ConfigurationError("must be a finite number")


def _require_integer(value: object) -> None:
    if type(value) is not int:
        raise ConfigurationError("must be an integer")


@attrs.frozen
class ReplyLimits:
    """How large a reply may be.

    Attributes:
        max_bytes: after decompression.
        max_values: JSON values of every kind.
    """

    max_bytes: int
    max_values: int


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The part of an account's configuration that concerns HTTP. Times are in seconds.

    Attributes:
        base_url: where the vendor's API begins; https, or http on a loopback host.
        connect_timeout_s: how long making a connection may take.
        read_timeout_s: how long the vendor may be silent while it answers a call for which a customer waits.
        total_timeout_s: how long such a call may take at the vendor in all, repeats and a token included. Only the
            system's look-up of a host's name can take longer: nothing interrupts it.
        batch_timeout_s: how long the vendor may be silent, and a call may take in all, where no customer waits: in
            lists, reports, migrations, recoveries and reconciliations.
        tries: the highest number of attempts of a call that certainly was not executed.
        workers: how many threads will share the account; as many connections are kept.
        breaker_timeouts: after how many time-outs in a row reads and new operations fail at once; 0 for never.
        breaker_pause_s: how long they fail at once, before one request tries again.
        calls_at_once: how many reads and new operations there can be at the same time in one process. One more waits
            a second, and then fails. 0 for no limit.
        requests_per_second: the most requests a second, of all processes with one journal together; without a journal,
            of one process. The most urgent work comes first: calls of a program, then `recover`, then reconciliations,
            reports and lists, then migrations. 0 for no limit.
        burst: how many of them can be sent at once; 0 for those of one second.
        max_reply_bytes: a longer answer about one object is refused. The bytes are counted after decompression.
        max_reply_values: an answer about one object with more JSON values is refused. Each object, array, string,
            number, boolean and null counts; an empty object or array counts twice.
        max_page_bytes: a longer page of a list is refused.
        max_page_values: a page of a list with more JSON values is refused.
        ca_bundle: a file of trusted certificates instead of the usual ones.
    """

    base_url: str = attrs.field(converter=parse_base_url)
    connect_timeout_s: float = attrs.field(default=3.05, validator=_seconds)
    read_timeout_s: float = attrs.field(default=6.0, validator=_seconds)
    total_timeout_s: float = attrs.field(default=8.0, validator=_seconds)
    batch_timeout_s: float = attrs.field(default=30.0, validator=_seconds)
    tries: int = attrs.field(default=3, validator=_at_least_one)
    workers: int = attrs.field(default=8, validator=_at_least_one)
    breaker_timeouts: int = attrs.field(default=10, validator=_not_negative)
    breaker_pause_s: float = attrs.field(default=10.0, validator=_seconds)
    calls_at_once: int = attrs.field(default=0, validator=_not_negative)
    requests_per_second: float = attrs.field(default=0.0, validator=_rate)
    burst: int = attrs.field(default=0, validator=_not_negative)
    max_reply_bytes: int = attrs.field(default=2 * 1024 * 1024, validator=_at_least_one)
    max_reply_values: int = attrs.field(default=20_000, validator=_at_least_one)
    max_page_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=_at_least_one)
    max_page_values: int = attrs.field(default=250_000, validator=_at_least_one)
    ca_bundle: str | None = None

    @property
    def burst_size(self) -> int:
        """How many requests can be sent at once where `requests_per_second` is set."""
        return self.burst or max(1, int(self.requests_per_second))

    def total_s(self, kind: WorkClass) -> float:
        """Return how long one call of a class of work may take in all."""
        if kind is WorkClass.CHECKOUT:
            return self.total_timeout_s
        return max(self.total_timeout_s, self.batch_timeout_s)

    def read_s(self, kind: WorkClass) -> float:
        """Return how long the vendor may be silent in a call of a class of work."""
        return self.read_timeout_s if kind is WorkClass.CHECKOUT else max(self.read_timeout_s, self.batch_timeout_s)

    def reply_limits(self, *, page: bool) -> ReplyLimits:
        """Return the limits of a reply about one object, or of a page of a list."""
        if page:
            return ReplyLimits(self.max_page_bytes, self.max_page_values)
        return ReplyLimits(self.max_reply_bytes, self.max_reply_values)
