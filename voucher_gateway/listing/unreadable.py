"""Entries of a list that cannot be read. They do not end the list: they are named, counted and passed over."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Self

import attrs

from voucher_gateway.errors import MalformedResponse
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.listing")

MAX_UNREADABLE_KEPT: Final = 1000
"""A listing keeps at most this many entries that cannot be read. It counts all."""
_MIN_ALL_UNREADABLE: Final = 10
"""If none of at least this many first entries can be read, the vendor has changed the form of its entries."""
_MAX_ID_LENGTH: Final = 255
_MOST_PROBLEMS: Final = 5


@attrs.frozen(kw_only=True)
class UnreadableEntry:
    """An entry of a list that cannot be read. The other entries of the list come all the same.

    Attributes:
        id: the vendor's id of it; None if that cannot be read either.
        reason: the fields that are wrong, each with the rule that it breaks. It has no value of a field.
        page: the number of its page, from 1. The listing sets it.
        position: the number of the entry on that page, from 1. The listing sets it.
        key: by this the listing recognises an entry that comes twice.
    """

    id: str | None
    reason: str
    page: int | None = None
    position: int | None = None
    key: str = attrs.field(repr=False, eq=False)

    @classmethod
    def of(cls, raw: object, problems: Sequence[str], *, id: str | None = None) -> Self:
        """Return the unreadable entry for the vendor's own object.

        Args:
            raw: the vendor's own object. Its id is taken from ``_id`` or ``id``.
            problems: what is wrong with it, without values.
            id: its id, if it stands elsewhere.
        """
        own_id = _id_of(raw) if id is None else id
        reason = "; ".join(problems[:_MOST_PROBLEMS]) or "it breaks the vendor's contract"
        return cls(id=own_id, reason=reason, key=_hash_of(raw) if own_id is None else own_id)

    @property
    def name(self) -> str:
        """The id, or else the place in the list."""
        return f"entry {self.position} of page {self.page}" if self.id is None else self.id


def _id_of(raw: object) -> str | None:
    values = [raw[name] for name in ("_id", "id") if name in raw] if isinstance(raw, dict) else []
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and 0 < len(value) <= _MAX_ID_LENGTH and value.isprintable():
            return value
    return None


def _hash_of(raw: object) -> str:
    """Return a hash of all that an entry holds. No id is equal to it, because an id has no null character."""
    return f"\0{blake2b(repr(raw).encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


class UnreadableEntries:
    """The entries of one listing that could not be read up to now.

    Args:
        count: the number of those before the listing was resumed.

    Attributes:
        count: their number.
        kept: the first of them, at most `MAX_UNREADABLE_KEPT`.
    """

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self.kept: list[UnreadableEntry] = []

    def add(self, entry: UnreadableEntry, *, page: int, position: int) -> UnreadableEntry:
        """Count an entry, and return it with its place."""
        entry = attrs.evolve(entry, page=page, position=position)
        self.count += 1
        if len(self.kept) < MAX_UNREADABLE_KEPT:
            self.kept.append(entry)
            log.warning("%s cannot be read, and is passed over: %s", entry.name, entry.reason)
        return entry


def require_readable_entries(items: Sequence[object]) -> None:
    """Check that some of the first entries of a list can be read.

    Raises:
        MalformedResponse: if none of many can.
    """
    unreadable = [item for item in items if isinstance(item, UnreadableEntry)]
    if len(unreadable) == len(items) >= _MIN_ALL_UNREADABLE:
        raise MalformedResponse(
            f"none of the {len(unreadable)} entries of a page can be read: {unreadable[0].reason}",
            problems=tuple(f"{entry.id or 'without an id'}: {entry.reason}" for entry in unreadable),
        )
