"""How a failed command says so on stderr."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import typer

from voucher_gateway.capabilities import Operation
from voucher_gateway.cli.context import CliContext
from voucher_gateway.cli.output import Output
from voucher_gateway.errors import (
    AccessDenied,
    AlreadyCaptured,
    AlreadyRefunded,
    AuthenticationFailed,
    ConcurrentModification,
    ConfigurationError,
    DatabaseUnavailable,
    Declined,
    InvalidRequest,
    MalformedResponse,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    RateLimited,
    ReferenceConflict,
    Rejected,
    ReservationExpired,
    ReservationReleased,
    ReservationSuperseded,
    Ticket,
    UnsupportedOperation,
    VoucherGatewayError,
    VoucherHeld,
    VoucherInactive,
    VoucherMoved,
    VoucherNotFound,
)
from voucher_gateway.masking import MASK

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


DONE: Final = 0
DECLINED: Final = 1
"""Declined or unsupported."""
WRONG: Final = 2
"""Wrong usage, request, configuration, access or reference."""
NOT_DONE: Final = 3
"""Surely not executed, or in progress: try again."""
UNKNOWN: Final = 4
"""Outcome unknown, or changed by somebody else meanwhile."""
DIFFERENT: Final = 5
"""Differences were found."""
UNREADABLE: Final = 6
"""The vendor's answer to a read is outside of its contract."""
OUR_BUG: Final = 70
INTERRUPTED: Final = 130

_CODES: Final[tuple[tuple[type[VoucherGatewayError], int], ...]] = (
    (ConfigurationError, WRONG),
    (UnsupportedOperation, DECLINED),
    (InvalidRequest, WRONG),
    (Declined, DECLINED),
    (AccessDenied, WRONG),
    (NotExecuted, NOT_DONE),
    (OutcomeUnknown, UNKNOWN),
    (MalformedResponse, UNREADABLE),
    (ReferenceConflict, WRONG),
    (OperationInProgress, NOT_DONE),
    (ConcurrentModification, UNKNOWN),
)

_NEXT: Final[tuple[tuple[type[VoucherGatewayError], str], ...]] = (
    (UnsupportedOperation, "`voucher-gateway doctor ACCOUNT` shows what the account can do."),
    (InvalidRequest, "Mend the command; with --help it describes its arguments."),
    (VoucherNotFound, "Check the code or id, and that it is this account's."),
    (VoucherInactive, "`voucher-gateway activate` makes it spendable, unless it was moved to another account."),
    (VoucherHeld, "Capture or release that reservation first, or reserve with --if-held replace, which ends it."),
    (VoucherMoved, "Go on with it where it is now; `voucher-gateway migrate rollback` brings vouchers back."),
    (ReservationExpired, "Reserve again, under a new reference."),
    (ReservationSuperseded, "Reserve again, under a new reference; --if-held refuse keeps others from ending it."),
    (ReservationReleased, "Reserve again, under a new reference."),
    (AlreadyCaptured, "`voucher-gateway history` shows when; `refund` gives it back."),
    (AlreadyRefunded, "`voucher-gateway history` shows when; a refund gives back no more than was redeemed."),
    (Rejected, "The vendor documents no reason for this refusal; `voucher-gateway show` may tell one."),
    (AuthenticationFailed, "Check the account's credentials; `voucher-gateway doctor ACCOUNT` tries them."),
    (AccessDenied, "Give the login the right at the vendor; `voucher-gateway doctor ACCOUNT` shows what is missing."),
    (RateLimited, "Wait, then give the same command again."),
    (DatabaseUnavailable, "Without the journal nothing is sent. Mend that, then give the same command again."),
    (NotExecuted, "Give the same command again."),
    (OutcomeUnknown, "Do not repeat it: no journal remembers it. Find out with: voucher-gateway resolve --ticket FILE"),
    (MalformedResponse, "Nothing can be concluded from it; if it lasts, the vendor or its adapter is at fault."),
    (
        ReferenceConflict,
        "Take a new reference for a new operation; `voucher-gateway operations show` shows the old one.",
    ),
    (
        OperationInProgress,
        "Give the same command again once that is settled; with --wait SECONDS it waits for another worker.",
    ),
    (ConcurrentModification, "Do not simply repeat it. Compare the readings; a person must decide what is right."),
)

_MONEY: Final = {
    "declined": "Nothing moved: the vendor said no.",
    "not_executed": "Nothing moved: nothing was carried out.",
    "unknown": "It is not known whether it happened.",
    "pending": "The vendor has taken it on and answers later.",
}

