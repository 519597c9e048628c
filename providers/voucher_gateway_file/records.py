"""Splits a file of vouchers into records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

import attrs

from voucher_gateway_file.formats import BOM

LONGEST: Final = 1 << 20
"""The maximum of bytes in a record, so that a quote that is not closed does not take a whole file."""


class Record(NamedTuple):
    """One record.

    Attributes:
        line: the number of its first line, from 1.
        start: the offset of its first byte in the file.
        end: the offset of the next record.
        body: its bytes, with the line break if there is one.
        closed: whether it ends with a line break, and every quote is closed.
    """

    line: int
    start: int
    end: int
    body: bytes
    closed: bool


@attrs.frozen
class NewLine:
    """A record to write. Its repr does not show the bytes.

    Attributes:
        body: its bytes, with the line break.
    """

    body: bytes = attrs.field(repr=False)


def iter_records(file: BinaryIO, *, start: int, line: int, quoted: bool) -> Iterator[Record]:
    """Yield the records of a file from an offset on, without blank lines and a byte order mark.

    Args:
        file: the file.
        start: the offset of a record, in bytes.
        line: the number of its line.
        quoted: whether a record can have line breaks within double quotes (CSV).
    """
    file.seek(start)
    if start == 0 and file.read(len(BOM)) == BOM:
        start = len(BOM)
    file.seek(start)
    while body := _read_record(file, quoted):
        end = start + len(body)
        if body.strip(b" \t\r\n"):
            closed = body.endswith(b"\n") and not (quoted and _is_open(body))
            yield Record(line, start, end, body, closed)
        line += body.count(b"\n")
        start = end


def _read_record(file: BinaryIO, quoted: bool) -> bytes:
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
    """Return whether a quote is not closed. RFC 4180 writes a quote within a cell twice."""
    return body.count(b'"') % 2 == 1


def first_line(record: Record) -> Record:
    """Return the first line of a record as a record."""
    body = record.body[: record.body.index(b"\n") + 1]
    return Record(record.line, record.start, record.start + len(body), body, closed=True)


def id_of_line(line: int) -> str:
    """Return the id of a voucher that has none: its line, which does not change unless the file is edited."""
    return f"line:{line}"


def endless_rule(record: Record, *, quoted: bool) -> str:
    """Return why a record has no end, in words; empty if it has one, or only no line break after it.

    Args:
        record: the record.
        quoted: whether a record can have line breaks within double quotes.
    """
    too_long = f"is longer than {LONGEST} bytes" if len(record.body) > LONGEST else ""
    if record.closed or not quoted or record.body.count(b'"') % 2 == 0:
        return too_long
    reason = f"{too_long}: " if too_long else ""
    return (
        f"{reason}a quote is opened in this line and not closed, so the lines after it would belong to the same cell;"
        " close the quote, or write it twice if it belongs to the text"
    )
