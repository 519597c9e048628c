"""What a new provider, its distribution, package and classes are called."""

from __future__ import annotations

import importlib.util
import re
from typing import Final, Self

import attrs

from voucher_gateway import registry
from voucher_gateway.errors import ConfigurationError

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_LONGEST_NAME: Final = 30
_TITLE: Final = re.compile(r"[^\W_][\w .,&+'()/-]*")
_LONGEST_TITLE: Final = 40
_COLLECTED: Final = "Test"
"""How the names of classes begin that pytest collects."""


@attrs.frozen
class Naming:
    """The names of one provider. Make one with `of`.

    Attributes:
        name: in configs and on the command line, such as ``gift-house``.
        title: the vendor's, for people.
    """

    name: str
    title: str

    @classmethod
    def of(cls, name: str, title: str | None = None) -> Self:
        """Return the names of a new provider.

        Args:
            name: lower-case ASCII letters, digits and single hyphens, a letter first.
            title: the vendor's name for people; the name with capitals by default.

        Raises:
            ConfigurationError: if a name cannot be used, or is taken by something installed.
        """
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            meant = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_NAME].rstrip("-")
            hint = f"; did you mean {meant}?" if _NAME.fullmatch(meant) else ""
            raise ConfigurationError(
                f"{_quote(name[:40])} cannot name a provider: lower-case letters, digits and single hyphens, a letter "
                f"first, {_LONGEST_NAME} characters at most{hint}"
            )
        names = cls(name, title if title is not None else name.replace("-", " ").title())
        if not _TITLE.fullmatch(names.title) or len(names.title) > _LONGEST_TITLE or names.title != names.title.strip():
            raise ConfigurationError(
                f"{_quote(names.title[:60])} cannot be a title: letters, digits, spaces and . , & + ' ( ) / -, a"
                " letter "
                f"or digit first, {_LONGEST_TITLE} characters at most"
            )
        if names.prefix.startswith(_COLLECTED):
            raise ConfigurationError(
                f"{_quote(name)} cannot name a provider: pytest would take its classes, {names.prefix}Provider and "
                "more, for tests"
            )
        rivals = [candidate.distribution for candidate in registry.list_installed() if candidate.name == name]
        if rivals:
            raise ConfigurationError(f"the provider {name} already exists: it comes with {' and '.join(rivals)}")
        if importlib.util.find_spec(names.package) is not None:
            raise ConfigurationError(f"a package {names.package} is installed already; choose another name")
        return names

    @property
    def distribution(self) -> str:
        """What pip installs, and the folder's name."""
        return f"voucher-gateway-{self.name}"

    @property
    def package(self) -> str:
        """What Python imports."""
        return f"voucher_gateway_{self.name.replace('-', '_')}"

    @property
    def prefix(self) -> str:
        """How its classes' names begin."""
        return "".join(part.capitalize() for part in self.name.split("-"))


def _quote(text: str) -> str:
    """Quote what was given, in other marks: the command line masks what it finds between quotation marks."""
    return f"`{ascii(text)[1:-1]}`"
