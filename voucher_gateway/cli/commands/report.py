"""The commands that tell what is owed: `report` and `snapshot`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import INSTANT, parse_instant_option
from voucher_gateway.cli.context import DIFFERENT, DONE, NOT_DONE, advising, cli_context_of, require_accounts
from voucher_gateway.cli.errors import error_lines, error_object, exit_code, print_warnings
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows
from voucher_gateway.errors import ConfigurationError, InvalidRequest, VoucherGatewayError
from voucher_gateway.instants import now
from voucher_gateway.serialization import to_json

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.config.loader import Config
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.html.document import HtmlPage, Table
    from voucher_gateway.reports.liability import Liability
    from voucher_gateway.reports.roll_forward import RollForward
    from voucher_gateway.reports.snapshots import Snapshot, Snapshots

_TAKE_SNAPSHOTS: Final = "`voucher-gateway snapshot ACCOUNT` takes one; run it every night."
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write an HTML page with charts.")]
_RULE: Final = f"a day such as 2026-12-31, or {INSTANT}"
_WHEN = "A day like 2026-12-31 (until its end in UTC), or a moment like 2026-12-31T12:00:00Z."


def report(
    context: typer.Context,
    account: given.AccountNames = None,
    html: _Html = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="DATE", help=f"Report from the latest snapshot by then; no vendor is asked. {_WHEN}"
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="A roll-forward, from the latest snapshot by then."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="To the latest snapshot by then; the newest by default."),
    ] = None,
    every_history: Annotated[
        bool,
        typer.Option(
            "--every-history",
            help="For a roll-forward, read the history of every voucher, also of those that seem unchanged.",
        ),
    ] = False,
) -> None:
    """Report what is owed on vouchers, by account, currency, expiry and age.

    This is what can still be spent, by month of expiry. Inactive and expired vouchers are shown apart, and currencies
    are never added together. With --from it is a roll-forward between two snapshots: opening + issued + topped up -
    redeemed + refunded - expired + unexplained = closing.

    Exit code 0 if nothing contradicts the numbers. 3 if a vendor's list changed while it was read, or if the vendor
    did not say what is left on a voucher, which is then in no sum. 5 if a roll-forward has something unexplained.

    Examples:
        voucher-gateway report shop --html report.html
        voucher-gateway report --from 2026-11-30 --to 2026-12-31
    """
    from voucher_gateway.reports.liability import liability_as_of, read_liability
    from voucher_gateway.reports.roll_forward_builder import recall_roll_forward

    opening, closing, past = (
        parse_moment(text, option) for text, option in ((begin, "--from"), (end, "--to"), (as_of, "--as-of"))
    )
    if past is not None and (begin or end):
        raise InvalidRequest("give --as-of or --from, not both", field="--as-of", rule="not beside --from and --to")
    if closing is not None and opening is None:
        raise InvalidRequest("--to needs --from", field="--to", rule="only beside --from")
    if every_history and opening is None:
        raise InvalidRequest("--every-history needs --from", field="--every-history", rule="only beside --from")
    session = cli_context_of(context)
    config = session.load_config()
    with advising(_TAKE_SNAPSHOTS, "snapshots"), session.gateway(config=config) as gateway:
        names = _names(gateway, account)
        if past is None and opening is None:
            with session.output.progress(f"reading the vouchers of {', '.join(names)}"):
                liability = read_liability(gateway, names)
            code = _print_liability(session.output, liability, html, [])
        else:
            with _snapshots(config) as snapshots:
                notes = _incomplete_snapshots(snapshots, names)
                if opening is None:
                    assert past is not None
                    liability = liability_as_of(gateway, snapshots, names, past)
                    code = _print_liability(session.output, liability, html, notes)
                else:
                    with session.output.progress("reading the histories of changed vouchers"):
                        rolls = [
                            recall_roll_forward(gateway, snapshots, name, opening, closing, every_history=every_history)
                            for name in names
                        ]
                    code = _print_rolls(session.output, rolls, html, notes)
    raise typer.Exit(code)


def snapshot(
    context: typer.Context,
    account: given.AccountNames = None,
    keep_days: Annotated[
        int | None,
        typer.Option(
            "--keep-days", metavar="N", min=1, help="Then remove snapshots of more than N days before the newest."
        ),
    ] = None,
) -> None:
    """Store the balances of all vouchers as they are now, for later reports.

    Run it every night. The balances are stored in the journal's database, without codes. No report uses a snapshot
    that is not finished. If one account cannot be read, the others still are, and the exit code is that of the first
    failure; 3 if a vendor's list changed while it was read, or if the vendor did not say what is left on a voucher.

    Examples:
        voucher-gateway snapshot
        voucher-gateway snapshot shop --keep-days 400
    """
    session = cli_context_of(context)
    config = session.load_config()
    with session.gateway(config=config) as gateway, _snapshots(config) as snapshots:
        codes = [
            _take_snapshot(session.output, gateway, snapshots, name, keep_days) for name in _names(gateway, account)
        ]
    raise typer.Exit(next((code for code in codes if code != DONE), DONE))


def parse_moment(text: str | None, option: str) -> datetime | None:
    """Return the moment that an option means: for a day its last microsecond in UTC."""
    if text is None or not _DAY.fullmatch(text):
        return parse_instant_option(text, option, rule=_RULE)
    try:
        return datetime.combine(datetime.fromisoformat(text), time.max, UTC)
    except ValueError:
        rule = "a day of the calendar"
    raise InvalidRequest(f"{option} must be {rule}", field=option, rule=rule)


def _names(gateway: Gateway, given: Sequence[str] | None) -> list[str]:
    known = list(gateway.account_names)
    names = list(dict.fromkeys(given or known))
    require_accounts(gateway, names)
    return names


def _snapshots(config: Config) -> Snapshots:
    from voucher_gateway.reports.snapshots import Snapshots

    if config.journal is None:
        raise ConfigurationError("snapshots are stored in the journal's database: name a journal in the configuration")
    return Snapshots(config.journal)


def _incomplete_snapshots(snapshots: Snapshots, names: Sequence[str]) -> list[str]:
    from voucher_gateway.reports.text import incomplete_snapshot_notes

    return incomplete_snapshot_notes(snapshot for name in names for snapshot in snapshots.list_incomplete(name))


def _take_snapshot(output: Output, gateway: Gateway, snapshots: Snapshots, name: str, keep_days: int | None) -> int:
    """Take one account's snapshot, and return the exit code that it stands for."""
    from voucher_gateway.reports.text import snapshot_warnings

    try:
        with output.progress(f"reading the vouchers of {name}"):
            new_snapshot = snapshots.take(gateway, name)
        pruned = 0 if keep_days is None else snapshots.prune(name, keep_days=keep_days)
    except VoucherGatewayError as error:
        error.with_context(account=name)
        if output.as_json:
            output.error_object(error_object(error))
        else:
            output.notes(error_lines(error))
        return exit_code(error)
    if output.as_json:
        output.object({**to_json(new_snapshot), "pruned": pruned})
    else:
        output.show(_snapshot_sentence(new_snapshot, pruned))
    print_warnings(output, snapshot_warnings(new_snapshot))
    return NOT_DONE if new_snapshot.consistent is False or new_snapshot.unknown else DONE


