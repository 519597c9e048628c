"""Reads the settings of a provider from the table of an account, and collects all problems.

The attributes of a settings class may be ``str`` (one line, never empty), ``int``, ``bool``, ``float`` (seconds; an
integer is accepted too), ``Path``, `SecretSource`, `DatabaseUrl`, a ``Literal``, ``tuple[X, ...]`` of these, and each
of them ``| None``. The converter and validator of each attribute run even if another attribute is wrong, so that all
problems are reported at once.

cattrs is not used here: it would need a hook of ours for each of these types, because its own would convert values or
quote them in errors, and it would accept types that we do not document.
"""

from __future__ import annotations

import difflib
import math
import re
import types
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from voucher_gateway.config.variables import is_variable, parse_as, read_array, read_variable
from voucher_gateway.errors import ConfigurationError, VoucherGatewayError
from voucher_gateway.setting_types import DatabaseUrl, SecretSource, require_single_line

Where = tuple[Any, ...]
"""The keys that lead to a place in a configuration, from the top."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class ConfigProblems:
    """The problems of one configuration, in the order in which they were found."""

    def __init__(self, source: str) -> None:
        """Start without problems.

        Args:
            source: the path of the file, or another name of the configuration.
        """
        self._source = source
        self._lines: list[str] = []

    def add(self, where: Where, rule: str) -> None:
        """Record that the value at this place breaks this rule."""
        path = ".".join(_quote_key(key) for key in where)
        self._lines.append(f"{self._source}: {path}: {' '.join(rule.splitlines())}")

    @contextmanager
    def collect(self, where: Where, rule: str = "is refused by the provider") -> Iterator[None]:
        """Record an error that the block raises as a problem of this place.

        The message of an error that is not ours is replaced by `rule`, because it may quote the value.
        """
        try:
            yield
        except VoucherGatewayError as error:
            self.add(where, error.message)
        except Exception:  # noqa: BLE001 - a provider's own rule may raise anything
            self.add(where, rule)

    def __len__(self) -> int:
        return len(self._lines)

    def raise_if_any(self) -> None:
        """Raise one `ConfigurationError` with a line for each problem, if there are any."""
        if self._lines:
            raise ConfigurationError("\n".join(self._lines))


def _quote_key(key: Any) -> str:
    if isinstance(key, str):
        return key if _BARE_KEY.fullmatch(key) else ascii(key[:64])
    return f"({toml_type_name(key)})"


def did_you_mean(given: Any, known: Collection[str]) -> str:
    """Return the end of a sentence that names the most similar known word; empty if no word is similar."""
    close = difflib.get_close_matches(given[:64].lower(), known, n=1) if isinstance(given, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def toml_type_name(value: Any) -> str:
    """Return the type of a value, as TOML calls it."""
    match value:
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a float"
        case Mapping():
            return "a table"
        case list() | tuple():
            return "an array"
        case date() | time():
            return "a date or time"
        case None:
            return "nothing"
    return type(value).__name__


def read_settings(
    settings_type: type[Any],
    table: Mapping[Any, Any],
    problems: ConfigProblems,
    where: Where,
    *,
    folder: Path | None,
    reserved: Collection[str] = (),
    owner: str = "this provider",
) -> Any:
    """Return an instance of the settings class, or None after adding to `problems`.

    Args:
        settings_type: the provider's attrs class.
        table: the keys of the provider in the table of the account.
        problems: receives the problems.
        where: the place of the account.
        folder: the folder of relative paths; None for the working directory.
        reserved: keys that every account has. A provider cannot declare them.
        owner: names whose keys they are, in messages.
    """
    count = len(problems)
    attributes = {field.alias: field for field in attrs.fields(settings_type) if field.init}
    for key in sorted(attributes.keys() & reserved):
        problems.add((*where, key), f"is a key of every account: {settings_type.__name__} must not declare it")
    for key in table:
        if key not in attributes:
            known = ", ".join(attributes) or "none"
            problems.add((*where, key), f"is not a key of {owner}{did_you_mean(key, attributes)}; its keys: {known}")
    for key, attribute in attributes.items():
        if key not in table and attribute.default is attrs.NOTHING:
            problems.add((*where, key), "is missing")
    typed = {}
    with problems.collect(where, f"cannot be read, because the annotations of {settings_type.__name__} are wrong"):
        hints = get_type_hints(settings_type)
        for key, attribute in attributes.items():
            if key in table:
                with problems.collect((*where, key)):
                    typed[key] = _convert(hints.get(attribute.name), table[key], folder)
    defaults = {
        key: attribute.default
        for key, attribute in attributes.items()
        if key not in table and attribute.default is not attrs.NOTHING and not _is_factory(attribute.default)
    }
    _apply_rules(attributes, defaults | typed, settings_type, problems, where)
    if len(problems) == count:
        with problems.collect(where):
            return settings_type(**typed)
    return None


def _apply_rules(
    attributes: Mapping[str, attrs.Attribute[Any]],
    values: Mapping[str, Any],
    settings_type: type[Any],
    problems: ConfigProblems,
    where: Where,
) -> None:
    """Run the converter and validator of each attribute. The constructor would stop at the first problem."""
    probe = object.__new__(settings_type)
    converted = []
    for key, attribute in attributes.items():
        if key not in values:
            continue
        value = values[key]
        with problems.collect((*where, key)):
            converter: Any = attribute.converter
            # an attrs.Converter may need the instance, which only the constructor has
            if converter is not None and not isinstance(converter, attrs.Converter):
                value = converter(value)
            object.__setattr__(probe, attribute.name, value)
            converted.append((key, attribute, value))
    for key, attribute, value in converted:
        if attribute.validator is not None:
            with problems.collect((*where, key), f"breaks the rule {_validator_text(attribute.validator)}"):
                try:
                    attribute.validator(probe, attribute, value)
                except AttributeError:
                    continue  # it reads another attribute, which is missing; the constructor runs it again


def _is_factory(default: Any) -> bool:
    return isinstance(default, attrs.Factory)  # type: ignore[arg-type]  # a class, which attrs types as a function


def _validator_text(validator: Any) -> str:
    """Return the text of a validator: the rule of one of attrs, or the name of a function."""
    return getattr(validator, "__name__", None) or repr(validator).strip("<>")


def _convert(hint: Any, value: Any, folder: Path | None) -> Any:
    """Return the value if it has the annotated type. Values are not converted to other types."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and types.NoneType in arguments:
        (inner,) = (argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _convert(inner, value, folder)
    if hint is not SecretSource and hint is not DatabaseUrl and is_variable(value):
        if origin is tuple:
            return _convert(hint, read_array(value), folder)
        value = parse_as(_value_type(hint, arguments), read_variable(value))
    if origin is Literal:
        if not any(type(value) is type(argument) and value == argument for argument in arguments):
            raise ConfigurationError(f"must be one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        if not isinstance(value, list | tuple):
            raise ConfigurationError(f"must be an array, not {toml_type_name(value)}")
        return tuple(_convert(arguments[0], element, folder) for element in value)
    if hint is SecretSource or hint is DatabaseUrl:
        source: SecretSource | DatabaseUrl = hint.of(value, folder=folder)
        source.check()
        return source
    if hint is Path:
        return (folder or Path.cwd()) / _require_string(value)
    if hint is str:
        return _require_string(value)
    if hint is bool:
        return _require_exact_type(bool, value, "a boolean")
    if hint is int:
        return _require_exact_type(int, value, "an integer")
    if hint is float:
        return _seconds(value)
    raise ConfigurationError("has a type in the settings class of the provider that a configuration cannot express")


def _value_type(hint: Any, arguments: tuple[Any, ...]) -> type[Any]:
    """Return the type of a value in an environment variable; that of the first choice of a `Literal`."""
    if get_origin(hint) is Literal:
        return type(arguments[0])
    return hint if isinstance(hint, type) else str


def _require_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"must be a string, not {toml_type_name(value)}")
    if not value.strip():
        raise ConfigurationError("must not be empty")
    require_single_line(value)
    return value


def _require_exact_type(kind: type[Any], value: Any, wanted: str) -> Any:
    if type(value) is not kind:  # a bool is an int to isinstance
        raise ConfigurationError(f"must be {wanted}, not {toml_type_name(value)}")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float):
        raise ConfigurationError(f"must be a number, not {toml_type_name(value)}")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise ConfigurationError("must be a finite number")
    return seconds
