"""The shop's own data of a voucher: any JSON value, its numbers exact."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias


class JsonNull(enum.Enum):
    """The type of `JSON_NULL`."""

    NULL = None

    def __repr__(self) -> str:
        return "JSON_NULL"


JSON_NULL: Final = JsonNull.NULL
"""JSON's null as the data of a voucher; None means that it has no data."""

Metadata: TypeAlias = Mapping[str, Any] | Sequence[Any] | str | int | Decimal | JsonNull
"""A JSON value: objects, arrays, strings, numbers, booleans and null. No float is in it."""


def json_value(metadata: Metadata) -> object:
    """Return the value as `encode` takes it."""
    if metadata is JSON_NULL:
        return None
    return dict(metadata) if isinstance(metadata, Mapping) else metadata


def metadata_of(value: Any) -> Metadata:
    """Return what `decode` read as the data of a voucher."""
    return JSON_NULL if value is None else value
