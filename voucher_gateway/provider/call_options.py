"""The options of one call that only its vendor has: checked against its rules, and passed to the provider.

The gateway knows the options, and the provider uses them. What is between them, such as an emulation, should know
neither, so they are passed in a context variable. `VoucherProvider.intent` puts them into the intent of each request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

from voucher_gateway.capabilities import Operation, OptionRule, OptionType, OptionValue
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.process.context_value import UseValue

_NONE: Final[Mapping[str, OptionValue]] = MappingProxyType({})
_BOOLEANS: Final = {"true": True, "false": False}

_call_options: ContextVar[Mapping[str, OptionValue]] = ContextVar("call_options", default=_NONE)


def use_call_options(options: Mapping[str, OptionValue]) -> AbstractContextManager[object]:
    """Give options to the calls of a provider in this context. `Gateway` does so for each changing call."""
    return UseValue(_call_options, options)


def current_options(rules: Iterable[OptionRule], operation: str) -> dict[str, OptionValue]:
    """Return the options of this context that an operation has."""
    given = _call_options.get()
    return {rule.name: given[rule.name] for rule in rules if rule.name in given and operation in rule.operations}


def check_options(
    rules: Sequence[OptionRule], operations: Collection[Operation], options: Mapping[str, OptionValue]
) -> None:
    """Check the options of a call before anything is sent.

    Args:
        rules: the vendor's rules.
        operations: the operation of the call; with those that stand for it where it is emulated.
        options: the options by name.

    Raises:
        InvalidRequest: if an option is not one of the vendor's for the operation, has a wrong value, or is missing.
    """
    known = {rule.name: rule for rule in rules if not rule.operations.isdisjoint(operations)}
    for name, value in options.items():
        rule = known.get(name)
        if rule is None:
            text = f"one of {', '.join(sorted(known))}" if known else "no option"
            raise InvalidRequest(
                f"the vendor has no option {name!r:.40} for this call; expected {text}",
                field=f"options.{name:.40}",
                rule=text,
            )
        expected = _find_broken_rule(rule, value)
        if expected is not None:
            raise InvalidRequest(f"option {name} must be {expected}", field=f"options.{name}", rule=expected)
    for rule in known.values():
        if rule.required and rule.name not in options:
            text = rule.help or "required"
            raise InvalidRequest(
                f"option {rule.name} is missing: {text}", field=f"options.{rule.name}", rule="required by the vendor"
            )


def parse_options(rules: Iterable[OptionRule], texts: Iterable[str]) -> dict[str, OptionValue]:
    """Return the options that were given as texts, such as ``location=L1``. `check_options` checks them.

    Args:
        rules: the vendor's rules, which say the types. An option that the vendor does not have stays text.
        texts: the texts. One that comes twice is an array.

    Raises:
        InvalidRequest: if a text is not ``NAME=VALUE``, is not a value of its type, or gives one value twice.
    """
    types = {rule.name: rule.type for rule in rules}
    options: dict[str, OptionValue] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise InvalidRequest("an option must be NAME=VALUE", field="options", rule="NAME=VALUE")
        if types.get(name) is OptionType.ARRAY:
            earlier = options.get(name, ())
            options[name] = (*earlier, value) if isinstance(earlier, tuple) else (value,)
        elif name in options:
            raise InvalidRequest(f"option {name:.40} is given twice", field=f"options.{name:.40}", rule="once")
        else:
            options[name] = _parse_value(types.get(name, OptionType.STRING), value)
    return options


def _parse_value(type_: OptionType, text: str) -> OptionValue:
    """Return the value that a text stands for; the text itself if it stands for none of its type."""
    if type_ is OptionType.BOOLEAN:
        return _BOOLEANS.get(text, text)
    if type_ is OptionType.INTEGER and text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18:
        return int(text)
    return text


def _find_broken_rule(rule: OptionRule, value: OptionValue) -> str | None:
    """Return what a value should be; None if it is that."""
    if rule.type is OptionType.INTEGER:
        return None if isinstance(value, int) and not isinstance(value, bool) else "an integer"
    if rule.type is OptionType.BOOLEAN:
        return None if isinstance(value, bool) else "true or false"
    if rule.type is OptionType.ARRAY:
        expected = "an array of strings"
        values: list[object] = list(value) if isinstance(value, tuple | list) else []
    else:
        expected, values = "a string", [value]
    texts = [text for text in values if isinstance(text, str)]
    if not texts or len(texts) < len(values):
        return expected
    if rule.choices and not set(texts) <= set(rule.choices):
        return f"one of {', '.join(rule.choices)}"
    if not all(text and len(text) <= rule.max_length and text.isprintable() for text in texts):
        return f"{expected} of 1 to {rule.max_length} printable characters"
    return None
