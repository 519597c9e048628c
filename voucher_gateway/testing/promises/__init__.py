"""Every promise of the contract, by its number."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

from voucher_gateway.testing.promises.crash import CRASH
from voucher_gateway.testing.promises.effects import EFFECTS
from voucher_gateway.testing.promises.keys import KEYS
from voucher_gateway.testing.promises.lists import LISTS
from voucher_gateway.testing.promises.payments import PAYMENTS
from voucher_gateway.testing.promises.promise import Promise
from voucher_gateway.testing.promises.read_level import READ_LEVEL
from voucher_gateway.testing.promises.vouchers import VOUCHERS

PROMISES: Final[Mapping[str, Promise]] = {
    promise.number: promise for promise in chain(READ_LEVEL, LISTS, VOUCHERS, PAYMENTS, EFFECTS, KEYS, CRASH)
}
