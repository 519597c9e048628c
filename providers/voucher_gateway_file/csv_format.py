"""Files of CSV: rows with flat columns, in the form that the settings give or that is guessed."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import InvalidRequest, MalformedResponse, Medium, Money, Status, decode, encode
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
    READERS,
    FieldProblem,
    Object,
    ParsedRecord,
    Problem,
    read_object,
)

_VALIDITY: Final = re.compile(r"([0-9]{1,9}) ([a-z]{1,20})", re.ASCII)
_FLAGS: Final = {"true": True, "false": False}
_WITH_COMMA: Final = re.compile(r"-?[0-9]+(?:,[0-9]+)?", re.ASCII)

# A part of a row that we write, with every cell in quotes; the delimiter is any of ours.
_OURS: Final = re.compile(rb'(?:"(?:[^"]|"")*+"[,;|\t])*+(?:"(?:[^"]|"")*+"?\r?)?\x00*')

_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_CACHED: Final = 1 << 14
"""The number of amounts and of dates that are read only once."""


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
        self._date = lru_cache(_CACHED)(partial(read_date, order=self.form.date_order, time_zone=self.form.time_zone))
        self._plan_columns: Sequence[str] = ()
        self._plan: tuple[tuple[str, Callable[[str], Any] | None], ...] = ()
        self._currency_at: int | None = None

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
        fields: dict[str, Any] = {}
        given: Object = {}
        form = self.form
        try:
            (cells,) = csv.reader((body.decode(form.encoding),), delimiter=form.delimiter, strict=True)
            currency = form.currency if self._currency_at is None else cells[self._currency_at] or form.currency
            for cell, (name, read) in zip(cells, self._plan, strict=True):
                if not cell:
                    continue
                if read is not None:
                    fields[name] = read(cell)
                    given[name] = cell
                elif name in AMOUNTS:
                    fields[name], amount = _cached_amount(cell, currency, form.decimal_comma)
                    given[name] = {"amount": amount, "currency": currency}
        except (ValueError, csv.Error, IndexError):  # a problem, which the slower way names; the text may hold a code
            pass
        else:
            initial, remaining = fields.get("initial"), fields.get("remaining")
            if initial is None or remaining is None or initial.currency == remaining.currency:
                return ParsedRecord(given, fields, [])
        given, problems = self.parse(body, columns)
        parsed = read_object(given)
        return ParsedRecord(given, parsed.fields, problems + parsed.problems)

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
                    record[name] = {"amount": _plain_amount(cell, self.form.decimal_comma), "currency": currency}
                elif name in INSTANTS:
                    record[name] = self._instant_text(name, cell)
                elif name != "currency":
                    record[name] = _READ.get(name, unescape_formula)(cell)
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
        cells = {name: _WRITE.get(name, escape_formula)(value) for name, value in given.items() if name not in AMOUNTS}
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
        """Prepare how each column is read: by a function of its cell, or None for currencies and amounts."""
        readers: dict[str, Callable[[str], Any] | None] = {
            **{name: partial(self._instant, name) for name in INSTANTS},
            **{name: _reader_of(name) for name in READERS if name not in (*INSTANTS, *AMOUNTS)},
            **dict.fromkeys((*AMOUNTS, "currency", LEFT_OUT)),
        }
        self._plan = tuple((name, readers[name]) for name in columns)
        self._currency_at = columns.index("currency") if "currency" in columns else None
        self._plan_columns = columns

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


def _plain_amount(cell: str, decimal_comma: bool) -> str:
    """Return an amount with a decimal point."""
    if not decimal_comma:
        return cell
    if not _WITH_COMMA.fullmatch(cell):
        raise FieldProblem("must have ASCII digits with at most one decimal comma, and nothing between thousands")
    return cell.replace(",", ".")


@lru_cache(_CACHED)
def _cached_amount(cell: str, currency: str | None, decimal_comma: bool) -> tuple[Money, str]:
    if currency is None:
        raise FieldProblem("has an amount, but the row has no currency")
    amount = _plain_amount(cell, decimal_comma)
    return READERS["initial"]({"amount": amount, "currency": currency}), amount


def _read_flag(cell: str) -> bool:
    if (flag := _FLAGS.get(cell.lower())) is None:  # a spreadsheet writes TRUE
        raise FieldProblem("must be true or false")
    return flag


def _flag_cell(flag: bool) -> str:
    return "true" if flag else "false"


def _read_validity(cell: str) -> Object:
    if (match := _VALIDITY.fullmatch(cell)) is None:
        raise FieldProblem("must be a number of days, weeks, months or years, such as 3 years")
    return {"value": int(match[1]), "interval": match[2]}


def _validity_cell(validity: Object) -> str:
    return f"{validity['value']} {validity['interval']}"


def _json_cell(value: Any) -> str:
    return escape_formula(encode(value).decode())


def _read_json(cell: str) -> Any:
    try:
        return decode(unescape_formula(cell).encode(), what="cell")
    except MalformedResponse as error:
        rule = error.message.removeprefix("the cell ")
    raise FieldProblem(rule)


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "taxable": _read_flag,
    "deletable": _read_flag,
    "validity": _read_validity,
    "metadata": _read_json,
    "links": _read_json,
}
_WRITE: Final[Mapping[str, Callable[[Any], str]]] = {
    "taxable": _flag_cell,
    "deletable": _flag_cell,
    "validity": _validity_cell,
    "metadata": _json_cell,
    "links": _json_cell,
}


def _reader_of(name: str) -> Callable[[str], Any]:
    """Return the function that reads a cell of a column as the value of its field."""
    if name in _TEXTS:
        return unescape_formula
    if name in _MEMBERS:
        return partial(_read_member, READERS[name], {member.value: member for member in _MEMBERS[name]})
    return partial(_read_cell, _READ.get(name, unescape_formula), READERS[name])


def _read_member(check: Callable[[Any], Any], members: Mapping[str, Any], cell: str) -> Any:
    return members.get(cell) or check(unescape_formula(cell))


def _read_cell(read: Callable[[str], Any], check: Callable[[Any], Any], cell: str) -> Any:
    return check(read(cell))


_TEXTS: Final = frozenset({"account", "tax_rate", "sku", "batch", "order", "login", "origin"})
_MEMBERS: Final[Mapping[str, type[Status] | type[Medium]]] = {"status": Status, "medium": Medium}
