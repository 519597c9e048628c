"""The index of a file of vouchers: where its records are, and which of them has an id or a code.

A file is read through once before it is used, and all its problems are reported together. If the file only grew since,
only its new records are parsed: a digest of the indexed bytes shows that they are unchanged. A file that changed in
another way is read again. 12 bytes a voucher are kept; some 70 more once a voucher is looked for.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import BinaryIO, Final

from voucher_gateway.provider_api import Code, DuplicateCode, UnreadableEntry, Voucher
from voucher_gateway_file.cut_off import is_cut_off
from voucher_gateway_file.file_state import FileState
from voucher_gateway_file.formats import FileFormat
from voucher_gateway_file.problems import ProblemList
from voucher_gateway_file.records import Record, endless_rule, first_line, id_of_line, iter_records
from voucher_gateway_file.text_index import TextIndex
from voucher_gateway_file.voucher_record import ParsedRecord, Problem, make_voucher

_SAMPLE: Final = 1000
"""The number of records from which the form of a file is guessed."""
_BLOCK: Final = 1 << 16
"""The number of bytes of a file that are indexed at once, if each line in them is a record without a problem."""
_SMALL_BLOCK: Final = 1 << 10
"""The number of bytes whose records are indexed one by one, after a record with a problem."""
_REPORT_EVERY: Final = 1000
"""The number of records after which progress is reported, and whose ids and codes are read again at once."""


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
        self._lines = array("I")
        self._ids = TextIndex()
        self._codes = TextIndex()
        self.unreadable = {}
        self._duplicated: list[tuple[int, Problem]] = []
        self._state = FileState()

    def __len__(self) -> int:
        return len(self._starts)

    def refresh(self, file: BinaryIO) -> None:
        """Read the new records of a file that only grew, or a file that changed in another way. It must be locked.

        Raises:
            MalformedFile: naming line and column of everything that is wrong with it.
        """
        if self._state.is_same(file):
            return
        if not self._state.only_grew(file, self.end):
            self.clear()
        try:
            self._load(file)
            self._state.note(file, self.end)
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
        if not (self.unreadable and any(place in self.unreadable for place in range(first, last))):
            parsed = self.form.read_rows(body, last - first, self.columns)
            if parsed is not None:
                lines = self._lines[first:last]
                return [
                    make_voucher(self._account, record, id=id_of_line(line))
                    for record, line in zip(parsed, lines, strict=True)
                ]
        return [
            UnreadableEntry.of(None, (self.unreadable[place],), id=id_of_line(self._lines[place]))
            if place in self.unreadable
            else make_voucher(
                self._account,
                self.form.read(body[self._starts[place] - begin : self._end_of(place) - begin], self.columns),
                id=id_of_line(self._lines[place]),
            )
            for place in range(first, last)
        ]

    def with_id(self, file: BinaryIO, id: str) -> Voucher | None:
        """Return the voucher with an id."""
        self._complete_places(file)
        vouchers = self._readable(file, self._ids.candidates(id))
        return next((voucher for voucher in vouchers if voucher.id == id), None)

    def with_code(self, file: BinaryIO, code: Code) -> Voucher | None:
        """Return the voucher with a code."""
        self._complete_places(file)
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
        self._complete_places(file)
        places = {"id": self._place_of(file, self._ids, "id", voucher.id)}
        if voucher.code is not None:
            places["code"] = self._place_of(file, self._codes, "code", voucher.code.reveal())
        for name, place in places.items():
            if place is not None:
                raise DuplicateCode(f"duplicate {name}: line {self._lines[place]} has the same {name}")

    def add_appended(self, file: BinaryIO) -> None:
        """Add the record that this process appended under the lock, after a `refresh`."""
        self.cut_off = None
        self._complete_places(file)
        for record in self._records(file):
            if self.form.header and not self.columns:
                self._add_header(file, record)
            else:
                self._add(file, record, self.form.read(record.body, self.columns))
        self._state.note(file, self.end)

    def _records(self, file: BinaryIO) -> Iterator[Record]:
        return iter_records(file, start=self.end, line=self._line, quoted=self.form.allows_quoted_line_breaks)

    def _load(self, file: BinaryIO) -> None:
        if self.end:
            self._complete_places(file)
        elif (suspects := self._load_new(file)) is None:
            return
        else:
            self.clear()
            self._ids.watch(suspects[0])
            self._codes.watch(suspects[1])
        with ProblemList(self._problems_path) as problems:
            self._read_records(file, problems)
            for place, (at, rule) in self._duplicated:  # which of both is right is not known
                self._note_unreadable(place, [(self.form.place(at), rule)])
            self._duplicated.clear()
            self._raise_problems(problems)

    def _load_new(self, file: BinaryIO) -> tuple[set[int], set[int]] | None:
        """Read a file for the first time. Return the digests of ids and of codes that come twice; None if none does."""
        with (
            ProblemList(self._problems_path) as problems,
            self._ids.compare_digests(),
            self._codes.compare_digests(),
        ):
            self._read_records(file, problems)
            ids, codes = self._ids.find_suspects(), self._codes.find_suspects()
            if ids or codes:
                return ids, codes
            self._raise_problems(problems)
        return None

    def _raise_problems(self, problems: ProblemList) -> None:
        if len(self.unreadable) == len(self) or not self._skips_unreadable:
            problems.raise_if_any()

    def _read_records(self, file: BinaryIO, problems: ProblemList) -> None:
        self.cut_off = None
        records, slow_until = self._records(file), 0
        size, span = _BLOCK, _SMALL_BLOCK
        while True:
            if self.columns and self.end >= slow_until:
                if self._load_block(file, problems, size):
                    size, span = min(4 * size, _BLOCK), _SMALL_BLOCK
                    continue
                if size > span:  # look for the record with a problem in smaller blocks
                    size //= 4
                    continue
                records, slow_until = self._records(file), self.end + span
                size = span = min(2 * span, _BLOCK)
            record = next(records, None)
            if record is None:
                break
            if not record.closed and is_cut_off(record, self.form, self.columns):
                self.cut_off = record.line
                break
            if self.form.header and not self.columns:
                self._add_header(file, record)
                continue
            if rule := endless_rule(record, quoted=self.form.allows_quoted_line_breaks):
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

    def _load_block(self, file: BinaryIO, problems: ProblemList, size: int) -> bool:
        """Add the complete lines of the next bytes, if each is a record without a problem. Return whether it is so."""
        body = os.pread(file.fileno(), size, self.end)
        body = body[: body.rfind(b"\n") + 1]
        if not body:
            return False
        lengths = [len(line) + 1 for line in body[:-1].split(b"\n")]
        names = self.form.names_of_rows(body, len(lengths), self.columns)
        if names is None:
            return False
        first, line, start = len(self), self._line, self.end
        starts = list(accumulate(lengths, initial=start))
        self.end = starts.pop()
        self._starts.extend(starts)
        self._lines.extend(range(line, line + len(lengths)))
        self._line += len(lengths)
        ids = [id or id_of_line(number) for number, (id, _) in enumerate(names, line)]
        codes = [code for _, code in names]
        self.readable = self.readable or next((at for at, code in enumerate(codes, line) if code is not None), None)
        alike = [(place, 0, earlier, text) for place, earlier, text in self._ids.add_all(ids, first)]
        alike += [(place, 1, earlier, text) for place, earlier, text in self._codes.add_all(codes, first)]
        rules: dict[int, list[Problem]] = {}
        for place, kind, earlier, text in sorted(alike):
            index, name = ((self._ids, "id"), (self._codes, "code"))[kind]
            rules.setdefault(place, []).extend(self._duplicate(file, index, name, text, place, earlier))
        for place in filter(rules.get, rules):
            self._add_problems(problems, place, rules[place])
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
        id = id or id_of_line(line)
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
        self, file: BinaryIO, places: TextIndex, name: str, text: str, place: int, earlier: int | None
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
            return fields.get("id") or id_of_line(self._lines[place])
        code = fields.get("code")
        return None if code is None else code.reveal()

    def _complete_places(self, file: BinaryIO) -> None:
        """Make the places of all ids and codes known. It reads the file again, once, when the first one is needed."""
        if self._ids.is_complete and self._codes.is_complete:
            return
        self._ids.forget()
        self._codes.forget()
        for first in range(0, len(self), _REPORT_EVERY):
            for place, (id, code) in enumerate(self._names(file, first, min(first + _REPORT_EVERY, len(self))), first):
                self._ids.insert(id or id_of_line(self._lines[place]), place)
                if code is not None:
                    self._codes.insert(code, place)
        self._ids.is_complete = self._codes.is_complete = True

    def _names(self, file: BinaryIO, first: int, last: int) -> Sequence[tuple[str | None, str | None]]:
        """Return the ids and the codes of some records."""
        begin = self._starts[first]
        body = os.pread(file.fileno(), self._end_of(last - 1) - begin, begin)
        return self.form.names_of_rows(body, last - first, self.columns) or [
            (self._text_at(file, place, "id"), self._text_at(file, place, "code")) for place in range(first, last)
        ]

    def _place_of(self, file: BinaryIO, places: TextIndex, name: str, text: str) -> int | None:
        """Return the place of the record with an id or code, or None."""
        return next((place for place in places.candidates(text) if self._text_at(file, place, name) == text), None)

    def _pass(self, record: Record) -> None:
        self.end = record.end
        self._line = record.line + record.body.count(b"\n")

    def _end_of(self, place: int) -> int:
        return self._starts[place + 1] if place + 1 < len(self._starts) else self.end
