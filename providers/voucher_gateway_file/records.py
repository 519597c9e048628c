"""The records of a file: one voucher each, with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import attrs

LONGEST: Final = 1 << 20
"""The most bytes of one record; an unclosed quote must not swallow a whole file."""

BOM: Final = b"\xef\xbb\xbf"


@attrs.frozen
class Record:
    """One record.

    Attributes:
        line: the number of its first line, from 1.
        start: where it begins in the file, in bytes.
        end: where the next one begins.
        body: its bytes, the line break included if it has one.
        closed: whether it is complete as far as line breaks and quotes tell.
    """

    line: int
    start: int
    end: int
    body: bytes
    closed: bool


@attrs.frozen
class NewLine:
    """A record that is to be written. Its repr does not show the record.

    Attributes:
        body: its bytes, the line break included.
    """

    body: bytes = attrs.field(repr=False)


def records(file: BinaryIO, *, start: int, line: int, quoted: bool) -> Iterator[Record]:
    """Give the records of a file from a place on. Blank lines and a byte order mark are passed over.

    Args:
        file: is read from `start` on, record by record.
        start: where a record begins, in bytes.
        line: the number of that line.
        quoted: whether line breaks within double quotes belong to the record (CSV).
    """
    file.seek(start)
    if start == 0 and file.read(len(BOM)) == BOM:
        start = len(BOM)
    file.seek(start)
    while body := _next(file, quoted):
        end = start + len(body)
        if body.strip(b" \t\r\n"):
            closed = body.endswith(b"\n") and not (quoted and _is_open(body))
            yield Record(line, start, end, body, closed)
        line += body.count(b"\n")
        start = end


def _next(file: BinaryIO, quoted: bool) -> bytes:
    body = file.readline(LONGEST + 1)
    if not quoted or not _is_open(body):
        return body
    parts = [body]
    length, is_open = len(body), True
    while is_open and length <= LONGEST and (rest := file.readline(LONGEST + 1)):
        parts.append(rest)
        length += len(rest)
        is_open ^= _is_open(rest)
    return b"".join(parts)


def _is_open(body: bytes) -> bool:
    """Whether a quote is left open: RFC 4180 writes quotes within a cell twice."""
    return body.count(b'"') % 2 == 1
