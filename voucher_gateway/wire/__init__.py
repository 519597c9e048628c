"""Between a vendor's bytes and objects: strict JSON, strict converters and the spellings of amounts."""

from voucher_gateway.wire.converters import declare, rename_to_camel, strict_converter, unstructure
from voucher_gateway.wire.dialects import (
    AmountDialect,
    DecimalText,
    FixedScale,
    JsonNumber,
    MinorUnits,
    OffGrid,
    WireError,
)
from voucher_gateway.wire.leaves import Currency
from voucher_gateway.wire.reading import mapped_all, money_from, structure
from voucher_gateway.wire.strict_json import decode, encode

__all__ = [
    "AmountDialect",
    "Currency",
    "DecimalText",
    "FixedScale",
    "JsonNumber",
    "MinorUnits",
    "OffGrid",
    "WireError",
    "declare",
    "decode",
    "encode",
    "mapped_all",
    "money_from",
    "rename_to_camel",
    "strict_converter",
    "structure",
    "unstructure",
]
