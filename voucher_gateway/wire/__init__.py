"""Between a vendor's bytes and objects: strict JSON, strict converters and the spellings of amounts."""

from voucher_gateway.wire.converters import configure, rename_to_camel, strict_converter, unstructure
from voucher_gateway.wire.dialects import (
    AmountFormat,
    DecimalText,
    FixedScale,
    JsonNumber,
    MinorUnits,
    NotRepresentable,
    WireError,
)
from voucher_gateway.wire.leaves import Currency
from voucher_gateway.wire.reading import map_page, money_from, structure
from voucher_gateway.wire.strict_json import decode, encode

__all__ = [
    "AmountFormat",
    "Currency",
    "DecimalText",
    "FixedScale",
    "JsonNumber",
    "MinorUnits",
    "NotRepresentable",
    "WireError",
    "configure",
    "decode",
    "encode",
    "map_page",
    "money_from",
    "rename_to_camel",
    "strict_converter",
    "structure",
    "unstructure",
]
