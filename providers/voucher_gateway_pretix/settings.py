"""The settings of an account at pretix: one organizer."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    ConfigurationError,
    HttpSettings,
    SecretSource,
    hide_init_arguments,
    secret_source,
)

HOSTED: Final = "https://pretix.eu/api/v1"
"""The hosted service (vendor page). An installation has another host, and the same path."""

MAX_PAGE_SIZE: Final = 50
"""The largest page. The vendor cuts a larger one to it, without an error (witness)."""

_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]*")


def _validate_organizer(_: object, __: attrs.Attribute[Any], slug: str) -> None:
    if not _SLUG.fullmatch(slug):
        raise ConfigurationError("must be the short form of the organizer: letters, digits, dots and dashes")


def _validate_page_size(_: object, __: attrs.Attribute[Any], size: int) -> None:
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise ConfigurationError(f"must be from 1 to {MAX_PAGE_SIZE}")


@hide_init_arguments
@attrs.frozen(kw_only=True)
class PretixSettings(HttpSettings):
    """An account at pretix: the gift cards of one organizer.

    Attributes:
        base_url: the API with its version, such as ``https://pretix.eu/api/v1``.
        organizer: the short form of the organizer, as it stands in the addresses of pretix.
        token: the API token of a team that may manage gift cards.
        include_accepted: whether cards of other organizers that this one accepts belong to the account as well.
        page_size: the vouchers of a page, 1 to 50.
        testmode: whether the account is for tests: it issues and changes test cards only, and others never.
    """

    organizer: str = attrs.field(validator=_validate_organizer)
    token: SecretSource = attrs.field(converter=secret_source)
    include_accepted: bool = False
    page_size: int = attrs.field(default=MAX_PAGE_SIZE, validator=_validate_page_size)
    testmode: bool = False
