"""The options of a simulator, and the text NAME=VALUE by which the command line sets those of one vendor."""

from __future__ import annotations

import re
import types
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import field, frozen, validators


def _aware(_: object, __: object, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ValueError("start must be an aware instant")


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


@frozen(kw_only=True)
class SimulatorOptions:
    """How a simulator starts; a vendor may add options in a subclass.

    Attributes:
        host: the interface that the vendor's API listens on; the control API is always on loopback.
        port: 0 picks a free one.
        vouchers: the number of vouchers at the start; a ledger from a state file gets none.
        history: the number of movements of one further voucher, which is years old; 0 for no such voucher. A ledger
            from a state file gets none.
        seed: of the random choices; the same seed and `start` make the same vouchers.
        latency_ms: real milliseconds before each answer.
        strict: refuse request fields that the vendor does not document, instead of ignoring them.
        state: a JSON file that keeps the ledger between runs; it is read at the start and written at the end. It
            holds codes and secrets, and only its owner can read it.
        start: the time of the virtual clock at the start; the real time by default.
    """

    host: str = "127.0.0.1"
    port: int = field(default=0, validator=[validators.ge(0), validators.le(65535)])
    vouchers: int = field(default=0, validator=validators.ge(0))
    history: int = field(default=0, validator=validators.ge(0))
    seed: int | None = None
    latency_ms: float = field(default=0, validator=validators.ge(0))
    strict: bool = False
    state: Path | None = field(default=None, converter=_path)
    start: datetime | None = field(default=None, validator=_aware)


_COMMON: Final = frozenset(option.name for option in attrs.fields(SimulatorOptions)) - {"start", "history"}
_TRUTH: Final = {"true": True, "false": False}
_WHOLE: Final = re.compile("-?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


def parse_options(options_type: type[SimulatorOptions], texts: Sequence[str]) -> dict[str, Any]:
    """Read options of one vendor, each ``NAME=VALUE``; ``none`` stands for None where that is allowed.

    Raises:
        ValueError: for a text that is not an option of this vendor, that has its own switch, that is repeated, or whose
            value has another type.
    """
    hints = get_type_hints(options_type)
    known = {option.name: hints[option.name] for option in attrs.fields(options_type) if option.name not in _COMMON}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"an option is written NAME=VALUE, not {text[:40]!r}")
        if name in _COMMON:
            raise ValueError(f"{name} has its own switch, --{name.replace('_', '-')}")
        if name not in known:
            raise ValueError(f"unknown option {name[:40]!r}; the options are {', '.join(sorted(known))}")
        if name in values:
            raise ValueError(f"the option {name} is given twice")
        values[name] = _convert(name, known[name], value.strip())
    return values


def _convert(name: str, hint: Any, text: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if types.NoneType in inner and text.lower() == "none":
            return None
        (hint,) = (member for member in inner if member is not types.NoneType)
        return _convert(name, hint, text)
    if origin is Literal:
        allowed = {str(member): member for member in inner}
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
