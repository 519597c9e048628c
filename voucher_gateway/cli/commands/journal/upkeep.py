"""Commands for the upkeep of the journal."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from voucher_gateway.cli.context import DIFFERENT, cli_context_of
from voucher_gateway.cli.output import group_number
from voucher_gateway.cli.tables import count_text, details, text_of
from voucher_gateway.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.storage.schema_upgrade import SchemaState
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
    archive: Annotated[
        Path | None,
        typer.Option("--archive", metavar="FILE", help="Write what is removed into this new file first (.jsonl.gz)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, and only count.")] = False,
) -> None:
    """Remove the details of operations, payments and sales that are over and old.

    What may still change stays, whatever its age. A removed reference is recognised for ever, and never sent again.
    Refunds of a removed redemption stay limited. Other workers go on. If it is killed, give the same command again.
    With --archive, only what the file holds is removed.

    Examples:
        voucher-gateway journal prune --older-than 400d --dry-run
        voucher-gateway journal prune --older-than 400d
        voucher-gateway journal prune --older-than 400d --archive 2026.jsonl.gz
    """
    session = cli_context_of(context)
    with session.gateway() as gateway, session.output.progress("removing old operations") as line:
        summary = gateway.prune_journal(
            older_than=parse_age(older_than), archive=archive, dry_run=dry_run, on_progress=line.update
        )
    _print_summary(session.output, summary, dry_run=dry_run)


def archive(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file (.jsonl.gz).", show_default=False)],
    older_than: OlderThan,
) -> None:
    """Write what a prune would remove into a new file. Nothing is removed.

    `operations list --archive FILE` lists the operations in it. It has no codes, and the mode 0600.

    Examples:
        voucher-gateway journal archive journal-2026.jsonl.gz --older-than 400d
    """
    session = cli_context_of(context)
    with session.gateway() as gateway, session.output.progress("writing the archive"):
        summary = gateway.archive_journal(file, older_than=parse_age(older_than))
    if session.output.as_json:
        session.output.object({"archive": attrs.asdict(summary) | {"file": str(summary.file)}})
        return
    session.output.show(
        f"{count_text(summary.operations, 'operation')}, {count_text(summary.payments, 'payment')} and"
        f" {count_text(summary.sales, 'sale')} in {summary.file}."
    )


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
    if not any(attrs.astuple(summary)):
        session.output.show("Erased nothing: the journal holds nothing of this order.")
        return
    session.output.show(
        f"Erased {count_text(summary.operations, 'operation')}, {count_text(summary.payments, 'payment')} and"
        f" {count_text(summary.sales, 'sale')}."
    )


def upgrade(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, and only say what is due.")] = False,
) -> None:
    """Upgrade the tables of the journal to this version, or say what is due.

    Upgrades that leave processes of the version before able to write are made by the first process that opens the
    journal. This command also makes those that do not: stop such processes first. Exit code 0 if nothing is due, or if
    it was done; with --check 5 if an upgrade is due.

    Examples:
        voucher-gateway journal upgrade --check
        voucher-gateway journal upgrade
    """
    from voucher_gateway.migration.schema import SCHEMA
    from voucher_gateway.upkeep.upgrade import SCHEMAS, list_schema_states, upgrade_journal

    session = cli_context_of(context)
    url = session.load_config().journal
    if url is None:
        raise ConfigurationError("this needs a journal: name one in the configuration")
    schemas = (*SCHEMAS, SCHEMA)
    states = list_schema_states(url, schemas) if check else upgrade_journal(url, schemas)
    for state in states:
        if session.output.as_json:
            session.output.object(state)
        else:
            session.output.show(f"{state.subject}: {_state_sentence(state)}")
    if any(state.needs_upgrade for state in states):
        raise typer.Exit(DIFFERENT)


def status(context: typer.Context) -> None:
    """Show how large the journal is, how far it reaches back, and its schemas.

    It counts the rows of its tables. Moments are in UTC.

    Examples:
        voucher-gateway journal status
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        journal_status = gateway.journal_status()
    if session.output.as_json:
        session.output.object(journal_status)
        return
    free = "" if journal_status.free is None else f", of which {_size_text(journal_status.free)} are free for new rows"
    texts = {
        "journal": journal_status.database,
        "size": f"{_size_text(journal_status.size)}{free}",
        **{name: group_number(count) for name, count in journal_status.rows.items()},
        "oldest": text_of(journal_status.oldest),
        "newest": text_of(journal_status.newest),
        "pruned before": text_of(journal_status.pruned_before),
        **{f"schema of {state.subject}": _state_sentence(state) for state in journal_status.schemas},
    }
    session.output.show(details(texts))


def _size_text(size: int) -> str:
    return f"{group_number(-(-size // 1_000_000))} MB"


def _state_sentence(state: SchemaState) -> str:
    if not state.needs_upgrade:
        return f"revision {state.revision}, up to date"
    effect = (
        "older processes go on" if state.is_additive else "stop older processes first: they cannot write afterwards"
    )
    return f"revision {state.revision}, an upgrade to {state.head} is due; {effect}"


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
