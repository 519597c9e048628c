"""The two formats of a file of vouchers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from voucher_gateway.provider_api import InvalidRequest, MalformedResponse, decode, encode
from voucher_gateway_file.voucher_record import LIKE_A_NAME, FieldProblem, Object, Problem


def file_error(message: str, problems: Sequence[str]) -> MalformedResponse:
    """Return the error of a file that its owner must correct. Its note says what to do."""
    error = MalformedResponse(message, problems=tuple(problems))
    error.add_note("Correct the file at these places, then run the same command again.")
    return error


class FileFormat(Protocol):
    """One of the two formats of a file."""

    @property
    def allows_quoted_line_breaks(self) -> bool:
        """Whether a record can have line breaks within double quotes."""
        ...

    @property
    def header(self) -> bool:
        """Whether a file begins with the names of its columns."""
        ...

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the names of the columns in a header."""
        ...

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:
        """Return the object of a record, and its problems."""
        ...

    def place(self, where: str) -> str:
        """Return the words of a message for a place in an object."""
        ...

    def could_be_cut_off(self, body: bytes) -> bool:
        """Return whether this can be the beginning of a record that a killed writer left."""
        ...

    def top(self) -> bytes:
        """Return the beginning of a new file."""
        ...

    def line(self, given: Object, columns: Sequence[str]) -> bytes:
        """Return an object as a record."""
        ...


_BEGINNING: Final = b'{"id":"'
"""The beginning of every line that we write: the id comes first, and there are no spaces."""


