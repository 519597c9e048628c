"""What a page becomes, without a browser."""

from __future__ import annotations

import base64
import re
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.html.browser import Reader
from tests.support.examples import choose_size
from tests.support.long import first
from voucher_gateway.html.charts import axis_start
from voucher_gateway.html.document import Chart, Column, HtmlPage, Series, Signatures, Table, Text
from voucher_gateway.html.render import render, write
from voucher_gateway.html.time_axis import all_months, all_years
from voucher_gateway.provider_api import ConfigurationError

HOSTILE = (
    "<script>alert(1)</script> & \"quoted\" 'too' {{ 7 * 7 }} ]]> --> </svg></style> $x_1$"
    " \u202e00.01 \u2066 \x00 \x1b[31m"
)


def chart_svgs(text: str) -> list[str]:
    """Return the pictures of a document."""
    urls = [dict(attributes)["src"] or "" for tag, attributes in Reader(text).tags if tag == "img"]
    return [base64.b64decode(url.removeprefix("data:image/svg+xml;base64,")).decode() for url in urls]


def page_of(*sections: Any, **more: Any) -> HtmlPage:
    return HtmlPage(
        **{"title": "T", "subtitle": "S", "facts": (), "made_at": datetime(2026, 1, 1, tzinfo=UTC), **more},
        sections=sections,
    )


