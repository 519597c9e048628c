"""The key ``other_means`` of a configuration: where the shop's other means is, such as its card."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.config.named_object import read_named_object
from voucher_gateway.config.provider_settings import ConfigProblems

_METHODS: Final = ("authorize", "capture", "void", "refund")


def load_other_means(value: Any, problems: ConfigProblems) -> Any:
    """Return the other means that a configuration names, or None after adding to `problems`.

    Args:
        value: ``MODULE:NAME`` of an object with the methods of `OtherMeans`, or of a function or class that returns
            one when it is called without arguments; in a dict also such an object itself.
        problems: receives the problems.
    """
    where = ("other_means",)
    count = len(problems)
    means = read_named_object(value, problems, where, example="shop.card:means")
    if len(problems) > count:
        return None
    if callable(means) and not _is_means(means):
        with problems.collect(where, "cannot be made: its function raised an error"):
            means = means()
    if isinstance(means, type) or not _is_means(means):
        problems.add(where, f"must have the methods {', '.join(_METHODS)}")
        return None
    return means


def _is_means(means: Any) -> bool:
    return not isinstance(means, type) and all(callable(getattr(means, method, None)) for method in _METHODS)
