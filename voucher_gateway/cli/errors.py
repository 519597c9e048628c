"""What a failed command prints on stderr, and its exit code."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import typer

from voucher_gateway import errors
from voucher_gateway.capabilities import Operation
from voucher_gateway.cli.context import DECLINED, INTERRUPTED, NOT_DONE, OUR_BUG, UNKNOWN, UNREADABLE, WRONG, CliContext
from voucher_gateway.cli.usage import help_hint, usage_sentence
from voucher_gateway.errors import Ticket, VoucherGatewayError
from voucher_gateway.instants import format_instant

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output

T = TypeVar("T")

DEBUG_VARIABLE: Final = "VOUCHER_GATEWAY_DEBUG"
"""The environment variable that, set to 1, adds a traceback to what we say of our own bugs."""

_PACKAGE: Final = Path(__file__).parents[2]


def failure_code(error: BaseException) -> int:
    """Return the exit code of a command that ended with an exception."""
    if isinstance(error, VoucherGatewayError):
        return exit_code(error)
    if isinstance(error, typer.TyperException):
        return WRONG
    return INTERRUPTED if isinstance(error, KeyboardInterrupt | typer.Abort) else OUR_BUG


def print_failure(session: CliContext, error: BaseException, arguments: Sequence[str]) -> None:
    """Print why a command failed.

    Args:
        session: the run.
        error: the exception that ended it.
        arguments: those of the command.
    """
    if isinstance(error, VoucherGatewayError):
        print_error(session.output, error)
    elif isinstance(error, typer.TyperException):
        lines = [usage_sentence(error, arguments), help_hint(error)]
        _print_lines(session.output, "WrongUsage", lines, left_open=False)
    elif isinstance(error, KeyboardInterrupt | typer.Abort):
        left_open = session.sent is not None
        sentences = [_open_sentence(session)] if left_open else []
        _print_lines(session.output, "Interrupted", ["Interrupted.", *sentences], left_open=left_open)
    else:
        print_bug(session, error)


def print_error(output: Output, error: VoucherGatewayError) -> None:
    """Print an error of the library: what is wrong, what it means for the money, what to do, and the ticket."""
    if output.as_json:
        output.error_object(error_object(error))
        return
    _print_sentences(output, error_lines(error), style=_OUTCOME_STYLES.get(error.outcome, "red"))
    if (line := ticket_line(error)) is not None:
        output.ticket(line)


def print_warnings(output: Output, sentences: Sequence[str]) -> None:
    """Print what must not be overlooked; with JSON as one object on stderr."""
    if output.as_json:
        if sentences:
            output.error_object({"warnings": list(sentences)})
        return
    for sentence in sentences:
        output.note(f"Warning: {sentence}", "bold yellow")


def _open_sentence(session: CliContext) -> str:
    return f"{session.sent}: it is not known whether it happened. {session.remedy}"


def print_bug(session: CliContext, error: BaseException) -> None:
    """Print an error that should not happen. Its own text is left out: it may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    where = _place(frames[-1].filename, frames[-1].lineno) if frames else "an unknown place"
    lines = [f"This is a bug of voucher-gateway: {type(error).__name__} at {where}."]
    if isinstance(error, OSError) and error.strerror:
        lines = [f"The system refused to read or write something: {error.strerror}."]
    if session.sent is not None:
        lines.append(_open_sentence(session))
    if os.environ.get(DEBUG_VARIABLE) == "1":
        lines += [f"{_place(frame.filename, frame.lineno)} in {frame.name}" for frame in frames]
    else:
        lines.append(f"With {DEBUG_VARIABLE}=1 it shows a traceback; please report it.")
    _print_lines(session.output, "InternalError", lines, left_open=session.sent is not None)


def _place(file: str, line: int | None) -> str:
    path = Path(file)
    return f"{path.relative_to(_PACKAGE) if path.is_relative_to(_PACKAGE) else path.name}:{line}"


def _print_lines(output: Output, name: str, lines: list[str], *, left_open: bool) -> None:
    if output.as_json:
        outcome = "unknown" if left_open else "not_executed"
        fields = {"outcome": outcome, "retry_safe": not left_open, "ticket": None}
        output.error_object({"error": name, "message": " ".join(lines), **fields})
    else:
        _print_sentences(output, lines)


def _print_sentences(output: Output, lines: list[str], style: str = "red") -> None:
    first, *rest = lines
    output.note(first, style)
    output.notes(rest)


_EXIT_CODES: Final[Mapping[type[Exception], int]] = {
    errors.ConfigurationError: WRONG,
    errors.UnsupportedOperation: DECLINED,
    errors.InvalidRequest: WRONG,
    errors.Declined: DECLINED,
    errors.AccessDenied: WRONG,
    errors.NotExecuted: NOT_DONE,
    errors.TooManyChecks: NOT_DONE,
    errors.OutcomeUnknown: UNKNOWN,
    errors.OutcomePending: NOT_DONE,
    errors.PartlyRedeemed: UNKNOWN,
    errors.MalformedResponse: UNREADABLE,
    errors.PaymentShort: DECLINED,
    errors.PaymentConflict: WRONG,
    errors.SaleConflict: WRONG,
    errors.MalformedFile: WRONG,
    errors.ReferenceConflict: WRONG,
    errors.OperationInProgress: NOT_DONE,
    errors.ConcurrentModification: UNKNOWN,
}
"""Exit codes by base class; an error that is derived from one of these needs no line."""

