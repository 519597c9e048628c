"""Commands about events: list them, and follow them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from voucher_gateway.cli import options as given
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.output import Output, printable
from voucher_gateway.cli.record_lists import print_records
from voucher_gateway.cli.tables import TableColumn, text_of
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.instants import format_instant

if TYPE_CHECKING:
    from voucher_gateway.journal.events.event import Event

After = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", help="Only those after the event that has this cursor.")
]
Kind = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="Only of this kind, such as operation.succeeded; may be repeated."),
]


def _verb(event: Event) -> object:
    return event.data.get("verb")


_COLUMNS: Final = (
    TableColumn("at (UTC)", attrgetter("at")),
    TableColumn("kind", attrgetter("kind")),
    TableColumn("verb", _verb, optional=True),
    TableColumn("account", attrgetter("account"), optional=True),
    TableColumn("order", attrgetter("order"), optional=True),
    TableColumn("reference", attrgetter("reference"), optional=True),
    TableColumn("amount", attrgetter("money"), right=True, optional=True),
    TableColumn("cursor", attrgetter("cursor")),
)


def event_fields(event: Event) -> dict[str, Any]:
    """Return what is printed of an event as JSON."""
    return {
        "cursor": event.cursor,
        "at": event.at,
        "kind": event.kind,
        "subject": event.subject,
        "account": event.account,
        "order": event.order,
        "reference": event.reference,
        "voucher_id": event.voucher_id,
        "money": event.money,
        "state": event.state,
        "data": event.data,
        "is_erased": event.is_erased,
    }


def list_events(
    context: typer.Context,
    after: After = None,
    kind: Kind = None,
    order: given.OrderFilter = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N.")] = None,
) -> None:
    """List what happened, the oldest event first.

    An event tells that an operation, a payment or a sale was begun or changed its state. Nothing is sent. To go on
    later, give the cursor of the last event.

    Examples:
        voucher-gateway events list --order 1001
        voucher-gateway events list --after 0-4711 --kind operation.unknown
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        events = gateway.events(after=after, kinds=kind or (), order=order, limit=limit)
        print_records(session.output, events, _COLUMNS, event_fields)


def follow_events(
    context: typer.Context,
    feed: Annotated[
        str | None,
        typer.Option(
            "--feed", metavar="NAME", help="Go on where this consumer stopped, and record how far it has come."
        ),
    ] = None,
    after: After = None,
    kind: Kind = None,
    order: given.OrderFilter = None,
    once: Annotated[bool, typer.Option("--once", help="End when all events are printed, instead of waiting.")] = False,
) -> None:
    """Print what happens, event by event, until it is stopped.

    Without --feed it begins with the first event, or after the given one. With --feed the journal keeps the place under
    that name: each event is printed at least once, also if the command is killed, and one process at a time can
    follow the feed.

    Examples:
        voucher-gateway events follow --feed warehouse --json
        voucher-gateway events follow --feed shop --kind payment.captured --once
    """
    session = cli_context_of(context)
    output = session.output
    if feed is not None and (after is not None or order is not None):
        raise InvalidRequest(
            "--feed goes on where it stopped: give it without --after and --order", field="--feed", rule="alone"
        )
    with session.gateway() as gateway:
        if feed is None:
            for event in gateway.events(after=after, kinds=kind or (), order=order, follow=not once):
                _print_event(output, event)
            return
        with gateway.event_feed(feed, kinds=kind or ()) as opened:
            while True:
                for event in opened:
                    _print_event(output, event)
                    opened.commit()
                if once:
                    return
                opened.wait()


def _print_event(output: Output, event: Event) -> None:
    """Print an event at once."""
    if output.as_json:
        output.object(event_fields(event))
    else:
        words = (event.account, event.order, event.reference, text_of(event.money))
        line = f"{format_instant(event.at)} {event.kind} {' '.join(word for word in words if word)}"
        output.show(Text(printable(line)))
    output.flush()
    output.end_if_unread()
