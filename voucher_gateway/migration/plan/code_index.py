"""Codes that are there twice: at the target already, or twice at the source.

Codes are compared by keyed fingerprints, of which 64 bits are kept: one small hash a voucher. Two different codes that
share them, a chance of one in tens of millions among a million vouchers, are taken for the same, which at worst refuses
a voucher that could have moved.
"""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest, VoucherNotFound
from voucher_gateway.journal.keys import JournalKeys
from voucher_gateway.masking import Code
from voucher_gateway.migration.run.rate_limit import Rates
from voucher_gateway.provider import VoucherProvider

_SPACE: Final = "move"
"""In place of provider and host: a fingerprint that is to be compared across vendors must not hold either."""
_DIGITS: Final = 16


def fingerprint(keys: JournalKeys, code: Code, key_id: str | None = None) -> str:
    """Return the fingerprint of a code by which plan, run and verification know it, at any vendor."""
    return keys.fingerprint(code, provider=_SPACE, host=_SPACE, key_id=key_id)


class SourceCodes:
    """The codes of the source, to notice one that comes twice."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._twice: set[int] = set()

    def add(self, mark: str) -> None:
        """Note the fingerprint of a code."""
        short = _short(mark)
        (self._twice if short in self._seen else self._seen).add(short)

    def twice(self, mark: str | None) -> bool:
        """Whether this fingerprint came twice."""
        return mark is not None and _short(mark) in self._twice

    def __bool__(self) -> bool:
        """Whether any came twice."""
        return bool(self._twice)


class TargetCodes:
    """The codes that the target has already.

    Where its list shows codes, it is read once; where it hides them (JTL), each code is looked up, unless there are no
    vouchers at all. May be asked by several threads.

    Args:
        provider: the target.
        keys: of the fingerprints.
        rates: how often it may be asked.
    """

    def __init__(self, provider: VoucherProvider, keys: JournalKeys, rates: Rates) -> None:
        self._provider = provider
        self._keys = keys
        self._rates = rates
        self._seen: set[int] = set()
        self._look_up = not self._read_list()

    def has(self, code: Code, mark: str) -> bool:
        """Whether the target has a voucher with this code.

        Args:
            code: the code, for a look-up.
            mark: its fingerprint.
        """
        if not self._look_up:
            return _short(mark) in self._seen
        self._rates.wait(self._provider.account)
        try:
            self._provider.find(code)
        except VoucherNotFound:
            return False
        except InvalidRequest as error:
            if error.field == "code":
                return False  # what the target could not have, it has not
            raise
        return True

    def _read_list(self) -> bool:
        """Read the target's list. Says whether it told all codes."""
        if not self._provider.capabilities.of(Operation.VOUCHERS).available:
            return False
        with self._provider.vouchers() as listing:
            for voucher in listing:
                if voucher.code is None:
                    return False
                self._seen.add(_short(fingerprint(self._keys, voucher.code)))
        # Of a list that changed while it was read, the rest may be missing.
        return listing.report.consistent is not False


def _short(mark: str) -> int:
    return int(mark[:_DIGITS], 16)
