"""The command that tells a support desk why a voucher does not work, and what became of an order."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_code, parse_pin
from voucher_gateway.cli.context import DECLINED, NOT_DONE, cli_context_of
from voucher_gateway.cli.errors import resolve_command
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.tables import TableColumn, details, print_rows, text_of
from voucher_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.gateway.explanation.model import ExplainedVoucher, Explanation, StoryEvent

_STYLES: Final = {"usable": "green", "done": "green", "in_doubt": "bold magenta", "not_found": "red"}
_UNRESOLVED: Final = ("open", "unknown", "pending")
_EXIT_CODES: Final = {"not_found": DECLINED, "not_asked": NOT_DONE}


def _who(event: StoryEvent) -> str:
    """Return whose event it is: that of an order, of a reference, or of another channel."""
    if event.order is not None:
        return f"order {event.order}"
    if event.source == "vendor":
        return "another channel" if event.reference is None else f"another channel, {event.reference}"
    return event.reference or ""


def _outcome(event: StoryEvent) -> str:
    return event.state.replace("_", " ")


_COLUMNS: Final = (
    TableColumn("at (UTC)", attrgetter("at")),
    TableColumn("what", attrgetter("what")),
    TableColumn("amount", attrgetter("money"), right=True),
    TableColumn("outcome", _outcome),
    TableColumn("by", _who),
    TableColumn("note", attrgetter("detail"), optional=True),
)


def explain(
    context: typer.Context,
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE",
            help="The voucher's code. - reads it from --code-file, or from the first line of stdin.",
            show_default=False,
        ),
    ] = None,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    order: Annotated[
        str | None, typer.Option("--order", metavar="ORDER", help="Instead of a code: what became of this order.")
    ] = None,
    broadcast: Annotated[
        bool,
        typer.Option("--broadcast", help="Show the code also to vendors whose code_pattern does not match it."),
    ] = False,
    timeout: given.ReadTimeout = None,
) -> None:
    """Say in one sentence why a voucher does not work, and tell its story.

    The story has the vendor's movements, the operations of the journal, reservations and moves to other accounts, the
    oldest first. Codes are masked, moments are in UTC. For an order, only the journal is read. Nothing is changed. Exit
    code 0 if the voucher or the order is known, 1 if it is not, 3 if not every account could be asked.

    Examples:
        voucher-gateway explain - < code.txt
        voucher-gateway explain --order 1001
    """
    session = cli_context_of(context)
    voucher_code = parse_code(code, code_file)
    if (voucher_code is None) == (order is None):
        raise InvalidRequest("give either CODE or --order", field="CODE", rule="one of CODE and --order")
    voucher_pin = parse_pin(pin, pin_file)
    with session.gateway() as gateway:
        explanation = gateway.explain(voucher_code, voucher_pin, order=order, broadcast=broadcast, timeout=timeout)
    if session.output.as_json:
        session.output.object(explanation)
    else:
        _print_explanation(session.output, explanation)
    if exit_code := _EXIT_CODES.get(explanation.reason.value):
        raise typer.Exit(exit_code)


def _print_explanation(output: Output, explanation: Explanation) -> None:
    from rich.text import Text

    from voucher_gateway.cli.output import printable

    output.show(Text(printable(explanation.sentence), _STYLES.get(explanation.reason.value, "yellow")))
    for voucher in explanation.vouchers:
        output.show("", f"{voucher.account}: voucher {voucher.id}", details(_voucher_texts(voucher, explanation)))
    if explanation.events:
        output.show("")
        print_rows(output, explanation.events, _COLUMNS)
    output.notes(f"Missing: {sentence}" for sentence in explanation.missing)
    for event in explanation.events:
        if event.operation_id is not None and event.state in _UNRESOLVED:
            output.note(f"Find out with: {resolve_command(event.account, event.what, event.reference or '')}")


def _voucher_texts(voucher: ExplainedVoucher, explanation: Explanation) -> dict[str, str]:
    """Return what is printed of a voucher. Its sentence is left out where it is that of the explanation."""
    sentence = "" if voucher.sentence == explanation.sentence else voucher.sentence
    return {
        "code": text_of(voucher.code),
        "status": text_of(voucher.status),
        "remaining": text_of(voucher.remaining),
        "held": text_of(voucher.held),
        "valid until": text_of(voucher.valid_until),
        "why": sentence,
    }
