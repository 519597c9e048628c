"""What every provider that speaks HTTP can be told in the config."""

from __future__ import annotations

from typing import Any

import attrs

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.settings import base_url


def _seconds(_: object, __: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value <= 3600:
        raise ConfigurationError("must be above 0 and at most 3600 seconds")


def _at_least_one(_: object, __: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        raise ConfigurationError("must be at least 1")


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The part of an account's configuration that concerns HTTP. Times are in seconds.

    Attributes:
        base_url: where the vendor's API begins; https, or http on a loopback host.
        connect_timeout_s: how long making a connection may take.
        read_timeout_s: how long the vendor may be silent while it answers.
        total_timeout_s: how long one call may take in all, repeats and a token included. Only the system's look-up of
            a host's name can take longer: nothing interrupts it.
        tries: how often a call that surely did nothing is made at most.
        workers: how many threads will share the account; as many connections are kept.
        max_reply_bytes: a longer answer is refused.
        ca_bundle: a file of trusted certificates instead of the usual ones.
    """

    base_url: str = attrs.field(converter=base_url)
    connect_timeout_s: float = attrs.field(default=5.0, validator=_seconds)
    read_timeout_s: float = attrs.field(default=20.0, validator=_seconds)
    total_timeout_s: float = attrs.field(default=30.0, validator=_seconds)
    tries: int = attrs.field(default=3, validator=_at_least_one)
    workers: int = attrs.field(default=8, validator=_at_least_one)
    max_reply_bytes: int = attrs.field(default=32 * 1024 * 1024, validator=_at_least_one)
    ca_bundle: str | None = None
