"""The commands between accounts and files: export and import."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import attrs
import typer

from voucher_gateway.adapter import ConfigurationError, InvalidRequest
from voucher_gateway.cli import arguments as given
from voucher_gateway.cli.ends import FILE_SUFFIXES, gateway_with, is_file
from voucher_gateway.cli.exits import DECLINED, DIFFERENT, DONE, NOT_DONE, UNKNOWN, exit_code
from voucher_gateway.cli.masked import masked_differences
from voucher_gateway.cli.migrate_progress import showing
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import Session, session_of
from voucher_gateway.cli.tables import Column, counted, print_rows
from voucher_gateway.cli.telling import tell_error
from voucher_gateway.gateway import Gateway
from voucher_gateway.migration import (
    Action,
    Difference,
    PlanSummary,
    Policy,
    RowState,
    RunReport,
    Tally,
    load_policy,
    make_plan,
    read_summary,
    run_plan,
    verify_plan,
)
from voucher_gateway.migration.wording import amounts_of

_EVERYTHING: Final = Policy(
    inactive=Action.CARRY,
    expired=Action.CARRY,
    empty=Action.CARRY,
    partly_used=Action.CARRY,
    reserved=Action.CARRY,
)
"""What an export takes along: all that can be read. The source stays as it is, so nothing can come of it."""

_REASONS: Final = (
    Column[tuple[str, Tally]]("left out", lambda one: one[0]),
    Column[tuple[str, Tally]]("vouchers", lambda one: str(one[1].count), right=True),
    Column[tuple[str, Tally]]("value", lambda one: amounts_of(one[1].money)),
)
_DIFFERENCES: Final = (
    Column[Difference]("number", lambda one: "" if one.number is None else str(one.number), right=True),
    Column[Difference]("voucher", lambda one: one.source_id or "", optional=True),
    Column[Difference]("code", lambda one: one.code or "", optional=True),
    Column[Difference]("difference", lambda one: one.explanation),
)

_Format = Annotated[
    Literal["jsonl", "csv"] | None,
    typer.Option("--format", help="The file's form, where its name ends in neither .jsonl nor .csv."),
]
_Plan = Annotated[
    Path | None,
    typer.Option("--plan", metavar="PLAN", help="Where the plan is kept; beside the file by default."),
]
_Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, max=256, help="So many vouchers at a time.")]


def export_vouchers(
    context: typer.Context,
    account: given.AccountName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, .jsonl or .csv.", show_default=False)],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Write codes and PINs. They are money: the file is then worth its sum.")
    ] = False,
    file_format: _Format = None,
    plan: _Plan = None,
    workers: _Workers = 8,
) -> None:
    """Write all vouchers of ACCOUNT into FILE: plan it, do it, read both again and compare. ACCOUNT stays as it is.

    Without --reveal the codes are masked, and the file cannot be imported. The remaining value is what is written, as
    the initial one too. Killed at any moment, the same command goes on with the plan in FILE.plan.jsonl.

    Exit code 0: all vouchers are in the file. 1: some could not be read, and were left out. 5: there are differences,
    or vouchers were used meanwhile. Others as everywhere.
    """
    session, target = session_of(context), str(file.absolute())
    plan = plan or Path(f"{target}.plan.jsonl")
    _check_format(file, file_format)
    if not plan.exists() and file.exists():
        raise InvalidRequest(
            f"{file.name} is there already, and no plan to go on with beside it: take a new file",
            field="FILE",
            rule="a new file",
        )
    with gateway_with(session, account, target, reveal=reveal, mask=not reveal, file_format=file_format) as gateway:
        copy = _Copy(session, gateway, account, target, plan, workers)
        code = copy.carry_out(_EVERYTHING, readable=reveal)
    raise typer.Exit(code)


def import_vouchers(
    context: typer.Context,
    account: given.AccountName,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file, .jsonl or .csv.", exists=True, show_default=False)
    ],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="What to do with which vouchers (TOML); the strictest without."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan, and say what would become of them.")] = False,
    file_format: _Format = None,
    plan: _Plan = None,
    workers: _Workers = 8,
) -> None:
    """Issue the vouchers of FILE at ACCOUNT: plan it, do it, read both again and compare. FILE stays as it is.

    A voucher that the policy does not provide for, or that the account cannot keep as it is, is refused with the
    reason. Killed at any moment, the same command goes on with the plan in FILE.ACCOUNT.plan.jsonl, and issues nothing
    twice. Whoever imports the file into two accounts has doubled its value.

    Exit code 0: all vouchers are there. 1: some were refused, and left out. 5: there are differences. Others as
    everywhere.
    """
    session, source = session_of(context), str(file.absolute())
    rules = Policy() if policy is None else load_policy(policy)
    _check_format(file, file_format)
    with gateway_with(session, account, source, file_format=file_format) as gateway:
        _check_source(gateway, source, file)
        if dry_run:
            with tempfile.TemporaryDirectory(prefix="voucher-gateway-") as folder:
                draft = Path(folder) / "plan.jsonl"
                code = _Copy(session, gateway, source, account, draft, workers).only_plan(rules)
        else:
            plan = plan or Path(f"{source}.{account}.plan.jsonl")
            code = _Copy(session, gateway, source, account, plan, workers).carry_out(rules)
    raise typer.Exit(code)


def _check_format(file: Path, file_format: str | None) -> None:
    if file_format is None and not is_file(str(file)):
        rule = f"a name that ends in {' or '.join(FILE_SUFFIXES)}, or --format"
        raise InvalidRequest(f"FILE must have {rule}", field="FILE", rule=rule)


def _check_source(gateway: Gateway, source: str, file: Path) -> None:
    provider = gateway.provider(source)
    provider.check()  # reads it through; what is wrong with it is said now
    if not provider.capabilities.codes.readable:
        raise InvalidRequest(
            f"{file.name} has masks in the place of codes, so nothing can be issued from it: export it with --reveal",
            field="FILE",
            rule="with readable codes",
        )


@attrs.frozen
class _Copy:
    """One copy from an account to a file, or from a file to an account."""

    session: Session
    gateway: Gateway
    source: str
    target: str
    plan: Path
    workers: int

    def only_plan(self, policy: Policy) -> int:
        """Plan it, say what would become of the vouchers, and return the exit code."""
        summary = self._made(policy)
        if self.session.output.as_json:
            self.session.output.object({"dry_run": True, **_planned_object(summary)})
        else:
            carried = summary.totals.of(Action.CARRY)
            sentence = f"{counted(carried.count, 'voucher')} would go to {self.target}: {amounts_of(carried.money)}"
            self.session.output.show(sentence)
            _tell_left_out(self.session.output, summary)
        return DECLINED if summary.totals.of(Action.REFUSE).count else DONE

    def carry_out(self, policy: Policy, *, readable: bool = True) -> int:
        """Plan it, do it and prove it, or go on with that, and return the exit code.

        Args:
            policy: of a plan that is still to be made.
            readable: whether the target's codes can be read back.
        """
        goes_on = self.plan.exists()
        summary = self._found() if goes_on else self._made(policy)
        if goes_on:
            self.session.output.remark(f"Going on with the plan of {summary.header.made_at:%Y-%m-%d %H:%M} UTC.")
        with showing(self.session.output) as told:
            report = run_plan(self.gateway, self.plan, on_progress=told)
        if report.trouble is not None:
            tell_error(self.session.output, report.trouble)
            self.session.output.remark("The same command goes on with it.")
            return exit_code(report.trouble)
        differences = self._differences(readable=readable)
        self._tell(summary, report, differences)
        return _code(summary, report, differences)

    def _found(self) -> PlanSummary:
        summary = read_summary(self.plan)
        header = summary.header
        if (header.source.account, header.target.account) != (self.source, self.target):
            raise ConfigurationError(
                f"{self.plan.name} is the plan of another copy: name a new file for this one with --plan"
            )
        return summary

    def _made(self, policy: Policy) -> PlanSummary:
        return make_plan(
            self.gateway, self.source, self.target, self.plan, policy=policy, copy=True, workers=self.workers
        )

    def _differences(self, *, readable: bool) -> Sequence[Difference]:
        if readable:
            return verify_plan(self.gateway, self.plan).differences
        return tuple(masked_differences(self.gateway.provider(self.target), self.plan))

    def _tell(self, summary: PlanSummary, report: RunReport, differences: Sequence[Difference]) -> None:
        output = self.session.output
        if output.as_json:
            told = {"run": report, "verified": not differences, "differences": differences}
            output.object({"dry_run": False, **_planned_object(summary), **told})
            return
        carried = summary.totals.of(Action.CARRY)
        if report.left or report.in_doubt:
            output.show(f"{counted(report.left, 'voucher')} left, {report.in_doubt} in doubt: give the command again")
        for noted in report.noted:
            output.show(f"{noted.source_id} {noted.state.value}: {noted.reason}")
        if not differences:
            sentence = f"{counted(carried.count, 'voucher')} went to {self.target}, compared and found right"
            output.show(f"{sentence}: {amounts_of(carried.money)}")
        else:
            print_rows(output, differences, _DIFFERENCES)
        _tell_left_out(output, summary)


def _planned_object(summary: PlanSummary) -> dict[str, Any]:
    totals = summary.totals
    return {
        "plan": summary.id,
        "path": str(summary.path),
        "source": summary.header.source,
        "target": summary.header.target,
        "carried": totals.of(Action.CARRY),
        "skipped": totals.of(Action.SKIP),
        "refused": totals.of(Action.REFUSE),
        "reasons": totals.reasons,
        "losses": totals.losses,
        "listing": totals.listing,
    }


def _tell_left_out(output: Output, summary: PlanSummary) -> None:
    if summary.totals.reasons:
        print_rows(output, list(summary.totals.reasons.items()), _REASONS)


def _code(summary: PlanSummary, report: RunReport, differences: Sequence[Difference]) -> int:
    if report.in_doubt:
        return UNKNOWN
    if report.left:
        return NOT_DONE
    if differences or report.counts.get(RowState.CHANGED) or report.counts.get(RowState.REFUSED):
        return DIFFERENT
    return DECLINED if summary.totals.of(Action.REFUSE).count else DONE
