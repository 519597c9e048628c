"""The parts of a page: charts, tables and text; and how a page writes text."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import attrs

from voucher_gateway.instants import format_instant

ChartKind: TypeAlias = Literal["stacked", "waterfall"]
"""How a chart is drawn.

``stacked``: one bar for each label, with all series on top of one another. ``waterfall``: one series. Its first and
last values are levels, and the others are the changes between them.
"""


@attrs.frozen
class Series:
    """A series of values of a chart.

    Attributes:
        name: for the legend; may be empty.
        values: one value for each label of the chart.
    """

    name: str
    values: tuple[Decimal, ...]


@attrs.frozen
class Column:
    """A column of a table.

    Attributes:
        name: its heading.
        numeric: whether its cells are aligned to the right and their digits grouped.
        unbroken: whether its cells stay on one line, such as a moment.
    """

    name: str
    numeric: bool = False
    unbroken: bool = False


@attrs.frozen
class Table:
    """A table.

    Attributes:
        title: its caption.
        columns: the columns.
        rows: the cells as text, numbers without separators: ``1234567.89``.
        total: the last row, if there is one.
        note: a sentence below the table.
        subtotals: the places of rows that sum up the rows above them, from 0; they are bold.
        anchor: the name by which a warning links to the table; may be empty.

    Raises:
        ValueError: if a row does not have one cell for each column.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] | None = None
    note: str = ""
    subtotals: frozenset[int] = frozenset()
    anchor: str = ""

    def __attrs_post_init__(self) -> None:
        rows = self.rows if self.total is None else (*self.rows, self.total)
        if any(len(row) != len(self.columns) for row in rows):
            raise ValueError("each row of a table needs one cell for each column")


@attrs.frozen
class Chart:
    """A picture of numbers.

    Attributes:
        title: its heading.
        unit: the unit of all values, such as ``EUR`` or ``vouchers``.
        labels: the labels of the other axis.
        series: the values.
        kind: how it is drawn.
        note: a sentence below the chart.
        numbers: the table below the chart: True for a table of its values, or a table that has more columns. False if
            another table of the page has the values. A chart is never the only place of a number.

    Raises:
        ValueError: if a series does not have one value for each label, or a waterfall has several series.
    """

    title: str
    unit: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    kind: ChartKind = "stacked"
    note: str = ""
    numbers: bool | Table = True

    def __attrs_post_init__(self) -> None:
        if any(len(series.values) != len(self.labels) for series in self.series):
            raise ValueError("each series of a chart needs one value for each label")
        if self.kind == "waterfall" and len(self.series) != 1:
            raise ValueError("a waterfall needs exactly one series")


@attrs.frozen
class Text:
    """Paragraphs.

    Attributes:
        title: the heading; may be empty.
        paragraphs: the text.
        warning: whether the text is framed and announced as a warning.
        links: links below the text: pairs of the text of the link and the anchor of a table.
    """

    title: str
    paragraphs: tuple[str, ...]
    warning: bool = False
    links: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Signatures:
    """Lines on which people sign the printed page.

    Attributes:
        title: the heading.
        statement: what they sign, in a sentence.
        signers: what each of them signs as, such as ``Carried out by``.
    """

    title: str
    statement: str
    signers: tuple[str, ...]


Section: TypeAlias = Chart | Table | Text | Signatures


@attrs.frozen
class HtmlPage:
    """A page.

    Attributes:
        title: the title of the document.
        subtitle: one line about its contents.
        facts: names and values below the title.
        sections: the charts, tables and texts.
        made_at: when the numbers were read; an aware datetime.
    """

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    made_at: datetime


_NUMBER: Final = re.compile(r"(?P<sign>[-+−]?)(?P<whole>[0-9]+)(?P<rest>(?:\.[0-9]+)?(?: [A-Z]{3})?)")

_AMOUNT: Final = re.compile(r"(?<![\w.])[0-9]{4,}(?:\.[0-9]+)? [A-Z]{3}\b", re.ASCII)

GAP: Final = "\N{NARROW NO-BREAK SPACE}"
"""Stands between groups of digits in a sentence."""

MINUS: Final = "−"
"""The sign of a negative number. It is as wide as a plus sign, and a line is never broken after it."""


def escape_unprintable(text: str) -> str:
    """Return text, which may come from a vendor or a customer, with escapes for all characters that cannot be printed.

    Characters that change the writing direction could make 10.00 look like 00.01. HTML does not allow control
    characters. Half of a surrogate pair cannot be encoded.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == GAP else character.encode("unicode_escape").decode()
        for character in text
    )


def digit_groups(text: str) -> tuple[str, tuple[str, ...], str] | None:
    """Return the parts of a number: its sign, its groups of up to three digits, and the rest; None for other text.

    A page separates groups by a gap. A comma or a point has the opposite meaning in half of the world.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    whole = match["whole"]
    first = len(whole) % 3 or 3
    parts = (whole[:first], *(whole[place : place + 3] for place in range(first, len(whole), 3)))
    return (MINUS if match["sign"] == "-" else match["sign"]), parts, match["rest"]


def set_digit_gaps(text: str) -> str:
    """Return a number with narrow gaps between groups of digits, for a sentence; other text unchanged."""
    number = digit_groups(text)
    if number is None:
        return text
    sign, groups, rest = number
    return sign + GAP.join(groups) + rest


def set_gaps_in_sentence(sentence: str) -> str:
    """Return a sentence with narrow gaps between groups of digits in its amounts. An amount has its currency."""
    return _AMOUNT.sub(_set_gaps_of_match, sentence)


def _set_gaps_of_match(match: re.Match[str]) -> str:
    return set_digit_gaps(match[0])


def display_instant(instant: datetime) -> str:
    """Return an instant for people, to the second: ``2026-01-31 23:59:59 UTC``."""
    return format_instant(instant.replace(microsecond=0)).replace("T", " ").replace("Z", " UTC")
