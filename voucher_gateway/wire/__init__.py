"""Between a vendor's bytes and objects: strict JSON, strict converters and the spellings of amounts."""

from voucher_gateway.wire.amounts import (
    AmountFormat,
    DecimalText,
    FixedScale,
    JsonNumber,
    MinorUnits,
    NotRepresentable,
    WireError,
)
from voucher_gateway.wire.converter import configure, rename_to_camel, strict_converter, unstructure
from voucher_gateway.wire.json import decode, encode
from voucher_gateway.wire.scalars import Currency
from voucher_gateway.wire.validation import map_page, money_from, structure

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
