"""The command line's commands, and one run of it."""

from __future__ import annotations

import inspect
import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Final

import typer

from voucher_gateway.cli import accounts, doctor, migrate, operations, payments, resolve, vouchers_read, vouchers_write
from voucher_gateway.cli.connect import connect
from voucher_gateway.cli.context import CliContext
from voucher_gateway.cli.demo import demo
from voucher_gateway.cli.errors import (
    DONE,
    INTERRUPTED,
    OUR_BUG,
    WRONG,
    exit_code,
    print_bug,
    print_error,
    print_interruption,
    print_usage_error,
)
from voucher_gateway.cli.new_provider import new_provider
from voucher_gateway.cli.output import NobodyReads, Output
from voucher_gateway.cli.reconcile import reconcile_accounts
from voucher_gateway.cli.report import report, snapshot
from voucher_gateway.cli.simulate import simulate
from voucher_gateway.cli.transfer import export_vouchers, import_vouchers
from voucher_gateway.cli.vouchers_read import presentation
from voucher_gateway.errors import VoucherGatewayError

_NAME: Final = "voucher-gateway"
_SURROGATES: Final = re.compile("[\\ud800-\\udfff]")
"""What Python makes of bytes on the command line that are not UTF-8."""


def json_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``--json`` in front where it was given anywhere before a ``--``."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    rest = [argument for place, argument in enumerate(arguments) if place >= end or argument != "--json"]
    return rest if len(rest) == len(arguments) else ["--json", *rest]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{_NAME} {metadata.version(_NAME)}")
        raise typer.Exit


app = typer.Typer(name=_NAME, add_completion=False, pretty_exceptions_enable=False)


def _begin(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The configuration; by default $VOUCHER_GATEWAY_CONFIG, else voucher-gateway.toml in this directory.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON object a line, errors as one on stderr. May also come after the command."
        ),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """One exact, safe interface to every vendor of stored-value vouchers.

    Amounts are decimal text with a point, in major units; moments are RFC 3339. Codes and PINs are money: they show
    masked unless --reveal is given, and can be read from a file or, as -, from stdin. A code that begins with - comes
    after --.

    Exit codes: 0 done; 1 declined or unsupported; 2 wrong usage, configuration or access; 3 surely not executed, try
    again; 4 outcome unknown, the ticket is printed; 5 differences found; 6 unreadable vendor answer; 70 our bug; 130
    interrupted.
    """
    del as_json, version  # looked at before anything else, so that errors in usage are JSON too
    context.obj.config = config


def _paragraphs(command: Callable[..., None]) -> str:
    """Return a command's docstring with each paragraph on one line, so that the help fits any width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (inspect.getdoc(command) or "").split("\n\n"))


_COMMANDS: Final[dict[str, dict[str, Callable[..., None]]]] = {
    "Start here": {
        "demo": demo,
        "accounts": accounts.accounts,
        "providers": accounts.providers,
        "doctor": doctor.doctor,
        "connect": connect,
        "simulate": simulate,
        "new-provider": new_provider,
    },
    "Look": {
        "list": vouchers_read.list_vouchers,
        "show": vouchers_read.show,
        "find": vouchers_read.find,
        "balance": vouchers_read.balance,
        "history": vouchers_read.history,
        "presentation": presentation,
        "report": report,
        "snapshot": snapshot,
    },
    "Issue": {
        "issue": vouchers_write.issue,
        "activate": vouchers_write.activate,
        "deactivate": vouchers_write.deactivate,
        "update": vouchers_write.update,
        "top-up": vouchers_write.top_up,
        "delete": vouchers_write.delete,
    },
    "Spend": {
        "reserve": payments.reserve,
        "capture": payments.capture,
        "release": payments.release,
        "redeem": payments.redeem,
        "refund": payments.refund,
        "refundable": payments.refundable,
    },
    "Move": {
        "export": export_vouchers,
        "import": import_vouchers,
    },
    "In doubt": {
        "resolve": resolve.resolve,
        "recover": resolve.recover,
        "reconcile": reconcile_accounts,
    },
}
app.callback(help=_paragraphs(_begin))(_begin)
for _panel, _commands in _COMMANDS.items():
    for _name, _command in _commands.items():
        app.command(_name, help=_paragraphs(_command), rich_help_panel=_panel)(_command)
app.add_typer(operations.app, name="operations", rich_help_panel="In doubt")
app.add_typer(migrate.app, name="migrate", rich_help_panel="Move")


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: those after the program's name.
    """
    arguments = json_first(arguments)
    session = CliContext(Output(as_json=arguments[:1] == ["--json"]))
    tell: Callable[[], None] | None = None
    try:
        code = _call(arguments, session)
    except NobodyReads:
        code = DONE
    except SystemExit as end:
        # Typer raises it for every BrokenPipeError. Only its own texts, such as the help, do not go through `Output`.
        broken = end.__context__ or end
        if _is_of_a_command(broken):
            code, tell = OUR_BUG, partial(print_bug, session, broken)
        else:
            code = DONE
    except VoucherGatewayError as error:
        code, tell = exit_code(error), partial(print_error, session.output, error)
    except typer.TyperException as error:
        code, tell = WRONG, partial(print_usage_error, session.output, error, arguments)
    except (KeyboardInterrupt, typer.Abort):
        code, tell = INTERRUPTED, partial(print_interruption, session)
    except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, it is ours
        code, tell = OUR_BUG, partial(print_bug, session, error)
    with _quiet_about_the_streams(session.output):
        if tell is not None:
            tell()
    return code


def _is_of_a_command(error: BaseException) -> bool:
    """Whether an error was raised while a command ran, and not while Typer printed a text of its own."""
    names = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.startswith("voucher_gateway.") and name != __name__ for name in names)


def _call(arguments: list[str], session: CliContext) -> int:
    """Run one command, and return its exit code if it ends without an error."""
    if any(_SURROGATES.search(argument) for argument in arguments):
        raise typer.BadParameter("an argument is not valid UTF-8")
    if not arguments:
        app(["--help"], prog_name=_NAME, standalone_mode=False)
        return WRONG
    # Typer gives the code of an Exit back as the result, and 130 for an interruption.
    code = int(app(arguments, prog_name=_NAME, standalone_mode=False, obj=session) or DONE)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    session.output.flush()
    return code


@contextmanager
def _quiet_about_the_streams(output: Output) -> Iterator[None]:
    """Let nothing more be said of a stream that cannot be written to, not even by the interpreter at its end."""
    try:
        yield
        output.flush()
    except OSError:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def run_process() -> int:
    """Run the command that this process was started for, and return its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = json_first(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        # JSON is UTF-8 wherever it is written; elsewhere a terminal without Unicode must not make a mask a crash
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8" if arguments[:1] == ["--json"] else None, errors="backslashreplace")
    return run(arguments)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
