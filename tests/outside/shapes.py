"""The keys of JSON values, and the types of what stands under them, as lines of text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

_CURRENCY: Final = re.compile("[A-Z]{3}")
_DATA: Final = {
    "actions": "<action>",
    "losses_of_refused": "<loss>",
    "counts": "<state>",
    "failed": "<account>",
    "by_kind_and_action": "<kind>/<action>",
    "kinds": "<kind>",
    "latency_s": "<account>",
    "losses": "<loss>",
    "metadata": "<key>",
    "months": "<month>/<action>",
    "not_applicable": "<promise>",
    "not_tried": "<promise>",
    "operations": "<operation>",
    "rates": "<account>",
    "reasons": "<reason>",
    "requests": "<account>",
    "spendable_twice": "<step>",
    "unaccepted": "<risk>",
    "workers": "<process>",
}
"""Objects whose keys are data, by their own key, and what is recorded in the place of each key."""

_DATA_AT_THE_TOP: Final = {"vouchers": "<state>"}
"""The same for keys that are data only there."""

_TYPES: Final = {bool: "boolean", int: "number", float: "number", str: "text", type(None): "null"}


def key_lines(values: Iterable[object]) -> list[str]:
    """Return a line for each key path of JSON values, such as ``findings[].money.amount: text``.

    A path that has several types has them all on its line.
    """
    types: dict[str, set[str]] = {}
    for value in values:
        for path, kind in _paths(value, ""):
            types.setdefault(path, set()).add(kind)
    lines = []
    for path, kinds in sorted(types.items()):
        if any(other.startswith((f"{path}.", f"{path}[]")) for other in types):
            kinds -= {"list", "object"}  # an empty one adds nothing to the lines of one that is not empty
        if kinds:
            lines.append(f"{path}: {' | '.join(sorted(kinds))}")
    return lines


def shape_blocks(values: Iterable[Any]) -> list[list[str]]:
    """Return the lines of several objects, a block for each set of keys that an object has at its top."""
    forms: dict[tuple[str, ...], list[object]] = {}
    for value in values:
        forms.setdefault(tuple(sorted(value)), []).append(value)
    return [key_lines(forms[keys]) for keys in sorted(forms)]


def json_values(text: str) -> list[Any]:
    """Return the values of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def _paths(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        data = _DATA_AT_THE_TOP.get(path) or _DATA.get(path.rsplit(".", 1)[-1])
        for key, inner in value.items():
            word = "<currency>" if _CURRENCY.fullmatch(key) else data or key
            yield from _paths(inner, f"{path}.{word}" if path else word)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _paths(inner, f"{path}[]")
    elif isinstance(value, dict | list):
        yield path, "object" if isinstance(value, dict) else "list"
    else:
        yield path, _TYPES[type(value)]
