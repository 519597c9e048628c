"""Headers beside those of the client itself: constant ones, secret ones, and those of one request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.masking import Masked, Secret, hide_frames
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.setting_types import SecretSource

log: Final = get_logger("voucher_gateway.http")

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# A line break would begin another header. Everything but ASCII is sent differently by different libraries.
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_RESERVED: Final = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def check_header_names(names: Mapping[str, object]) -> None:
    """Check that a provider may set headers of these names.

    Raises:
        ValueError: if a name is not one of HTTP, is there twice, or belongs to the client itself.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r:.40} is not the name of an HTTP header")
        if name.lower() in _RESERVED:
            raise ValueError(f"the header {name} belongs to the HTTP client; for Authorization, set `HttpClient.auth`")
    if len({name.lower() for name in names}) != len(names):
        raise ValueError("a header is named twice")


def check_constant_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that every request has.

    Raises:
        ValueError: if a name or a value cannot be sent.
    """
    check_header_names(headers)
    for name, value in headers.items():
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name} must be visible ASCII text")
    return dict(headers)


def reveal_headers(headers: Mapping[str, str | Masked]) -> dict[str, str]:
    """Return the headers of one request in plain text, right before it is sent.

    Raises:
        InvalidRequest: if a value cannot be sent.
        ValueError: if a name cannot be sent.
    """
    if not headers:
        return {}
    check_header_names(headers)
    plain = {name: value.reveal() if isinstance(value, Masked) else value for name, value in headers.items()}
    for name, value in plain.items():
        if not _VALUE.fullmatch(value):
            raise InvalidRequest(f"the value of the header {name} is not visible ASCII text", field=name, rule="ASCII")
    return plain


class HeaderTable:
    """The headers that every request has. A later group replaces a header of an earlier one, whatever its case.

    Their names are compared once, not for each request.
    """

    def __init__(self, *groups: Mapping[str, str]) -> None:
        self._headers: dict[str, tuple[str, str]] = {}
        for group in groups:
            self._headers |= _by_lower_name(group)

    def merge(self, *groups: Mapping[str, str]) -> dict[str, str]:
        """Return them with others, which replace those of the same name, whatever its case."""
        merged = self._headers.copy()
        for group in groups:
            if group:
                merged |= _by_lower_name(group)
        return dict(merged.values())


def _by_lower_name(headers: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {name.lower(): (name, value) for name, value in headers.items()}


class SecretHeaders:
    """Headers whose values are secrets, read from their sources again when the vendor refuses them.

    Threads may share it: the values are replaced as one table, and never changed.
    """

    def __init__(self, sources: Mapping[str, SecretSource]) -> None:
        """Make it; nothing is read yet.

        Raises:
            ValueError: if a name cannot be sent.
        """
        check_header_names(sources)
        self._sources = dict(sources)
        self._values: Mapping[str, Secret] | None = None

    def values(self) -> Mapping[str, Secret]:
        """Return the headers.

        Raises:
            ConfigurationError: if a secret cannot be read or sent.
        """
        values = self._values
        if values is None:
            values = self._values = self._read()
        return values

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Read the secrets again; return whether one has changed."""
        values = self._values = self._read()
        has_changed = values != refused
        if values:
            log.debug(
                "read the refused secret headers again: they have %s", "changed" if has_changed else "not changed"
            )
        return has_changed

    def _read(self) -> Mapping[str, Secret]:
        with hide_frames():
            return {name: _sendable(name, source.get()) for name, source in self._sources.items()}


def _sendable(name: str, secret: Secret) -> Secret:
    if not _VALUE.fullmatch(secret.reveal()):
        raise ConfigurationError(f"the secret of the header {name} must be visible ASCII text")
    return secret
