"""What is printed about a command that was written wrong, without repeating what may be a code or a PIN."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import typer

from voucher_gateway.cli.command_table import COMMANDS, GROUPS

_EXTRA: Final = "Got unexpected extra argument"
_UNKNOWN_OPTION: Final = "No such option"
_MIN_CODE_LENGTH: Final = 4
"""No vendor that we know of has shorter codes, so a shorter word is repeated: `lst`, `abc`."""

_SUFFIXES: Final = (".csv", ".jsonl", ".toml")
"""The suffixes of our files. A code does not end so, and a mistyped path has to be seen."""

_WORD: Final = re.compile(r"[a-z]+(-[a-z]+)*", re.ASCII)
_QUOTED: Final = re.compile(r"'([a-z][a-z-]*)'", re.ASCII)
_SIMILARITY: Final = 0.7
_LENGTH_DIFFERENCE: Final = 2


def usage_sentence(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Return what is wrong with the arguments, masked where it repeats one of them that could be a code.

    Args:
        error: the error of Typer.
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
        return f"Unknown option. {hint}"
    from voucher_gateway.masking import MASK

    for value in sorted(_values(arguments), key=len, reverse=True):
        if not _is_mistyped(value, message):
            message = message.replace(f"'{value}'", f"'{MASK}'").replace(f'"{value}"', f'"{MASK}"')
    return message if message.endswith((".", "?", "!")) else f"{message}."


def _values(arguments: Sequence[str]) -> set[str]:
    values = {argument.partition("=")[2] if argument.startswith("-") else argument for argument in arguments}
    return {value for value in values if len(value) >= _MIN_CODE_LENGTH}


def _is_mistyped(value: str, message: str) -> bool:
    """Return whether a value is a path of ours, a mistyped command, or one of the words that a message offers."""
    if value.lower().endswith(_SUFFIXES):
        return True
    tables = [COMMANDS, *GROUPS.values()]
    commands = [name for table in tables for panel in table.values() for name in panel]
    return find_similar(value, {*commands, *_QUOTED.findall(message)} - {value}) is not None


def find_similar(value: str, words: Iterable[str]) -> str | None:
    """Return the word that a mistyped value stands for; None if no word is similar, or if the value could be a code.

    Only a value of small letters and hyphens that is nearly as long as the word may be repeated in a message.
    """
    if not _WORD.fullmatch(value):
        return None
    from difflib import get_close_matches

    near = [word for word in words if abs(len(word) - len(value)) <= _LENGTH_DIFFERENCE]
    return next(iter(get_close_matches(value, near, n=1, cutoff=_SIMILARITY)), None)


def did_you_mean_file(path: Path) -> str:
    """Return a question about a file that does not exist and a similar one beside it; empty without such a one.

    The name is repeated only then: something else in its place may be a code.
    """
    from difflib import get_close_matches

    try:
        names = [] if path.exists() else [file.name for file in path.absolute().parent.iterdir() if file.is_file()]
    except OSError:
        return ""
    similar = get_close_matches(path.name, names, n=1, cutoff=_SIMILARITY)
    return f"the file '{path}' does not exist; did you mean {path.with_name(similar[0])}?" if similar else ""


def help_hint(error: typer.TyperException) -> str:
    """Return the sentence that leads to the help of the command at fault."""
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", None) or "voucher-gateway"
    return f"`{command} --help` describes it."
