"""Prints records of the journal's database while they are read: operations, payments and sales."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from voucher_gateway.cli.output import Output
from voucher_gateway.cli.tables import TableColumn, print_rows

T = TypeVar("T")

_FLUSHED_EVERY: Final = 100


def print_records(
    output: Output,
    records: Iterable[T],
    columns: Sequence[TableColumn[T]],
    fields_of: Callable[[T], Any] | None = None,
) -> None:
    """Print records as they are read, a hundred at a time, until the reader of stdout has closed it.

    Args:
        output: where they are printed.
        records: the records.
        columns: the columns of the table for people.
        fields_of: returns what is printed of a record as JSON; None for the record itself.
    """
    if not output.as_json:
        if not print_rows(output, _while_read(output, records), columns):
            output.note("There are none.")
        return
    for number, record in enumerate(_while_read(output, records), 1):
        output.object(record if fields_of is None else fields_of(record))
        if number % _FLUSHED_EVERY == 0:
            output.flush()


def _while_read(output: Output, records: Iterable[T]) -> Iterator[T]:
    for record in records:
        output.end_if_unread()
        yield record
