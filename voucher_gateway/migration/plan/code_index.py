"""Finds codes that the target already has, or that the source has twice.

Codes are compared by 64 bits of their keyed fingerprints. Memory holds those of the target. Two different codes
may have the same 64 bits: the chance is one in tens of millions among a million vouchers. They then count as the same
code, and at worst a voucher is refused that could be moved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest, VoucherNotFound
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.listing.digest_set import DigestSet
from voucher_gateway.listing.duplicate_finder import DuplicateFinder
from voucher_gateway.masking import Code
from voucher_gateway.migration.rate_limit import Rates
from voucher_gateway.provider.provider import VoucherProvider

FINGERPRINT_SCOPE: Final = "move"
"""Replaces provider and host, so that fingerprints can be compared between vendors."""
_DIGITS: Final = 16


def fingerprint(keys: JournalKeys, code: Code, key_id: str | None = None) -> str:
    """Return the fingerprint by which plan, run and verification compare a code, at any vendor."""
    return keys.fingerprint(code, provider=FINGERPRINT_SCOPE, host=FINGERPRINT_SCOPE, key_id=key_id)


def fingerprint_maker(keys: JournalKeys) -> Callable[[Code], str]:
    """Return a function that makes the same fingerprints of many codes, under the newest key."""
    return keys.fingerprint_maker(provider=FINGERPRINT_SCOPE, host=FINGERPRINT_SCOPE)


class SourceCodes:
    """The codes of the source, in a ``with`` block. It finds codes that the source has twice.

    Memory does not grow with the codes: see `DuplicateFinder`.
    """

    def __init__(self) -> None:
        self._finder = DuplicateFinder()
        self._twice: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finder.close()

    def add(self, mark: str) -> None:
        """Add the fingerprint of a code."""
        self._finder.add(_short(mark))

    def compare(self) -> None:
        """Compare all codes that were added. Before that none counts as added twice."""
        self._twice = self._finder.duplicates()

    def twice(self, mark: str | None) -> bool:
        """Return whether this fingerprint was added twice."""
        return mark is not None and _short(mark) in self._twice

    def __bool__(self) -> bool:
        """Return whether any fingerprint was added twice."""
        return bool(self._twice)


class TargetCodes:
    """The codes that the target already has. Several threads may use it.

    If the list of the target shows codes, it is read once. If it hides them (JTL), each code is looked up, unless the
    target has no vouchers.

    Args:
        provider: the target.
        keys: the keys of the fingerprints.
        rates: the rate limits.

    Attributes:
        looks_up: whether each code is looked up, with a request.
    """

    def __init__(self, provider: VoucherProvider, keys: JournalKeys, rates: Rates) -> None:
        self._provider = provider
        self._keys = keys
        self._rates = rates
        self._seen = DigestSet()
        self.looks_up = not self._read_list()

    def has(self, code: Code, mark: str) -> bool:
        """Return whether the target has a voucher with this code.

        Args:
            code: the code, for a look-up.
            mark: its fingerprint.
        """
        if not self.looks_up:
            return _short(mark) in self._seen
        self._rates.wait(self._provider.account)
        try:
            self._provider.find(code)
        except VoucherNotFound:
            return False
        except InvalidRequest as error:
            if error.field == "code":
                return False  # a code that the target cannot have is not there
            raise
        return True

    def _read_list(self) -> bool:
        """Read the list of the target. Return whether it showed all codes."""
        if not self._provider.capabilities.of(Operation.VOUCHERS).available:
            return False
        make_fingerprint = fingerprint_maker(self._keys)
        with self._provider.vouchers() as listing:
            for voucher in listing:
                if voucher.code is None:
                    return False
                self._seen.add(_short(make_fingerprint(voucher.code)))
        # If the list changed while it was read, codes may be missing.
        return listing.report.consistent is not False


def _short(mark: str) -> int:
    return int(mark[:_DIGITS], 16)
