"""Finds the installed providers, and loads their classes by name.

A provider is found by its entry point in the group `GROUP`. `list_installed` imports none of
them, and an error of one provider does not affect the others.
"""

from __future__ import annotations

import difflib
import inspect
import warnings
from importlib import metadata
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Capabilities
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.provider.declaration import INTERFACE, OLDEST_INTERFACE
from voucher_gateway.provider.provider import VoucherProvider

GROUP: Final = "voucher_gateway.providers"
"""The entry-point group in which a distribution names its provider classes."""

_LIBRARY: Final = __name__.partition(".")[0]


@attrs.frozen(order=True)
class InstalledProvider:
    """A provider as its distribution declares it, before it is imported.

    Attributes:
        name: the provider's name in configs.
        distribution: the distribution that contains it.
        version: the version of the distribution.
        entry_point: where the class is, as ``module:Class``.
    """

    name: str
    distribution: str
    version: str
    entry_point: str


def list_installed() -> tuple[InstalledProvider, ...]:
    """Return all installed providers, sorted by name. Several may have the same name."""
    # A distribution parses its metadata at each access, and may have several providers.
    distributions: dict[int, tuple[str, str]] = {}
    providers = []
    for point in metadata.entry_points(group=GROUP):
        if id(point.dist) not in distributions:
            distributions[id(point.dist)] = _name_and_version(point.dist)
        name, version = distributions[id(point.dist)]
        providers.append(
            InstalledProvider(name=point.name, distribution=name, version=version, entry_point=point.value)
        )
    return tuple(sorted(providers))


def _name_and_version(distribution: metadata.Distribution | None) -> tuple[str, str]:
    """Return the name and the version of a distribution. Broken installations lack one of them or both."""
    fields: Any = {} if distribution is None else distribution.metadata
    # From Python 3.12 on, reading a missing field causes a warning.
    name, version = (fields[field] if field in fields else "" for field in ("Name", "Version"))  # noqa: SIM401
    return name or "an unnamed distribution", version


def load(name: str, among: tuple[InstalledProvider, ...] | None = None) -> type[VoucherProvider]:
    """Import the provider class with this name.

    Args:
        name: the provider's name.
        among: the installed providers, if the caller has listed them.

    Raises:
        ConfigurationError: if no provider or more than one has this name, or if it is broken or built for a version
            of the interface that is not accepted. The message names the distribution.

    Warns:
        DeprecationWarning: if it is built for an older version of the interface.
    """
    everything = list_installed() if among is None else among
    matches = [provider for provider in everything if provider.name == name]
    if not matches:
        raise ConfigurationError(_unknown(name, everything))
    if len(matches) > 1:
        rivals = " and ".join(f"{match.distribution} ({match.entry_point})" for match in matches)
        raise ConfigurationError(f"several distributions contain a provider {name}: {rivals}; uninstall all but one")
    provider = matches[0]
    where = f"provider {name} of {provider.distribution} {provider.version}".rstrip()
    loaded = _import_class(provider, where)
    if not (inspect.isclass(loaded) and issubclass(loaded, VoucherProvider)):
        raise ConfigurationError(f"{where}: {provider.entry_point} is not a class derived from VoucherProvider")
    _check_interface(loaded, where, provider.distribution)
    wrong = _find_class_problems(loaded, name)
    if wrong:
        raise ConfigurationError(f"{where}: {'; '.join(wrong)}")
    return loaded


def _unknown(name: str, everything: tuple[InstalledProvider, ...]) -> str:
    names = sorted({provider.name for provider in everything})
    close = difflib.get_close_matches(name[:64].lower(), names, n=3)
    suggestion = f" (did you mean {' or '.join(close)}?)" if close else ""
    return f"no provider {name[:64]!a} is installed{suggestion}; installed: {', '.join(names) or 'none'}"


def _import_class(provider: InstalledProvider, where: str) -> Any:
    point = metadata.EntryPoint(provider.name, provider.entry_point, GROUP)
    if point.pattern.match(point.value) is None:
        raise ConfigurationError(f"{where}: its entry point must be module:Class, not {point.value[:64]!a}")
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # another author's module may raise anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ConfigurationError(f"{where} cannot be imported: {reason}") from error


def declares_interface(provider: type[VoucherProvider]) -> bool:
    """Return whether a class, or a base class outside of this library, sets ``interface_version``.

    The value that it inherits from the library is the version of the library.
    """
    return any(
        "interface_version" in vars(kind) for kind in provider.__mro__ if kind.__module__.split(".")[0] != _LIBRARY
    )


def _check_interface(loaded: type[VoucherProvider], where: str, distribution: str) -> None:
    if not declares_interface(loaded):
        raise ConfigurationError(
            f"{where} does not declare its interface version: add a line such as interface_version = {INTERFACE} to its"
            " class"
        )
    version: object = loaded.interface_version
    if type(version) is not int:  # isinstance would accept True as version 1
        raise ConfigurationError(f"{where}: interface_version must be an integer")
    if version > INTERFACE:
        raise ConfigurationError(
            f"{where} is built for interface {version}, which is newer than this voucher-gateway's {INTERFACE}: "
            "upgrade voucher-gateway"
        )
    if version < OLDEST_INTERFACE:
        raise ConfigurationError(
            f"{where} is built for interface {version}, and this voucher-gateway accepts {_interface_range()}: "
            f"upgrade {distribution}"
        )
    if version < INTERFACE:
        warnings.warn(
            f"{where} is built for interface {version}; the next release of voucher-gateway accepts only interface "
            f"{INTERFACE}: upgrade {distribution}",
            DeprecationWarning,
            stacklevel=3,
        )


def _interface_range() -> str:
    return f"only {INTERFACE}" if OLDEST_INTERFACE == INTERFACE else f"{OLDEST_INTERFACE} to {INTERFACE}"


def _find_class_problems(loaded: type[VoucherProvider], name: str) -> list[str]:
    wrong = []
    if inspect.isabstract(loaded):
        wrong.append(f"{', '.join(sorted(loaded.__abstractmethods__))} must be implemented")
    if getattr(loaded, "name", None) != name:
        wrong.append(f"its class must have the entry point's name, {name!r}")
    if not isinstance(getattr(loaded, "title", None), str):
        wrong.append("title must be a string")
    if not isinstance(getattr(loaded, "declared", None), Capabilities):
        wrong.append("declared must be Capabilities")
    settings_type = getattr(loaded, "settings_type", None)
    if not (inspect.isclass(settings_type) and attrs.has(settings_type)):
        wrong.append("settings_type must be an attrs class")
    return wrong
