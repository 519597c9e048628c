"""Opaque cursors, each of which is bound to the query that it continues."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from voucher_gateway.simulator.http.strict_json import InvalidJson, read_json

T = TypeVar("T")

SortKey = tuple[str | int | datetime, ...]
"""What entries are sorted by: parts of the same types for all entries, the last of which differs for each."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARK_BYTES: Final = 12


class InvalidCursor(ValueError):
    """A text that is not a cursor, or the cursor of another query."""


@frozen
class CursorPage(Generic[T]):
    """A page of a list.

    Attributes:
        entries: in the order of the list.
        cursor: continues the list; None if this is the last page.
    """

    entries: tuple[T, ...]
    cursor: str | None


class Cursors:
    """Cuts lists into pages and makes the cursor that continues each.

    A cursor holds the place of the last entry of its page, and nothing is remembered: it stays good after a restart.
    Entries that are inserted or removed between two pages make no other entry come twice or not at all.

    Args:
        secret: seals the cursors. A cursor of another secret is refused: pass the name of an account, if its cursors
            must be refused at other accounts.
    """

    def __init__(self, secret: str = "") -> None:
        self._secret = secret.encode()

    def page(
        self,
        entries: Iterable[T],
        *,
        sort_key: Callable[[T], SortKey],
        limit: int,
        cursor: str | None = None,
        query: object = None,
        newest_first: bool = False,
    ) -> CursorPage[T]:
        """Return the page after a cursor, or the first page.

        Args:
            entries: all that match the query, in any order.
            sort_key: what they are sorted by, such as the time of creation and the id.
            limit: the most entries of a page.
            cursor: as an earlier page had it; None for the first page.
            query: the filters, as JSON values. The order of the list belongs to them; the limit does not.
            newest_first: whether the largest sort key comes first.

        Raises:
            InvalidCursor: for a text that is not a cursor of this query, and of this secret.
        """
        if limit < 1:
            raise ValueError(f"a page has at least one entry, not {limit}")
        binding = json.dumps([query, newest_first], sort_keys=True, default=str)
        ordered = sorted(((_position(sort_key(entry)), entry) for entry in entries), key=_first, reverse=newest_first)
        if cursor is not None:
            last = self._open(cursor, binding)
            ordered = [
                (position, entry)
                for position, entry in ordered
                if (position < last if newest_first else position > last)
            ]
        shown = ordered[:limit]
        following = self._seal(shown[-1][0], binding) if len(ordered) > limit else None
        return CursorPage(tuple(entry for _, entry in shown), following)

    def _seal(self, position: tuple[str | int, ...], binding: str) -> str:
        text = json.dumps(position).encode()
        return base64.urlsafe_b64encode(self._mark(text, binding) + text).decode().rstrip("=")

    def _open(self, cursor: str, binding: str) -> tuple[Any, ...]:
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mark, text = sealed[:_MARK_BYTES], sealed[_MARK_BYTES:]
            if hmac.compare_digest(mark, self._mark(text, binding)):
                position = read_json(text)
                assert isinstance(position, list)  # sealed by `_seal`
                return tuple(position)
        except (InvalidJson, ValueError):
            pass
        raise InvalidCursor("this is not a cursor of this query")

    def _mark(self, text: bytes, binding: str) -> bytes:
        return hmac.digest(self._secret, len(text).to_bytes(4) + text + binding.encode(), "sha256")[:_MARK_BYTES]


def _position(key: SortKey) -> tuple[str | int, ...]:
    return tuple((part - _EPOCH) // timedelta(microseconds=1) if isinstance(part, datetime) else part for part in key)


def _first(pair: tuple[tuple[Any, ...], object]) -> tuple[Any, ...]:
    return pair[0]
