"""The key ``other_means`` of a configuration: where the shop's other means is, such as its card."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

from voucher_gateway.config.provider_settings import ConfigProblems, toml_type_name

_PATH: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", re.ASCII)
_METHODS: Final = ("authorize", "capture", "void", "refund")


def load_other_means(value: Any, problems: ConfigProblems) -> Any:
    """Return the other means that a configuration names, or None after adding to `problems`.

    Args:
        value: ``MODULE:NAME`` of an object with the methods of `OtherMeans`, or of a function or class that returns
            one when it is called without arguments; in a dict also such an object itself.
        problems: receives the problems.
    """
    where = ("other_means",)
    means = value
    if isinstance(value, str):
        if not _PATH.fullmatch(value):
            problems.add(where, "must be MODULE:NAME, such as shop.card:means")
            return None
        try:
            means = _import(value)
        except Exception as error:  # noqa: BLE001 - a module of the shop may raise anything
            problems.add(where, f"cannot be imported: {type(error).__name__}")
            return None
    elif isinstance(value, int | float | list | dict | tuple) or value is None:
        problems.add(where, f"must be a string, not {toml_type_name(value)}")
        return None
    if callable(means) and not _is_means(means):
        with problems.collect(where, "cannot be made: its function raised an error"):
            means = means()
    if isinstance(means, type) or not _is_means(means):
        problems.add(where, f"must have the methods {', '.join(_METHODS)}")
        return None
    return means


def _import(path: str) -> Any:
    module, _, name = path.partition(":")
    target = import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    return target


def _is_means(means: Any) -> bool:
    return not isinstance(means, type) and all(callable(getattr(means, method, None)) for method in _METHODS)
