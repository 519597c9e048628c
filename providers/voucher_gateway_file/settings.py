"""The settings of an account that is a file of vouchers."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import attrs

from voucher_gateway.provider_api import ConfigurationError

Format = Literal["jsonl", "csv"]

_SUFFIXES: Final[dict[str, Format]] = {".jsonl": "jsonl", ".csv": "csv"}


def _plain_path(_: object, __: object, path: Path) -> None:
    if "\0" in str(path):
        raise ConfigurationError("must be the path of a file")


@attrs.frozen(kw_only=True)
class FileSettings:
    """One file of vouchers.

    Attributes:
        path: the file. The first write creates it. A relative path begins at the folder of the configuration.
        format: ``jsonl`` or ``csv``; by default that of the path's suffix.
        reveal: whether codes and PINs are written.
        mask: whether masks are written instead, if `reveal` is false. The file can then be read, but not imported. If
            both are false, a voucher that has a code or a PIN is refused.
    """

    path: Path = attrs.field(converter=Path, validator=_plain_path)
    format: Format | None = None
    reveal: bool = False
    mask: bool = False

    def __attrs_post_init__(self) -> None:
        if self.format is None and self.path.suffix.lower() not in _SUFFIXES:
            raise ConfigurationError("path must end in .jsonl or .csv, or format must be given")

    @property
    def actual_format(self) -> Format:
        """The format, by default that of the suffix."""
        return self.format or _SUFFIXES[self.path.suffix.lower()]
