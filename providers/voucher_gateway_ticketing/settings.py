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
    secret_source,
)
from voucher_gateway.provider_api import parse_base_url as checked_base_url

PRODUCTION: Final = "https://vivenu.com"
"""The production host (vendor page)."""
STAGING: Final = "https://vivenu.dev"
"""The staging host (vendor page). A key of the one is refused by the other, and does not show whose it is."""

LARGEST_PAGE: Final = 1000
"""Vouchers a page at most (seed). The vendor's introduction says 100, so that is our default."""


def _without_api(url: str) -> str:
    url = checked_base_url(url)
    if url.endswith("/api"):
        raise ConfigurationError("must not end in /api, which every call has in its own path")
    return url


def _currency(_: object, __: attrs.Attribute[Any], currency: str | None) -> None:
    if currency is None:
        return
    try:
        exponent(currency)
    except InvalidRequest:
        known = False
    else:
        known = True
    if not known:
        raise ConfigurationError("must be an active ISO 4217 currency in capitals, such as EUR")


def _page_size(_: object, __: attrs.Attribute[Any], size: int) -> None:
    if not 1 <= size <= LARGEST_PAGE:
        raise ConfigurationError(f"must be from 1 to {LARGEST_PAGE}")


@hide_init_arguments
@attrs.frozen(kw_only=True)
class TicketingSettings(HttpSettings):
    """An account at the ticketing vendor: one seller's vouchers.

    Attributes:
        base_url: the vendor's host, without ``/api``.
        api_key: a seller's key from the vendor's dashboard, ``key_...``. It may do nearly anything there.
        currency: the seller's currency, which all its vouchers have. Without it, the vendor is asked once.
        page_size: vouchers a page, 1 to 1000.
    """

    base_url: str = attrs.field(converter=_without_api)
    api_key: SecretSource = attrs.field(converter=secret_source)
    currency: str | None = attrs.field(default=None, validator=_currency)
    page_size: int = attrs.field(default=100, validator=_page_size)
