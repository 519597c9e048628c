"""The settings of an account that is a file of vouchers."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from voucher_gateway.provider_api import ConfigurationError

Format = Literal["jsonl", "csv"]
Delimiter = Literal[",", ";", "tab", "|"]
DateOrder = Literal["iso", "ymd", "dmy", "mdy"]

DELIMITERS: Final[Mapping[str, str]] = {",": ",", ";": ";", "tab": "\t", "|": "|"}
"""The character of each delimiter."""

_SUFFIXES: Final[dict[str, Format]] = {".jsonl": "jsonl", ".csv": "csv"}


def _plain_path(_: object, __: object, path: Path) -> None:
    if "\0" in str(path):
        raise ConfigurationError("must be the path of a file")


def _check_zone(_: object, __: object, name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ConfigurationError("must be the name of a time zone, such as Europe/Berlin") from None


def _column_names(_: object, __: object, columns: tuple[str, ...]) -> None:
    names = [text.rpartition("=")[0] for text in columns]
    if not all(name and text.rpartition("=")[2] for name, text in zip(names, columns, strict=True)):
        raise ConfigurationError("must be an array of strings such as NAME=code, or NAME=- for a column to leave out")
    if len(set(names)) < len(names):
        raise ConfigurationError("names a column twice")


_DEFAULT_FORM: Final[Mapping[str, Any]] = {
    "delimiter": None,
    "decimal": None,
    "date_order": None,
    "time_zone": "UTC",
    "encoding": "utf-8",
    "byte_order_mark": False,
    "currency": None,
    "columns": (),
}


@attrs.frozen(kw_only=True)
class FileSettings:
    """One file of vouchers.

    Attributes:
        path: the file. The first write creates it. A relative path begins at the folder of the configuration.
        format: ``jsonl`` or ``csv``; by default that of the path's suffix.
        reveal: whether codes and PINs are written.
        mask: whether masks are written instead, if `reveal` is false. The file can then be read, but not imported. If
            both are false, a voucher that has a code or a PIN is refused.
        delimiter: CSV: between two cells ``,``, ``;``, ``tab`` or ``|``. Guessed by default; ``,`` in a new file.
        decimal: CSV: the decimal sign of amounts, ``point`` or ``comma``. Guessed by default; ``point`` in a new file.
        date_order: CSV: how dates are written, besides RFC 3339: ``ymd``, ``dmy`` or ``mdy``; ``iso`` for nothing
            besides. Guessed by default.
        time_zone: CSV: the time zone of dates that do not name one, such as ``Europe/Berlin``.
        encoding: CSV: ``utf-8`` or ``windows-1252``. A byte order mark may precede UTF-8.
        byte_order_mark: CSV: whether a new file begins with a byte order mark, by which a spreadsheet recognises UTF-8.
        currency: CSV: the currency of rows that name none, such as ``EUR``.
        columns: CSV: the fields of columns with other names, such as ``["Card number=code", "Note=-"]``. A hyphen
            leaves the column out.
        problems: the file to write if the vouchers cannot be read. It lists every problem, one a line.
        skip_unreadable: whether the records that cannot be read are passed over, and named. By default the whole file
            is refused.
    """

    path: Path = attrs.field(converter=Path, validator=_plain_path)
    format: Format | None = None
    reveal: bool = False
    mask: bool = False
    delimiter: Delimiter | None = None
    decimal: Literal["point", "comma"] | None = None
    date_order: DateOrder | None = None
    time_zone: str = attrs.field(default="UTC", validator=_check_zone)
    encoding: Literal["utf-8", "windows-1252"] = "utf-8"
    byte_order_mark: bool = False
    currency: str | None = None
    columns: tuple[str, ...] = attrs.field(default=(), converter=tuple, validator=_column_names)
    problems: Path | None = None
    skip_unreadable: bool = False

    def __attrs_post_init__(self) -> None:
        if self.format is None and self.path.suffix.lower() not in _SUFFIXES:
            raise ConfigurationError("path must end in .jsonl or .csv, or format must be given")
        if self.actual_format == "jsonl":
            for name, default in _DEFAULT_FORM.items():
                if getattr(self, name) != default:
                    raise ConfigurationError(f"{name} is for CSV, and the file is JSONL")

    @property
    def actual_format(self) -> Format:
        """The format, by default that of the suffix."""
        return self.format or _SUFFIXES[self.path.suffix.lower()]

    @property
    def fields_of_columns(self) -> Mapping[str, str]:
        """The field of each column with another name; ``-`` for a column that is left out."""
        return {text.rpartition("=")[0].strip(): text.rpartition("=")[2].strip() for text in self.columns}
