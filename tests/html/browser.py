"""Opens pages in Debian's Chromium, without a window, and tells what came of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import attrs
import matplotlib.image
import pytest

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # tests may run as root, where Chromium refuses to make one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    # Nobody listens there: neither the page's requests nor the browser's own leave this machine.
    "--proxy-server=http://127.0.0.1:9",
)
_PATIENCE_S: Final = 60


class Reader(HTMLParser):
    """Reads the elements of a document: tags with their attributes, and the cells of its tables by caption."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.pieces: list[str] = []
        self._inside: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("style", "caption", "td", "th"):
            self._inside.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        where = self._inside[-1] if self._inside else ""
        if where == "style":
            return
        self.pieces.append(data)
        if where == "caption":
            self._caption += data
        elif where in ("td", "th"):
            self._rows[-1][-1] += data

    @property
    def text(self) -> str:
        """All text that is to be seen."""
        return " ".join(" ".join(self.pieces).split())


@attrs.frozen
class Opened:
    """A page as the browser had it.

    Attributes:
        dom: the document after everything was loaded, as HTML.
        console: what was said on the console, errors and refused requests among it.
        requests: the addresses that the page asked for, itself left out.
        pdf: the page as printed.
        picture: the page as seen.
    """

    dom: str
    console: tuple[str, ...]
    requests: tuple[str, ...]
    pdf: Path
    picture: Path

    @property
    def read(self) -> Reader:
        """The document's elements."""
        return Reader(self.dom)

    @property
    def sheets(self) -> list[tuple[int, int]]:
        """Width and height of each printed page, in millimetres."""
        whole = self.pdf.read_bytes()
        boxes = re.findall(rb"/Type\s*/Page\b.*?/MediaBox\s*\[0 0 ([0-9.]+) ([0-9.]+)\]", whole, flags=re.DOTALL)
        return [
            (round(int(float(width)) / 72 * 25.4), round(int(float(height)) / 72 * 25.4)) for width, height in boxes
        ]

    @property
    def ink(self) -> float:
        """Which part of the picture is not white, from 0 to 1."""
        pixels: Any = matplotlib.image.imread(self.picture)
        return float((pixels[:, :, :3].min(axis=2) < 0.9).mean())


def opened(page: Path, folder: Path, *, width: int = 1000, height: int = 1400) -> Opened:
    """Open a page, print it and take its picture.

    Args:
        page: the file.
        folder: an empty one for what comes of it.
        width: of the window, in pixels.
        height: of the window, in pixels.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(
            "there is no Chromium on this machine: no page was opened in a browser (Debian: apt install chromium)"
        )
    dom, log, pdf, picture = (folder / name for name in ("dom.html", "net.json", "page.pdf", "page.png"))
    with dom.open("wb") as out:
        done = subprocess.run(
            [
                program,
                *_FLAGS,
                f"--user-data-dir={folder / 'profile'}",
                f"--window-size={width},{height}",
                f"--log-net-log={log}",
                f"--screenshot={picture}",
                f"--print-to-pdf={pdf}",
                "--no-pdf-header-footer",
                "--dump-dom",
                page.resolve().as_uri(),
            ],
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=_PATIENCE_S,
            check=True,
        )
    said = done.stderr.decode("utf-8", "replace")
    return Opened(
        dom=dom.read_text("utf-8"),
        console=tuple(re.findall(r":CONSOLE[^\]]*\] (.*)", said)),
        requests=tuple(_requests(log)),
        pdf=pdf,
        picture=picture,
    )


def _requests(log: Path) -> list[str]:
    """Return what pages asked for; the browser asks for things of its own accord, from no origin."""
    text = log.read_text("utf-8")
    try:
        told = json.loads(text)
    except ValueError:  # the browser ended before it closed the list
        told = json.loads(text.rstrip().rstrip(",") + "]}")
    started = told["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    return [
        event["params"]["url"]
        for event in told["events"]
        if event["type"] == started
        and "url" in event.get("params", {})
        and event["params"].get("initiator") != "not an origin"
    ]
