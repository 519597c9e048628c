"""Which providers are installed, and their classes by name.

A provider is found by its entry point in the group `GROUP`. Looking at what is installed imports nothing, and what
is wrong with one provider keeps no other from working.
"""

from __future__ import annotations

import difflib
import inspect
from importlib import metadata
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Capabilities
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.provider import INTERFACE, VoucherProvider

GROUP: Final = "voucher_gateway.providers"
"""The entry-point group in which a distribution names its provider classes."""

_LIBRARY: Final = __name__.partition(".")[0]


@attrs.frozen(order=True)
class InstalledProvider:
    """One provider as its distribution announces it. Nothing of it has been imported yet.

    Attributes:
        name: the provider's name in configs.
        distribution: the distribution that brings it.
        version: of the distribution.
        entry_point: where the class is, as ``module:Class``.
    """

    name: str
    distribution: str
    version: str
    entry_point: str


def list_installed() -> tuple[InstalledProvider, ...]:
    """Return all providers that are installed, by name; a name may be there more than once."""
    return tuple(
        sorted(
            InstalledProvider(
                name=point.name,
                distribution=_metadata_field(point, "Name") or "an unnamed distribution",
                version=_metadata_field(point, "Version"),
                entry_point=point.value,
            )
            for point in metadata.entry_points(group=GROUP)
        )
    )


def _metadata_field(point: metadata.EntryPoint, field: str) -> str:
    """Return a field of the metadata of the distribution that an entry point comes from; empty if it is not there.

    Looked up with care: from Python 3.12 on a mere look at a field that a broken installation lacks warns.
    """
    fields = None if point.dist is None else point.dist.metadata
    return fields[field] if fields is not None and field in fields else ""


def load(name: str, among: tuple[InstalledProvider, ...] | None = None) -> type[VoucherProvider]:
    """Import the provider class with this name.

    Args:
        name: the provider's name.
        among: what is installed, where the caller has looked already.

    Raises:
        ConfigurationError: if none is installed, if several distributions bring one, or if it is broken or built for
            another version of the interface; the message names the distribution at fault.
    """
    everything = list_installed() if among is None else among
    matches = [provider for provider in everything if provider.name == name]
    if not matches:
        raise ConfigurationError(_unknown(name, everything))
    if len(matches) > 1:
        rivals = " and ".join(f"{match.distribution} ({match.entry_point})" for match in matches)
        raise ConfigurationError(f"provider {name} is brought by {rivals}: uninstall all but one")
    provider = matches[0]
    where = f"provider {name} of {provider.distribution} {provider.version}".rstrip()
    loaded = _import_class(provider, where)
    if not (inspect.isclass(loaded) and issubclass(loaded, VoucherProvider)):
        raise ConfigurationError(f"{where}: {provider.entry_point} is no class derived from VoucherProvider")
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
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ConfigurationError(f"{where} cannot be imported: {reason}") from error


def declares_interface(provider: type[VoucherProvider]) -> bool:
    """Whether a class, or a base of its that is not the library's, says for which interface it was built.

    What it inherits from the library says for which one the library is, whichever that may be one day.
    """
    return any(
        "interface_version" in vars(kind) for kind in provider.__mro__ if kind.__module__.split(".")[0] != _LIBRARY
    )


def _check_interface(loaded: type[VoucherProvider], where: str, distribution: str) -> None:
    if not declares_interface(loaded):
        raise ConfigurationError(
            f"{where} does not say for which interface it was built: its class must have a line of its own, such as "
            f"interface_version = {INTERFACE}"
        )
    version: object = loaded.interface_version
    if type(version) is not int:  # True is one to isinstance, and would pass for version 1
        raise ConfigurationError(f"{where}: interface must be a whole number")
    if version > INTERFACE:
        raise ConfigurationError(
            f"{where} is built for interface {version}, which is newer than this voucher-gateway's {INTERFACE}: "
            "upgrade voucher-gateway"
        )
    if version < INTERFACE:
        raise ConfigurationError(
            f"{where} is built for interface {version}, and this voucher-gateway's is newer, {INTERFACE}: "
            f"upgrade {distribution}"
        )


def _find_class_problems(loaded: type[VoucherProvider], name: str) -> list[str]:
    wrong = []
    if inspect.isabstract(loaded):
        wrong.append(f"{', '.join(sorted(loaded.__abstractmethods__))} must be implemented")
    if getattr(loaded, "name", None) != name:
        wrong.append(f"its class must have the entry point's name, {name!r}")
    if not isinstance(getattr(loaded, "title", None), str):
        wrong.append("title must be text")
    if not isinstance(getattr(loaded, "declared", None), Capabilities):
        wrong.append("declared must be Capabilities")
    settings_type = getattr(loaded, "settings_type", None)
    if not (inspect.isclass(settings_type) and attrs.has(settings_type)):
        wrong.append("settings_type must be an attrs class")
    return wrong
