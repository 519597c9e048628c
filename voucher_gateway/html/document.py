"""What stands on a page."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

ChartKind: TypeAlias = Literal["bar", "stacked", "across", "waterfall"]
"""How a chart is drawn.

``bar``: bars side by side at each label. ``stacked``: one on top of the other. ``across``: lying bars, for long labels.
``waterfall``: one series, whose first and last values are levels and whose others are the steps between them.
"""


@attrs.frozen
class Series:
    """One row of values of a chart.

    Attributes:
        name: what the legend calls it.
        values: one for each label of the chart.
    """

    name: str
    values: tuple[Decimal, ...]


@attrs.frozen
class Column:
    """A column of a table.

    Attributes:
        name: its heading.
        numeric: whether it is aligned at the right, and its digits set in groups of three.
    """

    name: str
    numeric: bool = False


@attrs.frozen
class Table:
    """A table.

    Attributes:
        title: its caption.
        columns: the columns.
        rows: the cells as text; numbers plain, as ``1234567.89``: the page sets their digits in groups.
        total: a last row, set apart.
        note: a sentence below it.

    Raises:
        ValueError: if a row has not one cell for each column.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] | None = None
    note: str = ""

    def __attrs_post_init__(self) -> None:
        rows = self.rows if self.total is None else (*self.rows, self.total)
        if any(len(row) != len(self.columns) for row in rows):
            raise ValueError("each row of a table has one cell for each of its columns")


@attrs.frozen
class Chart:
    """A picture of numbers.

    Attributes:
        title: its heading.
        unit: what the values are, such as ``EUR`` or ``vouchers``; one chart has one unit.
        labels: the places of the other axis.
        series: the values, each series with as many as there are labels.
        kind: how it is drawn.
        note: a sentence below it.
        numbers: the table below it, as no number is told by a picture alone: True for one of its own values, or one
            that says more; False where another table of the same page has them.

    Raises:
        ValueError: if a series has not one value for each label, or a waterfall has several series.
    """

    title: str
    unit: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    kind: ChartKind = "bar"
    note: str = ""
    numbers: bool | Table = True

    def __attrs_post_init__(self) -> None:
        if any(len(series.values) != len(self.labels) for series in self.series):
            raise ValueError("each series of a chart has one value for each of its labels")
        if self.kind == "waterfall" and len(self.series) != 1:
            raise ValueError("a waterfall has one series")


@attrs.frozen
class Text:
    """Paragraphs.

    Attributes:
        title: a heading; none where it is empty.
        paragraphs: each on its own.
        warning: whether it must not be overlooked: framed, and announced as a warning.
    """

    title: str
    paragraphs: tuple[str, ...]
    warning: bool = False


Section: TypeAlias = Chart | Table | Text


@attrs.frozen
class Page:
    """One page.

    Attributes:
        title: of the whole.
        subtitle: what it is about, in one line.
        facts: names and values below the title.
        sections: what follows.
        made_at: when the numbers were read; aware.
    """

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    made_at: datetime
