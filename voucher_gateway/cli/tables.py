"""Tables for people: rows that stream past, and the details of one thing."""

from __future__ import annotations

import enum
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import attrs
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from voucher_gateway.cli.output import Output, group_number, json_line, printable
from voucher_gateway.masking import Masked, Secret
from voucher_gateway.models.voucher import Links, Validity, Voucher
from voucher_gateway.money import Money
from voucher_gateway.serialization import equality_fields

if TYPE_CHECKING:
    from voucher_gateway.migration.plan.totals import Tally
    from voucher_gateway.models.results import Movement

T = TypeVar("T")

_ROWS_AT_A_TIME: Final = 100
_MIN_TEXT_WIDTH: Final = 12
"""A terminal too narrow for a table folds the texts in it, down to this width; below it rows become lists."""

_NUMBER: Final = re.compile(r"([+-] ?)?([1-9][0-9]{3,})((\.[0-9]+)?( [A-Z]{3})?)", re.ASCII)
_DONE: Final = "green"
_WAITING: Final = "yellow"
_IN_DOUBT: Final = "bold magenta"
_WRONG: Final = "bold red"
STYLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("active", "succeeded", "moved", "undone", "captured", "returned", "refunded", "replaced"), _DONE),
    **dict.fromkeys(("authorized", "capturing", "cancelling", "short", "not possible"), _WAITING),
    **dict.fromkeys(("pending", "blocked", "deactivated", "expired", "used up", "cancelled"), _WAITING),
    **dict.fromkeys(("inactive", "open", "declined", "not executed", "kept", "refused", "changed"), _WAITING),
    **dict.fromkeys(("unknown", "in-doubt", "unresolved", "unverifiable"), _IN_DOUBT),
    **dict.fromkeys(
        ("lost", "doubled", "spendable-twice", "not-moved", "not-back", "missing-at-vendor", "missing-here"), _WRONG
    ),
    **dict.fromkeys(("amount-differs", "duplicate-reference", "orphan-hold"), _WRONG),
}
"""Colours of words that say how something stands. Done, in doubt and lost are never alike."""


@attrs.frozen
class TableColumn(Generic[T]):
    """One column of a table.

    Attributes:
        title: its heading.
        cell: the value of a row in it; None or empty for nothing. `text_of` makes text of it, in minutes if it is an
            instant.
        right: whether it holds numbers: they are aligned at the right, their digits are grouped, and they are never
            folded.
        optional: whether it is left out if it is empty in all of the first rows.
        reveal: whether codes and PINs show.
    """

    title: str
    cell: Callable[[T], object]
    right: bool = False
    optional: bool = False
    reveal: bool = False

    def text(self, row: T) -> str:
        """Return the text of a row for people."""
        value = self.cell(row)
        text = printable(minute_of(value) if isinstance(value, datetime) else text_of(value, reveal=self.reveal))
        return group_digits(text) if self.right else text


def voucher_columns(*, reveal: bool = False, account: bool = False) -> list[TableColumn[Voucher]]:
    """Return the columns of a list of vouchers.

    Args:
        reveal: whether codes show.
        account: whether the account's name is one of the columns.
    """
    columns: list[TableColumn[Voucher]] = [
        TableColumn("id", attrgetter("id")),
        # a vendor shows these of all its vouchers or of none: JTL's list has no codes, ticketing no status
        TableColumn("code", attrgetter("code"), optional=True, reveal=reveal),
        TableColumn("status", attrgetter("status"), optional=True),
        TableColumn("remaining", attrgetter("remaining"), right=True),
        TableColumn("initial", attrgetter("initial"), right=True),
        TableColumn("expires (UTC)", attrgetter("valid_until")),
    ]
    return [TableColumn("account", attrgetter("account")), *columns] if account else columns


def _state_unless_completed(movement: Movement) -> str | None:
    return None if movement.state == "completed" else movement.state.value


MOVEMENT_COLUMNS: Final[Sequence[TableColumn[Movement]]] = (
    TableColumn("at (UTC)", attrgetter("created_at")),
    TableColumn("kind", attrgetter("kind")),
    TableColumn("state", _state_unless_completed, optional=True),
    TableColumn("amount", attrgetter("money"), right=True),
    TableColumn("reference", attrgetter("reference"), optional=True),
    TableColumn("id", attrgetter("id"), optional=True),
)
"""The columns of a voucher's history."""


def tally_columns(heading: str) -> Sequence[TableColumn[tuple[str, Tally]]]:
    """Return the columns of rows that are a name and a tally of vouchers."""
    return (
        TableColumn(heading, itemgetter(0)),
        TableColumn("vouchers", _tally_count, right=True),
        TableColumn("value", _tally_value),
    )


def _tally_count(row: tuple[str, Tally]) -> int:
    return row[1].count


def _tally_value(row: tuple[str, Tally]) -> str:
    from voucher_gateway.migration.plan.text import join_amounts

    return join_amounts(row[1].money)


