"""How the demo tells its story: for people, or as JSON events, one a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.padding import Padding
from rich.text import Text

from voucher_gateway.cli.errors import error_object
from voucher_gateway.cli.output import Output, printable
from voucher_gateway.cli.tables import Column, print_rows, voucher_columns
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.models.voucher import Voucher

_WIDTH: Final = 100
"""Of sentences, in columns, where the terminal is wider or there is none."""


class Story:
    """Tells steps, the calls in them, and what came of them.

    Args:
        output: where it is told.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._steps = 0

    def step(self, title: str, *sentences: str) -> None:
        """Begin a step."""
        self._steps += 1
        if self._output.as_json:
            self._output.object({"step": self._steps, "title": title, "text": " ".join(sentences)})
        else:
            self._output.show("", Text(f"{self._steps}. {title}", "bold"))
            if sentences:
                self._print_indented(printable(" ".join(sentences)))

    def call(self, first: str, *lines: str) -> None:
        """Show the Python that comes next, line by line, as it stands in this package."""
        if self._output.as_json:
            self._output.object({"call": "\n".join([first, *lines])})
        else:
            self._print_indented("\n".join([f">>> {first}", *(f"... {line}" for line in lines)]), "cyan")

    def say(self, sentence: str) -> None:
        """Tell what came of it."""
        if self._output.as_json:
            self._output.object({"says": sentence})
        else:
            self._print_indented(printable(sentence))

    def print_refusal(self, error: VoucherGatewayError) -> None:
        """Tell of an error that was expected."""
        if self._output.as_json:
            self._output.object({"raises": error_object(error)})
        else:
            self._print_indented(printable(f"{type(error).__name__}: {error.message}"), "yellow")

    def vouchers(self, vouchers: Sequence[Voucher]) -> None:
        """Show vouchers of any accounts in one table."""
        if self._output.as_json:
            for voucher in vouchers:
                self._output.object({"voucher": voucher})
        else:
            self.rows(vouchers, voucher_columns(account=True))

    def rows(self, rows: Iterable[Any], columns: Sequence[Column[Any]]) -> None:
        """Show a table."""
        if self._output.as_json:
            for row in rows:
                self._output.object({column.title: column.cell(row) for column in columns})
        else:
            self._output.show("")
            print_rows(self._output, rows, columns)
            self._output.show("")

    def _print_indented(self, text: str, style: str = "") -> None:
        self._output.show(Padding(Text(text, style, overflow="fold"), (0, 0, 0, 3)), width=_WIDTH)
