"""Charts, drawn by Matplotlib as SVG pictures.

This is the only place where an amount becomes a binary float: the height of a bar is not an amount. Every number that
a reader could take for an amount is in a table as exact text.

Matplotlib was compared with pygal: pygal has no hatching for print, no labels of several lines and no waterfall, and
its SVG holds scripts and the date.
"""

from __future__ import annotations

import base64
import io
import textwrap
import threading
import warnings
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from voucher_gateway.html.document import MINUS, Chart, escape_unprintable, set_digit_gaps
from voucher_gateway.process.fork_safety import call_after_fork, renew_if_forked

_SIZE_INCHES: Final = (8.6, 3.1)
_MAX_LABEL_WIDTH: Final = 18
"""Characters in a line of a label."""
_MAX_LABEL_LINES: Final = 3
_MIN_PLACES: Final = 6
"""Bars are never wider than if there were so many of them."""
_SMALLEST_SHARE: Final = 4
"""If all steps of a waterfall together are smaller than this part of its levels, its axis does not begin at zero."""
_MAX_LEVEL_LABELS: Final = 12
"""More labels than this are written vertically."""

# The series differ in lightness and hatching, so that they can be distinguished in print without colour, too. Readers
# with any kind of colour blindness can distinguish blue and orange.
_FILLS: Final = ("#0b4f8a", "#f0a33a", "#6fb7a0", "#b9c7d6", "#8c4a6b", "#d8d06a", "#5c5c5c", "#ffffff")
# Lines only: a dotted pattern takes a quarter of a megabyte in each chart.
_HATCHES: Final = ("", "", "////", "||||", "xxxx", "\\\\\\\\", "", "---")
_EDGE: Final[dict[str, Any]] = {"edgecolor": "#222222", "linewidth": 0.5}
_LEVEL: Final[dict[str, Any]] = {"facecolor": "#5c5c5c", **_EDGE}
_INCREASE: Final[dict[str, Any]] = {"facecolor": _FILLS[0], **_EDGE}
_DECREASE: Final[dict[str, Any]] = {"facecolor": _FILLS[1], "hatch": "////", **_EDGE}

_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",  # text is drawn by a font of the reader, which has more letters than one of ours
    "svg.hashsalt": "voucher-gateway",  # equal charts give equal files
    "text.parse_math": False,  # a dollar sign is a dollar sign
    "font.family": ["DejaVu Sans", "sans-serif"],  # comes with Matplotlib, and is wider than the fonts of browsers
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "hatch.linewidth": 0.6,
}
_WITHOUT_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))

# Matplotlib's settings belong to the whole process. We set ours while a chart is drawn, in one thread at a time.
_settings_lock = threading.Lock()


def _renew_after_fork() -> None:
    global _settings_lock
    _settings_lock = threading.Lock()


call_after_fork(_renew_after_fork)


def chart_url(chart: Chart) -> str:
    """Return a chart as the ``data:`` URL of an SVG picture. Equal charts give equal URLs.

    Args:
        chart: with at least one label and one series.
    """
    renew_if_forked()
    picture = io.BytesIO()
    with (
        _settings_lock,
        warnings.catch_warnings(),
        matplotlib.style.context(_SETTINGS, after_reset=True),  # without the settings of this machine or program
    ):
        # Matplotlib measures labels by its own font, which may lack some letters. The reader's font draws them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        _draw(chart).savefig(picture, format="svg", metadata=_WITHOUT_METADATA)
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}"


def chart_description(chart: Chart) -> str:
    """Return in words what a chart shows, for readers who cannot see it."""
    names = ", ".join(series.name for series in chart.series if series.name)
    label, value = max(
        ((label, series.values[place]) for series in chart.series for place, label in enumerate(chart.labels)),
        key=lambda bar: abs(bar[1]),
    )
    return (
        f"{_KIND_NAMES[chart.kind]}{f' of {names}' if names else ''} in {chart.unit}, from {chart.labels[0]} to"
        f" {chart.labels[-1]}. The largest value is {value:f} at {label}. A table on this page has the numbers."
    )


def _draw(chart: Chart) -> Figure:
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    _DRAWINGS[chart.kind](axes, chart)
    _style_axes(axes, chart)
    return figure


def _floats(values: Sequence[Decimal]) -> list[float]:
    return [float(value) for value in values]


def _series_style(place: int) -> dict[str, Any]:
    index = place % len(_FILLS)
    return {"facecolor": _FILLS[index], "hatch": _HATCHES[index], **_EDGE}


def _draw_stacked_bars(axes: Axes, chart: Chart) -> None:
    top = [Decimal(0)] * len(chart.labels)
    bottom = [Decimal(0)] * len(chart.labels)
    for place, series in enumerate(chart.series):
        # Negative values are stacked downwards from zero. Otherwise they would hide positive ones.
        base = [bottom[index] if value < 0 else top[index] for index, value in enumerate(series.values)]
        # Only bars that can be seen, and one for the legend: a time axis has many empty places.
        places = [index for index, value in enumerate(series.values) if value] or [0]
        axes.bar(
            places,
            _floats([series.values[index] for index in places]),
            bottom=_floats([base[index] for index in places]),
            label=_legend_label(series.name),
            **_series_style(place),
        )
        for index, value in enumerate(series.values):
            (bottom if value < 0 else top)[index] += value


