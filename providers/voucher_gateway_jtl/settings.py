"""The settings of an account at JTL."""

from __future__ import annotations

from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    ConfigurationError,
    HttpSettings,
    SecretSource,
    hide_init_arguments,
    parse_base_url,
    secret_source,
)

PRODUCTION: Final = "https://vouchers.api.jtl-software.com/v1"
"""The production host (seed)."""
SANDBOX: Final = "https://vouchers-sbx.api.jtl-software.com/v1"
"""The sandbox host (seed)."""

SCOPES: Final = ("read", "read-lists", "read-secrets", "use", "manage", "update", "recharge")
"""Every scope that the vendor has (seed)."""


def _validate_scopes(_: object, __: attrs.Attribute[Any], scopes: tuple[str, ...]) -> None:
    if any(scope not in SCOPES for scope in scopes):
        raise ConfigurationError(f"must be a list of {', '.join(SCOPES)}")


def _validate_length(_: object, __: attrs.Attribute[Any], text: str | None) -> None:
    if text is not None and not 1 <= len(text) <= 32:
        raise ConfigurationError("must have 1 to 32 characters")


def _validate_array_style(_: object, __: attrs.Attribute[Any], style: str) -> None:
    if style not in ("comma", "repeat"):
        raise ConfigurationError("must be 'comma' or 'repeat'")


@hide_init_arguments
@attrs.frozen(kw_only=True)
class JtlSettings(HttpSettings):
    """An account at JTL. The client's id and secret come from ``voucher-gateway connect`` or the vendor's Admin UI.

    Attributes:
        client_id: the OAuth client's id.
        client_secret: its secret.
        scopes: the scopes to request; without any, all scopes of the client's group are requested.
        client_type: a text for the vendor's statistics, at most 32 characters.
        token_url: the URL that issues tokens; by default beside the base URL, without its version.
        array_style: the format of arrays in filters: ``comma`` for one joined value, ``repeat`` for repeated names.
            The vendor does not document it.
        page_size: the vouchers of a page; the vendor documents no maximum.
    """

    client_id: str = attrs.field(validator=attrs.validators.min_len(1))
    client_secret: SecretSource = attrs.field(converter=secret_source)
    scopes: tuple[str, ...] = attrs.field(default=(), validator=_validate_scopes)
    client_type: str | None = attrs.field(default=None, validator=_validate_length)
    # The client's secret is sent there, so the URL must be as safe as the base URL.
    token_url: str | None = attrs.field(default=None, converter=attrs.converters.optional(parse_base_url))
    array_style: str = attrs.field(default="comma", validator=_validate_array_style)
    page_size: int = attrs.field(default=100, validator=attrs.validators.ge(1))

    @property
    def token_endpoint(self) -> str:
        """The token URL. Only that of production is documented; the sandbox is assumed to have the same path."""
        if self.token_url is not None:
            return self.token_url
        root = self.base_url.rsplit("/", 1)[0] if self.base_url.endswith("/v1") else self.base_url
        return f"{root}/oauth/token"
