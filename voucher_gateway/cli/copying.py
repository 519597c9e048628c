"""One copy between an account and a file: planned, carried out, compared, and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway.adapter import ConfigurationError, InvalidRequest
from voucher_gateway.cli.exits import DECLINED, DIFFERENT, DONE, NOT_DONE, UNKNOWN, exit_code
from voucher_gateway.cli.masked import masked_differences
from voucher_gateway.cli.migrate_progress import showing
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import Session
from voucher_gateway.cli.since import Since, since
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
    make_plan,
    read_summary,
    run_plan,
    status_of,
    unaccepted,
    verify_plan,
)
from voucher_gateway.migration.losses import REPORTED
from voucher_gateway.migration.wording import amounts_of

_REASONS: Final = (
    Column[tuple[str, Tally]]("left out", lambda one: one[0]),
    Column[tuple[str, Tally]]("vouchers", lambda one: str(one[1].count), right=True),
    Column[tuple[str, Tally]]("value", lambda one: amounts_of(one[1].money)),
)
_LOSSES: Final = (Column[tuple[str, Tally]]("what is lost", lambda one: one[0]), *_REASONS[1:])
_DIFFERENCES: Final = (
    Column[Difference]("number", lambda one: "" if one.number is None else str(one.number), right=True),
    Column[Difference]("voucher", lambda one: one.source_id or "", optional=True),
    Column[Difference]("code", lambda one: one.code or "", optional=True),
    Column[Difference]("difference", lambda one: one.explanation),
)
_NEWS: Final = (
    Column[Since]("voucher", lambda one: one.source_id or ""),
    Column[Since]("code", lambda one: one.code or "", optional=True),
    Column[Since]("change", lambda one: one.explanation),
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
        self._check_risks(summary)
        return DECLINED if summary.totals.of(Action.REFUSE).count else DONE

    def carry_out(self, asked: Policy | None, default: Policy, *, readable: bool = True) -> int:
        """Plan it, do it and prove it, or go on with that, and return the exit code.

        Args:
            asked: the policy that was asked for; whichever the plan has, if None.
            default: the policy of a plan that is still to be made, if none was asked for.
            readable: whether the target's codes can be read back.
        """
        summary = self._begun(asked)
        resumed = summary is not None
        if summary is None:
            summary = self._made(asked or default)
            self._check_risks(summary)
        else:
            self.session.output.remark(f"Going on with the plan of {summary.header.made_at:%Y-%m-%d %H:%M} UTC.")
        with showing(self.session.output) as told:
            report = run_plan(self.gateway, self.plan, on_progress=told)
        if report.trouble is not None:
            tell_error(self.session.output, report.trouble)
            self.session.output.remark("The same command goes on with it.")
            return exit_code(report.trouble)
        differences = self._differences(readable=readable)
        over = not (report.left or report.in_doubt)
        news = tuple(since(self.gateway, self.source, self.plan)) if resumed and over else ()
        self._tell(summary, report, differences, news, resumed=resumed)
        return _code(summary, report, differences, news)

    def _begun(self, asked: Policy | None) -> PlanSummary | None:
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
        if asked is not None and asked.told() != header.policy:
            raise InvalidRequest(
                f"{self.plan.name} was begun under another policy: go on with it without --policy, and import what it"
                " leaves out from a file that has nothing else",
                field="--policy",
                rule="that of the plan",
            )
        return summary

    def _check_risks(self, summary: PlanSummary) -> None:
        """Refuse a plan with risks that nobody has accepted, saying what to do about them."""
        if not (risks := unaccepted(summary.header, summary.totals)):
            return
        told = " ".join(f"{name}: {sentence}" for name, sentence in risks.items())
        error = InvalidRequest(
            f"the plan has risks that nobody has accepted: {told}", field="accept", rule="each risk by its name"
        )
        if self.gateway.capabilities(self.source).record:
            error.add_note(f"Mend the file, or accept them by a policy: accept = {json.dumps(list(risks))}")
        else:
            error.add_note("Give the same command again when less is going on there.")
        raise error

    def _made(self, policy: Policy) -> PlanSummary:
        return make_plan(
            self.gateway, self.source, self.target, self.plan, policy=policy, copy=True, workers=self.workers
        )

    def _differences(self, *, readable: bool) -> Sequence[Difference]:
        if readable:
            return verify_plan(self.gateway, self.plan).differences
        return tuple(masked_differences(self.gateway.provider(self.target), self.plan))

    def _tell(
        self,
        summary: PlanSummary,
        report: RunReport,
        differences: Sequence[Difference],
        news: Sequence[Since],
        *,
        resumed: bool,
    ) -> None:
        output = self.session.output
        if output.as_json:
            told = {"run": report, "verified": not differences, "differences": differences, "since": news}
            output.object({"dry_run": False, "resumed": resumed, **_planned_object(summary), **told})
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
        if news:
            changes = "1 change" if len(news) == 1 else f"{len(news)} changes"
            output.show(f"{changes} at {self.source} since it was planned, left out here:")
            print_rows(output, news, _NEWS)
            output.remark(
                "Import them from a file that has nothing else."
                if self.gateway.capabilities(self.source).record
                else "An export into a new file has them."
            )


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
    if losses := [one for one in summary.totals.losses.items() if one[0] not in REPORTED]:
        print_rows(output, losses, _LOSSES)


def _code(summary: PlanSummary, report: RunReport, differences: Sequence[Difference], news: Sequence[Since]) -> int:
    if report.in_doubt:
        return UNKNOWN
    if report.left:
        return NOT_DONE
    if differences or news or report.counts.get(RowState.CHANGED) or report.counts.get(RowState.REFUSED):
        return DIFFERENT
    return DECLINED if summary.totals.of(Action.REFUSE).count else DONE
