"""How a failed command says so on stderr."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

from voucher_gateway.cli.exits import error_lines, error_object, ticket_line
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import CliContext
from voucher_gateway.cli.usage import help_hint, usage_sentence
from voucher_gateway.errors.root import VoucherGatewayError

DEBUG_VARIABLE: Final = "VOUCHER_GATEWAY_DEBUG"
"""The environment variable that, set to 1, adds a traceback to what we say of our own bugs."""

_PACKAGE: Final = Path(__file__).parents[2]


def print_error(output: Output, error: VoucherGatewayError) -> None:
    """Tell of an error of the library: what is wrong, what it means for the money, what to do, and the ticket."""
    if output.as_json:
        output.error_object(error_object(error))
        return
    _tell(output, error_lines(error))
    if (line := ticket_line(error)) is not None:
        output.ticket(line)


def print_warnings(output: Output, sentences: Sequence[str]) -> None:
    """Say what must not be overlooked; with JSON as one object on stderr."""
    if output.as_json:
        if sentences:
            output.error_object({"warnings": list(sentences)})
        return
    for sentence in sentences:
        output.note(f"Warning: {sentence}", "bold yellow")


def print_usage_error(output: Output, error: typer.TyperException, arguments: list[str]) -> None:
    """Tell of a command that was written wrong."""
    _fail(output, "WrongUsage", [usage_sentence(error, arguments), help_hint(error)], left_open=False)


def print_interruption(session: CliContext) -> None:
    """Tell that the command was interrupted, and whether it may have done something."""
    left_open = session.sent is not None
    sentences = [f"{session.sent}: it is not known whether it happened. {session.remedy}"] if left_open else []
    _fail(session.output, "Interrupted", ["Interrupted.", *sentences], left_open=left_open)


def print_bug(session: CliContext, error: BaseException) -> None:
    """Tell of an error that should not be. Its own text is left out: it may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    where = _place(frames[-1].filename, frames[-1].lineno) if frames else "an unknown place"
    lines = [f"This is a bug of voucher-gateway: {type(error).__name__} at {where}."]
    if isinstance(error, OSError) and error.strerror:
        lines = [f"The system refused to read or write something: {error.strerror}."]
    if session.sent is not None:
        lines.append(f"{session.sent}: it is not known whether it happened. {session.remedy}")
    if os.environ.get(DEBUG_VARIABLE) == "1":
        lines += [f"{_place(frame.filename, frame.lineno)} in {frame.name}" for frame in frames]
    else:
        lines.append(f"With {DEBUG_VARIABLE}=1 it shows a traceback; please report it.")
    _fail(session.output, "InternalError", lines, left_open=session.sent is not None)


def _place(file: str, line: int | None) -> str:
    path = Path(file)
    return f"{path.relative_to(_PACKAGE) if path.is_relative_to(_PACKAGE) else path.name}:{line}"


def _fail(output: Output, name: str, lines: list[str], *, left_open: bool) -> None:
    if output.as_json:
        outcome = "unknown" if left_open else "not_executed"
        fields = {"outcome": outcome, "retry_safe": not left_open, "ticket": None}
        output.error_object({"error": name, "message": " ".join(lines), **fields})
    else:
        _tell(output, lines)


def _tell(output: Output, lines: list[str]) -> None:
    first, *rest = lines
    output.note(first, "red")
    output.notes(rest)
