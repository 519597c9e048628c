"""What is known of a file: where its records are, and where each id and code is.

A file is read through once before anything else is done with it, and everything that is wrong with it is said at once.
After that only what was appended is read; a file that was changed otherwise is read anew. Kept are two numbers a
voucher and a hash each of its id and code: about 250 bytes (see docs/files.md).
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, Protocol

from voucher_gateway.provider_api import DuplicateCode, MalformedResponse, Voucher
from voucher_gateway_file.records import LONGEST, Record, records
from voucher_gateway_file.voucher_record import Object, Problem, problems_of, voucher_from


def mistaken(message: str, problems: Sequence[str]) -> MalformedResponse:
    """Return the error of a file whose owner has to mend it: no vendor and no adapter is at fault."""
    error = MalformedResponse(message, problems=tuple(problems))
    error.add_note("Mend the file where it says so, then give the same command again.")
    return error


MOST_PROBLEMS: Final = 200
"""So many are looked for in a file."""
_SHOWN: Final = 20
"""So many of them the message itself names; `MalformedResponse.problems` has them all."""
_TAIL: Final = 256
"""So many bytes before the end of what is known must be as they were, or the file is another."""


class FileFormat(Protocol):
    """One of the two forms of a file."""

    @property
    def allows_quoted_line_breaks(self) -> bool:
        """Whether line breaks within double quotes belong to a record."""
        ...

    @property
    def header(self) -> bool:
        """Whether a file begins with the names of its columns."""
        ...

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the names of the columns that a header tells of."""
        ...

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:
        """Return the object of a record, and what is wrong with it."""
        ...

    def place(self, where: str) -> str:
        """Return what people call a place in an object."""
        ...

    def could_be_cut_off(self, body: bytes) -> bool:
        """Whether this can be the beginning of a record that we were killed over while writing it."""
        ...

    def top(self) -> bytes:
        """Return what a new file begins with."""
        ...

    def line(self, given: Object, columns: Sequence[str]) -> bytes:
        """Return an object as a record."""
        ...


