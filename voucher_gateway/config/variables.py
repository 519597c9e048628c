"""Values of a configuration that stand in environment variables: ``{ env = "NAME" }``, for any key.

A secret is read when it is used (`SecretSource`). Any other value is read once, when the configuration is loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.setting_types import missing_variable_error, require_single_line, require_variable_name

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


def is_variable(value: Any) -> bool:
    """Whether a value names an environment variable, perhaps wrongly."""
    return isinstance(value, Mapping) and "env" in value


def read_variable(value: Mapping[Any, Any]) -> str:
    """Return the text of the variable that a value names, or its default text.

    Args:
        value: ``{"env": NAME}`` or ``{"env": NAME, "default": TEXT}``. An empty variable counts as not set.

    Raises:
        ConfigurationError: if it has another form, if the variable is not set and has no default, or if its text is
            not one line.
    """
    name, default = value.get("env"), value.get("default")
    if value.keys() - {"env", "default"} or not isinstance(name, str) or not isinstance(default, str | None):
        raise ConfigurationError('must be { env = "NAME" } or { env = "NAME", default = "TEXT" }, with two strings')
    require_variable_name(name)
    text = os.environ.get(name) or default
    if text is None:
        raise missing_variable_error(name)
    if text:
        require_single_line(text)
    return text


def read_any(value: Any) -> Any:
    """Return the text of the variable that a value names; any other value as it is."""
    return read_variable(value) if is_variable(value) else value


def read_array(value: Any) -> Any:
    """Return the words of the variable that a value names, which are separated by commas; any other value as it is."""
    if not is_variable(value):
        return value
    return [word.strip() for word in read_variable(value).split(",") if word.strip()]


def parse_as(kind: type[Any], text: str) -> Any:
    """Return the text of a variable as an integer, a boolean, a number of seconds, or itself.

    Raises:
        ConfigurationError: if it is not such a value. The message does not quote it: it could be a secret.
    """
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise ConfigurationError("must be true or false in its environment variable")
        return _BOOLEANS[text.lower()]
    if kind is int:
        if not _INTEGER.fullmatch(text):
            raise ConfigurationError("must be an integer such as 8 in its environment variable")
        return int(text)
    if kind is float:
        if not _NUMBER.fullmatch(text):
            raise ConfigurationError("must be a number such as 8 or 2.5 in its environment variable")
        return float(text)
    return text
