"""Renders a page as one HTML document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from voucher_gateway.atomic_file import atomic_write, report_write_errors
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.html.document import (
    Chart,
    Column,
    HtmlPage,
    Section,
    Signatures,
    Table,
    Text,
    digit_groups,
    display_instant,
    escape_unprintable,
)

if TYPE_CHECKING:
    from markupsafe import Markup

_FOLDER: Final = Path(__file__).parent
_LONG_WORD: Final = 24
_MOST_EMPTY_ROWS: Final = 12
"""A table of the values of a chart with more rows has only those with a value."""
_KINDS: Final = {Chart: "chart", Table: "table", Text: "text", Signatures: "signatures"}


def render(page: HtmlPage) -> str:
    """Return a page as one HTML document without scripts. It loads no font, picture or other file.

    Equal pages give equal documents.

    Raises:
        ConfigurationError: if Jinja2 or Matplotlib is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup

        from voucher_gateway.html.charts import axis_note, chart_description, chart_url
    except ModuleNotFoundError as error:
        missing = error.name or "a library"
    else:
        environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_printable,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "number": _number_markup,
            "kind": _section_kind,
            "axis_note": axis_note,
            "chart_url": chart_url,
            "chart_description": chart_description,
            "values": values_table,
            "unbroken": _has_long_word,
        }
        return environment.get_template("page.html.j2").render(
            page=page,
            made_at=display_instant(page.made_at),
            style=Markup((_FOLDER / "page.css").read_text("utf-8")),  # noqa: S704 - a file of this package
        )
    raise ConfigurationError(f"HTML pages need {missing}: pip install 'voucher-gateway[report]'")


def write(page: HtmlPage, path: Path) -> None:
    """Write a page to a file that only its owner can read. The file is complete, or it is not changed.

    Raises:
        ConfigurationError: if the file cannot be written, or a library is missing.
    """
    text = render(page)
    with report_write_errors(f"the page {path}"):
        atomic_write(path, text.encode())


def values_table(chart: Chart) -> Table:
    """Return the numbers of a chart as a table."""
    if isinstance(chart.numbers, Table):
        return chart.numbers
    names = [f"{series.name} ({chart.unit})" if series.name else chart.unit for series in chart.series]
    every = range(len(chart.labels))
    places = [place for place in every if any(series.values[place] for series in chart.series)]
    if len(chart.labels) <= _MOST_EMPTY_ROWS:
        places = list(every)
    return Table(
        title=f"{chart.title}: the numbers",
        columns=(Column(""), *(Column(name, numeric=True) for name in names)),
        rows=tuple(
            (chart.labels[place], *(f"{series.values[place]:f}" for series in chart.series)) for place in places
        ),
        note="Rows without a value are left out." if len(places) < len(chart.labels) else "",
    )


def _printable(value: object) -> object:
    return escape_unprintable(value) if type(value) is str else value


def _section_kind(section: Section) -> str:
    return _KINDS[type(section)]


def _has_long_word(text: str) -> bool:
    """Whether a word of the text is so long that its column must be able to break it."""
    return any(len(word) > _LONG_WORD for word in escape_unprintable(text).split())


def _number_markup(text: str) -> str | Markup:
    """Return a number with gaps between groups of digits that are not copied as text; other text unchanged."""
    from markupsafe import Markup

    number = digit_groups(text)
    if number is None:
        return text
    sign, (first, *others), rest = number
    gaps = Markup("").join(Markup('<span class="g">{}</span>').format(group) for group in others)
    return Markup('<span class="n">{}{}{}{}</span>').format(sign, first, gaps, rest)
