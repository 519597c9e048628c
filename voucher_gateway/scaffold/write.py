"""Renders the templates of a new provider and writes them, all or none."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.provider.declaration import INTERFACE
from voucher_gateway.scaffold.names import Naming

_SUFFIX: Final = ".jinja"
_PACKAGE_FOLDER: Final = "src/package/"


PARTS: Final[Mapping[str, frozenset[str]]] = {
    "keys": frozenset(),
    "cursors": frozenset(),
    "reservations": frozenset({"keys"}),
}
"""The parts that a new provider can begin with, by name, each with those that it needs.

``keys`` is spending at a vendor with idempotency keys: an issue of two requests, redeem, refund, history and resolve.
``cursors`` is a list that pages by cursor. ``reservations`` is reserve, capture and release.
"""


def write_project(naming: Naming, into: Path, *, parts: Collection[str] = ()) -> tuple[Path, ...]:
    """Write a new distribution into a folder of its name, and return its files, the folder's own path first.

    Args:
        naming: what all is called.
        into: the folder in which the new one is made; it must be there.
        parts: what the provider has besides reading, by the names of `PARTS`.

    Raises:
        ConfigurationError: if a part is not known, or needs another one; if something has the folder's name already; or
            if it cannot be written. Nothing that was there is touched, and nothing is left of what could not be
            finished.
    """
    _require_parts(parts)
    if not into.is_dir():
        raise ConfigurationError(f"{into} is not a folder")
    target = into / naming.distribution
    files = _render_files(naming, parts)  # before anything is written
    try:
        target.mkdir()
    except FileExistsError:
        problem = "already exists; nothing in it was changed"
    except OSError as error:
        problem = f"cannot be created: {error.strerror or 'not writable'}"
    else:
        try:
            return (target, *(_write_file(target / path, text) for path, text in files.items()))
        except OSError as error:
            problem = f"cannot be written: {error.strerror or 'not writable'}"
        shutil.rmtree(target, ignore_errors=True)
    raise ConfigurationError(f"{target} {problem}")


def gateway_range(version: str) -> str:
    """Return the versions of voucher-gateway that a provider made by this one asks for: up to the next major one."""
    major, minor, *_ = version.split(".")
    return f">={major}.{minor},<{int(major) + 1}"


def _require_parts(parts: Collection[str]) -> None:
    unknown = sorted(set(parts) - PARTS.keys())
    if unknown:
        raise ConfigurationError(f"unknown parts: {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    for part in parts:
        missing = sorted(PARTS[part] - set(parts))
        if missing:
            raise ConfigurationError(f"the part {part} needs {', '.join(missing)}: give {','.join([*missing, part])}")


def _render_files(naming: Naming, parts: Collection[str]) -> dict[str, str]:
    """Return the text of each file by its path in the distribution."""
    environment = Environment(  # noqa: S701 - no HTML is made here
        loader=PackageLoader("voucher_gateway.scaffold"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values = {
        "name": naming.name,
        "title": naming.title,
        "distribution": naming.distribution,
        "package": naming.package,
        "prefix": naming.prefix,
        "interface": INTERFACE,
        **{part: part in parts for part in PARTS},
        "gateway_range": gateway_range(metadata.version("voucher-gateway")),
    }
    return {
        name.removesuffix(_SUFFIX).replace(_PACKAGE_FOLDER, f"src/{naming.package}/"): environment.get_template(
            name
        ).render(values)
        for name in environment.list_templates(extensions=[_SUFFIX.lstrip(".")])
    }


def _write_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path
