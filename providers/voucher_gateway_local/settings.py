"""The settings of an account of the shop's own vouchers."""

from __future__ import annotations

from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    ConfigurationError,
    DatabaseUrl,
    InvalidRequest,
    SecretSource,
    exponent,
    hide_init_arguments,
)

ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""For made codes: 32 characters that are not mistaken for one another."""

LONGEST_TEXT: Final = 255
"""The most characters of a code, an id and every other text."""


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
        raise ConfigurationError("must be an ISO 4217 currency in capitals, such as EUR")


def _alphabet(_: object, __: attrs.Attribute[Any], alphabet: str) -> None:
    if len(set(alphabet)) != len(alphabet) or len(alphabet) < 10 or not alphabet.isprintable() or " " in alphabet:
        raise ConfigurationError("must be at least 10 different characters that can be printed, without a space")


def _from(least: int, most: int) -> Any:
    def check(_: object, __: attrs.Attribute[Any], number: int) -> None:
        if not least <= number <= most:
            raise ConfigurationError(f"must be from {least} to {most}")

    return check


def _url(given: Any) -> DatabaseUrl:
    return DatabaseUrl.of(given)


def _source(given: Any) -> SecretSource | None:
    return None if given is None else SecretSource.of(given)


def _sources(given: Any) -> tuple[SecretSource, ...]:
    return tuple(SecretSource.of(item) for item in given)


@hide_init_arguments
@attrs.frozen(kw_only=True)
class LocalSettings:
    """An account of vouchers that the shop issues itself.

    Attributes:
        url: the database, ``sqlite:///vouchers.db`` or ``postgresql://...``. It may be given like a secret, because it
            can hold a password.
        key: the secret that codes are kept under, 16 characters or more. Without one, SQLite has a key file (mode 0600)
            beside the database; PostgreSQL needs one, the same on every machine.
        former_keys: secrets that were in use before `key`, while machines change over.
        reservation_minutes: how long a reservation lasts.
        code_length: of the codes that are made here, in characters.
        code_alphabet: what they are made of.
        currency: the only currency in which vouchers are issued; None for any.
        page_size: vouchers that a listing reads at a time.
    """

    url: DatabaseUrl = attrs.field(converter=_url)
    key: SecretSource | None = attrs.field(default=None, converter=_source)
    former_keys: tuple[SecretSource, ...] = attrs.field(default=(), converter=_sources)
    reservation_minutes: int = attrs.field(default=30, validator=_from(1, 527_040))
    code_length: int = attrs.field(default=16, validator=_from(8, LONGEST_TEXT))
    code_alphabet: str = attrs.field(default=ALPHABET, validator=_alphabet)
    currency: str | None = attrs.field(default=None, validator=_currency)
    page_size: int = attrs.field(default=500, validator=_from(1, 10_000))
