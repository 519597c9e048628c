"""The settings of an account at Square: one seller, at one location."""

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

PRODUCTION: Final = "https://connect.squareup.com"
SANDBOX: Final = "https://connect.squareupsandbox.com"
"""The vendor's hosts (vendor page). The sandbox is free, and has its own access tokens."""

MAX_PAGE_SIZE: Final = 200
"""The largest page of cards (schema)."""

MAX_INSTRUMENT_LENGTH: Final = 255
"""The longest id of a payment instrument (schema)."""


def _parse_base_url(url: str) -> str:
    url = parse_base_url(url)
    if url.endswith("/v2"):
        raise ConfigurationError("must not end in /v2: the path of each call begins with it")
    return url


def _validate_name(_: object, __: attrs.Attribute[Any], name: str | None) -> None:
    if name is not None and not (0 < len(name) <= MAX_INSTRUMENT_LENGTH and name.isascii() and name.isprintable()):
        raise ConfigurationError(f"must have 1 to {MAX_INSTRUMENT_LENGTH} visible characters of ASCII")


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
class SquareSettings(HttpSettings):
    """An account at Square: the gift cards of one seller, changed at one location.

    Attributes:
        base_url: the vendor's host, without ``/v2``.
        access_token: of the seller, with the rights GIFTCARDS_READ and GIFTCARDS_WRITE.
        location_id: where cards are sold and redeemed. It decides the currency of new cards.
        currency: the currency of the location. It is needed for a migration to this account if the token lacks the
            right MERCHANT_PROFILE_READ, with which the vendor is asked.
        payment_instrument: names how buyers pay for cards, such as ``cash``. The vendor limits what one instrument may
            buy in a day. Without it, the order of each call is the instrument, or else its reference.
        page_size: the cards of a page, 1 to 200.
    """

    base_url: str = attrs.field(converter=_parse_base_url)
    access_token: SecretSource = attrs.field(converter=secret_source)
    location_id: str = attrs.field(validator=_validate_name)
    currency: str | None = attrs.field(default=None, validator=_validate_currency)
    payment_instrument: str | None = attrs.field(default=None, validator=_validate_name)
    page_size: int = attrs.field(default=MAX_PAGE_SIZE, validator=_validate_page_size)
