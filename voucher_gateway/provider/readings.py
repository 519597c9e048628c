"""What some providers return beside vouchers: a value that an emulation overwrites, and the form of a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from voucher_gateway.masking import Code
from voucher_gateway.money import Money


@attrs.frozen(kw_only=True)
class ValueReading:
    """A voucher's value as it can be read and overwritten, for emulations.

    Attributes:
        voucher_id: the voucher.
        value: the value that can be overwritten.
        remaining: what is left to spend.
        valid_until: the end of validity.
        passthrough: the other data that the provider must write back unchanged.
        code: the code that the reading shows, where the vendor shows it: an emulation compares it with the caller's.
    """

    voucher_id: str
    value: Money
    remaining: Money
    valid_until: datetime | None = None
    passthrough: Any = attrs.field(default=None, repr=False)
    code: Code | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class SourceForm:
    """How the data of an account is read, if it is not the reply of a vendor but a file of the user.

    Attributes:
        sentences: what a person has to confirm about it.
        settings: the settings of the account by which it is read in the same way again.
    """

    sentences: tuple[str, ...] = ()
    settings: Mapping[str, object] = attrs.field(factory=dict, hash=False)
