"""What a provider's contract run proved, as the file that ships inside the provider's package.

``pytest --write-conformance`` writes `FILE` beside the provider's module; `voucher-gateway providers` and the docs
show it. This module knows the file alone: running the contract is the business of `voucher_gateway.testing`.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import attrs

from voucher_gateway import registry
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.provider import INTERFACE, VoucherProvider

SUITE: Final = 1
"""The version of the contract suite. It rises when a promise is added, sharpened or dropped."""

FILE: Final = "conformance.json"
"""The file's name, in the folder of the package that the provider's class is defined in."""


class Level(enum.IntEnum):
    """How far a provider keeps the contract; each level includes those before it."""

    READ = 1
    """Reading: vouchers, money, time, lists and histories are exact, and what is not known is not made up."""
    SPEND = 2
    """Issuing and spending: what moved is what was said, and whatever is not known is said to be unknown."""
    CRASH_SAFE = 3
    """A process may die at any point, and money still moves once or not at all."""

    @property
    def word(self) -> str:
        """How people write it."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def of_word(cls, word: str) -> Self:
        """Return the level that is written so.

        Raises:
            ValueError: if there is none.
        """
        for level in cls:
            if level.word == word:
                return level
        raise ValueError(f"there is no level {word!r:.40}")


@attrs.frozen(kw_only=True)
class Conformance:
    """The outcome of one whole contract run.

    Attributes:
        suite: the version of the suite that ran.
        interface: the version of the provider interface.
        provider: the provider's name.
        distribution: the distribution that brings the provider; None where it was not installed.
        level: the highest level of which every promise was kept.
        kept: the numbers of the promises that were kept.
        not_applicable: the numbers of the promises that this vendor cannot be held to, with the reason.
    """

    suite: int = SUITE
    interface: int = INTERFACE
    provider: str
    distribution: str | None
    level: Level
    kept: tuple[str, ...]
    not_applicable: Mapping[str, str] = attrs.field(hash=False)

    @property
    def summary(self) -> str:
        """Level and figures in one line."""
        kept, without = len(self.kept), len(self.not_applicable)
        return f"{self.level.word}, {kept} promise{'s' if kept != 1 else ''} kept, {without} not applicable"

    def to_json(self) -> str:
        """Return the text of the file. It holds no date, so that the same run writes the same file."""
        values = {**attrs.asdict(self), "level": self.level.word, "kept": list(self.kept)}
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of a file.

        Raises:
            ConfigurationError: if it is none, or was written by another version of the suite or the interface.
        """
        try:
            values: Any = json.loads(text)
            versions = values["suite"], values["interface"]
        except (LookupError, TypeError, ValueError, RecursionError):
            raise ConfigurationError(f"{FILE} is not what a contract run writes") from None
        if versions != (SUITE, INTERFACE):
            raise ConfigurationError(
                f"{FILE} was written for contract suite {versions[0]!r:.9} and interface {versions[1]!r:.9}; "
                f"here are suite {SUITE} and interface {INTERFACE}: run the contract again"
            )
        try:
            return cls(
                suite=values["suite"],
                interface=values["interface"],
                provider=_text(values["provider"]),
                distribution=None if values["distribution"] is None else _text(values["distribution"]),
                level=Level.of_word(values["level"]),
                kept=tuple(map(_text, _list(values["kept"]))),
                not_applicable={_text(number): _text(why) for number, why in values["not_applicable"].items()},
            )
        except (LookupError, TypeError, ValueError, AttributeError):
            raise ConfigurationError(f"{FILE} is not what a contract run writes") from None


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list is due")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text is due")
    return value


def place(provider: type[VoucherProvider]) -> Path | None:
    """Return where the file of a provider is, or would be; None for a class that is in no package."""
    module = sys.modules.get(provider.__module__)
    package = sys.modules.get(getattr(module, "__package__", None) or "")
    folders = list(getattr(package, "__path__", ()))
    return Path(folders[0]) / FILE if folders else None


def conformance_of(provider: type[VoucherProvider]) -> Conformance | None:
    """Return what the file of a provider says; None if there is none.

    Raises:
        ConfigurationError: if there is a file that cannot be read, or that says it is about another provider.
    """
    path = place(provider)
    if path is None or not path.is_file():
        return None
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        raise ConfigurationError(f"{FILE} cannot be read") from None
    conformance = Conformance.from_json(text)
    if conformance.provider != provider.name:
        raise ConfigurationError(f"{FILE} is about another provider, {conformance.provider!r:.40}")
    return conformance


def distribution_of(provider: type[VoucherProvider]) -> str | None:
    """Return the name of the distribution that installed a provider; None if it is not installed, or several did."""
    names = {candidate.distribution for candidate in registry.list_installed() if candidate.name == provider.name}
    return names.pop() if len(names) == 1 else None