def test_a_page_is_one_document_that_fetches_and_runs_nothing(document: str) -> None:
    read = Reader(document)
    assert document.startswith("<!DOCTYPE html>")
    tags = Counter(tag for tag, _ in read.tags)
    assert not tags.keys() & {"script", "iframe", "object", "embed", "form", "base", "image"}
    assert re.findall(r"@import|@font-face|url\((?!#)", document) == []
    links = [value for _, given in read.tags for name, value in given.items() if name in ("href", "src", "xlink:href")]
    assert all(link is not None and link.startswith(("#", "data:,", "data:image/svg+xml;")) for link in links)
    (policy,) = [given["content"] for _, given in read.tags if given.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_equal_pages_give_equal_documents(page: HtmlPage, document: str) -> None:
    assert render(attrs.evolve(page)) == document


def test_a_picture_loads_and_runs_nothing(document: str) -> None:
    pictures = chart_svgs(document)
    assert len(pictures) == 4
    for svg in pictures:
        assert not re.search(r"<script|<image|<foreignObject|@import|@font-face|\bon[a-z]+=|<metadata", svg)
        links = [link for pair in re.findall(r"""href="([^"]*)"|url\(([^)]*)\)""", svg) for link in pair if link]
        assert all(link.startswith("#") for link in links)


def test_every_chart_has_its_numbers_in_a_table(document: str) -> None:
    read = Reader(document)
    assert read.tables["By month: the numbers"][0] == ["", "shop (EUR)", "events (EUR)"]
    assert read.tables["By month: the numbers"][12] == ["2027-12", "11000", "0.01"]
    assert read.tables["By age: the numbers"][1:] == [["young", "10.53"], ["old", "99.47"]]
    assert read.tables["From opening to closing: the numbers"][3] == ["redeemed", "−30"]


def test_a_chart_may_have_a_table_that_says_more(page: HtmlPage) -> None:
    table = Table("In full", (Column("a"), Column("b", numeric=True)), (("x", "1.00"),))
    chart = Chart("C", "EUR", ("x",), (Series("", (Decimal(1),)),), numbers=table)
    assert list(Reader(render(page_of(chart))).tables) == ["In full"]
    assert list(Reader(render(page_of(attrs.evolve(chart, numbers=False)))).tables) == []


def test_the_text_of_a_chart_stays_text(document: str) -> None:
    svg = chart_svgs(document)[0]
    assert ">2027-01</text>" in svg
    assert ">shop</text>" in svg


def test_a_chart_is_described_for_those_who_cannot_see_it(document: str) -> None:
    assert (
        'alt="Stacked bars of shop, events in EUR, from 2027-01 to 2027-12. The largest value is 11000 at 2027-12.'
        ' A table on this page has the numbers."'
    ) in document


def test_numbers_stand_at_the_right_in_groups_that_copy_as_plain_digits(document: str) -> None:
    assert '<span class="n">1<span class="g">234</span><span class="g">567</span>.89 EUR</span>' in document
    assert "1234567.89 EUR" in "".join(Reader(document).pieces)
    assert '<td>v-3</td><td class="num"><span class="n">3.00</span></td>' in document
    assert "1,234" not in document


@pytest.mark.parametrize(
    ("text", "shown"),
    [("-1234.50", "−1234.50"), ("999", "999"), ("1000", "1000"), ("12.345,6", "12.345,6"), ("v-1000", "v-1000")],
)
def test_only_a_plain_number_is_set_in_groups(text: str, shown: str) -> None:
    table = Table("T", (Column("n", numeric=True),), ((text,),))
    assert Reader(render(page_of(table))).tables["T"][1] == [shown]


def test_hostile_text_is_inert_wherever_it_stands() -> None:
    text = render(
        page_of(
            Text(HOSTILE, (HOSTILE,), warning=True),
            Chart(HOSTILE, HOSTILE, (HOSTILE, "x"), (Series(HOSTILE, (Decimal(1), Decimal(2))),), note=HOSTILE),
            Chart(HOSTILE, HOSTILE, (HOSTILE,), (Series("_hidden", (Decimal(1),)),)),
            Table(HOSTILE, (Column(HOSTILE), Column(HOSTILE, numeric=True)), ((HOSTILE, HOSTILE),), note=HOSTILE),
            title=HOSTILE,
            subtitle=HOSTILE,
            facts=((HOSTILE, HOSTILE),),
        )
    )
    read = Reader(text)
    assert "script" not in {tag for tag, _ in read.tags}
    assert "49" not in read.text.replace("\\x1b[31m", "")
    assert not set(text) & set("\u202e\u2066\x00\x1b")
    assert "\\u202e00.01" in read.text
    assert "$x_1$" in text
    pictures = chart_svgs(text)
    assert not any("<script" in svg or set(svg) & set("\u202e\u2066\x00\x1b") for svg in pictures)
    assert "_hidden" in pictures[1]


@given(st.text(max_size=40))
def test_any_text_can_stand_in_any_place(words: str) -> None:
    text = render(
        page_of(
            Text(words, (words,)),
            Table(words, (Column(words), Column("n", numeric=True)), ((words, words),), total=(words, words)),
            title=words,
            facts=((words, words),),
        )
    )
    text.encode("utf-8")
    assert len([tag for tag, _ in Reader(text).tags if tag == "tr"]) == 3


def test_letters_that_the_chart_font_lacks_are_kept(recwarn: pytest.WarningsRecorder) -> None:
    text = render(page_of(Chart("T", "EUR", ("日本語", "😀"), (Series("", (Decimal(1), Decimal(2))),))))
    assert all(f"{label}</text>" in chart_svgs(text)[0] for label in ("日本語", "😀"))
    assert list(recwarn) == []


def test_a_dollar_in_a_label_is_a_dollar() -> None:
    text = render(page_of(Chart("T", "EUR", ("$x_1$", "a$"), (Series("$y^2$", (Decimal(1), Decimal(2))),))))
    assert all(f">{label}</text>" in chart_svgs(text)[0] for label in ("$x_1$", "a$", "$y^2$"))


def test_a_very_long_word_may_break_and_a_short_one_may_not() -> None:
    table = Table("T", (Column("a"),), (("x" * 300,), ("EUR",)))
    text = render(page_of(table))
    assert f'<td class="long">{"x" * 300}</td>' in text
    assert "<td>EUR</td>" in text


@pytest.mark.parametrize("kind", ["stacked", "waterfall"])
@pytest.mark.parametrize(
    "values",
    [(), (Decimal(0),), (Decimal("-5.50"), Decimal(5)), (Decimal(10) ** 18, Decimal("0.01"))],
    ids=["none", "nothing", "below zero", "huge"],
)
def test_a_chart_of_any_kind_draws_any_values(kind: Any, values: tuple[Decimal, ...]) -> None:
    labels = tuple(map(str, range(len(values))))
    text = render(page_of(Chart("T", "EUR", labels, (Series("a", values),), kind)))
    assert len(chart_svgs(text)) == bool(values)
    assert ("Nothing to draw." in text) is not bool(values)


@pytest.mark.parametrize("kind", ["stacked", "waterfall"])
@pytest.mark.parametrize("value", first(["-3", "0", "0.01", "1000001.53"]))
def test_the_axis_of_every_chart_shows_zero(kind: Any, value: str) -> None:
    text = render(page_of(Chart("T", "EUR", ("a", "b"), (Series("", (Decimal(value), Decimal(value))),), kind)))
    assert ">0</text>" in chart_svgs(text)[0]


def test_a_chart_with_values_that_do_not_fit_its_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="one value for each"):
        Chart("T", "EUR", ("a", "b"), (Series("s", (Decimal(1),)),))
    with pytest.raises(ValueError, match="one series"):
        Chart("T", "EUR", (), (), "waterfall")
    with pytest.raises(ValueError, match="one cell for each"):
        Table("T", (Column("a"),), (), total=("x", "y"))


def test_pages_made_on_several_threads_are_those_made_alone(page: HtmlPage, document: str) -> None:
    threads = choose_size(quick=2, thorough=4)
    with ThreadPoolExecutor(threads) as pool:
        assert {text == document for text in pool.map(render, [page] * threads)} == {True}


