"""A vendor's own simulator options as the command line gives them: NAME=VALUE, typed by the options class."""

from __future__ import annotations

import re
import types
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from voucher_gateway.simulator.simulator import SimulatorOptions

_COMMON: Final = frozenset(field.name for field in attrs.fields(SimulatorOptions)) - {"start"}
_TRUTH: Final = {"true": True, "false": False}
_WHOLE: Final = re.compile("-?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


def parse_options(options_type: type[SimulatorOptions], given: Sequence[str]) -> dict[str, Any]:
    """Read options of one vendor, each ``NAME=VALUE``; ``none`` stands for None where that is allowed.

    Raises:
        ValueError: for what is not an option of this vendor, has its own switch, is given twice, or has another type.
    """
    hints = get_type_hints(options_type)
    known = {field.name: hints[field.name] for field in attrs.fields(options_type) if field.name not in _COMMON}
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"an option is written NAME=VALUE, not {text[:40]!r}")
        if name in _COMMON:
            raise ValueError(f"{name} has its own switch, --{name.replace('_', '-')}")
        if name not in known:
            raise ValueError(f"there is no option {name[:40]!r}; there are {', '.join(sorted(known))}")
        if name in values:
            raise ValueError(f"the option {name} is given twice")
        values[name] = _convert(name, known[name], value.strip())
    return values


def _convert(name: str, hint: Any, text: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if types.NoneType in inner and text.lower() == "none":
            return None
        (hint,) = (field for field in inner if field is not types.NoneType)
        return _convert(name, hint, text)
    if origin is Literal:
        allowed = {str(field): field for field in inner}
        if text not in allowed:
            raise ValueError(f"the option {name} is one of {', '.join(allowed)}")
        return allowed[text]
    if hint is bool:
        if text.lower() not in _TRUTH:
            raise ValueError(f"the option {name} is true or false")
        return _TRUTH[text.lower()]
    if hint is int:
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"the option {name} is a whole number")
        return int(text)
    if hint is float:
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"the option {name} is a number")
        return float(text)
    if hint is datetime:
        return _instant(name, text)
    if hint is str:
        return text
    raise ValueError(f"the option {name} can be given in Python only")


def _instant(name: str, text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the option {name} is a moment such as 2030-01-31T12:00:00Z") from None
    if instant.tzinfo is None:
        raise ValueError(f"the option {name} is a moment with its offset, such as 2030-01-31T12:00:00Z")
    return instant