_ADVICE: Final[Mapping[type[Exception], str]] = {
    errors.UnsupportedOperation: "`voucher-gateway doctor ACCOUNT` shows what the account can do.",
    errors.InvalidRequest: "Correct the command; with --help it describes its arguments.",
    errors.VoucherNotFound: "Check the code or id, and that it belongs to this account.",
    errors.VoucherInactive: ("`voucher-gateway activate` makes it spendable, unless it was moved to another account."),
    errors.VoucherHeld: (
        "Capture or release that reservation first, or reserve with --if-held replace, which ends it."
        " If a redemption in doubt holds it, `voucher-gateway recover` comes first."
    ),
    errors.VoucherMoved: ("Use it where it is now; `voucher-gateway migrate rollback` brings vouchers back."),
    errors.ReservationExpired: "Reserve again, under a new reference.",
    errors.ReservationSuperseded: (
        "Reserve again, under a new reference; --if-held refuse keeps others from ending it."
    ),
    errors.ReservationReleased: "Reserve again, under a new reference.",
    errors.AlreadyCaptured: "`voucher-gateway history` shows when; `refund` gives it back.",
    errors.AlreadyRefunded: ("`voucher-gateway history` shows when; a refund gives back no more than was redeemed."),
    errors.Rejected: "The vendor documents no reason for this refusal; `voucher-gateway show` may show one.",
    errors.AuthenticationFailed: ("Check the credentials of the account; `voucher-gateway doctor ACCOUNT` tries them."),
    errors.AccessDenied: (
        "Give the login the right at the vendor; `voucher-gateway doctor ACCOUNT` shows what is missing."
    ),
    errors.RateLimited: "Wait, then give the same command again.",
    errors.DatabaseUnavailable: (
        "Without the journal nothing is sent. Repair the database, then give the same command again."
    ),
    errors.AccountsUnavailable: "Repair what `account_source` names, then give the same command again.",
    errors.AccountPaused: "Give the same command again after the pause.",
    errors.NotExecuted: "Give the same command again.",
    errors.OutcomeUnknown: (
        "Do not repeat it: no journal remembers it. Find out with: voucher-gateway resolve --ticket FILE"
    ),
    errors.OutcomePending: (
        "Do not repeat it: no journal remembers it. Ask for news with: voucher-gateway resolve --ticket FILE"
    ),
    errors.PartlyRedeemed: (
        "Accept the part, or give it back with `voucher-gateway refund`. With a journal, the same command goes on with"
        " giving it back."
    ),
    errors.MalformedResponse: ("Nothing can be concluded from it; if it lasts, the vendor or its adapter is at fault."),
    errors.PaymentDeclined: "Remove that leg or use another means, then authorize again.",
    errors.PaymentShort: (
        "In the shop, capture again with the amount that is due now, which other means pay; or give the money back with"
        " `voucher-gateway payments cancel`."
    ),
    errors.PaymentConflict: "`voucher-gateway payments show` shows the state of the payment.",
    errors.SaleConflict: "`voucher-gateway sell show` shows the state of the sale.",
    errors.MalformedFile: "Correct the file, then give the same command again.",
    errors.ReferenceConflict: (
        "Take a new reference for a new operation; `voucher-gateway operations show` shows the old one."
    ),
    errors.OperationInProgress: (
        "Give the same command again once that is settled; a command that has --wait SECONDS can wait for another"
        " worker."
    ),
    errors.ConcurrentModification: (
        "Do not simply repeat it. Compare the readings; a person must decide what is right."
    ),
}
"""What to do about an error, by its class or base class."""

_LOCKED: Final = ("SQLITE_BUSY", "55P03")
"""The codes of SQLite and PostgreSQL for a lock that another program holds for too long."""

_MAX_PROBLEMS: Final = 20
"""The maximum of problems of a file that are printed."""

_OUTCOME_STYLES: Final = {"unknown": "bold magenta", "pending": "yellow"}

_MONEY: Final = {
    "declined": "Nothing moved: the vendor said no.",
    "not_executed": "Nothing moved: nothing was carried out.",
    "unknown": "It is not known whether it happened.",
    "succeeded": "A part was taken.",
    "pending": "The vendor has accepted it, and will complete or cancel it later.",
}

# what some errors have beyond what all of them have
_OPTIONAL_FIELDS: Final = (
    "account",
    "operation",
    "step",
    "http_status",
    "vendor_code",
    "request_id",
    "field",
    "rule",
    "fields",
    "emulation",
    "scope",
    "retry_after",
    "retry_at",
    "problems",
    "problem_count",
    "wrong_lines",
    "listed_in",
    "evidence",
    "taken",
    "redemption_id",
    "voucher_id",
)


