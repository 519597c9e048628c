"""The vouchers of a simulated vendor in the order of their creation, with look-ups by id and by code."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, Generic, Protocol, TypeVar

CAPITALS_AND_DIGITS: Final = string.ascii_uppercase + string.digits
"""The usual alphabet of ids and codes."""

ODD_TEXTS: Final = (
    "SUMMER/2030",
    "100%2e50",
    "what?now=1&then=2",
    "two  words",
    "Grüße für Änne",
    "🎟🎁🎉🎈",
    "a#b&c=d+e",
    "../../etc",
    "....",
    "%2F%2F",
    'quo"te\\s',
    "semi;colon",
    "z" * 200,
)
"""Codes that customers may have, and that a client changes or loses if it does not encode them."""


def random_text(draw: Random, length: int, alphabet: str = CAPITALS_AND_DIGITS) -> str:
    """Return a random text of this length; the same random state gives the same text."""
    return "".join(draw.choices(alphabet, k=length))


class StorableVoucher(Protocol):
    """A voucher that a store can hold: its id and its code never change."""

    @property
    def id(self) -> str:
        """The vendor's id."""

    @property
    def code(self) -> str:
        """The code in plain text."""


V = TypeVar("V", bound=StorableVoucher)


class VoucherStore(Generic[V]):
    """Vouchers of any class. Use it under the simulator's lock.

    Args:
        vouchers: the first vouchers.
    """

    def __init__(self, vouchers: Iterable[V] = ()) -> None:
        self._by_id: dict[str, V] = {}
        self._ids_by_code: dict[str, list[str]] = {}
        for voucher in vouchers:
            self.put(voucher)

    def __iter__(self) -> Iterator[V]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, voucher_id: str) -> V | None:
        """Return the voucher with this id."""
        return self._by_id.get(voucher_id)

    def with_code(self, code: str) -> list[V]:
        """Return the vouchers with exactly this code, oldest first: several only if the vendor allows that."""
        return [self._by_id[voucher_id] for voucher_id in self._ids_by_code.get(code, ())]

    def put(self, voucher: V) -> None:
        """Add a voucher, or replace the one with its id."""
        if voucher.id not in self._by_id:
            self._ids_by_code.setdefault(voucher.code, []).append(voucher.id)
        self._by_id[voucher.id] = voucher

    def remove(self, voucher_id: str) -> None:
        """Remove a voucher.

        Raises:
            LookupError: if no voucher has this id.
        """
        voucher = self._by_id.pop(voucher_id)
        self._ids_by_code[voucher.code].remove(voucher_id)
