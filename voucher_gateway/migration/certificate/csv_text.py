"""Lines of CSV that a spreadsheet shows as they are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from voucher_gateway.html.document import escape_unprintable
from voucher_gateway.iteration import batched

_LINES_AT_A_TIME: Final = 500
_FORMULA: Final = re.compile("[\\s\"'`´]*[=+\\-@＝＋－＠−]")
"""The beginning of a text that a spreadsheet could read as a formula. Ids and reasons may come from a stranger."""


def csv_blocks(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Yield the bytes of a CSV file, several lines at a time."""
    yield _block([head])
    for batch in batched(rows, _LINES_AT_A_TIME):
        yield _block(batch)


def text_cell(text: str) -> str:
    """Return text for a cell, with an apostrophe before it if a spreadsheet could read it as a formula."""
    text = escape_unprintable(text)
    return f"'{text}" if _FORMULA.match(text) else text


def _block(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
