"""The record of a contract run: a file that ships inside the package of the provider.

``pytest --write-conformance`` writes it, and `voucher-gateway providers` and the docs show it. It informs people. Only
the contract run of the provider itself, in its own CI, proves what it says.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import attrs
import cattrs

from voucher_gateway import registry
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.provider.declaration import INTERFACE
from voucher_gateway.provider.provider import VoucherProvider

SUITE: Final = 1
"""The version of the contract suite. It changes when a promise is added, changed or removed."""

FILE: Final = "conformance.json"
"""The file's name, in the folder of the package that the provider's class is defined in."""


class Level(enum.IntEnum):
    """The level of the contract that a provider keeps. Each level includes those before it.

    Attributes:
        READ: vouchers, amounts, times, lists and histories are read exactly. What is unknown is None.
        SPEND: each change moves exactly the amount that its result says. An unknown outcome is reported as unknown.
        CRASH_SAFE: money moves once or not at all, even if the process crashes at any point.
    """

    READ = 1
    SPEND = 2
    CRASH_SAFE = 3

    @property
    def label(self) -> str:
        """The name for people: ``crash-safe``."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def from_label(cls, label: str) -> Self:
        """Return the level with this label.

        Raises:
            ValueError: if no level has it.
        """
        for level in cls:
            if level.label == label:
                return level
        raise ValueError("not a level of the contract")


@attrs.frozen(kw_only=True)
class Conformance:
    """The result of one complete contract run.

    Attributes:
        suite: the version of the suite that ran.
        interface: the version of the provider interface.
        provider: the provider's name.
        distribution: the distribution that contains the provider; None if it was not installed.
        level: the highest level that was reached: its promises were kept, or may stay untried and were not tried.
        kept: the numbers of the promises that were kept.
        not_applicable: the numbers of the promises that do not apply to this vendor, each with the reason.
        not_tried: the numbers of the promises that apply and that the run could not try, each with the reason. They are
            neither kept nor broken.
    """

    suite: int = SUITE
    interface: int = INTERFACE
    provider: str
    distribution: str | None
    level: Level
    kept: tuple[str, ...]
    not_applicable: Mapping[str, str] = attrs.field(hash=False)
    not_tried: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    @property
    def summary(self) -> str:
        """The level and the number of promises, in one line."""
        kept, without = len(self.kept), len(self.not_applicable)
        untried = f"{len(self.not_tried)} not tried ({', '.join(self.not_tried)}), " if self.not_tried else ""
        return f"{self.level.label}, {kept} promise{'s' if kept != 1 else ''} kept, {untried}{without} not applicable"

    def to_json(self) -> str:
        """Return the text of the file. It has no date, so that equal runs write equal files."""
        return json.dumps(_CONVERTER.unstructure(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of a file.

        Raises:
            ConfigurationError: if it does not have the fields of this class.
        """
        try:
            return _CONVERTER.structure(json.loads(text), cls)
        except Exception:  # noqa: BLE001 - a file may hold anything
            raise ConfigurationError(f"{FILE} is not a file that a contract run writes") from None


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_structure_hook(str, _require_string)
    converter.register_structure_hook(Level, lambda label, _: Level.from_label(label))
    converter.register_unstructure_hook(Level, lambda level: level.label)
    return converter


def _require_string(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return value


_CONVERTER: Final = _make_converter()


def conformance_path(provider: type[VoucherProvider]) -> Path | None:
    """Return the path of the file of a provider, which need not exist; None for a class outside of a package."""
    module = sys.modules.get(provider.__module__)
    package = sys.modules.get(getattr(module, "__package__", None) or "")
    folders = list(getattr(package, "__path__", ()))
    return Path(folders[0]) / FILE if folders else None


def conformance_of(provider: type[VoucherProvider]) -> Conformance | None:
    """Return the record in the file of a provider; None if it does not exist.

    Raises:
        ConfigurationError: if the file cannot be read.
    """
    path = conformance_path(provider)
    if path is None or not path.is_file():
        return None
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        raise ConfigurationError(f"{FILE} cannot be read") from None
    return Conformance.from_json(text)


def distribution_of(provider: type[VoucherProvider]) -> str | None:
    """Return the name of the distribution that contains a provider; None if none or several do."""
    names = {candidate.distribution for candidate in registry.list_installed() if candidate.name == provider.name}
    return names.pop() if len(names) == 1 else None
