"""Charts as SVG, drawn by Matplotlib.

This is the one place where an amount becomes a float: the height of a bar is no amount, and every number that a reader
could take for one stands as exact text in a table.
"""

from __future__ import annotations

import io
import textwrap
import threading
import warnings
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from voucher_gateway.fork_safety import call_after_fork, renew_if_forked
from voucher_gateway.html.document import Chart
from voucher_gateway.html.text import MINUS, escape_unprintable, groups

_INCHES: Final = 8.6
_HEIGHT: Final = 3.1
_BAR_HEIGHT: Final = 0.34
"""Inches for one lying bar."""
_LABEL: Final = 18
_LINES: Final = 3
"""A label is at most so many lines of so many characters; the table has all of it."""
_NARROWEST: Final = 6
"""So many places at least: two bars alone must not become walls."""
_UPRIGHT: Final = 12
"""With more labels than this they stand on end."""

# Told apart in print without colour too: by lightness, and by hatching. Blue and orange are safe for all eyes.
_FILLS: Final = ("#0b4f8a", "#f0a33a", "#6fb7a0", "#b9c7d6", "#8c4a6b", "#d8d06a", "#5c5c5c", "#ffffff")
_HATCHES: Final = ("", "", "////", "....", "xxxx", "\\\\\\\\", "", "---")
_LEVEL, _UP, _DOWN = "#5c5c5c", "#0b4f8a", "#f0a33a"

_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",  # text stays text: it is found, read aloud, and printed by the reader's own font
    "svg.hashsalt": "voucher-gateway",  # names of clip paths and hatches depend on what is drawn alone
    "text.parse_math": False,  # a dollar is a dollar
    "font.family": ["DejaVu Sans"],  # comes with Matplotlib, and is wider than what browsers take instead
    "font.size": 9.0,
    "hatch.linewidth": 0.6,
    "axes.unicode_minus": True,
}
_SVG: Final = "{http://www.w3.org/2000/svg}"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"

# Matplotlib's settings belong to the whole process: ours stand while a chart is drawn, one thread at a time.
_drawing = threading.Lock()


def _renew_after_fork() -> None:
    global _drawing
    _drawing = threading.Lock()


call_after_fork(_renew_after_fork)


def render_svg(chart: Chart, *, prefix: str) -> str:
    """Return the chart as an SVG element to stand in an HTML document.

    Args:
        chart: with at least one label and one series.
        prefix: begins every id in it, so that charts of one document do not share any.
    """
    renew_if_forked()
    with _drawing, warnings.catch_warnings(), matplotlib.rc_context():
        # A label may have letters that Matplotlib's own font lacks; it only measures with it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        matplotlib.rcParams.update(_defaults())
        matplotlib.rcParams.update(_SETTINGS)
        return _embed_svg(_render_figure(chart), chart, prefix)


def _defaults() -> dict[Any, Any]:
    """Return the settings that a chart depends on as Matplotlib ships them, whatever this machine's own file says."""
    mattering = ("axes.", "figure.", "font.", "grid.", "hatch.", "legend.", "lines.", "patch.", "path.", "text.")
    also = ("savefig.", "svg.", "xtick.", "ytick.")
    shipped = matplotlib.rcParamsDefault
    return {name: shipped[name] for name in shipped if name.startswith(mattering + also)}


