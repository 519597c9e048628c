"""One run of the command line: its arguments, its exit code, and what it prints of an error."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli.command_table import HELP_OPTIONS, PROGRAM, RootGroup
from voucher_gateway.cli.context import DONE, INTERRUPTED, OUR_BUG, WRONG, CliContext
from voucher_gateway.cli.output import Output, OutputClosed

if TYPE_CHECKING:
    from voucher_gateway.config.loader import Config

COMPLETION_VARIABLE: Final = "_VOUCHER_GATEWAY_COMPLETE"
"""The environment variable by which a shell asks for completions."""

_OWN_MODULES: Final = (__name__, RootGroup.__module__)
_SURROGATES: Final = re.compile("[\\ud800-\\udfff]")
"""What Python makes of bytes on the command line that are not UTF-8."""

app = typer.Typer(
    name=PROGRAM,
    cls=RootGroup,
    context_settings=HELP_OPTIONS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def json_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``--json`` in front where it was given anywhere before a ``--``."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    rest = [argument for place, argument in enumerate(arguments) if place >= end or argument != "--json"]
    return rest if len(rest) == len(arguments) else ["--json", *rest]


def _print_version(asked_for: bool) -> None:
    if asked_for:
        from importlib import metadata

        typer.echo(f"{PROGRAM} {metadata.version(PROGRAM)}")
        raise typer.Exit


@app.callback(epilog="Example: voucher-gateway show shop --id 4711")
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
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """One exact, safe interface to every vendor of gift cards (stored-value vouchers).

    Amounts are decimal text with a point, in major units; moments are RFC 3339. Codes and PINs are money: they are
    masked unless --reveal is given, and can be read from a file or, as -, from stdin. A code that begins with - comes
    after --.

    Exit codes: 0 done; 1 declined or unsupported; 2 wrong usage, configuration or access; 3 certainly not executed, try
    again; 4 outcome unknown, the ticket is printed; 5 differences found; 6 unreadable vendor answer; 70 our bug; 130
    interrupted.
    """
    del as_json, version  # read before anything else, so that errors in usage are JSON too
    if isinstance(context.obj, CliContext):
        context.obj.config = config


def run(arguments: Sequence[str], *, read_config: Callable[[], Config] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: those after the program's name.
        read_config: returns the configuration where the arguments name none; None for the file of the environment.
    """
    arguments = json_first(arguments)
    session = CliContext(Output(as_json=arguments[:1] == ["--json"]), read_config)
    failure: BaseException | None = None
    try:
        code = _call(arguments, session)
    except OutputClosed:
        code = DONE
    except SystemExit as end:
        # Typer raises it for every BrokenPipeError. Only its own texts, such as the help, do not go through `Output`.
        broken = end.__context__ or end
        code, failure = (OUR_BUG, broken) if _is_of_a_command(broken) else (DONE, None)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort: whatever it is, it is ours
        from voucher_gateway.cli.errors import failure_code

        code, failure = failure_code(error), error
    with _ignoring_broken_streams(session.output):
        if failure is not None:
            from voucher_gateway.cli.errors import print_failure

            print_failure(session, failure, arguments)
    return code


def _is_of_a_command(error: BaseException) -> bool:
    """Return whether an error was raised while a command ran, and not while Typer printed its own text."""
    import traceback

    names = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.startswith("voucher_gateway.") and name not in _OWN_MODULES for name in names)


def _call(arguments: list[str], session: CliContext) -> int:
    """Run one command, and return its exit code if it ends without an error."""
    if any(_SURROGATES.search(argument) for argument in arguments):
        raise typer.BadParameter("an argument is not valid UTF-8")
    if not arguments:
        app(["--help"], prog_name=PROGRAM, standalone_mode=False)
        return WRONG
    # Typer gives the code of an Exit back as the result, and 130 for an interruption.
    code = int(app(arguments, prog_name=PROGRAM, standalone_mode=False, obj=session) or DONE)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    session.output.flush()
    return code


@contextmanager
def _ignoring_broken_streams(output: Output) -> Iterator[None]:
    """Print no error about a stream that cannot be written to; the interpreter prints none at its end, either."""
    try:
        yield
        output.flush()
    except OSError:
        with open(os.devnull, "w") as null_device:
            os.dup2(null_device.fileno(), sys.stdout.fileno())


def run_process() -> int:
    """Run the command that this process was started for, and return its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    # stderr has only what a command says: the library also logs its warnings, which Python would print there
    logging.getLogger("voucher_gateway").addHandler(logging.NullHandler())
    if COMPLETION_VARIABLE in os.environ:
        app(prog_name=PROGRAM)
    arguments = json_first(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        # JSON is UTF-8 wherever it is written; elsewhere a terminal without Unicode must not make a mask a crash
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8" if arguments[:1] == ["--json"] else None, errors="backslashreplace")
    return run(arguments)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
