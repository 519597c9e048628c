"""Routes over the raw path: `%2F`, `//`, `.` and `..` stay as the client sent them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from voucher_gateway.simulator.http.messages import Reply, Request

Handler = Callable[[Request], Reply]

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadPath(ValueError):
    """A path part that is not percent-encoded UTF-8."""


@frozen
class Route:
    """One operation of a vendor.

    Attributes:
        method: in capitals.
        template: the whole path from the root, such as `/v1/vouchers/{id}/status`; a part in braces stands
            for exactly one segment that is not empty.
        handler: answers; runs under the simulator's lock.
        look_up: a list, filter or history read, which the fault `lagging-lookups` may answer from an older
            snapshot of the ledger.
    """

    method: str
    template: str
    handler: Handler
    look_up: bool = False
    segments: tuple[str, ...] = field(init=False)

    @segments.default
    def _split(self) -> tuple[str, ...]:
        return tuple(self.template.split("/"))

    def parts(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the named parts if these decoded segments fit the template, otherwise None."""
        if len(segments) != len(self.segments):
            return None
        parts = {}
        for expected, segment in zip(self.segments, segments, strict=True):
            if expected.startswith("{"):
                if not segment:
                    return None
                parts[expected[1:-1]] = segment
            elif expected != segment:
                return None
        return parts


@frozen
class Match:
    """The route of a path and its parts, or the methods that the path allows."""

    route: Route | None = None
    parts: dict[str, str] = field(factory=dict)
    allowed: tuple[str, ...] = ()


def find_route(routes: Sequence[Route], method: str, raw_path: str) -> Match:
    """Return the first route that fits; a vendor lists literal paths before those with parts.

    Raises:
        BadPath: when a segment is not percent-encoded UTF-8.
    """
    segments = [_decode_segment(segment) for segment in raw_path.split("/")]
    allowed = []
    for route in routes:
        parts = route.parts(segments)
        if parts is None:
            continue
        if route.method == method:
            return Match(route, parts)
        allowed.append(route.method)
    return Match(allowed=tuple(dict.fromkeys(allowed)))


def _decode_segment(segment: str) -> str:
    if _BAD_ESCAPE.search(segment):
        raise BadPath("a percent sign is not followed by two hexadecimal digits")
    try:
        # http.server reads the request line as latin-1, so each character above ASCII is one raw byte
        return unquote_to_bytes(segment.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        raise BadPath("a path part is not UTF-8") from None