class FileIndex:
    """What is known of one file. Belongs to one thread at a time.

    Attributes:
        columns: the names of its columns, if the form has a header and the file is not empty.
        end: where the last record ends that counts, in bytes.
        torn: the line of a last record that was cut off, which counts for nothing; None if there is none.
        masked: the line of a voucher whose code is masked; None if there is none.
        plain: the line of a voucher whose code is not; None if there is none.
    """

    columns: Sequence[str]
    end: int
    torn: int | None
    masked: int | None
    plain: int | None

    def __init__(self, account: str, form: FileFormat, hashed: Callable[[str], int] = hash) -> None:
        """Begin with an empty file.

        Args:
            account: the account's name.
            form: the file's form.
            hashed: makes a number of an id or a code. Python's own is keyed anew in each process.
        """
        self._account = account
        self._form = form
        self._hashed = hashed
        self.forget()

    def forget(self) -> None:
        """Begin anew, with an empty file."""
        self.columns, self.end = (), 0
        self.torn = self.masked = self.plain = None
        self._line = 1
        self._starts = array("Q")
        self._lines = array("Q")
        self._ids = _Places(self._hashed)
        self._codes = _Places(self._hashed)
        self._tail = b""
        self._seen: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._starts)

    def refresh(self, file: BinaryIO) -> None:
        """Read what is new in the file, which must be locked.

        Raises:
            MalformedResponse: naming line and column of everything that is wrong with it.
        """
        status = os.fstat(file.fileno())
        if self.is_fresh(status):
            return
        if not self._goes_on(file, status):
            self.forget()
        try:
            self._read(file)
        except BaseException:
            self.forget()  # only half of it is known
            raise
        self._settle(file)

    def is_fresh(self, status: os.stat_result) -> bool:
        """Whether all is known of the file that this is told of."""
        return self._seen == _state(status)

    def page(self, file: BinaryIO, first: int, count: int) -> list[Voucher]:
        """Return some vouchers in the order of the file."""
        last = min(first + count, len(self))
        if first >= last:
            return []
        begin = self._starts[first]
        together = os.pread(file.fileno(), self._end_of(last - 1) - begin, begin)
        return [
            self._voucher(together[self._starts[place] - begin : self._end_of(place) - begin], self._lines[place])
            for place in range(first, last)
        ]

    def with_id(self, file: BinaryIO, id: str) -> Voucher | None:
        """Return the voucher with an id."""
        return next((hit for _, hit in self._hits(file, self._ids, id) if hit.id == id), None)

    def with_code(self, file: BinaryIO, code: str) -> Voucher | None:
        """Return the voucher with a code."""
        return next((hit for _, hit in self._hits(file, self._codes, code) if _text_of(hit) == code), None)

    def check_free(self, file: BinaryIO, voucher: Voucher) -> None:
        """Make sure that neither the id nor the code of a voucher is taken.

        Raises:
            DuplicateCode: if one is.
        """
        if taken := self._find_duplicates(file, voucher):
            raise DuplicateCode(f"the {taken[0][0]} is that of line {taken[0][1]} already")

    def note_append(self, file: BinaryIO) -> None:
        """Note that a record was appended, under the lock, after a `refresh`."""
        self.torn = None
        for record in records(file, start=self.end, line=self._line, quoted=self._form.allows_quoted_line_breaks):
            if self._form.header and not self.columns:
                self.columns = self._form.columns(record.body)
                self._pass(record)
            else:
                self._note(record, self._voucher(record.body, record.line))
        self._settle(file)

    def _settle(self, file: BinaryIO) -> None:
        """Note how the file is, now that all is known of it."""
        start = max(0, self.end - _TAIL)
        self._tail = os.pread(file.fileno(), self.end - start, start)
        self._seen = _state(os.fstat(file.fileno()))

    def _goes_on(self, file: BinaryIO, status: os.stat_result) -> bool:
        """Whether the file is the one that is known, with more at its end."""
        if self._seen[:2] != _state(status)[:2] or status.st_size < self.end:
            return False
        return os.pread(file.fileno(), len(self._tail), self.end - len(self._tail)) == self._tail

    def _read(self, file: BinaryIO) -> None:
        self.torn = None
        problems: list[str] = []
        for record in records(file, start=self.end, line=self._line, quoted=self._form.allows_quoted_line_breaks):
            if not record.closed and self._form.could_be_cut_off(record.body) and not self._is_whole(record):
                self.torn = record.line
                break
            if self._form.header and not self.columns:
                self.columns = self._form.columns(record.body)
                self._pass(record)
                continue
            if len(record.body) > LONGEST:
                problems.append(
                    problem_text(record.line, "", f"is longer than {LONGEST} bytes, or leaves a quote open")
                )
                break
            problems += self._take(file, record)
            if len(problems) >= MOST_PROBLEMS:
                problems.append("and perhaps more")
                break
        if problems:
            raise _malformed_error(problems)

    def _is_whole(self, record: Record) -> bool:
        """Whether a record that ends without a line break is all there."""
        if self._form.header and not self.columns:
            return record.body == self._form.top().rstrip(b"\r\n")
        return not self._form.parse(record.body, self.columns)[1]

    def _take(self, file: BinaryIO, record: Record) -> list[str]:
        """Learn of one voucher, or return what is wrong with it."""
        given, wrong = self._form.parse(record.body, self.columns)
        taken: list[tuple[str, int]] = []
        try:
            voucher = voucher_from(self._account, given, id=_id_of(record.line))
        except ExceptionGroup as group:
            wrong += problems_of(group)
        else:
            if not wrong:
                taken = self._find_duplicates(file, voucher)
                self._note(record, voucher)
        wrong += [(name, f"is that of line {line} already") for name, line in taken]
        # One cell can be wrong for two fields: both amounts of a row have its one currency.
        return list(dict.fromkeys(problem_text(record.line, self._form.place(where), rule) for where, rule in wrong))

    def _note(self, record: Record, voucher: Voucher) -> None:
        place = len(self)
        self._starts.append(record.start)
        self._lines.append(record.line)
        self._ids.add(voucher.id, place)
        if (code := _text_of(voucher)) is not None:
            self._codes.add(code, place)
            self.plain = self.plain or record.line
        elif "code" in voucher.unread:
            self.masked = self.masked or record.line
        self._pass(record)

    def _pass(self, record: Record) -> None:
        self.end = record.end
        self._line = record.line + record.body.count(b"\n")

    def _find_duplicates(self, file: BinaryIO, voucher: Voucher) -> list[tuple[str, int]]:
        """Return which of id and code are another voucher's already, and the line of that."""
        taken = [("id", line) for line, hit in self._hits(file, self._ids, voucher.id) if hit.id == voucher.id]
        if (code := _text_of(voucher)) is not None:
            taken += [("code", line) for line, hit in self._hits(file, self._codes, code) if _text_of(hit) == code]
        return taken

    def _hits(self, file: BinaryIO, places: _Places, text: str) -> list[tuple[int, Voucher]]:
        """Return the vouchers whose id or code has the hash of a text, with their lines."""
        return [(self._lines[place], self.page(file, place, 1)[0]) for place in places.of(text)]

    def _end_of(self, place: int) -> int:
        return self._starts[place + 1] if place + 1 < len(self) else self.end

    def _voucher(self, body: bytes, line: int) -> Voucher:
        given, _ = self._form.parse(body, self.columns)  # nothing was wrong with it when it was read first
        return voucher_from(self._account, given, id=_id_of(line))


class _Places:
    """Where texts are, by their hashes."""

    def __init__(self, hashed: Callable[[str], int]) -> None:
        self._hashed = hashed
        self._first: dict[int, int] = {}
        self._more: dict[int, list[int]] = {}

    def add(self, text: str, place: int) -> None:
        """Note that a text is at a place."""
        number = self._hashed(text)
        if self._first.setdefault(number, place) != place:
            self._more.setdefault(number, []).append(place)

    def of(self, text: str) -> list[int]:
        """Return where a text may be: it has the same hash as what is there."""
        number = self._hashed(text)
        first = self._first.get(number)
        return [] if first is None else [first, *self._more.get(number, ())]


def problem_text(line: int, where: str, rule: str) -> str:
    """Return the sentence about something that is wrong."""
    return f"line {line}{where and f', {where}'}: {rule}"


def _id_of(line: int) -> str:
    """Return the id of a voucher that has none of its own: its line, which stays the same as long as nobody edits."""
    return f"line:{line}"


def _text_of(voucher: Voucher) -> str | None:
    return None if voucher.code is None else voucher.code.reveal()


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _malformed_error(problems: Sequence[str]) -> MalformedResponse:
    rest = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return mistaken(f"the file is not in order: {'; '.join(problems[:_SHOWN])}{rest}", problems)
