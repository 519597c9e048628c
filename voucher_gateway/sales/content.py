"""The voucher of a sale as JSON. It says that the caller chose a code or a PIN, without them."""

from __future__ import annotations

from typing import Any, Final

import attrs

from voucher_gateway.instants import parse_instant
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Interval, Medium, Validity, metadata_of
from voucher_gateway.money import Money
from voucher_gateway.serialization import to_json
from voucher_gateway.wire.json import decode, encode

_SECRETS: Final = ("code", "pin")


def write_content(new: NewVoucher) -> str:
    """Return a voucher to issue as one line of JSON."""
    open_part = attrs.evolve(new, code=None, pin=None)
    fields = {name: value for name, value in to_json(open_part).items() if getattr(open_part, name) is not None}
    fields |= {name: True for name in _SECRETS if getattr(new, name) is not None}
    return encode(fields).decode()


def has_own_pin(text: str) -> bool:
    """Whether the caller chose the PIN of the voucher that `write_content` wrote."""
    return "pin" in _decode(text)


def read_content(text: str) -> NewVoucher:
    """Return the voucher that `write_content` wrote, without its code and its PIN."""
    fields = {name: value for name, value in _decode(text).items() if name not in _SECRETS}
    money = fields.pop("initial")
    if "medium" in fields:
        fields["medium"] = Medium(fields["medium"])
    if "valid_until" in fields:
        fields["valid_until"] = parse_instant(fields["valid_until"])
    if "validity" in fields:
        validity = fields["validity"]
        fields["validity"] = Validity(value=validity["value"], interval=Interval(validity["interval"]))
    if "metadata" in fields:
        fields["metadata"] = metadata_of(fields["metadata"])
    return NewVoucher(initial=Money(money["amount"], money["currency"]), **fields)


def is_same_content(text: str, other: str) -> bool:
    """Whether two texts of `write_content` are of equal vouchers: the order of members has no meaning."""
    return text == other or _decode(text) == _decode(other)


def _decode(text: str) -> dict[str, Any]:
    fields: Any = decode(text.encode())
    return dict(fields)