def print_rows(output: Output, items: Iterable[T], columns: Sequence[TableColumn[T]]) -> int:
    """Print rows as they come, a hundred at a time; return how many.

    Rows that came before an error of `items` are printed before it is raised. A terminal gets a heading for each
    hundred, and texts are folded where it is too narrow. Elsewhere there is one heading, and nothing is folded.
    """
    rows: list[T] = []
    widths: list[int] = []
    count = 0
    try:
        for item in items:
            rows.append(item)
            count += 1
            if len(rows) == _ROWS_AT_A_TIME:
                columns = _print_batch(output, rows, columns, widths, first=count == _ROWS_AT_A_TIME)
                rows = []
    finally:
        if rows:
            _print_batch(output, rows, columns, widths, first=count == len(rows))
    return count


def _print_batch(
    output: Output, rows: Sequence[T], columns: Sequence[TableColumn[T]], known_widths: list[int], *, first: bool
) -> Sequence[TableColumn[T]]:
    """Print some rows, and return the columns that later ones have, too.

    Args:
        output: where they are printed.
        rows: the rows.
        columns: the columns; with the first rows, those that are empty are left out.
        known_widths: how wide the columns were until now in a pipe; changed to how wide they are now.
        first: whether these are the first rows.
    """
    if first:
        columns = [column for column in columns if not column.optional or any(column.text(row) for row in rows)]
    cells = [[column.text(row) for column in columns] for row in rows]
    widths = [max(cell_len(line[place]) for line in cells) for place in range(len(columns))]
    room = output.out.width
    full = [max(width, cell_len(column.title)) for width, column in zip(widths, columns, strict=True)]
    fits = sum(full) + 2 * len(full) - 2 <= room
    titles = [
        column.title if fits or not column.right else _fold_words(column.title, width)
        for width, column in zip(widths, columns, strict=True)
    ]
    least = [
        max(width, *map(cell_len, title.split("\n"))) if column.right else min(width, _MIN_TEXT_WIDTH)
        for width, title, column in zip(widths, titles, columns, strict=True)
    ]
    if sum(least) + len(least) - 1 > room:
        for line in cells:
            output.show(details({column.title: cell for column, cell in zip(columns, line, strict=True)}), "")
        return columns
    if fits and not output.out.is_terminal:
        lines = [titles, *cells] if first else cells
        known_widths[:] = _print_lines(output, lines, [column.right for column in columns], known_widths)
        return columns
    table = Table(
        box=None,
        show_header=first or output.out.is_terminal,
        pad_edge=False,
        padding=(0, 2 if fits else 1, 0, 0),
        header_style="bold",
    )
    height = max(title.count("\n") for title in titles)
    for title, column in zip(titles, columns, strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        heading = Text("\n" * (height - title.count("\n")) + title)  # all headings end on one line
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=column.right)
    for line in cells:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in line))
    output.show(table)
    return columns


def _print_lines(
    output: Output, lines: Sequence[Sequence[str]], right: Sequence[bool], known_widths: Sequence[int]
) -> list[int]:
    """Print lines of cells without colours, at least as wide as earlier ones, and return how wide the columns are.

    Nothing is measured twice, for tables of very many rows.
    """
    sizes = [[cell_len(cell) for cell in line] for line in lines]
    widths = [max(column) for column in zip(*sizes, *([known_widths] if known_widths else []), strict=True)]
    for line, size in zip(lines, sizes, strict=True):
        gaps = [" " * (width - used) for width, used in zip(widths, size, strict=True)]
        cells = [gap + cell if at_right else cell + gap for cell, gap, at_right in zip(line, gaps, right, strict=True)]
        output.line("  ".join(cells).rstrip())
    return widths


def _fold_words(title: str, width: int) -> str:
    """Return a heading in several lines that are no wider than the numbers below it, where its words allow that."""
    return "\n".join(textwrap.wrap(title, max(width, *map(len, title.split())), break_long_words=False))


def group_digits(text: str) -> str:
    """Return a number, or an amount with its currency, with a gap after every three digits; other text as it is."""
    match = _NUMBER.fullmatch(text)
    return text if match is None else f"{match[1] or ''}{group_number(int(match[2]))}{match[3]}"


def details(fields: Mapping[str, str]) -> Table:
    """Return the details of one thing, a line for each field that has text."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in fields.items():
        if text:
            table.add_row(Text(f"  {name}"), Text(printable(text), style=STYLES.get(text, "")))
    return table


def fields_of(value: Any, *, reveal: bool = False, without: Sequence[str] = ()) -> dict[str, str]:
    """Return the fields of an attrs object for people, by names for people."""
    fields = {name: getattr(value, name) for name in equality_fields(type(value))}
    return texts_of(fields, reveal=reveal, without=without)


def texts_of(fields: Mapping[str, Any], *, reveal: bool = False, without: Sequence[str] = ()) -> dict[str, str]:
    """Return fields for people, by names for people."""
    texts = {
        name.replace("_", " "): text_of(field, reveal=reveal) for name, field in fields.items() if name not in without
    }
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
            return f"{group_number(value.amount)} {value.currency}"
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
    return f"{group_number(number)} {word}" if number == 1 else f"{group_number(number)} {word}s"


def minute_of(instant: datetime | None) -> str:
    """Return an instant for a column that says UTC in its heading; nothing for None."""
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"