class JsonLines:
    """Reads and writes lines of JSON."""

    allows_quoted_line_breaks: Final = False
    header: Final = False

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the names of the columns: JSON has none."""
        raise AssertionError(body)

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:  # noqa: ARG002 - see `CsvFormat`
        """Return the object of a line, and its problems."""
        try:
            record = decode(body, what="line")
        except MalformedResponse as error:
            return {}, [("", error.message.removeprefix("the line "))]
        if not isinstance(record, dict):
            return {}, [("", "is not a JSON object")]
        return record, []

    def place(self, where: str) -> str:
        """Return a place in an object, which is a path of names."""
        return where

    def could_be_cut_off(self, body: bytes) -> bool:
        """Return whether this can be the beginning of a line that we write. Another incomplete line is an error."""
        return body.startswith(_BEGINNING) or _BEGINNING.startswith(body) or not body.strip(b"\0")

    def top(self) -> bytes:
        """Return the beginning of a new file."""
        return b""

    def line(self, given: Object, columns: Sequence[str]) -> bytes:  # noqa: ARG002 - see `CsvFormat`
        """Return an object as a line."""
        return encode(given) + b"\n"


_SIGNS: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−"
"""The characters that begin a formula, and those that some programs read like them: full-width, small, superscript and
subscript forms, and the minus sign."""

_BETWEEN: Final = "[^\\S\\t\\r\\n]|[\"'`´‘’‚“”„«»‹›\\u200b-\\u200f\\u2060\\ufeff\\x00-\\x08\\x0e-\\x1f]"
"""Characters before a formula that programs ignore: blanks, quotes, characters without width, control characters."""

# The quantifiers are possessive (``*+``): backtracking cannot help, and takes very long for a long run.
_STARTS: Final = re.compile(
    f"\\A(?P<first>'*+)(?=(?:{_BETWEEN})*+[{_SIGNS}\\t\\r\\n]|\\Z)"
    f"|(?P<separator>[;,|\\t\\r\\n])(?P<later>'*+)(?=(?:{_BETWEEN})*+[{_SIGNS}])"
)


def escape_formula(text: str) -> str:
    """Return the text with apostrophes before everything that a spreadsheet could read as a formula."""
    return _STARTS.sub(_with_apostrophe, text)


def unescape_formula(cell: str) -> str:
    """Return the text of a cell without the apostrophes of `escape_formula`."""
    return _STARTS.sub(_without_apostrophe, cell)


def _with_apostrophe(match: re.Match[str]) -> str:
    return f"{match['separator'] or ''}'{_apostrophes(match)}"


def _without_apostrophe(match: re.Match[str]) -> str:
    return f"{match['separator'] or ''}{_apostrophes(match)[1:]}"


def _apostrophes(match: re.Match[str]) -> str:
    return match["first"] or match["later"] or ""


AMOUNTS: Final = ("initial", "remaining")

WRITTEN: Final = (
    "id",
    "code",
    "pin",
    "currency",
    *AMOUNTS,
    "status",
    "medium",
    "valid_until",
    "validity",
    "taxable",
    "tax_rate",
    "sku",
    "batch",
    "order",
    "metadata",
    "created_at",
)
"""The columns of a new file."""

COLUMNS: Final = ("account", *WRITTEN, "login", "origin", "links", "updated_at", "deletable")
"""All columns that a file may have, in any order."""

_VALIDITY: Final = re.compile(r"([0-9]{1,9}) ([a-z]{1,20})", re.ASCII)
_FLAGS: Final = {"true": True, "false": False}

_OURS: Final = re.compile(rb'(?:"(?:[^"]|"")*+",)*+(?:"(?:[^"]|"")*+"?\r?)?\x00*')


class CsvFormat:
    """Reads and writes rows of CSV: RFC 4180 in UTF-8, a header, and flat columns.

    The amounts have a column each, ``initial`` and ``remaining``, and share one column ``currency``. A ``validity`` is
    text such as ``3 years``, a flag is ``true`` or ``false``, ``metadata`` is a JSON value and ``links`` a JSON object.
    An empty cell is a field that is not known. Every cell is written in quotes, and a spreadsheet does not read it as a
    formula (`escape_formula`).
    """

    allows_quoted_line_breaks: Final = True
    header: Final = True

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the names of the columns.

        Raises:
            MalformedResponse: if a name is unknown or used twice, or the line is not a header.
        """
        names, problems = _cells(body)
        if not problems and not set(names) & set(COLUMNS):
            separators = " (the columns must be separated by commas)" if b";" in body or b"\t" in body else ""
            problems = [("", f"is not a header{separators}; the columns are {', '.join(COLUMNS)}")]
        elif not problems:
            problems = [problem for place, name in enumerate(names, 1) if (problem := _wrong_name(name, place, names))]
        if problems:
            problems_text = tuple(f"line 1{where and f', column {where}'}: {rule}" for where, rule in problems)
            raise file_error(f"the file's header is wrong: {'; '.join(problems_text)}", problems_text)
        return names

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:
        """Return the object of a row, and the problems of its cells."""
        cells, problems = _cells(body)
        if not problems and len(cells) != len(columns):
            problems = [("", f"has {len(cells)} cells, but the header has {len(columns)}")]
        if problems:
            return {}, problems
        row = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
        record: Object = {}
        for name, cell in row.items():
            try:
                if name in AMOUNTS:
                    if "currency" not in row:
                        raise FieldProblem("has an amount, but the row has no currency")
                    record[name] = {"amount": cell, "currency": row["currency"]}
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

    def top(self) -> bytes:
        """Return the header of a new file."""
        return _row(WRITTEN)

    def line(self, given: Object, columns: Sequence[str]) -> bytes:
        """Return an object as a row.

        Raises:
            InvalidRequest: if the file has no column for one of its fields.
        """
        cells = {name: _WRITE.get(name, escape_formula)(value) for name, value in given.items() if name not in AMOUNTS}
        for name in AMOUNTS:
            if name in given:
                cells[name], cells["currency"] = given[name]["amount"], given[name]["currency"]
        if missing := sorted(cells.keys() - set(columns)):
            raise InvalidRequest(
                f"the file has no column {', '.join(missing)}: add it to the header",
                field=missing[0],
                rule=f"one of {', '.join(columns)}",
            )
        return _row([cells.get(name, "") for name in columns])


def _wrong_name(name: str, place: int, names: Sequence[str]) -> Problem | None:
    where = name if LIKE_A_NAME.fullmatch(name) else str(place)
    if name not in COLUMNS:
        return where, f"is unknown; the columns are {', '.join(COLUMNS)}"
    if names.index(name) + 1 < place:
        return where, "appears twice"
    return None


def _cells(body: bytes) -> tuple[list[str], list[Problem]]:
    """Return the cells of one record, or its problems."""
    try:
        rows = list(csv.reader(io.StringIO(body.decode("utf-8"), newline=""), strict=True))
    except UnicodeDecodeError:
        return [], [("", "is not UTF-8")]
    except csv.Error:
        limit = csv.field_size_limit()
        return [], [("", f"has a misplaced or unclosed quote, or a cell of more than {limit} characters")]
    rows = [row for row in rows if row]  # without blank lines at the end
    if len(rows) != 1:
        return [], [("", "has a line break outside of a quoted cell")]
    return rows[0], []


def _row(cells: Sequence[str]) -> bytes:
    # RFC 4180, 2.5 to 2.7. All cells are in quotes: every program then keeps blanks and line breaks.
    row = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\r\n"
    try:
        return row.encode()
    except UnicodeEncodeError:
        pass  # raised below: the exception holds the whole text
    raise InvalidRequest("a string is not valid Unicode (half a surrogate pair)", field="text", rule="valid Unicode")


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
