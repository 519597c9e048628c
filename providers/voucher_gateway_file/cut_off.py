"""Recognises the part of a record that a killed writer left at the end of a file."""

from __future__ import annotations

from collections.abc import Sequence

from voucher_gateway_file.formats import FileFormat
from voucher_gateway_file.records import LONGEST, Record


def is_cut_off(record: Record, form: FileFormat, columns: Sequence[str]) -> bool:
    """Return whether a record that is not closed is the part of a record that a killed writer left.

    Args:
        record: the record.
        form: the format of the file.
        columns: the fields of its columns; empty before its header.
    """
    if len(record.body) > LONGEST or not form.could_be_cut_off(record.body) or _is_complete(record, form, columns):
        return False
    return not form.has_later_rows(record.body, columns)


def _is_complete(record: Record, form: FileFormat, columns: Sequence[str]) -> bool:
    """Return whether a record that ends without a line break is complete."""
    if form.header and not columns:
        return record.body == form.top().rstrip(b"\r\n")
    return not form.read(record.body, columns).problems
