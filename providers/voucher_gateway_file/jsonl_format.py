"""The JSONL form: one JSON object a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voucher_gateway.provider_api import MalformedResponse, decode, encode
from voucher_gateway_file.voucher_record import Object, Problem

_BEGINNING: Final = b'{"id":"'
"""What all lines of ours begin with: the id comes first, and nothing is spaced out."""


class JsonLines:
    """Reads and writes lines of JSON."""

    allows_quoted_line_breaks: Final = False
    header: Final = False

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the names of the columns: JSON has none."""
        raise AssertionError(body)

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:  # noqa: ARG002 - see `CsvFormat`
        """Return the object of a line, and what is wrong with it."""
        try:
            record = decode(body, what="line")
        except MalformedResponse as error:
            return {}, [("", error.message.removeprefix("the line "))]
        if not isinstance(record, dict):
            return {}, [("", "is not a JSON object")]
        return record, []

    def place(self, where: str) -> str:
        """Return a place in an object as it is: a path of names."""
        return where

    def could_be_cut_off(self, body: bytes) -> bool:
        """Whether this can be the beginning of a line of ours: any other incomplete line is a mistake."""
        return body.startswith(_BEGINNING) or _BEGINNING.startswith(body) or not body.strip(b"\0")

    def top(self) -> bytes:
        """Return what a new file begins with."""
        return b""

    def line(self, given: Object, columns: Sequence[str]) -> bytes:  # noqa: ARG002 - see `CsvFormat`
        """Return an object as a line."""
        return encode(given) + b"\n"
