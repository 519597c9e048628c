"""One copy between an account and a file: planned, carried out, compared, and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway.cli.context import CliContext
from voucher_gateway.cli.errors import DECLINED, DIFFERENT, DONE, NOT_DONE, UNKNOWN, exit_code, print_error
from voucher_gateway.cli.masked import compare_masked_file
from voucher_gateway.cli.migrate_progress import showing
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.since import SourceChange, changes_since_plan
from voucher_gateway.cli.tables import Column, count_text, print_rows
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.losses import REPORTED, find_unaccepted_risks
from voucher_gateway.migration.plan.make import make_plan
from voucher_gateway.migration.plan.model import Action
from voucher_gateway.migration.plan.plan_file import PlanSummary, read_summary
from voucher_gateway.migration.plan.policy import Policy
from voucher_gateway.migration.plan.totals import Tally
from voucher_gateway.migration.run.progress import RunReport
from voucher_gateway.migration.run.rows import RowState
from voucher_gateway.migration.run.runner import run_plan
from voucher_gateway.migration.run.status import status_of
from voucher_gateway.migration.text import amounts_of
from voucher_gateway.migration.verify.checks import Difference
from voucher_gateway.migration.verify.verify import verify_plan

_REASONS: Final = (
    Column[tuple[str, Tally]]("left out", lambda row: row[0]),
    Column[tuple[str, Tally]]("vouchers", lambda row: str(row[1].count), right=True),
    Column[tuple[str, Tally]]("value", lambda row: amounts_of(row[1].money)),
)
_LOSSES: Final = (Column[tuple[str, Tally]]("what is lost", lambda row: row[0]), *_REASONS[1:])
_DIFFERENCES: Final = (
    Column[Difference](
        "number", lambda difference: "" if difference.number is None else str(difference.number), right=True
    ),
    Column[Difference]("voucher", lambda difference: difference.source_id or "", optional=True),
    Column[Difference]("code", lambda difference: difference.code or "", optional=True),
    Column[Difference]("difference", lambda difference: difference.explanation),
)
_NEWS: Final = (
    Column[SourceChange]("voucher", lambda difference: difference.source_id or ""),
    Column[SourceChange]("code", lambda difference: difference.code or "", optional=True),
    Column[SourceChange]("change", lambda difference: difference.explanation),
)


@attrs.frozen
class Copy:
    """One copy from an account to a file, or from a file to an account.

    Attributes:
        session: the run of the command line.
        gateway: has both ends.
        source: the account to copy, or the path of the file.
        target: the file, or the account.
        plan: where the plan is kept.
        workers: how many vouchers are read or written at a time.
    """

    session: CliContext
    gateway: Gateway
    source: str
    target: str
    plan: Path
    workers: int

    def only_plan(self, policy: Policy) -> int:
        """Plan it, say what would become of the vouchers, and return the exit code."""
        summary = self._make_plan(policy)
        if self.session.output.as_json:
            self.session.output.object({"dry_run": True, **_plan_object(summary)})
        else:
            carried = summary.totals.of(Action.CARRY)
            sentence = f"{count_text(carried.count, 'voucher')} would go to {self.target}: {amounts_of(carried.money)}"
            self.session.output.show(sentence)
            _tell_left_out(self.session.output, summary)
        self._check_risks(summary)
        return DECLINED if summary.totals.of(Action.REFUSE).count else DONE

    def carry_out(self, asked: Policy | None, default: Policy, *, readable: bool = True) -> int:
        """Plan it, do it and prove it, or go on with that, and return the exit code.

        Args:
            asked: the policy that was asked for; whichever the plan has, if None.
            default: the policy of a plan that is still to be made, if none was asked for.
            readable: whether the target's codes can be read back.
        """
        summary = self._plan_to_continue(asked)
        resumed = summary is not None
        if summary is None:
            summary = self._make_plan(asked or default)
            self._check_risks(summary)
        else:
            self.session.output.note(f"Going on with the plan of {summary.header.made_at:%Y-%m-%d %H:%M} UTC.")
        with showing(self.session.output) as report_progress:
            report = run_plan(self.gateway, self.plan, on_progress=report_progress)
        if report.trouble is not None:
            print_error(self.session.output, report.trouble)
            self.session.output.note("The same command goes on with it.")
            return exit_code(report.trouble)
        differences = self._differences(readable=readable)
        over = not (report.left or report.in_doubt)
        news = tuple(changes_since_plan(self.gateway, self.source, self.plan)) if resumed and over else ()
        self._tell(summary, report, differences, news, resumed=resumed)
        return _code(summary, report, differences, news)

    def _plan_to_continue(self, asked: Policy | None) -> PlanSummary | None:
        """Return the plan to go on with; None if there is none, or nothing was carried by it yet: then it is made anew.

        Raises:
            ConfigurationError: if it is the plan of another copy.
            InvalidRequest: if it was begun under another policy than is asked for.
        """
        if not self.plan.exists():
            return None
        summary = read_summary(self.plan)
        header = summary.header
        if (header.source.account, header.target.account) != (self.source, self.target):
            raise ConfigurationError(
                f"{self.plan.name} is the plan of another copy: name a new file for this one with --plan"
            )
        if status_of(self.gateway, self.plan).state is None or not summary.totals.of(Action.CARRY).count:
            return None
        if asked is not None and asked.to_json() != header.policy:
            raise InvalidRequest(
                f"{self.plan.name} was begun under another policy: go on with it without --policy, and import what it"
                " leaves out from a file that has nothing else",
                field="--policy",
                rule="that of the plan",
            )
        return summary

    def _check_risks(self, summary: PlanSummary) -> None:
        """Refuse a plan with risks that nobody has accepted, saying what to do about them."""
        if not (risks := find_unaccepted_risks(summary.header, summary.totals)):
            return
        sentences = " ".join(f"{name}: {sentence}" for name, sentence in risks.items())
        error = InvalidRequest(
            f"the plan has risks that nobody has accepted: {sentences}", field="accept", rule="each risk by its name"
        )
        if self.gateway.capabilities(self.source).record:
            error.add_note(f"Mend the file, or accept them by a policy: accept = {json.dumps(list(risks))}")
        else:
            error.add_note("Give the same command again when less is going on there.")
        raise error

    def _make_plan(self, policy: Policy) -> PlanSummary:
        return make_plan(
            self.gateway, self.source, self.target, self.plan, policy=policy, copy=True, workers=self.workers
        )

    def _differences(self, *, readable: bool) -> Sequence[Difference]:
        if readable:
            return verify_plan(self.gateway, self.plan).differences
        return tuple(compare_masked_file(self.gateway.provider(self.target), self.plan))

    def _tell(
        self,
        summary: PlanSummary,
        report: RunReport,
        differences: Sequence[Difference],
        news: Sequence[SourceChange],
        *,
        resumed: bool,
    ) -> None:
        output = self.session.output
        if output.as_json:
            told = {"run": report, "verified": not differences, "differences": differences, "since": news}
            output.object({"dry_run": False, "resumed": resumed, **_plan_object(summary), **told})
            return
        carried = summary.totals.of(Action.CARRY)
        if report.left or report.in_doubt:
            output.show(
                f"{count_text(report.left, 'voucher')} left, {report.in_doubt} in doubt: give the command again"
            )
        for noted in report.noted:
            output.show(f"{noted.source_id} {noted.state.value}: {noted.reason}")
        if not differences:
            sentence = f"{count_text(carried.count, 'voucher')} went to {self.target}, compared and found right"
            output.show(f"{sentence}: {amounts_of(carried.money)}")
        else:
            print_rows(output, differences, _DIFFERENCES)
        _tell_left_out(output, summary)
        if news:
            changes = "1 change" if len(news) == 1 else f"{len(news)} changes"
            output.show(f"{changes} at {self.source} since it was planned, left out here:")
            print_rows(output, news, _NEWS)
            output.note(
                "Import them from a file that has nothing else."
                if self.gateway.capabilities(self.source).record
                else "An export into a new file has them."
            )


def _plan_object(summary: PlanSummary) -> dict[str, Any]:
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
    if losses := [tally for tally in summary.totals.losses.items() if tally[0] not in REPORTED]:
        print_rows(output, losses, _LOSSES)


def _code(
    summary: PlanSummary, report: RunReport, differences: Sequence[Difference], news: Sequence[SourceChange]
) -> int:
    if report.in_doubt:
        return UNKNOWN
    if report.left:
        return NOT_DONE
    if differences or news or report.counts.get(RowState.CHANGED) or report.counts.get(RowState.REFUSED):
        return DIFFERENT
    return DECLINED if summary.totals.of(Action.REFUSE).count else DONE
