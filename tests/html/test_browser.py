"""Pages in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.html.browser import opened
from tests.support.long import first
from voucher_gateway.html.document import HtmlPage
from voucher_gateway.html.render import write


def test_a_page_opens_without_an_error_or_a_request_and_prints(page: HtmlPage, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write(page, path)
    seen = opened(path, tmp_path)
    assert seen.console == ()
    assert seen.requests == ()
    assert seen.read.tables["Vouchers"][-1] == ["total", "3160.00"]
    assert len(seen.sheets) >= 3
    assert set(seen.sheets) == {(210, 297)}
    assert 0.02 < seen.ink < 0.6


@pytest.mark.parametrize(
    "planted", first(["<script>console.error('boom')</script>", "<img src='http://vendor.example/x.png'>"])
)
def test_the_pages_own_policy_stops_what_somebody_slips_in(page: HtmlPage, tmp_path: Path, planted: str) -> None:
    path = tmp_path / "page.html"
    write(page, path)
    path.write_text(path.read_text("utf-8").replace("<main>", f"<main>{planted}"), "utf-8")
    seen = opened(path, tmp_path)
    assert seen.requests == ()
    assert any("Content Security Policy" in line for line in seen.console)


@pytest.mark.long
def test_the_browser_of_these_tests_sees_requests_and_errors(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<!DOCTYPE html><img src='http://vendor.example/x.png'><script>console.error('boom')</script>")
    seen = opened(path, tmp_path)
    assert seen.requests == ("http://vendor.example/x.png",)
    assert any("boom" in line for line in seen.console)
    assert seen.ink < 0.01
