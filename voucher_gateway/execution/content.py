"""What a call asks for besides money, as a digest: a reference must not come to stand for two things."""

from __future__ import annotations

import hashlib
import json
from typing import Final

import attrs

from voucher_gateway.models.requests import NewVoucher, VoucherChanges

_ELSEWHERE: Final = ("id", "code", "pin", "initial")
"""Compared on their own, or secret: a digest of a PIN of four digits would give it away."""


def request_digest(asked: NewVoucher | VoucherChanges) -> str:
    """Return a digest that differs where what is asked for differs."""
    fields = attrs.asdict(asked, recurse=False)
    content = {name: value for name, value in fields.items() if name not in _ELSEWHERE}
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
