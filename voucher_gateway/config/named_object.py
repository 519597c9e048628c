"""Imports an object of the shop's own code that a configuration names, such as ``shop.card:means``."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

from voucher_gateway.config.provider_settings import ConfigProblems, Where, toml_type_name

_PATH: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", re.ASCII)


def read_named_object(value: Any, problems: ConfigProblems, where: Where, *, example: str) -> Any:
    """Return the object that a value names, or None after adding to `problems`.

    Args:
        value: ``MODULE:NAME``, or in a dict the object itself.
        problems: receives the problems.
        where: the place of the value.
        example: a path as it should be.
    """
    if isinstance(value, str):
        if not _PATH.fullmatch(value):
            problems.add(where, f"must be MODULE:NAME, such as {example}")
            return None
        try:
            return _import_object(value)
        except Exception as error:  # noqa: BLE001 - a module of the shop may raise anything
            problems.add(where, f"cannot be imported: {type(error).__name__}")
            return None
    if isinstance(value, int | float | list | dict | tuple) or value is None:
        problems.add(where, f"must be a string, not {toml_type_name(value)}")
        return None
    return value


def _import_object(path: str) -> Any:
    module, _, name = path.partition(":")
    target = import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    return target
