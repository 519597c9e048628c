"""The book of a simulated vendor: its vouchers in the order in which they were made, found by id and by code."""

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
"""Codes that a customer may well have, and that are lost or changed by a client who does not encode them."""


def random_text(draw: Random, length: int, alphabet: str = CAPITALS_AND_DIGITS) -> str:
    """Return a text of so many characters; the same random state draws the same one."""
    return "".join(draw.choices(alphabet, k=length))


class Booked(Protocol):
    """What a book asks of a voucher: an id and a code, which never change."""

    @property
    def id(self) -> str:
        """The vendor's id."""

    @property
    def code(self) -> str:
        """The code in plain text."""


V = TypeVar("V", bound=Booked)


class VoucherStore(Generic[V]):
    """Vouchers of any class. Used under the simulator's lock.

    Args:
        vouchers: what it begins with.
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
        """Return the vouchers with exactly this code, oldest first: more than one only if a vendor lets that happen."""
        return [self._by_id[voucher_id] for voucher_id in self._ids_by_code.get(code, ())]

    def put(self, voucher: V) -> None:
        """Add a voucher, or replace the one with its id."""
        if voucher.id not in self._by_id:
            self._ids_by_code.setdefault(voucher.code, []).append(voucher.id)
        self._by_id[voucher.id] = voucher

    def remove(self, voucher_id: str) -> None:
        """Take a voucher out.

        Raises:
            LookupError: if there is none with this id.
        """
        voucher = self._by_id.pop(voucher_id)
        self._ids_by_code[voucher.code].remove(voucher_id)