def exit_code(error: VoucherGatewayError) -> int:
    """Return the exit code that stands for an error.

    The same command may be given again for a pending operation of the journal: it asks the vendor for news. Without a
    journal it would be another call, so the code is that of an unknown outcome.
    """
    ticket: Ticket | None = getattr(error, "ticket", None)
    if isinstance(error, errors.OutcomePending) and ticket is not None and ticket.operation_id is None:
        return UNKNOWN
    return _for_class(_EXIT_CODES, error) or OUR_BUG


def _for_class(table: Mapping[type[Exception], T], error: Exception) -> T | None:
    """Return what a table holds for the class of an error, or for the nearest of its base classes."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


def error_object(error: VoucherGatewayError) -> dict[str, Any]:
    """Return what ``--json`` prints of an error: always the first five names, the others where they are known."""
    fields: dict[str, Any] = {
        "error": type(error).__name__,
        "message": error.message,
        "outcome": error.outcome,
        "retry_safe": error.retry_safe,
        "ticket": _ticket(error),
    }
    for name in _OPTIONAL_FIELDS:
        value = getattr(error, name, None)
        if value not in (None, (), {}):
            fields[name] = Decimal(repr(value)) if isinstance(value, float) else value
    return fields


def error_lines(error: VoucherGatewayError) -> list[str]:
    """Return the lines about an error for people: what is wrong, what it means for the money, and what to do."""
    if isinstance(error, errors.MalformedFile):
        return _file_lines(error)
    text = f"{error} ({type(error).__name__})"
    # An error of the configuration has a line for each problem; line breaks of a vendor stay escaped.
    lines = text.split("\n") if isinstance(error, errors.ConfigurationError) else [text]
    if vendor := _vendor(error):
        lines.append(vendor)
    if _changes(error):
        # without a reply of the vendor this library refused it
        ours = error.outcome == "declined" and error.http_status is None
        lines.append("Nothing moved." if ours else _MONEY[error.outcome])
    if isinstance(error, errors.ConcurrentModification):
        lines += [f"{name}: {reading}" for name, reading in error.evidence.items()]
    return lines + _next(error)


def _file_lines(error: errors.MalformedFile) -> list[str]:
    """Return the lines about a file of the user: each of the first problems has its own."""
    shown = error.problems[:_MAX_PROBLEMS]
    where = "" if error.account is None else f"{error.account}: "
    lines = [f"{where}{error.message} ({type(error).__name__})", *shown]
    if (left := error.problem_count - len(shown)) > 0:
        lines.append(f"and {left} more")
    if error.listed_in is not None:
        lines.append(f"All problems are listed in {error.listed_in}")
    return lines + _next(error)


def _next(error: VoucherGatewayError) -> list[str]:
    """Return what to do about an error."""
    if isinstance(error, errors.RateLimited) and error.retry_after is not None:
        return [f"Wait {error.retry_after:g} seconds, then give the same command again."]
    if isinstance(error, errors.DatabaseUnavailable) and error.vendor_code in _LOCKED:
        return ["Another program has locked the database. Wait until it ends, then give the same command again."]
    if isinstance(error, errors.TooManyChecks):
        return [f"Give the same command again at {format_instant(error.retry_at)} or later."]
    ticket: Ticket | None = getattr(error, "ticket", None)
    if ticket is not None and ticket.operation_id is not None and ticket.reference is not None:
        arguments = (ticket.account, ticket.verb, ticket.reference)
        if isinstance(error, errors.ConcurrentModification):
            return [
                "Compare the readings; no look-up can tell what is right, a person must.",
                decide_sentence(*arguments),
            ]
        if isinstance(error, errors.OutcomePending):
            return [
                f"Ask for news with: {resolve_command(*arguments)}",
                "The same command does that too, and sends nothing new.",
            ]
        return [
            f"Find out with: {resolve_command(*arguments)}",
            "The same command does that too before anything else, and never does it twice.",
        ]
    # a note of the code that raised it, or let it pass, is more exact than the advice for its class
    if notes := list(getattr(error, "__notes__", ())):
        return notes
    advice = _for_class(_ADVICE, error)
    return [] if advice is None else [advice]


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
    """Return whether the error is about a changing operation, so that a sentence about the money is needed."""
    if error.outcome in ("unknown", "pending"):
        return True
    return error.operation in [operation.value for operation in Operation] and Operation(error.operation).changes


def _vendor(error: VoucherGatewayError) -> str:
    parts = [error.vendor_code, error.http_status and f"HTTP {error.http_status}"]
    text = ", ".join(part for part in parts if part)
    if error.request_id:
        text += f" (request {error.request_id})"
    answering = "database" if isinstance(error, errors.DatabaseUnavailable) else "vendor"
    return f"The {answering}'s answer: {text}" if text else ""
