"""How a file of CSV is written: its delimiter, its decimal sign, the order of its dates, and the names of its columns.

What the settings do not say is guessed from the first rows. A guess that is not certain is an error that names the
setting to give. A row that does not fit a guess is a problem of its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from voucher_gateway_file.settings import DELIMITERS, DateOrder, FileSettings

AMOUNTS: Final = ("initial", "remaining")
INSTANTS: Final = ("valid_until", "created_at", "updated_at")

WRITTEN: Final = (
    "id",
    "code",
    "pin",
    "currency",
    *AMOUNTS,
    "status",
    "medium",
    "valid_until",
    "validity",
    "taxable",
    "tax_rate",
    "sku",
    "batch",
    "order",
    "metadata",
    "created_at",
)
"""The columns of a new file."""

COLUMNS: Final = ("account", *WRITTEN, "login", "origin", "links", "updated_at", "deletable")
"""All columns that a file may have, in any order."""

LEFT_OUT: Final = "-"
"""Stands for the field of a column that is not read."""

DELIMITER_NAMES: Final[Mapping[str, str]] = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_ORDER_TEXTS: Final[Mapping[DateOrder, str]] = {
    "iso": "RFC 3339",
    "ymd": "year, month, day",
    "dmy": "day, month, year",
    "mdy": "month, day, year",
}

_CLEAR_COMMA: Final = re.compile(r"[0-9]+,[0-9]{1,2}", re.ASCII)
_ANY_COMMA: Final = re.compile(r"[0-9]+,[0-9]+", re.ASCII)
_PARTS: Final = re.compile(
    r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?", re.ASCII
)


@attrs.frozen(kw_only=True)
class CsvForm:
    """How one file of CSV is written.

    Attributes:
        delimiter: the character between two cells.
        encoding: ``utf-8`` or ``windows-1252``.
        byte_order_mark: whether the file begins with a byte order mark, or a new file would.
        decimal_comma: whether amounts have a decimal comma.
        date_order: how dates are written, besides RFC 3339.
        time_zone: the time zone of dates that do not name one.
        currency: the currency of rows that name none.
        fields: the field of each column name that is not itself the name of a field; `LEFT_OUT` for a column that is
            not read.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    byte_order_mark: bool = False
    decimal_comma: bool = False
    date_order: DateOrder = "iso"
    time_zone: str = "UTC"
    currency: str | None = None
    fields: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    @classmethod
    def of_new_file(cls, settings: FileSettings) -> CsvForm:
        """Return the form in which a new file is written."""
        return cls(
            delimiter=DELIMITERS[settings.delimiter or ","],
            encoding=settings.encoding,
            byte_order_mark=settings.byte_order_mark,
            decimal_comma=settings.decimal == "comma",
            date_order=settings.date_order or "iso",
            time_zone=settings.time_zone,
            currency=settings.currency,
            fields=settings.fields_of_columns,
        )

    def field_of(self, name: str) -> str:
        """Return the field of a column. A name that is not known is returned as it is."""
        name = name.strip()
        if name in self.fields:
            return self.fields[name]
        folded = name.lower()
        return folded if folded in COLUMNS else name

    def settings(self) -> dict[str, object]:
        """Return the settings by which this form is not guessed again."""
        names = {character: name for name, character in DELIMITERS.items()}
        settings: dict[str, object] = {
            "delimiter": names[self.delimiter],
            "decimal": "comma" if self.decimal_comma else "point",
            "date_order": self.date_order,
        }
        if self.encoding != "utf-8":
            settings["encoding"] = self.encoding
        if self.time_zone != "UTC":
            settings["time_zone"] = self.time_zone
        if self.currency is not None:
            settings["currency"] = self.currency
        if self.fields:
            settings["columns"] = [f"{name}={field}" for name, field in self.fields.items()]
        return settings

    def sentences(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return sentences for people about this form.

        Args:
            names: the names of the columns in the file, of which only harmless ones are repeated.
        """
        mark = ", with a byte order mark" if self.byte_order_mark else ""
        dates = f"dates as {_ORDER_TEXTS[self.date_order]}"
        zone = "" if self.date_order == "iso" else f" in {self.time_zone}"
        decimal = "comma" if self.decimal_comma else "point"
        encoding = "UTF-8" if self.encoding == "utf-8" else "Windows-1252"
        cells = f"cells separated by {DELIMITER_NAMES[self.delimiter]}"
        first = f"{cells}, a decimal {decimal}, {dates}{zone}, {encoding}{mark}"
        renamed = [f"{name} is {field}" for name in names if (field := self.field_of(name)) not in (name, LEFT_OUT)]
        left_out = [name for name in names if self.field_of(name) == LEFT_OUT]
        sentences = [first]
        if renamed:
            sentences.append(f"columns: {', '.join(renamed)}")
        if left_out:
            sentences.append(f"not read: {', '.join(left_out)}")
        if self.currency is not None and "currency" not in map(self.field_of, names):
            sentences.append(f"all amounts are in {self.currency}")
        return tuple(sentences)


def guess_delimiter(settings: FileSettings, header: str) -> str:
    """Return the delimiter of a file: the one that finds the most columns with a known name in its header."""
    if settings.delimiter is not None:
        return DELIMITERS[settings.delimiter]
    known = {*COLUMNS, *map(str.lower, settings.fields_of_columns)}

    def count_known(delimiter: str) -> int:
        return sum(cell.strip(' "\r\n').lower() in known for cell in header.split(delimiter))

    return max(DELIMITERS.values(), key=count_known)


class UnclearForm(ValueError):
    """The form of a file cannot be guessed. The message names the setting to give."""


def guess_decimal_comma(settings: FileSettings, amounts: Iterable[str]) -> bool:
    """Return whether amounts have a decimal comma.

    Raises:
        UnclearForm: if each comma stands before three digits: it may separate thousands.
    """
    if settings.decimal is not None:
        return settings.decimal == "comma"
    with_comma = [cell for cell in amounts if "," in cell]
    if not with_comma or not all(map(_ANY_COMMA.fullmatch, with_comma)):
        return False
    if any(map(_CLEAR_COMMA.fullmatch, with_comma)):
        return True
    raise UnclearForm(
        "the commas of the amounts may be decimal commas, or may separate thousands: give the setting decimal, or"
        " --decimal comma; thousands must not be separated"
    )


def guess_date_order(settings: FileSettings, dates: Iterable[str]) -> DateOrder:
    """Return how dates are written, besides RFC 3339.

    Raises:
        UnclearForm: if day and month cannot be told apart.
    """
    if settings.date_order is not None:
        return settings.date_order
    possible: set[DateOrder] = {"ymd", "dmy", "mdy"}
    matches = [match for cell in dates if (match := _PARTS.fullmatch(cell.strip()))]
    for match in matches:
        possible &= _possible_orders(match)
    if not matches or not possible:
        return "iso"  # each date that is not RFC 3339 is a problem of its line
    if len(possible) > 1:
        raise UnclearForm(
            "day and month of the dates cannot be told apart: give the setting date_order, or --date-order dmy or mdy"
        )
    return possible.pop()


def _possible_orders(match: re.Match[str]) -> set[DateOrder]:
    first, separator, second, last = match[1], match[2], int(match[3]), match[4]
    if len(first) == 4:
        return {"ymd"}
    if len(last) != 4:
        return set()
    orders: set[DateOrder] = set()
    if int(first) <= 31 and second <= 12:
        orders.add("dmy")
    if int(first) <= 12 and second <= 31 and separator != ".":
        orders.add("mdy")
    return orders
