"""The command that plans a migration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_length
from voucher_gateway.cli.context import DECLINED, DONE, CliContext, cli_context_of
from voucher_gateway.cli.progress import print_file_form, progress_printer
from voucher_gateway.cli.tables import count_text, print_rows, tally_columns
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.migration.plan.model import Action

if TYPE_CHECKING:
    from voucher_gateway.migration.plan.plan_file import PlanSummary

_RATE: Final = re.compile(r"(.+)=([0-9]{1,6}(?:\.[0-9]{1,3})?)", re.ASCII)

_END: Final = "An account of the config, or the path of a file that ends in .jsonl or .csv."


def plan(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=_END, show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TARGET", help=_END, show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PLAN", help="The plan's file, a new one.", show_default=False)
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="What to do with which vouchers (TOML); the strictest without."),
    ] = None,
    policy_template: Annotated[
        Path | None,
        typer.Option(
            "--policy-template",
            metavar="FILE",
            help="Write a policy with all that must be decided into this new file, and make no plan.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page for people there, too.")
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", metavar="TIME", help="Say whether it fits: such as 4h, 90m or 1d12h.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, max=256, help="So many vouchers at a time.")
    ] = given.WORKERS,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="ACCOUNT=N", help="At most N requests a second there; may be repeated."),
    ] = None,
    after: Annotated[
        Path | None,
        typer.Option("--after", metavar="PLAN", help="An earlier plan, whose moved vouchers are left out."),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Codes and PINs may be written into a file that is the target.")
    ] = False,
    delimiter: given.Delimiter = None,
    decimal: given.DecimalSign = None,
    date_order: given.DateOrder = None,
    time_zone: given.TimeZone = None,
    encoding: given.Encoding = None,
    currency: given.FileCurrency = None,
    columns: given.ColumnNames = None,
) -> None:
    """Plan how the vouchers of SOURCE go to TARGET, and say what becomes of each. Nothing is changed at either vendor.

    The plan is a file of JSON lines for `migrate run`. You can read it; after an edit it is refused. A voucher that the
    policy does not provide for is refused, with the reason. If SOURCE or TARGET is a file, the source
    stays as it is.

    Exit code 0: everything is provided for. 1: the plan is made, and vouchers are refused, a risk must be accepted by
    its name in the policy, or it does not fit into the window.

    Examples:
        voucher-gateway migrate plan shop events --policy-template policy.toml
        voucher-gateway migrate plan shop events --out my.plan --policy my.toml
    """
    from voucher_gateway.migration.file_accounts import add_file_accounts, is_file_name, problems_path
    from voucher_gateway.migration.plan.make import make_plan
    from voucher_gateway.migration.plan.policy import Policy, load_policy

    session = cli_context_of(context)
    if policy_template is not None:
        _write_template(session, source, target, policy_template)
        return
    if out is None:
        raise InvalidRequest("name the plan's file: --out PLAN", field="--out", rule="given")
    length = None if window is None else parse_length(window, "--window")
    rates = rates_from(rate or ())
    rules = Policy() if policy is None else load_policy(policy)
    form = given.file_settings(
        delimiter=delimiter,
        decimal=decimal,
        date_order=date_order,
        time_zone=time_zone,
        encoding=encoding,
        currency=currency,
        columns=columns,
    )
    if is_file_name(source):
        form["problems"] = problems_path(source)
        form["skip_unreadable"] = rules.unreadable is Action.SKIP
    elif form:
        raise InvalidRequest(
            f"--{next(iter(form)).replace('_', '-')} is for a source that is a CSV file",
            field=next(iter(form)),
            rule="only for a CSV file",
        )
    _require_new(out)
    if html is not None:
        _require_writable(html, out)
    with (
        session.gateway() as configured,
        add_file_accounts(configured, source, target, reveal=reveal, settings={source: form}) as gateway,
        progress_printer(session.output) as printer,
    ):
        summary = make_plan(
            gateway,
            source,
            target,
            out,
            policy=rules,
            copy=is_file_name(source) or is_file_name(target),
            workers=workers,
            rates=rates,
            after=after,
            on_progress=printer.print_plan,
            on_file_read=printer.print_plan,
            on_file_form=partial(print_file_form, session.output, Path(source).name),
        )
    if html is not None:
        _write_page(summary, html, length)
    _print_plan(session, summary, length)
    raise typer.Exit(DONE if _all_well(summary, length) else DECLINED)


def _write_template(session: CliContext, source: str, target: str, path: Path) -> None:
    from voucher_gateway.atomic_file import atomic_write
    from voucher_gateway.migration.file_accounts import add_file_accounts, is_file_name
    from voucher_gateway.migration.plan.policy_template import policy_template

    with (
        session.gateway() as configured,
        add_file_accounts(configured, source, target, reveal=True, settings={}) as gateway,
    ):
        copy = is_file_name(source) or is_file_name(target)
        text = policy_template(source, target, gateway.capabilities(source), gateway.capabilities(target), copy=copy)
    try:
        atomic_write(path, text.encode(), replace=False)
    except OSError as error:
        reason = error.strerror or "the file cannot be written"
    else:
        if session.output.as_json:
            session.output.object({"path": str(path)})
        else:
            session.output.show(f"policy with everything that must be decided written to {path}")
        return
    raise InvalidRequest(f"{path} cannot be written: {reason}", field="--policy-template", rule="a new file")


def rates_from(given: Iterable[str]) -> dict[str, float]:
    """Read limits such as ``shop=5``: requests a second, by account.

    Raises:
        InvalidRequest: if one is none.
    """
    rates = {}
    for text in given:
        match = _RATE.fullmatch(text)
        if match is None:
            raise InvalidRequest("--rate must be ACCOUNT=N, such as shop=5", field="--rate", rule="ACCOUNT=N")
        rates[match[1]] = float(match[2])  # requests a second, and no amount of money
    return rates


def _require_new(out: Path) -> None:
    if out.exists():
        raise InvalidRequest(
            f"{out} is there already: a migration may be bound to it. Take another name",
            field="--out",
            rule="a new file",
        )


def _require_writable(page: Path, out: Path) -> None:
    """Say what is wrong with the page's path before hours of reading, not after them."""
    if page.absolute().resolve() == out.absolute().resolve():
        raise InvalidRequest("--html and --out name the same file", field="--html", rule="another file than --out")
    if page.is_dir() or not page.absolute().parent.is_dir():
        raise InvalidRequest(
            f"{page} cannot be written: it must be a file in a folder that is there",
            field="--html",
            rule="a file in a folder that is there",
        )