def _draw_waterfall(axes: Axes, chart: Chart) -> None:
    values = chart.series[0].values
    level = start = axis_start(chart)
    for place, value in enumerate(values):
        is_level = place in (0, len(values) - 1)
        base = start if is_level else level
        height = value - start if is_level else value
        style = _LEVEL if is_level else _DECREASE if value < 0 else _INCREASE
        axes.bar([place], [float(height)], 0.7, bottom=[float(base)], **style)
        level = base + height
        if is_level and start:
            _mark_cut(axes, place, chart)
        if place < len(values) - 1:
            axes.plot([place - 0.35, place + 1.35], [float(level)] * 2, color="#555555", linewidth=0.6, zorder=0)


def axis_start(chart: Chart) -> Decimal:
    """Return where the number axis begins: not at zero if the steps of a waterfall could not be seen then."""
    zero = Decimal(0)
    if chart.kind != "waterfall":
        return zero
    levels = _levels(chart)
    lowest, highest = min(levels), max(levels)
    spread = highest - lowest
    if lowest <= 0 or not spread or spread * _SMALLEST_SHARE > highest:
        return zero
    return max(zero, lowest - spread / 2)


def axis_note(chart: Chart) -> str:
    """Return the sentence about an axis that does not begin at zero; empty for other charts."""
    if not chart.labels or not chart.series or not axis_start(chart):
        return ""
    return "The axis does not begin at zero, so that the steps can be seen: compare the steps, not the grey bars."


def _levels(chart: Chart) -> list[Decimal]:
    """Return the levels that a waterfall passes, from the opening to the closing one."""
    values = chart.series[0].values
    levels = [sum(values[: place + 1], Decimal(0)) for place in range(max(1, len(values) - 1))]
    return [*levels, values[-1]]


def _mark_cut(axes: Axes, place: int, chart: Chart) -> None:
    """Draw a white line through the foot of a bar that does not begin at zero."""
    lowest, highest = _number_range(chart)
    foot, step = float(lowest + (highest - lowest) / 12), float((highest - lowest) / 40)
    axes.plot([place - 0.42, place + 0.42], [foot - step, foot + step], color="#ffffff", linewidth=4)


_DRAWINGS: Final[dict[str, Callable[[Axes, Chart], None]]] = {
    "stacked": _draw_stacked_bars,
    "waterfall": _draw_waterfall,
}
_KIND_NAMES: Final = {"stacked": "Stacked bars", "waterfall": "Waterfall chart"}


def _style_axes(axes: Axes, chart: Chart) -> None:
    """Write the labels of the axes, and remove lines without information."""
    labels = [_wrap_label(label) for label in chart.labels]
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick_text))
    axes.yaxis.grid(visible=True, color="#dddddd", linewidth=0.6)
    lowest, highest = _number_range(chart)
    axes.yaxis.set_view_interval(float(lowest), float(highest), ignore=True)
    axes.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > _MAX_LEVEL_LABELS else 0)
    margin = 0.6 + max(0, _MIN_PLACES - len(labels)) / 2
    axes.set_xlim(-margin, len(labels) - 1 + margin)
    start = axis_start(chart)
    axes.axhline(float(start), color="#111111", linewidth=0.8, linestyle="dashed" if start else "solid")
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    if chart.kind != "waterfall" and any(series.name for series in chart.series):
        axes.figure.legend(loc="outside upper left", ncols=min(4, len(chart.series)), frameon=False)


def _number_range(chart: Chart) -> tuple[Decimal, Decimal]:
    """Return the ends of the number axis. Zero and all bars are between them, with a small margin."""
    zero = Decimal(0)
    if chart.kind == "waterfall":
        ends = _levels(chart)
        if start := axis_start(chart):
            return start, max(ends) + (max(ends) - start) * Decimal("0.05")
    else:
        columns = [[series.values[place] for series in chart.series] for place in range(len(chart.labels))]
        ends = [sum((value for value in column if value > 0), zero) for column in columns]
        ends += [sum((value for value in column if value < 0), zero) for column in columns]
    lowest, highest = min([zero, *ends]), max([zero, *ends])
    margin = (highest - lowest) * Decimal("0.05") or Decimal(1)
    return (lowest - margin if lowest else zero), (zero if lowest and not highest else highest + margin)


def _wrap_label(text: str) -> str:
    lines = textwrap.wrap(escape_unprintable(text), _MAX_LABEL_WIDTH) or [""]
    if len(lines) > _MAX_LABEL_LINES:
        last = f"{lines[_MAX_LABEL_LINES - 1][: _MAX_LABEL_WIDTH - 1]}…"
        lines = [*lines[: _MAX_LABEL_LINES - 1], last]
    return "\n".join(lines)


def _legend_label(name: str) -> str:
    """Return the label for the legend. Matplotlib leaves out labels that begin with an underscore."""
    label = escape_unprintable(name)
    label = label if len(label) <= 2 * _MAX_LABEL_WIDTH else f"{label[: 2 * _MAX_LABEL_WIDTH - 1]}…"
    return f"\u200b{label}" if label.startswith("_") else label


def _tick_text(value: float, _: object = None) -> str:
    """Return the text of a round place on the number axis, which is never an exact amount."""
    text = f"{value:.10g}" if abs(value) < 1e10 else f"{value:.0f}"
    return set_digit_gaps(text).replace("-", MINUS)
