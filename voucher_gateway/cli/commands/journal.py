"""Commands for the upkeep of the journal."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.tables import count_text, text_of
from voucher_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.upkeep.prune import PruneSummary

_AGE: Final = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII)
_AGE_RULE: Final = "a number of days, such as 400d"

OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="DAYS", help="What changed last this long ago, such as 400d.")
]


def parse_age(text: str) -> timedelta:
    """Return the age that ``--older-than`` gives.

    Raises:
        InvalidRequest: if it is something else than a number of days.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"--older-than must be {_AGE_RULE}", field="--older-than", rule=_AGE_RULE)
    return timedelta(days=int(match[1]))


def prune(
    context: typer.Context,
    older_than: OlderThan,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, and only count.")] = False,
) -> None:
    """Remove the details of operations, payments and sales that are over and old.

    What may still change stays, whatever its age. A removed reference is recognised for ever, and never sent again.
    Refunds of a removed redemption stay limited. Other workers go on. If it is killed, give the same command again.

    Examples:
        voucher-gateway journal prune --older-than 400d --dry-run
        voucher-gateway journal prune --older-than 400d
    """
    session = cli_context_of(context)
    with session.gateway() as gateway, session.output.progress("removing old operations") as line:
        summary = gateway.prune_journal(older_than=parse_age(older_than), dry_run=dry_run, on_progress=line.update)
    _print_summary(session.output, summary, dry_run=dry_run)


def forget(
    context: typer.Context,
    order: Annotated[str, typer.Option("--order", metavar="ORDER", help="The order.")],
) -> None:
    """Erase what the journal has of one order, for data protection.

    It erases the orders, references, vouchers, results and events of its operations, payments and sales. Keyed digests
    stay, so that nothing of it is sent again. Refused while something of the order may still change (exit code 3).
    Backups and archives keep the data, and so do the vendors.

    Examples:
        voucher-gateway journal forget --order 1001
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        summary = gateway.forget_order(order)
    if session.output.as_json:
        session.output.object({"forgotten": summary})
        return
    session.output.show(
        f"Erased {count_text(summary.operations, 'operation')}, {count_text(summary.payments, 'payment')} and"
        f" {count_text(summary.sales, 'sale')}."
    )


def _print_summary(output: Output, summary: PruneSummary, *, dry_run: bool) -> None:
    if output.as_json:
        output.object({"dry_run": dry_run, "pruned": summary})
        return
    counts = (
        f"{count_text(summary.operations, 'operation')}, {count_text(summary.payments, 'payment')} and"
        f" {count_text(summary.sales, 'sale')}"
    )
    output.show(
        f"{'Would remove' if dry_run else 'Removed'} {counts} that changed last before {text_of(summary.before)}."
    )
    if summary.kept:
        output.note(f"{count_text(summary.kept, 'old operation')} may still change, and stay.")