def _render_figure(chart: Chart) -> bytes:
    across = chart.kind == "across"
    bars = len(chart.labels) * (len(chart.series) if across else 1)
    figure = Figure(figsize=(_INCHES, max(1.2, 0.9 + bars * _BAR_HEIGHT) if across else _HEIGHT), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    _PAINTERS[chart.kind](axes, chart)
    _dress(axes, chart, across=across)
    picture = io.BytesIO()
    figure.savefig(picture, format="svg")
    return picture.getvalue()


def _heights(values: Sequence[Decimal]) -> list[float]:
    return [float(value) for value in values]


def _look(place: int) -> dict[str, Any]:
    index = place % len(_FILLS)
    return {"facecolor": _FILLS[index], "hatch": _HATCHES[index], "edgecolor": "#222222", "linewidth": 0.5}


def _bars(axes: Axes, chart: Chart) -> None:
    width = 0.8 / len(chart.series)
    for place, series in enumerate(chart.series):
        at = [index - 0.4 + width * (place + 0.5) for index in range(len(chart.labels))]
        axes.bar(at, _heights(series.values), width, label=_legend(series.name), **_look(place))


def _draw_stacked_bars(axes: Axes, chart: Chart) -> None:
    above = [Decimal(0)] * len(chart.labels)
    below = [Decimal(0)] * len(chart.labels)
    for place, series in enumerate(chart.series):
        # Values below zero are stacked downwards from zero, or they would cover the others.
        base = [below[at] if value < 0 else above[at] for at, value in enumerate(series.values)]
        axes.bar(
            range(len(chart.labels)),
            _heights(series.values),
            0.8,
            bottom=_heights(base),
            label=_legend(series.name),
            **_look(place),
        )
        for at, value in enumerate(series.values):
            (below if value < 0 else above)[at] += value


def _across(axes: Axes, chart: Chart) -> None:
    height = 0.8 / len(chart.series)
    for place, series in enumerate(chart.series):
        at = [index - 0.4 + height * (place + 0.5) for index in range(len(chart.labels))]
        axes.barh(at, _heights(series.values), height, label=_legend(series.name), **_look(place))
    axes.invert_yaxis()


def _waterfall(axes: Axes, chart: Chart) -> None:
    values = chart.series[0].values
    last = len(values) - 1
    level = Decimal(0)
    for place, value in enumerate(values):
        is_level = place in (0, last)
        base = Decimal(0) if is_level else level
        fill = _LEVEL if is_level else _DOWN if value < 0 else _UP
        hatch = "////" if not is_level and value < 0 else ""
        axes.bar(
            [place],
            [float(value)],
            0.7,
            bottom=[float(base)],
            facecolor=fill,
            hatch=hatch,
            edgecolor="#222222",
            linewidth=0.5,
        )
        level = value if is_level else level + value
        if place < last:
            axes.plot([place - 0.35, place + 1.35], [float(level)] * 2, color="#555555", linewidth=0.6, zorder=0)


_PAINTERS: Final[dict[str, Callable[[Axes, Chart], None]]] = {
    "bar": _bars,
    "stacked": _draw_stacked_bars,
    "across": _across,
    "waterfall": _waterfall,
}


def _dress(axes: Axes, chart: Chart, *, across: bool) -> None:
    """Give the axes their labels, and take away what is no information."""
    labels = [_label(label) for label in chart.labels]
    places = range(len(labels))
    formatter = FuncFormatter(_tick)
    number_axis = axes.xaxis if across else axes.yaxis
    number_axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    number_axis.set_major_formatter(formatter)
    number_axis.grid(visible=True, color="#dddddd", linewidth=0.6)
    lowest, highest = _extent(chart)
    number_axis.set_view_interval(float(lowest), float(highest), ignore=True)
    if across:
        axes.set_yticks(places, labels)
        axes.axvline(0, color="#111111", linewidth=0.8)
    else:
        upright = len(labels) > _UPRIGHT
        axes.set_xticks(places, labels, rotation=90 if upright else 0)
        axes.set_xlim(-0.6, max(len(labels), _NARROWEST) - 0.4)
        axes.axhline(0, color="#111111", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "bottom" if not across else "left"):
        axes.spines[side].set_visible(False)
    if chart.kind != "waterfall" and any(series.name for series in chart.series):
        axes.figure.legend(loc="outside upper left", ncols=min(4, len(chart.series)), frameon=False)


def _extent(chart: Chart) -> tuple[Decimal, Decimal]:
    """Return the ends of the number axis: zero and all bars are between them, with a little room beyond."""
    columns = [[series.values[at] for series in chart.series] for at in range(len(chart.labels))]
    if chart.kind == "stacked":
        reached = [sum((value for value in column if value > 0), Decimal(0)) for column in columns]
        reached += [sum((value for value in column if value < 0), Decimal(0)) for column in columns]
    elif chart.kind == "waterfall":
        values = chart.series[0].values
        reached = [values[-1], *(sum(values[: place + 1], Decimal(0)) for place in range(max(1, len(values) - 1)))]
    else:
        reached = [value for column in columns for value in column]
    zero = Decimal(0)
    lowest, highest = min([zero, *reached]), max([zero, *reached])
    room = (highest - lowest) * Decimal("0.05") or Decimal(1)
    return (lowest - room if lowest else zero), (zero if lowest and not highest else highest + room)


def _label(text: str) -> str:
    lines = textwrap.wrap(escape_unprintable(text), _LABEL) or [""]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"{lines[_LINES - 1][: _LABEL - 1]}…"]
    return "\n".join(lines)


