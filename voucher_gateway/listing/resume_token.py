"""The place where a listing stopped, as text that a later listing can go on from."""

from __future__ import annotations

import base64
import json
from hashlib import blake2b
from typing import Final, Self

import attrs

from voucher_gateway.errors import InvalidRequest

_CHECK: Final = 12  # bytes
_DIGEST: Final = 8  # bytes; among a million ids two collide with a chance of 3 in 100 million, and are then reported


@attrs.frozen(kw_only=True)
class ResumePoint:
    """What a resume token says: where the last entry was, and the report until then.

    Attributes:
        page: index of the page that the last entry given was on.
        size: entries from one page to the next, so that a listing with pages of another size finds the place.
        offset: how many entries of that page were passed.
        anchor: the `digest` of that entry; None before the first.
        seen: as in the report.
        duplicates: as in the report, up to that entry.
        pages: as in the report.
        total: the vendor's latest total.
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
    problems: dict[str, str] = attrs.field(factory=dict)

    def to_text(self, scope: str) -> str:
        """Write a token that only a listing of this scope takes."""
        body = json.dumps(attrs.asdict(self)).encode()
        return base64.urlsafe_b64encode(_check(body, scope) + body).decode()

    @classmethod
    def from_text(cls, text: str, scope: str) -> Self:
        """Read a token.

        Raises:
            InvalidRequest: if it was not written for this scope; the check sum covers both.
        """
        try:
            sealed = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            sealed = b""
        body = sealed[_CHECK:]
        if sealed[:_CHECK] != _check(body, scope):
            raise InvalidRequest(
                "the token to resume by is not of this listing", field="resume", rule="resume_token of the same listing"
            )
        return cls(**json.loads(body))


def _check(body: bytes, scope: str) -> bytes:
    key = blake2b(scope.encode("utf-8", "surrogatepass")).digest()
    return blake2b(body, digest_size=_CHECK, key=key, person=b"voucher-list-1").digest()


def digest(key: str) -> int:
    """Return a hash that stands for an entry's key; 64 bits, so that a million vouchers take 70 MB and not more."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest())
