"""The settings of an account at the ticketing vendor (vivenu)."""

from __future__ import annotations

from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    ConfigurationError,
    HttpSettings,
    InvalidRequest,
    SecretSource,
    exponent,
    hide_init_arguments,
    parse_base_url,
    secret_source,
)

PRODUCTION: Final = "https://vivenu.com"
"""The production host (vendor page)."""
STAGING: Final = "https://vivenu.dev"
"""The staging host (vendor page). Each host refuses the keys of the other. A key does not show its host."""

MAX_PAGE_SIZE: Final = 1000
"""The maximum of vouchers in a page (seed). The vendor's introduction says 100, which is our default."""


def _parse_base_url(url: str) -> str:
    url = parse_base_url(url)
    if url.endswith("/api"):
        raise ConfigurationError("must not end in /api: the path of each call begins with it")
    return url


def _validate_currency(_: object, __: attrs.Attribute[Any], currency: str | None) -> None:
    if currency is None:
        return
    try:
        exponent(currency)
    except InvalidRequest:
        is_known = False
    else:
        is_known = True
    if not is_known:
        raise ConfigurationError("must be an ISO 4217 currency in capitals, such as EUR")


def _validate_page_size(_: object, __: attrs.Attribute[Any], size: int) -> None:
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise ConfigurationError(f"must be from 1 to {MAX_PAGE_SIZE}")


@hide_init_arguments
@attrs.frozen(kw_only=True)
class TicketingSettings(HttpSettings):
    """An account at the ticketing vendor: one seller's vouchers.

    Attributes:
        base_url: the vendor's host, without ``/api``.
        api_key: a seller's key from the vendor's dashboard, ``key_...``. It allows nearly everything there.
        currency: the seller's currency, which all its vouchers have. Without it, the vendor is asked once.
        page_size: the vouchers of a page, 1 to 1000.
    """

    base_url: str = attrs.field(converter=_parse_base_url)
    api_key: SecretSource = attrs.field(converter=secret_source)
    currency: str | None = attrs.field(default=None, validator=_validate_currency)
    page_size: int = attrs.field(default=100, validator=_validate_page_size)
