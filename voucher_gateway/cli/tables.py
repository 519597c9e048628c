"""Tables for people: rows that stream past, and the details of one thing."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

import attrs
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from voucher_gateway.cli.output import Output, json_line, printable
from voucher_gateway.masking import Masked, Secret
from voucher_gateway.models.results import Movement
from voucher_gateway.models.voucher import Links, Validity, Voucher
from voucher_gateway.money import Money
from voucher_gateway.serialization import compared_fields

T = TypeVar("T")

_ROWS_AT_A_TIME: Final = 100
_NARROWEST: Final = 12
"""A terminal too narrow for a table folds its widest columns, down to this width."""
_STYLES: Final = {"active": "green", "inactive": "yellow"}


@attrs.frozen
class Column(Generic[T]):
    """One column of a table.

    Attributes:
        title: its heading.
        cell: the text of a row in it; empty for nothing.
        right: whether it is aligned at the right, as amounts are.
        optional: whether it is left out where none of the first rows has anything in it.
    """

    title: str
    cell: Callable[[T], str]
    right: bool = False
    optional: bool = False


def voucher_columns(*, reveal: bool = False, account: bool = False) -> list[Column[Voucher]]:
    """Return the columns of a list of vouchers.

    Args:
        reveal: whether codes show.
        account: whether the account's name is one of the columns.
    """
    columns: list[Column[Voucher]] = [
        Column("id", lambda voucher: voucher.id),
        # a vendor shows these of all its vouchers or of none: JTL's list has no codes, ticketing no status
        Column("code", lambda voucher: text_of(voucher.code, reveal=reveal), optional=True),
        Column("status", lambda voucher: text_of(voucher.status), optional=True),
        Column("remaining", lambda voucher: text_of(voucher.remaining), right=True),
        Column("initial", lambda voucher: text_of(voucher.initial), right=True),
        Column("expires (UTC)", lambda voucher: minute_of(voucher.valid_until)),
    ]
    return [Column("account", lambda voucher: voucher.account), *columns] if account else columns


MOVEMENT_COLUMNS: Final[Sequence[Column[Movement]]] = (
    Column("at (UTC)", lambda movement: minute_of(movement.created_at)),
    Column("kind", lambda movement: text_of(movement.kind)),
    Column("amount", lambda movement: text_of(movement.money), right=True),
    Column("reference", lambda movement: movement.reference or "", optional=True),
    Column("id", lambda movement: movement.id or "", optional=True),
)
"""The columns of a voucher's history."""


def print_rows(output: Output, items: Iterable[T], columns: Sequence[Column[T]]) -> int:
    """Print rows as they come, a hundred at a time, under one heading; return how many.

    Rows that came before an error of `items` are printed before it goes on. In a terminal the first hundred settle the
    widths, and longer cells are folded; elsewhere nothing is folded or cut.
    """
    rows = _Rows(output, columns)
    waiting: list[T] = []
    count = 0
    try:
        for item in items:
            waiting.append(item)
            count += 1
            if len(waiting) == _ROWS_AT_A_TIME:
                rows.print(waiting)
                waiting = []
    finally:
        if waiting:
            rows.print(waiting)
    return count


class _Rows(Generic[T]):
    """A table that is printed in parts."""

    def __init__(self, output: Output, columns: Sequence[Column[T]]) -> None:
        self._output = output
        self._columns = columns
        self._widths: list[int] | None = None
        self._gap = 2

    def print(self, items: Sequence[T]) -> None:
        rows = [[printable(column.cell(item)) for column in self._columns] for item in items]
        begins = self._widths is None
        if self._widths is None:
            kept = [i for i, column in enumerate(self._columns) if not column.optional or any(r[i] for r in rows)]
            self._columns = [self._columns[i] for i in kept]
            rows = [[row[i] for i in kept] for row in rows]
            self._widths = [cell_len(column.title) for column in self._columns]
            self._grow(rows)
            self._fit()
        elif not self._output.out.is_terminal:
            self._grow(rows)
        self._output.show(self._table(rows, header=begins))

    def _grow(self, rows: list[list[str]]) -> None:
        assert self._widths is not None
        self._widths = [max(width, *(cell_len(row[i]) for row in rows)) for i, width in enumerate(self._widths)]

    def _fit(self) -> None:
        """Give up blanks, then fold the widest columns of text, until the table fits into the terminal."""
        assert self._widths is not None
        foldable = [i for i, column in enumerate(self._columns) if not column.right]
        while sum(self._widths) + self._gap * (len(self._widths) - 1) > self._output.out.width:
            widest = max(foldable, key=self._widths.__getitem__)
            if self._gap > 1:
                self._gap = 1
            elif self._widths[widest] > _NARROWEST:
                self._widths[widest] -= 1
            else:
                break

    def _table(self, rows: list[list[str]], *, header: bool) -> Table:
        assert self._widths is not None
        table = Table(box=None, show_header=header, pad_edge=False, padding=(0, self._gap, 0, 0), header_style="bold")
        for column, width in zip(self._columns, self._widths, strict=True):
            table.add_column(
                Text(column.title), width=width, justify="right" if column.right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        return table


def details(fields: Mapping[str, str]) -> Table:
    """Return the details of one thing, a line for each field that has text."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in fields.items():
        if text:
            table.add_row(Text(f"  {name}"), Text(printable(text), style=_STYLES.get(text, "")))
    return table


def fields_of(value: Any, *, reveal: bool = False, without: Sequence[str] = ()) -> dict[str, str]:
    """Return the fields of an attrs object for people, by names for people."""
    fields = {name: getattr(value, name) for name in compared_fields(type(value)) if name not in without}
    texts = {name.replace("_", " "): text_of(field, reveal=reveal) for name, field in fields.items()}
    if fields.get("metadata") is not None:
        texts["metadata"] = json_line(fields["metadata"])
    return texts


def text_of(value: Any, *, reveal: bool = False) -> str:
    """Return a value for people; nothing at all for None."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case enum.Enum():
            return str(value.value).replace("_", " ")
        case Masked():
            return value.reveal() if reveal and not isinstance(value, Secret) else str(value)
        case Money():
            return str(value)
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        case Validity():
            return f"{value.value} {value.interval.value} from activation"
        case Links():
            return ", ".join(f"{name.replace('_', ' ')} {id}" for name, id in value.items())
        case Mapping():
            return json_line(value, reveal=reveal)
        case list() | tuple():
            return ", ".join(text_of(element, reveal=reveal) for element in value)
    return str(value)


def count_text(number: int, word: str) -> str:
    """Return a number of things, such as ``2 vouchers``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def minute_of(instant: datetime | None) -> str:
    """Return an instant for a column that says UTC in its heading; nothing for None."""
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"