def _legend(name: str) -> str:
    """Return the name for the legend, which would leave out a name that begins with an underscore."""
    label = escape_unprintable(name)
    label = label if len(label) <= 2 * _LABEL else f"{label[: 2 * _LABEL - 1]}…"
    return f"\u200b{label}" if label.startswith("_") else label


def _tick(value: float, _: object = None) -> str:
    """Return the text at a place of the number axis; round places, never an amount of anybody's."""
    text = f"{value:.10g}" if abs(value) < 1e10 else f"{value:.0f}"
    number_parts = groups(text)
    if number_parts is None:
        return text.replace("-", MINUS)
    sign, parts, rest = number_parts
    return sign + "\N{NARROW NO-BREAK SPACE}".join(parts) + rest


def _embed_svg(picture: bytes, chart: Chart, prefix: str) -> str:
    """Return Matplotlib's document as an element of ours: without namespaces, and with ids that nobody else has."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - written by Matplotlib a moment ago, no stranger's document
    for element in root.findall(f"{_SVG}metadata"):
        root.remove(element)  # the day and Matplotlib's version, which would make every document another one
    for parent in list(root.iter()):
        for element in list(parent):
            if element.tag == f"{_SVG}style":
                parent.remove(
                    element
                )  # it would speak of the whole HTML document; what it says stands on the root below
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if link := element.attrib.pop(_LINK, None):
            element.set("href", link)
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, f"{prefix}-{value}")
            elif name == "href":
                element.set(name, value.replace("#", f"#{prefix}-", 1))
            else:
                element.set(name, value.replace("url(#", f"url(#{prefix}-"))
    width, height = (root.attrib.pop(name) for name in ("width", "height"))
    del width, height  # the page says how wide it is
    root.attrib.pop("version", None)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
    for place, (tag, text) in enumerate(
        (("title", escape_unprintable(chart.title)), ("desc", _chart_description(chart)))
    ):
        element = ElementTree.Element(tag, {"id": f"{prefix}-{tag}"})
        element.text = text
        root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode", method="xml")


def _chart_description(chart: Chart) -> str:
    """Return in words what a chart shows, for who cannot see it."""
    kinds = {"bar": "Bars", "stacked": "Stacked bars", "across": "Lying bars", "waterfall": "A waterfall"}
    names = ", ".join(escape_unprintable(series.name) for series in chart.series if series.name)
    of = f" of {names}" if names else ""
    place, value = max(
        ((label, series.values[at]) for series in chart.series for at, label in enumerate(chart.labels)),
        key=lambda series: abs(series[1]),
    )
    return (
        f"{kinds[chart.kind]}{of} in {escape_unprintable(chart.unit)} at {len(chart.labels)} places from"
        f" {escape_unprintable(chart.labels[0])} to"
        f" {escape_unprintable(chart.labels[-1])}; the largest is {value:f} at {escape_unprintable(place)}. The"
        " numbers stand in a table of this"
        " page."
    )
