"""The field ``data`` of JTL's vouchers: the shop's own data, a JSON text inside of the JSON."""

from __future__ import annotations

from typing import Final

from voucher_gateway.provider_api import (
    InvalidRequest,
    MalformedResponse,
    Metadata,
    decode,
    encode,
    json_value,
    metadata_of,
)

_ALL_READ: Final[frozenset[str]] = frozenset()
_NOT_READ: Final = frozenset({"metadata"})


def data_text(metadata: Metadata) -> str:
    """Return the JSON text of a voucher's metadata; numbers keep all their digits.

    Raises:
        InvalidRequest: if it holds what JSON does not know.
    """
    try:
        return encode(json_value(metadata)).decode()
    except (TypeError, ValueError, InvalidRequest):
        pass  # raised below, without the data as context
    raise InvalidRequest("metadata must be a JSON value without floats", field="metadata", rule="JSON without floats")


def read_data(data: str | None) -> tuple[Metadata | None, frozenset[str]]:
    """Return the metadata that a text holds, and what of it could not be read: text that is not JSON stays in raw."""
    if not data:
        return None, _ALL_READ
    try:
        return metadata_of(decode(data.encode())), _ALL_READ
    except (MalformedResponse, UnicodeEncodeError):
        return None, _NOT_READ
