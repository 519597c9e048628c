"""The index of a file of vouchers: where its records are, and which of them has an id or a code.

A file is read through once before it is used, and every problem in it is reported at once. If the file only grew since,
only its new records are parsed: a digest of the indexed bytes shows that they are unchanged. A file that changed in
another way is read again. About 250 bytes a voucher are kept.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import attrs

from voucher_gateway.provider_api import Code, DuplicateCode, MalformedResponse, Voucher
from voucher_gateway_file.formats import FileFormat, file_error
from voucher_gateway_file.voucher_record import problems_of, voucher_from

LONGEST: Final = 1 << 20
"""The maximum of bytes in a record, so that a quote that is not closed does not take a whole file."""

BOM: Final = b"\xef\xbb\xbf"


@attrs.frozen
class Record:
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


MAX_PROBLEMS: Final = 200
"""The maximum of problems that are reported."""
_MAX_QUOTED: Final = 20
"""The maximum of problems in the message; `MalformedResponse.problems` has all."""


class FileIndex:
    """The index of one file. Use it in one thread at a time.

    Attributes:
        columns: the names of the columns, if the format has a header and the file is not empty.
        end: the offset of the end of the last complete record, in bytes.
        cut_off: the line of a last record that is incomplete and left out; None if there is none.
        masked: the line of a voucher whose code is masked; None if there is none.
        readable: the line of a voucher whose code is not masked; None if there is none.
    """

    columns: Sequence[str]
    end: int
    cut_off: int | None
    masked: int | None
    readable: int | None

    def __init__(self, account: str, form: FileFormat) -> None:
        """Make the index of an empty file.

        Args:
            account: the account's name.
            form: the file's format.
        """
        self._account = account
        self._form = form
        self.clear()

    def clear(self) -> None:
        """Make it the index of an empty file."""
        self.columns, self.end = (), 0
        self.cut_off = self.masked = self.readable = None
        self._line = 1
        self._starts = array("Q")
        self._lines = array("Q")
        self._ids: dict[str, int] = {}
        self._codes: dict[str, int] = {}  # plain text, half the size of `Code`; no repr shows it
        self._loaded: tuple[int, ...] = ()
        self._digest, self._digested = _new_digest(), 0

    def __len__(self) -> int:
        return len(self._starts)

    def refresh(self, file: BinaryIO) -> None:
        """Read the new records of a file that only grew, or a file that changed in another way. It must be locked.

        Raises:
            MalformedResponse: naming line and column of everything that is wrong with it.
        """
        state = _file_state(file)
        if self._loaded == state:
            return
        if not self._only_grew(file, state):
            self.clear()
        try:
            self._load(file)
            self._mark_loaded(file)
        except BaseException:
            self.clear()  # only a part of it was read
            raise

    def page(self, file: BinaryIO, first: int, count: int) -> list[Voucher]:
        """Return some vouchers in the order of the file."""
        last = min(first + count, len(self))
        if first >= last:
            return []
        begin = self._starts[first]
        body = os.pread(file.fileno(), self._end_of(last - 1) - begin, begin)
        return [
            self._voucher(body[self._starts[place] - begin : self._end_of(place) - begin], self._lines[place])
            for place in range(first, last)
        ]

    def with_id(self, file: BinaryIO, id: str) -> Voucher | None:
        """Return the voucher with an id."""
        place = self._ids.get(id)
        return None if place is None else self.page(file, place, 1)[0]

    def with_code(self, file: BinaryIO, code: Code) -> Voucher | None:
        """Return the voucher with a code."""
        place = self._codes.get(code.reveal())
        return None if place is None else self.page(file, place, 1)[0]

    def check_free(self, voucher: Voucher) -> None:
        """Check that no voucher of the file has the id or the code of this one.

        Raises:
            DuplicateCode: if another voucher has it.
        """
        for name, line in self._find_duplicates(voucher):
            raise DuplicateCode(f"duplicate {name}: line {line} has the same {name}")

    def add_appended(self, file: BinaryIO) -> None:
        """Add the record that this process appended under the lock, after a `refresh`."""
        self.cut_off = None
        for record in self._records(file):
            if self._form.header and not self.columns:
                self._add_header(record)
            else:
                self._add(record, self._voucher(record.body, record.line))
        self._mark_loaded(file)

    def _only_grew(self, file: BinaryIO, state: tuple[int, ...]) -> bool:
        """Return whether this is still the same file, and every line in the index is complete and unchanged."""
        if self._loaded[:2] != state[:2] or self.end == 0:
            return False
        if os.pread(file.fileno(), 1, self.end - 1) != b"\n":
            return False  # another program can have continued the last line
        digest = _new_digest()
        _update_digest(digest, file, 0, self.end)
        return digest.digest() == self._digest.digest()

    def _mark_loaded(self, file: BinaryIO) -> None:
        """Note that the index is up to date with the file."""
        _update_digest(self._digest, file, self._digested, self.end)
        self._digested = self.end
        self._loaded = _file_state(file)

    def _records(self, file: BinaryIO) -> Iterator[Record]:
        return iter_records(file, start=self.end, line=self._line, quoted=self._form.allows_quoted_line_breaks)

    def _load(self, file: BinaryIO) -> None:
        self.cut_off = None
        problems: list[str] = []
        for record in self._records(file):
            if not record.closed and self._form.could_be_cut_off(record.body) and not self._is_complete(record):
                self.cut_off = record.line
                break
            if self._form.header and not self.columns:
                self._add_header(record)
                continue
            if len(record.body) > LONGEST:
                problems.append(
                    problem_text(record.line, "", f"is longer than {LONGEST} bytes, or a quote is not closed")
                )
                break
            problems += self._read(record)
            if len(problems) >= MAX_PROBLEMS:
                problems.append("and perhaps more")
                break
        if problems:
            raise _malformed_error(problems)

    def _is_complete(self, record: Record) -> bool:
        """Return whether a record that ends without a line break is complete."""
        if self._form.header and not self.columns:
            return record.body == self._form.top().rstrip(b"\r\n")
        return not self._form.parse(record.body, self.columns)[1]

    def _read(self, record: Record) -> list[str]:
        """Add the voucher of a record, and return the record's problems."""
        given, problems = self._form.parse(record.body, self.columns)
        duplicates: list[tuple[str, int]] = []
        try:
            voucher = voucher_from(self._account, given, id=_id_of(record.line))
        except ExceptionGroup as group:
            problems += problems_of(group)
        else:
            if not problems:
                duplicates = self._find_duplicates(voucher)
                self._add(record, voucher)
        problems += [(name, f"duplicate {name}: line {line} has the same {name}") for name, line in duplicates]
        # One cell can be wrong for two fields: both amounts of a row have its one currency.
        return list(dict.fromkeys(problem_text(record.line, self._form.place(at), rule) for at, rule in problems))

    def _add_header(self, record: Record) -> None:
        self.columns = self._form.columns(record.body)
        self._pass(record)

    def _add(self, record: Record, voucher: Voucher) -> None:
        place = len(self)
        self._starts.append(record.start)
        self._lines.append(record.line)
        self._ids.setdefault(voucher.id, place)
        if voucher.code is not None:
            self._codes.setdefault(voucher.code.reveal(), place)
            self.readable = self.readable or record.line
        elif "code" in voucher.unread:
            self.masked = self.masked or record.line
        self._pass(record)

    def _pass(self, record: Record) -> None:
        self.end = record.end
        self._line = record.line + record.body.count(b"\n")

    def _find_duplicates(self, voucher: Voucher) -> list[tuple[str, int]]:
        """Return which of id and code another voucher has, and the line of that voucher."""
        places = {"id": self._ids.get(voucher.id)}
        if voucher.code is not None:
            places["code"] = self._codes.get(voucher.code.reveal())
        return [(name, self._lines[place]) for name, place in places.items() if place is not None]

    def _end_of(self, place: int) -> int:
        return self._starts[place + 1] if place + 1 < len(self) else self.end

    def _voucher(self, body: bytes, line: int) -> Voucher:
        given, _ = self._form.parse(body, self.columns)  # a record with problems is not in the index
        return voucher_from(self._account, given, id=_id_of(line))


def problem_text(line: int, where: str, rule: str) -> str:
    """Return the sentence about a problem."""
    return f"line {line}{where and f', {where}'}: {rule}"


def _id_of(line: int) -> str:
    """Return the id of a voucher that has none: its line, which does not change unless the file is edited."""
    return f"line:{line}"


def _file_state(file: BinaryIO) -> tuple[int, ...]:
    """Return what changes whenever the file is replaced, appended to or edited."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _update_digest(digest: hashlib.blake2b, file: BinaryIO, start: int, end: int) -> None:
    """Add some bytes of a file to a digest."""
    while start < end and (chunk := os.pread(file.fileno(), min(end - start, LONGEST), start)):
        digest.update(chunk)
        start += len(chunk)


def _malformed_error(problems: Sequence[str]) -> MalformedResponse:
    rest = f"; and {len(problems) - _MAX_QUOTED} more" if len(problems) > _MAX_QUOTED else ""
    return file_error(f"the file has problems: {'; '.join(problems[:_MAX_QUOTED])}{rest}", problems)
