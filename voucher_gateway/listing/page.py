"""A page of a list, the report of a listing, and the token with which a later listing continues."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Generic, Self, TypeVar

import attrs

from voucher_gateway.errors import InvalidRequest, MalformedResponse

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(kw_only=True)
class Page(Generic[T_co]):
    """One page of a list.

    Attributes:
        items: its entries, in the vendor's order. An entry that cannot be read is an `UnreadableEntry` in its place.
        total: how many entries the whole query has; None if the vendor does not say it.
        pages: how many pages it has; None if the vendor does not say it.
        size: entries from the beginning of one page to that of the next, as the vendor counts them, which may
            differ from the request.
        overlap: how many entries more than that a page holds: those with which the next page begins. Where a vendor
            pages by offset, they show whether entries moved between two pages, even if the total is the same.

    Raises:
        MalformedResponse: if one of the numbers makes no sense.
    """

    items: Sequence[T_co]
    total: int | None = None
    pages: int | None = None
    size: int
    overlap: int = 0

    def __attrs_post_init__(self) -> None:
        wrong = [name for name in ("total", "pages") if (getattr(self, name) or 0) < 0]
        if self.size < 1:
            wrong.append("size")
        if self.overlap < 0:
            wrong.append("overlap")
        if wrong:
            raise MalformedResponse(
                "the vendor's counts of pages and entries must not be negative", problems=tuple(wrong)
            )

    @property
    def end(self) -> int | None:
        """The index after the last page, by this page: the larger one if `pages` and `total` disagree."""
        bounds = [] if self.pages is None else [self.pages]
        if self.total is not None:
            bounds.append(max(-(-(self.total - self.overlap) // self.size), min(self.total, 1)))
        return max(bounds, default=None)


@attrs.frozen(kw_only=True)
class ListingReport:
    """What a listing has read so far, including the part before it was resumed.

    Attributes:
        seen: entries that the caller got.
        vendor_total: the vendor's latest total; None if it has none.
        duplicates: entries that came again and were dropped.
        unreadable: entries that could not be read. `Listing.unreadable` names them.
        pages: pages read.
        finished: whether the vendor's list was read to its end; a limit, an error or `close` leaves it False.
        consistent: False when something contradicts that every entry was seen once: the total or the page size
            changed during the reading, entries came twice or moved between two pages, or the counts do not add up.
            True when the vendor's total agrees.
            None until the listing is finished, and for a vendor without a total, where nothing can prove it.
        problems: what contradicts it, a sentence each.
    """

    seen: int
    vendor_total: int | None
    duplicates: int
    pages: int
    finished: bool
    consistent: bool | None
    problems: tuple[str, ...]
    unreadable: int = 0


_CHECK: Final = 12  # bytes
_DIGEST: Final = 8  # bytes; among a million ids two collide with a chance of 3 in 100 million, and are then reported


@attrs.frozen(kw_only=True)
class ResumePoint:
    """The content of a resume token: the place of the last entry, and the report until then.

    Attributes:
        page: index of the page of the last entry that was returned.
        size: entries from one page to the next, so that a listing with pages of another size finds the place.
        offset: how many entries of that page were passed.
        anchor: the `key_digest` of that entry; None before the first.
        seen: as in the report.
        duplicates: as in the report, up to that entry.
        pages: as in the report.
        total: the vendor's latest total.
        unreadable: as in the report.
        problems: the report's sentences, by kind.
    """

    page: int = 0
    size: int = 1
    offset: int = 0
    anchor: int | None = None
    seen: int = 0
    duplicates: int = 0
    pages: int = 0
    total: int | None = None
    unreadable: int = 0
    problems: dict[str, str] = attrs.field(factory=dict)

    def to_text(self, scope: str) -> str:
        """Return a token that only a listing of this scope accepts."""
        body = json.dumps(attrs.asdict(self)).encode()
        return base64.urlsafe_b64encode(_check(body, scope) + body).decode()

    @classmethod
    def from_text(cls, text: str, scope: str) -> Self:
        """Read a token.

        Raises:
            InvalidRequest: if it was not written for this scope, or was changed.
        """
        try:
            sealed = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            sealed = b""
        body = sealed[_CHECK:]
        exact = base64.urlsafe_b64encode(sealed).decode() == text  # the last character has bits that count for nothing
        if not exact or sealed[:_CHECK] != _check(body, scope):
            raise InvalidRequest(
                "the resume token is not from this listing", field="resume", rule="resume_token of the same listing"
            )
        return cls(**json.loads(body))


def _check(body: bytes, scope: str) -> bytes:
    key = blake2b(scope.encode("utf-8", "surrogatepass")).digest()
    return blake2b(body, digest_size=_CHECK, key=key, person=b"voucher-list-1").digest()


def key_digest(key: str) -> int:
    """Return a hash of an entry's key. It has 64 bits, so that a million vouchers take only 70 MB."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest())
