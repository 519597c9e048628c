"""From a page to one HTML document."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from voucher_gateway.atomic_file import atomic_write
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.html.document import Chart, Column, Page, Section, Table, Text
from voucher_gateway.html.text import escape_unprintable, groups
from voucher_gateway.instants import format_instant

if TYPE_CHECKING:
    from markupsafe import Markup

_TEMPLATE: Final = "page.html.j2"
_STYLE: Final = "page.css"
_LONG_WORD: Final = 24
_KINDS: Final = {Chart: "chart", Table: "table", Text: "text"}


def render(page: Page) -> str:
    """Return the page as one HTML document that needs nothing else: no script, no font, no picture from elsewhere.

    Equal pages give equal documents.

    Raises:
        ConfigurationError: if Jinja2 or Matplotlib is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup

        from voucher_gateway.html.charts import render_svg
    except ModuleNotFoundError as error:
        missing = error.name or "a library"
    else:
        missing = ""
    if missing:
        raise ConfigurationError(f"HTML pages need {missing}: pip install 'voucher-gateway[report]'")

    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: escape_unprintable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    numbers = count(1)

    def chart_markup(chart: Chart) -> Markup:
        # Markup: the drawing is a tree of our own, serialised with every text escaped.
        return Markup(render_svg(chart, prefix=f"chart{next(numbers)}"))  # noqa: S704 - see the line above

    environment.filters |= {
        "number": _number,
        "kind": _kind,
        "drawn": chart_markup,
        "values": values_of,
        "unbroken": _unbroken,
    }
    return environment.get_template(_TEMPLATE).render(
        page=page,
        made_at=format_instant(page.made_at.replace(microsecond=0)).replace("T", " ").replace("Z", " UTC"),
        style=Markup((folder / _STYLE).read_text("utf-8")),  # noqa: S704 - our own file
    )


def write(page: Page, path: Path) -> None:
    """Write a page to a file: all of it or nothing, and readable by its owner alone.

    Raises:
        ConfigurationError: if the file cannot be written, or a library is missing.
    """
    text = render(page)
    try:
        atomic_write(path, text.encode())
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise ConfigurationError(f"the page {path} cannot be written: {reason}")


def values_of(chart: Chart) -> Table:
    """Return the numbers of a chart as a table."""
    if isinstance(chart.numbers, Table):
        return chart.numbers
    return Table(
        title=f"{chart.title}: the numbers",
        columns=(
            Column(""),
            *(
                Column(f"{item.name} ({chart.unit})" if item.name else chart.unit, numeric=True)
                for item in chart.series
            ),
        ),
        rows=tuple(
            (label, *(f"{item.values[place]:f}" for item in chart.series)) for place, label in enumerate(chart.labels)
        ),
    )


def _kind(section: Section) -> str:
    return _KINDS[type(section)]


def _unbroken(text: str) -> bool:
    """Whether a word of the text is so long that a column must be able to break it."""
    return any(len(word) > _LONG_WORD for word in escape_unprintable(text).split())


def _number(text: str) -> Any:
    """Return a number with its digits in groups, so that copying it still gives plain digits; other text as it is."""
    from markupsafe import Markup

    parts = groups(text)
    if parts is None:
        return text
    sign, (first, *others), rest = parts
    marked = Markup("").join(Markup('<span class="g">{}</span>').format(series) for series in others)
    return Markup('<span class="n">{}{}{}{}</span>').format(sign, first, marked, rest)