# what errors may carry beyond what all of them have
_MORE: Final = (
    "account",
    "operation",
    "http_status",
    "vendor_code",
    "request_id",
    "field",
    "rule",
    "fields",
    "emulation",
    "scope",
    "retry_after",
    "problems",
    "evidence",
)


def exit_code(error: VoucherGatewayError) -> int:
    """Return the exit code that stands for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), OUR_BUG)


def error_object(error: VoucherGatewayError) -> dict[str, Any]:
    """Return what ``--json`` prints of an error: always the first five names, the others where they are known."""
    fields: dict[str, Any] = {
        "error": type(error).__name__,
        "message": error.message,
        "outcome": error.outcome,
        "retry_safe": error.retry_safe,
        "ticket": _ticket(error),
    }
    for name in _MORE:
        value = getattr(error, name, None)
        if value not in (None, (), {}):
            fields[name] = Decimal(repr(value)) if isinstance(value, float) else value
    return fields


def error_lines(error: VoucherGatewayError) -> list[str]:
    """Return what people are told of an error: what is wrong, what it means for the money, and what to do."""
    text = f"{error} ({type(error).__name__})"
    # A configuration is told everything that is wrong with it, a line each; a vendor's line breaks stay escaped.
    lines = text.split("\n") if isinstance(error, ConfigurationError) else [text]
    if vendor := _vendor(error):
        lines.append(vendor)
    if _changes(error):
        # without an answer of the vendor it was we who refused
        ours = error.outcome == "declined" and error.http_status is None
        lines.append("Nothing moved." if ours else _MONEY[error.outcome])
    if isinstance(error, ConcurrentModification):
        lines += [f"{name}: {reading}" for name, reading in error.evidence.items()]
    return lines + _next(error)


def _next(error: VoucherGatewayError) -> list[str]:
    """Return what to do about an error."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return [f"Wait {error.retry_after:g} seconds, then give the same command again."]
    ticket: Ticket | None = getattr(error, "ticket", None)
    if ticket is not None and ticket.operation_id is not None and ticket.reference is not None:
        arguments = (ticket.account, ticket.verb, ticket.reference)
        if isinstance(error, ConcurrentModification):
            return [
                "Compare the readings; no look-up can tell what is right, a person must.",
                decide_sentence(*arguments),
            ]
        return [
            f"Find out with: {resolve_command(*arguments)}",
            "The same command does that too before anything else, and never does it twice.",
        ]
    # who raised it, or let it pass, may know better than its kind can tell
    if notes := list(getattr(error, "__notes__", ())):
        return notes
    return [sentence for kind, sentence in _NEXT if isinstance(error, kind)][:1]


def resolve_command(account: str, verb: str, reference: str) -> str:
    """Return the command that finds out what became of an operation of the journal."""
    return f"voucher-gateway resolve {_shell_arguments(account, verb, reference)}"


def decide_sentence(account: str, verb: str, reference: str) -> str:
    """Return the sentence by which a person writes down what became of an operation of the journal."""
    return (
        "Once you know, write it down with: voucher-gateway operations decide --happened (or --did-not-happen)"
        f" --by NAME --reason TEXT {_shell_arguments(account, verb, reference)}"
    )


def _shell_arguments(account: str, verb: str, reference: str) -> str:
    """Return the arguments that name an operation, as a shell takes them."""
    guard = ["--"] if reference.startswith("-") else []
    return shlex.join([*guard, account, verb.replace("_", "-"), reference])


def ticket_line(error: VoucherGatewayError) -> str | None:
    """Return the ticket of an error as a line of JSON, if it has one."""
    ticket = getattr(error, "ticket", None)
    return None if ticket is None else str(ticket.to_json())


def _ticket(error: VoucherGatewayError) -> dict[str, Any] | None:
    ticket = getattr(error, "ticket", None)
    if ticket is None:
        return None
    return attrs.asdict(ticket, filter=lambda _, value: value not in (None, {}, ""))


def _changes(error: VoucherGatewayError) -> bool:
    """Whether the error is about something that changes something, so that the money is worth a sentence."""
    if error.outcome == "unknown":
        return True
    return error.operation in [operation.value for operation in Operation] and Operation(error.operation).changes


def _vendor(error: VoucherGatewayError) -> str:
    parts = [error.vendor_code, error.http_status and f"HTTP {error.http_status}"]
    text = ", ".join(part for part in parts if part)
    if error.request_id:
        text += f" (request {error.request_id})"
    return f"The vendor's answer: {text}" if text else ""


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
