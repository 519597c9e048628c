"""What people are told of a command that was written wrong, without what they wrote: it may have been a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import typer

from voucher_gateway.masking import MASK

_EXTRA: Final = "Got unexpected extra argument"
_UNKNOWN_OPTION: Final = "No such option"
_SHORTEST: Final = 4
"""What is shorter is no code of any vendor that we know of, and worth repeating: `lst`, `abc`."""


def usage_sentence(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Return what is wrong with the arguments, masked where it repeats one of them.

    Args:
        error: what Typer says.
        arguments: those that were given.
    """
    message = error.format_message().strip().replace("Value error, ", "")  # pydantic's words, through Typer
    if not message:  # Typer has shown the help of a group of commands
        return "A command is missing."
    if message.startswith(_EXTRA):
        return "There are more arguments than the command takes."
    if message.startswith(_UNKNOWN_OPTION):  # a code may begin with -
        similar = sorted(getattr(error, "possibilities", None) or ())
        hint = f"Did you mean {' or '.join(similar)}?" if similar else "A value that begins with - comes after --."
        return f"There is no such option. {hint}"
    for value in sorted(_values(arguments), key=len, reverse=True):
        message = message.replace(f"'{value}'", f"'{MASK}'").replace(f'"{value}"', f'"{MASK}"')
    return message if message.endswith((".", "?", "!")) else f"{message}."


def _values(arguments: Sequence[str]) -> set[str]:
    values = {argument.partition("=")[2] if argument.startswith("-") else argument for argument in arguments}
    return {value for value in values if len(value) >= _SHORTEST}


def help_hint(error: typer.TyperException) -> str:
    """Return the sentence that leads to the help of the command at fault."""
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", None) or "voucher-gateway"
    return f"`{command} --help` describes it."