def _write_page(summary: PlanSummary, path: Path, window: timedelta | None) -> None:
    from voucher_gateway.html.render import write
    from voucher_gateway.migration.plan.html import plan_page  # late: with it comes Matplotlib, which takes a second

    write(plan_page(summary, window=window), path)


def _all_well(summary: PlanSummary, window: timedelta | None) -> bool:
    from voucher_gateway.migration.plan.losses import find_unaccepted_risks

    refused = summary.totals.of(Action.REFUSE).count
    late = window is not None and not summary.estimate.fits(window)
    return not (refused or late or find_unaccepted_risks(summary.header, summary.totals))


def _print_plan(session: CliContext, summary: PlanSummary, window: timedelta | None) -> None:
    from voucher_gateway.migration.plan.losses import find_unaccepted_risks
    from voucher_gateway.migration.plan.text import (
        listing_sentences,
        move_sentences,
        plan_tables,
        time_sentence,
    )

    if session.output.as_json:
        session.output.object(plan_object(summary, window))
        return
    output, header, totals = session.output, summary.header, summary.totals
    output.show(f"{header.source.account} to {header.target.account}: {count_text(totals.all.count, 'voucher')}", "")
    for table in plan_tables(totals):
        print_rows(output, table.rows, tally_columns(table.heading))
        output.show("")
    output.show(
        *move_sentences(header, totals),
        time_sentence(summary, window),
        *listing_sentences(totals.listing),
        "",
    )
    output.text(f"plan {summary.id} in {summary.path}")
    for name, sentence in find_unaccepted_risks(header, totals).items():
        output.note(f'{sentence} To accept that, the policy has to say: accept = ["{name}"]', style="yellow")
    if missing := _losses_missing_in_policy(summary):
        names = ", ".join(f'"{loss}"' for loss in missing)
        output.note(f"Vouchers are refused for what they would lose. To accept that, name it: losses = [{names}]")


def plan_object(summary: PlanSummary, window: timedelta | None = None) -> dict[str, Any]:
    """Return what ``--json`` prints of a plan."""
    from voucher_gateway.migration.plan.losses import find_unaccepted_risks

    estimate = summary.estimate
    return {
        "plan": summary.id,
        "path": str(summary.path),
        "source": summary.header.source,
        "target": summary.header.target,
        "made_at": summary.header.made_at,
        "copy": summary.header.copy,
        "steps": summary.header.steps,
        "retire": summary.header.retire,
        "all": summary.totals.all,
        "actions": summary.totals.actions,
        "kinds": summary.totals.kinds,
        "fates": summary.totals.by_kind_and_action,
        "losses": summary.totals.losses,
        "reasons": summary.totals.reasons,
        "months": summary.totals.months,
        "spendable_twice": summary.totals.double_spendable,
        "longest_drift_s": _seconds(summary.totals.longest_drift),
        "validity_restarts": summary.totals.validity_restarts,
        "listing": summary.totals.listing,
        "accepted": summary.header.accepted,
        "unaccepted": find_unaccepted_risks(summary.header, summary.totals),
        "likely_s": _seconds(estimate.likely),
        "least_s": _seconds(estimate.least),
        "requests": {load.account: load.requests for load in (estimate.source, estimate.target)},
        "latency_s": {load.account: _seconds(load.latency) for load in (estimate.source, estimate.target)},
        "own_s": _seconds(estimate.own),
        "fits": None if window is None else estimate.fits(window),
    }


def _losses_missing_in_policy(summary: PlanSummary) -> list[str]:
    from voucher_gateway.migration.plan.losses import REPORTED

    accepted = summary.header.policy["losses"]
    assert isinstance(accepted, list)
    return [loss for loss in summary.totals.losses_of_refused if loss not in REPORTED and loss not in accepted]


def _seconds(length: timedelta) -> Decimal:
    return Decimal(length // timedelta(microseconds=1)).scaleb(-6)
