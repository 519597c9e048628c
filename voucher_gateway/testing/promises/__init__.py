"""Every promise of the contract, by its number."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

from voucher_gateway.testing.promise import Promise
from voucher_gateway.testing.promises.crash import CRASH
from voucher_gateway.testing.promises.reaching import REACHING
from voucher_gateway.testing.promises.reading import READING
from voucher_gateway.testing.promises.spending import SPENDING

PROMISES: Final[Mapping[str, Promise]] = {
    promise.number: promise for promise in chain(READING, REACHING, SPENDING, CRASH)
}
