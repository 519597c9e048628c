"""Files of CSV: rows with flat columns, in the form that the settings give or that is guessed."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import InvalidRequest
from voucher_gateway_file.csv_cells import (
    FREE_TEXTS,
    READ,
    REPEATED,
    WRITE,
    CellCache,
    are_amounts,
    is_special,
    plain_amount,
    read_amount,
    reader_of,
)
from voucher_gateway_file.csv_form import (
    AMOUNTS,
    COLUMNS,
    INSTANTS,
    LEFT_OUT,
    WRITTEN,
    CsvForm,
    UnclearForm,
    guess_date_order,
    guess_decimal_comma,
    guess_delimiter,
)
from voucher_gateway_file.dates import read_date
from voucher_gateway_file.formats import BOM, file_error
from voucher_gateway_file.formula_cells import escape_formula, unescape_formula
from voucher_gateway_file.settings import FileSettings
from voucher_gateway_file.voucher_record import (
    LIKE_A_NAME,
    MASKED,
    FieldProblem,
    Object,
    ParsedRecord,
    Problem,
    read_object,
)

# A part of a row that we write, with every cell in quotes; the delimiter is any of ours.
_OURS: Final = re.compile(rb'(?:"(?:[^"]|"")*+"[,;|\t])*+(?:"(?:[^"]|"")*+"?\r?)?\x00*')

_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


class CsvFormat:
    """Reads and writes rows of CSV: RFC 4180, a header, and flat columns.

    The amounts have a column each, ``initial`` and ``remaining``, and share one column ``currency``. A ``validity`` is
    text such as ``3 years``, a flag is ``true`` or ``false``, ``metadata`` is a JSON value and ``links`` a JSON object.
    An empty cell is a field that is not known. Every cell is written in quotes, and a spreadsheet does not read it as a
    formula (`escape_formula`).
    """

    allows_quoted_line_breaks: Final = True
    header: Final = True

    def __init__(self, settings: FileSettings | None = None, form: CsvForm | None = None) -> None:
        """Make the format of a new file, or of one whose form is known.

        Args:
            settings: the settings of the account; None for the defaults.
            form: the form of the file; None for that of a new file.
        """
        self._settings = settings or FileSettings(path="new.csv")
        self.form = form or CsvForm.of_new_file(self._settings)
        self._date = partial(read_date, order=self.form.date_order, time_zone=self.form.time_zone)
        self._plan_columns: Sequence[str] = ()
        self._texts: tuple[tuple[int, str, Callable[[str], Any]], ...] = ()
        self._cached: tuple[tuple[int, str, Mapping[str, Any]], ...] = ()
        self._amounts: tuple[tuple[int, str], ...] = ()
        self._currency_at: int | None = None
        self._money: dict[str | None, CellCache] = {}
        self._mask = MASKED.encode(self.form.encoding)

    def adapt_to_file(self, header: bytes, following: Iterable[bytes]) -> CsvFormat:
        """Return the format of a file.

        Args:
            header: its first record.
            following: some records after it.

        Raises:
            MalformedFile: if its form is not clear.
        """
        settings = self._settings
        text = header.decode("latin-1")
        base = attrs.evolve(self.form, delimiter=guess_delimiter(settings, text))
        with_delimiter = CsvFormat(settings, base)
        names = [base.field_of(name) for name in with_delimiter._cells(header)[0]]
        rows = [cells for body in following if len(cells := with_delimiter._cells(body)[0]) == len(names)]
        try:
            form = attrs.evolve(
                base,
                decimal_comma=guess_decimal_comma(settings, _cells_of(rows, names, AMOUNTS)),
                date_order=guess_date_order(settings, _cells_of(rows, names, INSTANTS)),
            )
        except UnclearForm as error:
            problem = str(error)
        else:
            return CsvFormat(settings, form)
        raise file_error("the form of the file is not clear", (problem,))

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the field of each column.

        Raises:
            MalformedFile: if a name is unknown or used twice, or the line is not a header.
        """
        if body.startswith(_UTF_16):
            problem = "line 1: is UTF-16; save the file as CSV in UTF-8"
            raise file_error("the file's header is wrong", (problem,))
        names, problems = self._cells(body)
        fields = [self.form.field_of(name) for name in names]
        if not problems and not set(fields) & set(COLUMNS):
            rename = "; give other names in the setting columns, or as --column NAME=code"
            problems = [("", f"is not a header; the columns are {', '.join(COLUMNS)}{rename}")]
        elif not problems:
            problems = [
                wrong
                for place, (name, field) in enumerate(zip(names, fields, strict=True), 1)
                if (wrong := _wrong_name(name, field, place, fields))
            ]
            present = {name.strip() for name in names}
            problems += [("", f"has no column {name!r}") for name in self.form.fields if name not in present]
        if problems:
            texts = tuple(f"line 1{where and f', column {where}'}: {rule}" for where, rule in problems)
            raise file_error("the file's header is wrong", texts)
        return fields

    def sentences(self, header: bytes) -> tuple[str, ...]:
        """Return sentences about the form of a file with this header."""
        names = [name.strip() for name in self._cells(header)[0]]
        return self.form.sentences([name if name.isprintable() else "?" for name in names])

    def settings(self) -> dict[str, object]:
        """Return the settings by which the form of the file is not guessed again."""
        return self.form.settings()

    def read(self, body: bytes, columns: Sequence[str]) -> ParsedRecord:
        """Return the fields of a row, or its problems."""
        if columns is not self._plan_columns:
            self._set_plan(columns)
        try:
            return self._read_cells(self._cells_of_rows(body, 1)[0])
        except (ValueError, csv.Error):  # a problem, which the slower way names; the text may hold a code
            pass
        given, problems = self.parse(body, columns)
        parsed = read_object(given)
        return ParsedRecord(given, parsed.fields, problems + parsed.problems)

    def read_rows(self, body: bytes, count: int, columns: Sequence[str]) -> list[ParsedRecord] | None:
        """Return the fields of some rows of one line each; None if one of them may have a problem or several lines."""
        if columns is not self._plan_columns:
            self._set_plan(columns)
        try:
            return [self._read_cells(cells) for cells in self._cells_of_rows(body, count)]
        except (ValueError, csv.Error):
            return None

    def names_of_rows(
        self, body: bytes, count: int, columns: Sequence[str]
    ) -> list[tuple[str | None, str | None]] | None:
        """Return the ids and the codes of some rows of one line each.

        It is None if one of them may have a problem, a masked code or several lines. It takes a third of the time of
        `read_rows`, as it makes each value of a column only once.
        """
        if columns is not self._plan_columns:
            self._set_plan(columns)
        try:
            by_column = list(zip(*self._cells_of_rows(body, count), strict=True))
            names: dict[str, Iterable[str]] = {"id": repeat("", count), "code": repeat("", count)}
            for at, name, read in self._texts:
                if name in names:
                    names[name] = by_column[at]
                elif name not in FREE_TEXTS:
                    for cell in filter(None, by_column[at]):
                        read(cell)
            for at, _, values in self._cached:
                for cell in filter(None, set(by_column[at])):
                    values[cell]
            for at, _ in self._amounts:
                self._check_amounts(by_column[at], None if self._currency_at is None else by_column[self._currency_at])
        except (ValueError, csv.Error):
            return None
        rows = [(id or None, code or None) for id, code in zip(names["id"], names["code"], strict=True)]
        special = b"'" in body or self._mask in body
        return None if special and any(map(is_special, rows)) else rows

    def _check_amounts(self, cells: Sequence[str], currencies: Sequence[str] | None) -> None:
        """Check the amounts of a column.

        Raises:
            ValueError: if one has a problem.
        """
        for given in {*currencies} if currencies else ("",):
            currency = given or self.form.currency
            amounts = [
                cell for cell, own in zip(cells, currencies or repeat(""), strict=False) if cell and own == given
            ]
            if not are_amounts(amounts, currency, decimal_comma=self.form.decimal_comma):
                for cell in amounts:
                    self._money_of(currency)[cell]

    def _cells_of_rows(self, body: bytes, count: int) -> list[list[str]]:
        """Return the cells of some rows of one line each.

        Raises:
            ValueError, csv.Error: if they are not such rows, or one has another number of cells than the header.
        """
        lines = body.decode(self.form.encoding).split("\n")
        if not lines[-1]:
            lines.pop()
        rows = list(csv.reader(lines, delimiter=self.form.delimiter, strict=True))
        if not len(lines) == len(rows) == count or {*map(len, rows)} != {len(self._plan_columns)}:
            raise ValueError
        return rows

    def _read_cells(self, cells: list[str]) -> ParsedRecord:
        """Return the fields of the cells of a row.

        Raises:
            ValueError: if a cell has a problem.
        """
        fields: dict[str, Any] = {}
        given: Object = {}
        for at, name, read in self._texts:
            if cell := cells[at]:
                fields[name] = read(cell)
                given[name] = cell
        for at, name, values in self._cached:
            if cell := cells[at]:
                fields[name] = values[cell]
                given[name] = cell
        own = self.form.currency
        currency = own if self._currency_at is None else cells[self._currency_at] or own
        money = self._money_of(currency)
        for at, name in self._amounts:
            if cell := cells[at]:
                fields[name], amount = money[cell]
                given[name] = {"amount": amount, "currency": currency}
        return ParsedRecord(given, fields, [])

    def _money_of(self, currency: str | None) -> CellCache:
        cache = self._money.get(currency)
        if cache is None:
            cache = CellCache(partial(read_amount, currency=currency, decimal_comma=self.form.decimal_comma))
            self._money[currency] = cache
        return cache

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:
        """Return the object of a row, and the problems of its cells."""
        cells, problems = self._cells(body)
        if not problems and len(cells) != len(columns):
            problems = [("", f"has {len(cells)} cells, but the header has {len(columns)}")]
        if problems:
            return {}, problems
        row = {name: cell for name, cell in zip(columns, cells, strict=True) if cell and name != LEFT_OUT}
        currency = row.get("currency", self.form.currency)
        record: Object = {}
        for name, cell in row.items():
            try:
                if name in AMOUNTS:
                    if currency is None:
                        raise FieldProblem("has an amount, but the row has no currency")
                    record[name] = {"amount": plain_amount(cell, self.form.decimal_comma), "currency": currency}
                elif name in INSTANTS:
                    record[name] = self._instant_text(name, cell)
                elif name != "currency":
                    record[name] = READ.get(name, unescape_formula)(cell)
            except FieldProblem as wrong:
                problems.append((name, str(wrong)))
        return record, problems

    def place(self, where: str) -> str:
        """Return the column of a place in an object, for a message."""
        name, _, part = where.partition(".")
        return where and f"column {part if part == 'currency' else name}"

    def could_be_cut_off(self, body: bytes) -> bool:
        """Return whether this can be the beginning of a row that we write, with all cells in quotes."""
        return _OURS.fullmatch(body) is not None or not body.strip(b"\0")

    def has_later_rows(self, body: bytes, columns: Sequence[str]) -> bool:
        """Return whether a record that is not closed has rows after its first line, because a quote is missing."""
        later = body.split(b"\n")[1:]
        return len(columns) > 1 and any(len(self._cells(line)[0]) == len(columns) for line in later if line)

    def top(self) -> bytes:
        """Return the header of a new file."""
        return (BOM if self.form.byte_order_mark else b"") + self._row(WRITTEN)

    def line(self, given: Object, columns: Sequence[str]) -> bytes:
        """Return an object as a row.

        Raises:
            InvalidRequest: if the file has no column for one of its fields.
        """
        cells = {name: WRITE.get(name, escape_formula)(value) for name, value in given.items() if name not in AMOUNTS}
        for name in AMOUNTS:
            if name in given:
                amount = given[name]["amount"]
                cells[name] = amount.replace(".", ",") if self.form.decimal_comma else amount
                if given[name]["currency"] != self.form.currency or "currency" in columns:
                    cells["currency"] = given[name]["currency"]
        if missing := sorted(cells.keys() - set(columns)):
            raise InvalidRequest(
                f"the file has no column {', '.join(missing)}: add it to the header",
                field=missing[0],
                rule=f"one of {', '.join(columns)}",
            )
        return self._row([cells.get(name, "") for name in columns])

    def _set_plan(self, columns: Sequence[str]) -> None:
        """Prepare how each column is read: each text, each value that comes again and again, and amounts."""
        cells = [(at, name) for at, name in enumerate(columns) if name not in ("currency", LEFT_OUT)]
        others = [(at, name) for at, name in cells if name not in AMOUNTS]
        self._amounts = tuple((at, name) for at, name in cells if name in AMOUNTS)
        self._texts = tuple((at, name, reader_of(name)) for at, name in others if name not in REPEATED)
        self._cached = tuple((at, name, CellCache(self._reader(name))) for at, name in others if name in REPEATED)
        self._currency_at = columns.index("currency") if "currency" in columns else None
        self._plan_columns = columns

    def _reader(self, name: str) -> Callable[[str], Any]:
        return partial(self._instant, name) if name in INSTANTS else reader_of(name)

    def _instant(self, name: str, cell: str) -> datetime:
        return self._date(cell, end_of_day=name == "valid_until")

    def _instant_text(self, name: str, cell: str) -> str:
        return self._instant(name, cell).isoformat()

    def _cells(self, body: bytes) -> tuple[list[str], list[Problem]]:
        """Return the cells of one record, or its problems."""
        try:
            text = body.decode(self.form.encoding).removeprefix("\ufeff")
            rows = list(csv.reader((text,), delimiter=self.form.delimiter, strict=True))
        except UnicodeDecodeError:
            hint = "; if a spreadsheet wrote the file, give the encoding windows-1252"
            return [], [("", f"is not {self.form.encoding.upper()}{hint if self.form.encoding == 'utf-8' else ''}")]
        except csv.Error as error:
            return [], [("", _cells_problem(str(error)))]
        rows = [row for row in rows if row]  # without blank lines at the end
        if len(rows) != 1:
            return [], [("", "has a line break outside of a quoted cell")]
        return rows[0], []

    def _row(self, cells: Sequence[str]) -> bytes:
        # RFC 4180, 2.5 to 2.7. All cells are in quotes: every program then keeps blanks and line breaks.
        row = self.form.delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\r\n"
        try:
            return row.encode(self.form.encoding)
        except UnicodeEncodeError:
            pass  # raised below: the exception holds the whole text
        rule = "valid Unicode" if self.form.encoding == "utf-8" else f"characters of {self.form.encoding}"
        message = "a string is not valid Unicode (half a surrogate pair)"
        if self.form.encoding != "utf-8":
            message = f"a string has a character that {self.form.encoding} does not have"
        raise InvalidRequest(message, field="text", rule=rule)


def _cells_problem(error: str) -> str:
    if "new-line" in error:
        return "has a line break outside of a quoted cell"
    limit = csv.field_size_limit()
    return f"has a misplaced or unclosed quote, or a cell of more than {limit} characters"


def _cells_of(rows: Iterable[Sequence[str]], names: Sequence[str], fields: Sequence[str]) -> list[str]:
    places = [place for place, name in enumerate(names) if name in fields]
    return [cell for cells in rows for place in places if (cell := cells[place])]


def _wrong_name(name: str, field: str, place: int, fields: Sequence[str]) -> Problem | None:
    where = name.strip() if LIKE_A_NAME.fullmatch(name.strip()) else str(place)
    if field == LEFT_OUT:
        return None
    if field not in COLUMNS:
        advice = "; give its field as --column NAME=FIELD, or NAME=- to leave it out"
        return where, f"is unknown; the columns are {', '.join(COLUMNS)}{advice}"
    if fields.index(field) + 1 < place:
        return where, "appears twice"
    return None
