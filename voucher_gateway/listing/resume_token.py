"""The place where a listing stopped, as text with which a later listing continues."""

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
        if sealed[:_CHECK] != _check(body, scope):
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
