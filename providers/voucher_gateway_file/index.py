"""The index of a file of vouchers: where its records are, and which of them has an id or a code.

A file is read through once before it is used, and all its problems are reported together. If the file only grew since,
only its new records are parsed: a digest of the indexed bytes shows that they are unchanged. A file that changed in
another way is read again. About 80 bytes a voucher are kept.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from voucher_gateway.provider_api import Code, DuplicateCode, UnreadableEntry, Voucher
from voucher_gateway_file.formats import FileFormat
from voucher_gateway_file.place_map import PlaceMap
from voucher_gateway_file.problems import ProblemList
from voucher_gateway_file.records import LONGEST, Record, first_line, iter_records
from voucher_gateway_file.voucher_record import ParsedRecord, Problem, make_voucher

_SAMPLE: Final = 1000
"""The number of records from which the form of a file is guessed."""
_BLOCK: Final = 1 << 16
"""The number of bytes of a file that are indexed at once, if each line in them is a record without a problem."""
_REPORT_EVERY: Final = 1000
"""The number of records after which the progress is reported."""


class FileIndex:
    """The index of one file. Use it in one thread at a time.

    Attributes:
        form: the format of the file, as far as it was read.
        columns: the fields of the columns, if the format has a header and the file is not empty.
        header: the header; empty if the file has none.
        end: the offset of the end of the last complete record, in bytes.
        cut_off: the line of a last record that is incomplete and left out, or None.
        masked: the line of a voucher whose code is masked, or None.
        readable: the line of a voucher whose code is not masked, or None.
        on_read: is called repeatedly with the number of records that were read, and with the number that the file has
            in all, estimated by its size; None for no such calls.
        unreadable: why a record cannot be read, by its place, if such records are passed over.
    """

    form: FileFormat
    columns: Sequence[str]
    header: bytes
    end: int
    cut_off: int | None
    masked: int | None
    readable: int | None

    unreadable: dict[int, str]

    def __init__(
        self, account: str, form: FileFormat, problems: Path | None = None, *, skips_unreadable: bool = False
    ) -> None:
        """Make the index of an empty file.

        Args:
            account: the account's name.
            form: the format of a new file.
            problems: the file that lists all problems; None for no such file.
            skips_unreadable: whether records that cannot be read are passed over. Otherwise the file is refused.
        """
        self._skips_unreadable = skips_unreadable
        self._account = account
        self._new_form = form
        self._problems_path = problems
        self.on_read: Callable[[int, int], None] | None = None
        self.clear()

    def clear(self) -> None:
        """Make it the index of an empty file."""
        self.form = self._new_form
        self.columns, self.header, self.end = (), b"", 0
        self.cut_off = self.masked = self.readable = None
        self._line = 1
        self._starts = array("Q")
        self._lines = array("Q")
        self._ids = PlaceMap()
        self._codes = PlaceMap()
        self.unreadable = {}
        self._duplicated: list[tuple[int, Problem]] = []
        self._loaded: tuple[int, ...] = ()
        self._digest, self._digested = _new_digest(), 0

    def __len__(self) -> int:
        return len(self._starts)

    def refresh(self, file: BinaryIO) -> None:
        """Read the new records of a file that only grew, or a file that changed in another way. It must be locked.

        Raises:
            MalformedFile: naming line and column of everything that is wrong with it.
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

    def page(self, file: BinaryIO, first: int, count: int) -> list[Voucher | UnreadableEntry]:
        """Return some vouchers in the order of the file."""
        last = min(first + count, len(self))
        if first >= last:
            return []
        begin = self._starts[first]
        body = os.pread(file.fileno(), self._end_of(last - 1) - begin, begin)
        if b'"' not in body and not self.unreadable:
            parsed = self.form.read_rows(body, last - first, self.columns)
            if parsed is not None:
                lines = self._lines[first:last]
                return [
                    make_voucher(self._account, record, id=_id_of(line))
                    for record, line in zip(parsed, lines, strict=True)
                ]
        return [
            self._unreadable_entry(place)
            if place in self.unreadable
            else self._voucher(body[self._starts[place] - begin : self._end_of(place) - begin], self._lines[place])
            for place in range(first, last)
        ]

    def _unreadable_entry(self, place: int) -> UnreadableEntry:
        return UnreadableEntry.of(None, (self.unreadable[place],), id=_id_of(self._lines[place]))

    def with_id(self, file: BinaryIO, id: str) -> Voucher | None:
        """Return the voucher with an id."""
        vouchers = self._readable(file, self._ids.candidates(id))
        return next((voucher for voucher in vouchers if voucher.id == id), None)

    def with_code(self, file: BinaryIO, code: Code) -> Voucher | None:
        """Return the voucher with a code."""
        vouchers = self._readable(file, self._codes.candidates(code.reveal()))
        return next((voucher for voucher in vouchers if voucher.code == code), None)

    def _readable(self, file: BinaryIO, places: Iterable[int]) -> Iterator[Voucher]:
        entries = (self.page(file, place, 1)[0] for place in places)
        return (entry for entry in entries if not isinstance(entry, UnreadableEntry))

    def check_free(self, file: BinaryIO, voucher: Voucher) -> None:
        """Check that no voucher of the file has the id or the code of this one.

        Raises:
            DuplicateCode: if another voucher has it.
        """
        places = {"id": self._place_of(file, self._ids, "id", voucher.id)}
        if voucher.code is not None:
            places["code"] = self._place_of(file, self._codes, "code", voucher.code.reveal())
        for name, place in places.items():
            if place is not None:
                raise DuplicateCode(f"duplicate {name}: line {self._lines[place]} has the same {name}")

    def add_appended(self, file: BinaryIO) -> None:
        """Add the record that this process appended under the lock, after a `refresh`."""
        self.cut_off = None
        for record in self._records(file):
            if self.form.header and not self.columns:
                self._add_header(file, record)
            else:
                self._add(file, record, self.form.read(record.body, self.columns))
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
        return iter_records(file, start=self.end, line=self._line, quoted=self.form.allows_quoted_line_breaks)

    def _load(self, file: BinaryIO) -> None:
        self.cut_off = None
        with ProblemList(self._problems_path) as problems:
            records, slow_until = self._records(file), 0
            while True:
                if self.columns and self.end >= slow_until:
                    if self._load_block(file, problems):
                        continue
                    records, slow_until = self._records(file), self.end + _BLOCK
                record = next(records, None)
                if record is None:
                    break
                if not record.closed and self._is_cut_off(record):
                    self.cut_off = record.line
                    break
                if self.form.header and not self.columns:
                    self._add_header(file, record)
                    continue
                if rule := self._endless_rule(record):
                    problems.add(record.line, [("", rule)])
                    self._note_unreadable(self._append_place(record), [("", rule)])
                    if b"\n" not in record.body:
                        self._pass(record)
                        break
                    self._pass(first_line(record))  # the next line may be a record again
                    records = self._records(file)
                    continue
                parsed = self.form.read(record.body, self.columns)
                # A record with problems is in the index too, so that the lines with the same code are found.
                rules = [*parsed.problems, *self._add(file, record, parsed)]
                if rules:
                    self._add_problems(problems, len(self) - 1, rules)
                if not len(self) % _REPORT_EVERY:
                    self._report(file)
            for place, (at, rule) in self._duplicated:  # which of both is right is not known
                self._note_unreadable(place, [(self.form.place(at), rule)])
            self._duplicated.clear()
            if len(self.unreadable) == len(self) or not self._skips_unreadable:
                problems.raise_if_any()

    def _load_block(self, file: BinaryIO, problems: ProblemList) -> bool:
        """Add the complete lines of the next block, if each is a record without a problem. Return whether it is so."""
        body = os.pread(file.fileno(), _BLOCK, self.end)
        body = body[: body.rfind(b"\n") + 1]
        if not body or b'"' in body:
            return False
        lengths = [len(line) + 1 for line in body[:-1].split(b"\n")]
        names = self.form.names_of_rows(body, len(lengths), self.columns)
        if names is None:
            return False
        for (id, code), length in zip(names, lengths, strict=True):
            line, before = self._line, len(self)
            self._starts.append(self.end)
            self._lines.append(line)
            self.end += length
            self._line += 1
            if rules := self._add_names(file, before, line, id, code):
                self._add_problems(problems, before, rules)
        self._report(file)
        return True

    def _report(self, file: BinaryIO) -> None:
        """Report how many records were read."""
        if self.on_read is not None:
            count, size = len(self), os.fstat(file.fileno()).st_size
            self.on_read(count, max(count, count * size // self.end))

    def _add_problems(self, problems: ProblemList, place: int, rules: Sequence[Problem]) -> None:
        # One cell can be wrong for two fields: both amounts of a row have its one currency.
        rules = list(dict.fromkeys((self.form.place(at), rule) for at, rule in rules))
        problems.add(self._lines[place], rules)
        self._note_unreadable(place, rules)

    def _note_unreadable(self, place: int, rules: Sequence[Problem]) -> None:
        if self._skips_unreadable:
            text = "; ".join(f"{at}{at and ': '}{rule}" for at, rule in rules)
            self.unreadable.setdefault(place, text)

    def _is_cut_off(self, record: Record) -> bool:
        """Return whether a record that is not closed is the part of a record that a killed writer left."""
        if len(record.body) > LONGEST or not self.form.could_be_cut_off(record.body) or self._is_complete(record):
            return False
        return not self.form.has_later_rows(record.body, self.columns)

    def _is_complete(self, record: Record) -> bool:
        """Return whether a record that ends without a line break is complete."""
        if self.form.header and not self.columns:
            return record.body == self.form.top().rstrip(b"\r\n")
        return not self.form.read(record.body, self.columns).problems

    def _endless_rule(self, record: Record) -> str:
        """Return why a record has no end, in words; empty if it has one, or only no line break after it."""
        too_long = f"is longer than {LONGEST} bytes" if len(record.body) > LONGEST else ""
        if record.closed or not self.form.allows_quoted_line_breaks or record.body.count(b'"') % 2 == 0:
            return too_long
        reason = f"{too_long}: " if too_long else ""
        return (
            f"{reason}a quote is opened in this line and not closed, so the lines after it would belong to the same"
            " cell; close the quote, or write it twice if it belongs to the text"
        )

    def _add_header(self, file: BinaryIO, record: Record) -> None:
        following = iter_records(file, start=record.end, line=record.line, quoted=self.form.allows_quoted_line_breaks)
        self.form = self._new_form.adapt_to_file(record.body, [other.body for other in islice(following, _SAMPLE)])
        file.seek(record.end)
        self.columns = self.form.columns(record.body)
        self.header = record.body
        self._pass(record)

    def _add(self, file: BinaryIO, record: Record, parsed: ParsedRecord) -> list[Problem]:
        """Add a record. Return problems that say which earlier line has the same id or code."""
        code, place = parsed.fields.get("code"), self._append_place(record)
        self._pass(record)
        if code is None and parsed.given.get("code") is not None:
            self.masked = self.masked or record.line
        text = None if code is None else code.reveal()
        return self._add_names(file, place, record.line, parsed.fields.get("id"), text)

    def _add_names(self, file: BinaryIO, place: int, line: int, id: str | None, code: str | None) -> list[Problem]:
        id = id or _id_of(line)
        problems: list[Problem] = []
        if (earlier := self._ids.add(id, place)) is not None:
            problems += self._duplicate(file, self._ids, "id", id, place, earlier)
        if code is not None:
            self.readable = self.readable or line
            if (earlier := self._codes.add(code, place)) is not None:
                problems += self._duplicate(file, self._codes, "code", code, place, earlier)
        return problems

    def _append_place(self, record: Record) -> int:
        self._starts.append(record.start)
        self._lines.append(record.line)
        return len(self._starts) - 1

    def _duplicate(
        self, file: BinaryIO, places: PlaceMap, name: str, text: str, place: int, earlier: int | None
    ) -> list[Problem]:
        """Return the problem of a second record with an id or code. Another text with the same hash is added.

        Args:
            file: the file.
            places: the map of the ids or of the codes.
            name: ``id`` or ``code``.
            text: the id or the code.
            place: the place of the record.
            earlier: the place of an earlier record that may have the same one, or None.
        """
        unequal = 0
        while earlier is not None:
            if self._text_at(file, earlier, name) == text:
                if self._skips_unreadable:
                    rule = f"duplicate {name}: line {self._lines[place]} has the same {name}"
                    self._duplicated.append((earlier, (name, rule)))
                return [(name, f"duplicate {name}: line {self._lines[earlier]} has the same {name}")]
            unequal += 1
            earlier = places.add(text, place, unequal=unequal)
        return []

    def _text_at(self, file: BinaryIO, place: int, name: str) -> str | None:
        """Return the id or code of the record at a place."""
        begin, end = self._starts[place], self._end_of(place)
        fields = self.form.read(os.pread(file.fileno(), end - begin, begin), self.columns).fields
        if name == "id":
            return fields.get("id") or _id_of(self._lines[place])
        code = fields.get("code")
        return None if code is None else code.reveal()

    def _place_of(self, file: BinaryIO, places: PlaceMap, name: str, text: str) -> int | None:
        """Return the place of the record with an id or code, or None."""
        return next((place for place in places.candidates(text) if self._text_at(file, place, name) == text), None)

    def _pass(self, record: Record) -> None:
        self.end = record.end
        self._line = record.line + record.body.count(b"\n")

    def _end_of(self, place: int) -> int:
        return self._starts[place + 1] if place + 1 < len(self._starts) else self.end

    def _voucher(self, body: bytes, line: int) -> Voucher:
        return make_voucher(self._account, self.form.read(body, self.columns), id=_id_of(line))


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