def _snapshot_sentence(new_snapshot: Snapshot, pruned: int) -> str:
    from voucher_gateway.reports.snapshots import to_second

    assert new_snapshot.vouchers is not None
    vouchers, instant = count_text(new_snapshot.vouchers, "voucher"), to_second(new_snapshot.began_at)
    removed = f"; {count_text(pruned, 'older snapshot')} removed" if pruned else ""
    return f"{new_snapshot.account}: {vouchers} at {instant}{removed}"


def _print_liability(output: Output, liability: Liability, html: Path | None, notes: Sequence[str]) -> int:
    from voucher_gateway.reports.html import liability_page
    from voucher_gateway.reports.json import account_object, total_object
    from voucher_gateway.reports.text import liability_notes, liability_tables, liability_warnings

    if output.as_json:
        for account in liability.accounts:
            output.object(account_object(account))
        for currency in liability.currencies:
            output.object(total_object(liability, currency))
    else:
        _show(output, liability_tables(liability))
        output.notes([*notes, *liability_notes(liability)])
    print_warnings(output, liability_warnings(liability))
    if html is not None:
        _write_page(output, html, liability_page(liability, now(), notes))
    return NOT_DONE if liability.inconsistent or liability.unknown else DONE


def _print_rolls(output: Output, rolls: Sequence[RollForward], html: Path | None, notes: Sequence[str]) -> int:
    from voucher_gateway.reports.html import roll_page
    from voucher_gateway.reports.json import roll_object
    from voucher_gateway.reports.snapshots import to_second
    from voucher_gateway.reports.text import roll_tables, roll_warnings

    for roll in rolls:
        if output.as_json:
            output.object(roll_object(roll))
            continue
        begin, end = to_second(roll.opening.began_at), to_second(roll.closing.began_at)
        output.show(f"{roll.account}: from the snapshot of {begin} to that of {end}", "")
        _show(output, roll_tables(roll))
    output.notes(notes)
    print_warnings(output, [sentence for roll in rolls for sentence in roll_warnings(roll)])
    if html is not None:
        _write_page(output, html, roll_page(rolls, now(), notes))
    if any(roll.unexplained_count for roll in rolls):
        return DIFFERENT
    return NOT_DONE if any(roll.inconsistent or roll.silent for roll in rolls) else DONE


def _show(output: Output, tables: Sequence[Table]) -> None:
    for table in tables:
        output.show(table.title)
        columns = [
            TableColumn[tuple[str, ...]](column.name, itemgetter(place), right=column.numeric)
            for place, column in enumerate(table.columns)
        ]
        print_rows(output, [*table.rows, *([table.total] if table.total else [])], columns)
        output.show("")


def _write_page(output: Output, html: Path, page: HtmlPage) -> None:
    from voucher_gateway.html.render import write

    write(page, html)
    output.note(f"The page is {html}.")