@pytest.fixture
def odd_settings() -> Iterator[None]:
    """A host application's own taste in charts."""
    with matplotlib.rc_context({"font.size": 40, "axes.facecolor": "red", "svg.fonttype": "path"}):
        yield


def test_the_settings_of_the_process_neither_matter_nor_change(
    page: HtmlPage, document: str, odd_settings: None
) -> None:
    before = dict(matplotlib.rcParams)
    assert render(page) == document
    assert dict(matplotlib.rcParams) == before


def test_libraries_are_imported_late_and_nothing_of_a_process_is_kept_for_charts() -> None:
    code = (
        "import sys; from datetime import datetime, UTC; from decimal import Decimal\n"
        "from voucher_gateway.html.document import Chart, HtmlPage, Series\n"
        "from voucher_gateway.html.render import render\n"
        "assert not {'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "chart = Chart('T', 'EUR', ('a',), (Series('', (Decimal(1),)),))\n"
        "render(HtmlPage('T', '', (), (chart,), datetime.now(UTC)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_page_is_written_whole_and_for_its_owner_alone(page: HtmlPage, document: str, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")
    write(page, target)
    assert target.read_text("utf-8") == document
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    page = page_of()
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write(page, tmp_path / "taken")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write(page, tmp_path / "nowhere" / "page.html")
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]


def test_without_the_libraries_the_error_says_what_to_install(page: HtmlPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError, match=r"voucher-gateway\[report\]"):
        render(page)


def waterfall(*values: str) -> Chart:
    amounts = tuple(Decimal(value) for value in values)
    return Chart(
        "T", "EUR", tuple(f"line {place}" for place in range(len(amounts))), (Series("", amounts),), "waterfall"
    )


def test_a_small_step_between_large_levels_is_drawn_on_a_scale_where_it_is_seen() -> None:
    text = render(page_of(waterfall("223664.00", "-1.00", "0.50", "223663.50")))
    (svg,) = chart_svgs(text)
    assert ">0</text>" not in svg
    assert "does not begin at zero" in Reader(text).text
    step = axis_start(waterfall("223664.00", "-1.00", "0.50", "223663.50"))
    assert Decimal(223662) < step < Decimal(223663)


@pytest.mark.parametrize(
    "values",
    [("100.00", "-60.00", "40.00"), ("0.00", "5.00", "5.00"), ("10.00", "0.00", "10.00"), ("-5.00", "1.00", "-4.00")],
)
def test_steps_that_are_seen_anyway_have_an_axis_from_zero(values: tuple[str, ...]) -> None:
    assert axis_start(waterfall(*values)) == 0
    assert "does not begin at zero" not in Reader(render(page_of(waterfall(*values)))).text


def test_patterns_take_little_room_in_a_chart() -> None:
    names = ("a", "b", "c", "d", "e", "f", "g", "h")
    series = tuple(Series(name, (Decimal(1),)) for name in names)
    (svg,) = chart_svgs(render(page_of(Chart("T", "EUR", ("x",), series))))
    assert svg.count("<pattern") == 5
    assert len(svg) < 25_000


def test_a_long_table_of_values_has_only_the_rows_with_a_value() -> None:
    labels = tuple(all_months(["2026-11", "2028-02"]))
    values = tuple(Decimal(number % 8 == 0) for number in range(len(labels)))
    (table,) = Reader(render(page_of(Chart("T", "EUR", labels, (Series("", values),))))).tables.values()
    assert [row[0] for row in table[1:]] == ["2026-11", "2027-07"]


def test_an_axis_of_months_or_years_has_no_gap() -> None:
    assert all_months(["2026-11", "2027-02"]) == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert all_years(["2026-11", "2029-02"]) == ["2026", "2027", "2028", "2029"]
    assert all_months([]) == all_years([]) == []


def test_a_warning_links_to_the_table_with_its_numbers() -> None:
    table = Table("Sums", (Column("a"),), (("1.00 EUR",),), anchor="sums")
    read = Reader(render(page_of(Text("W", ("1.00 EUR is missing.",), warning=True, links=(("Sums", "sums"),)), table)))
    assert ("a", {"href": "#sums"}) in read.tags
    assert any(tag == "table" and given.get("id") == "sums" for tag, given in read.tags)


def test_a_sum_of_rows_is_marked() -> None:
    table = Table("T", (Column("a"),), (("1",), ("2",), ("3",)), subtotals=frozenset({2}))
    rows = [given for tag, given in Reader(render(page_of(table))).tags if tag == "tr"]
    assert [given.get("class") for given in rows] == [None, None, None, "sum"]


def test_there_is_a_line_for_each_person_who_signs() -> None:
    text = Reader(render(page_of(Signatures("Signatures", "We agree.", ("Made by", "Checked by"))))).text
    assert text.count("Name Place and date Signature") == 2
    assert "Made by" in text
    assert "Checked by" in text
