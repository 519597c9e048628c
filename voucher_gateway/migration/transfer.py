"""Exports vouchers to files and imports vouchers from files: makes a plan, runs it, and compares both sides.

An export or import is a copy: the source is not changed. If a call is interrupted, the same call continues the plan
that is stored beside the file. No voucher is issued twice.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.migration.file_accounts import (
    FILE_SUFFIXES,
    FileFormat,
    add_file_accounts,
    is_file_name,
    problems_path,
)
from voucher_gateway.migration.plan.losses import LOSSES, find_unaccepted_risks, require_accepted_risks
from voucher_gateway.migration.plan.make import make_plan
from voucher_gateway.migration.plan.model import Action
from voucher_gateway.migration.plan.plan_file import Plan, PlanSummary, open_plan, read_summary
from voucher_gateway.migration.plan.policy import Policy
from voucher_gateway.migration.plan.progress import OnPlanProgress, file_reporter
from voucher_gateway.migration.run.progress import OnProgress, RunReport
from voucher_gateway.migration.run.runner import run_plan
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.verify.checks import Difference
from voucher_gateway.migration.verify.compare import SourceChange, changes_since_plan, compare_masked_file
from voucher_gateway.migration.verify.verify import verify_plan
from voucher_gateway.provider.readings import SourceForm

WORKERS: Final = 8
"""The default number of vouchers that are read or written at a time."""

_EVERYTHING: Final = Policy(
    inactive=Action.CARRY,
    expired=Action.CARRY,
    empty=Action.CARRY,
    partly_used=Action.CARRY,
    reserved=Action.CARRY,
    losses=frozenset(LOSSES),
)
"""The policy of an export: all readable vouchers. This is safe, because the source is not changed."""


@attrs.frozen(kw_only=True)
class TransferReport:
    """The result of an export or import.

    Attributes:
        plan: the plan: which vouchers are carried, skipped or refused, and why.
        dry_run: whether only a plan was made.
        resumed: whether the plan of an earlier call was continued.
        run: the report of the run; None for a dry run.
        differences: the differences between the plan and the vouchers that were read from the target.
        changes: vouchers that were added or changed at the source after the plan was made. They are not copied. Only
            a call that continues a plan finds them.
    """

    plan: PlanSummary
    dry_run: bool = False
    resumed: bool = False
    run: RunReport | None = None
    differences: tuple[Difference, ...] = ()
    changes: tuple[SourceChange, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether both sides were read again, and the target is as planned."""
        return self.run is not None and self.run.error is None and not self.differences


@use_work_class(WorkClass.MIGRATE)
def export_vouchers(
    gateway: Gateway,
    account: str,
    file: Path,
    *,
    reveal: bool = False,
    file_format: FileFormat | None = None,
    file_settings: Mapping[str, object] | None = None,
    plan: Path | None = None,
    workers: int = WORKERS,
    on_read: OnPlanProgress | None = None,
    on_progress: OnProgress | None = None,
) -> TransferReport:
    """Write all vouchers of an account into a file. The account is not changed.

    The file has the remaining value of each voucher, also as its initial value.

    Args:
        gateway: has the account and a journal.
        account: the account.
        file: a new file, or the one of an export that was interrupted.
        reveal: whether to write codes and PINs. Whoever has the file can then spend the vouchers. Otherwise the codes
            are masked, and the file cannot be imported.
        file_format: the format of the file, if its name does not end in ``.jsonl`` or ``.csv``.
        file_settings: other settings of the file, such as the ``delimiter`` of CSV.
        plan: the file of the plan; by default beside the file, as ``FILE.plan.jsonl``.
        workers: how many vouchers are read at a time.
        on_read: is called repeatedly while vouchers are read for the plan.
        on_progress: is called a few times a second while the file is written, on the thread of the caller.

    Returns:
        The report. If its ``run.error`` is set, the same call continues the export.

    Raises:
        InvalidRequest: if the file exists without a plan to continue, or it was begun with another `reveal`.
        ConfigurationError: without a journal or no such account, or a file cannot be written.
        VoucherGatewayError: if the account cannot be read.
    """
    _require_format(file, file_format)
    target = str(file.absolute())
    plan = plan or Path(f"{target}.plan.jsonl")
    if file.exists() and not plan.exists():
        raise InvalidRequest(
            f"{file.name} exists without a plan to continue: use a new file",
            field="file",
            rule="a new file",
        )
    with add_file_accounts(
        gateway,
        account,
        target,
        reveal=reveal,
        mask=not reveal,
        file_format=file_format,
        settings={target: file_settings or {}},
    ) as extended:
        if file.exists():
            _require_same_form(extended, target, file, reveal=reveal)
        transfer = _Transfer(extended, account, target, plan, workers, on_read)
        return transfer.carry_out(None, _EVERYTHING, on_progress, readable=reveal)


@use_work_class(WorkClass.MIGRATE)
def import_vouchers(
    gateway: Gateway,
    account: str,
    file: Path,
    *,
    policy: Policy | None = None,
    dry_run: bool = False,
    file_format: FileFormat | None = None,
    file_settings: Mapping[str, object] | None = None,
    plan: Path | None = None,
    workers: int = WORKERS,
    on_file_read: OnPlanProgress | None = None,
    on_file_form: Callable[[Sequence[str]], None] | None = None,
    on_read: OnPlanProgress | None = None,
    on_progress: OnProgress | None = None,
) -> TransferReport:
    """Issue the vouchers of a file at an account. The file is not changed.

    A voucher that the policy does not provide for, or that the account cannot store completely, is refused with a
    reason. Vouchers that were added to the file after the plan was made are reported and not issued. If a file is
    imported into two accounts, its value exists twice.

    Args:
        gateway: has the account and a journal.
        account: the account.
        file: the file.
        policy: the policy; by default the strictest one, or that of the plan to continue.
        dry_run: whether only to make a plan. The plan is deleted at the end.
        file_format: the format of the file, if its name does not end in ``.jsonl`` or ``.csv``.
        file_settings: other settings of the file, such as the ``delimiter`` of CSV. By default the problems of the file
            are listed beside it, as ``FILE.problems.txt``.
        plan: the file of the plan; by default beside the file, as ``FILE.ACCOUNT.plan.jsonl``.
        workers: how many vouchers are issued at a time.
        on_file_read: is called repeatedly while the file is checked.
        on_file_form: is called with sentences that say how the file is read, before anything is written.
        on_read: is called repeatedly while vouchers are read for the plan.
        on_progress: is called a few times a second while vouchers are issued, on the thread of the caller.

    Returns:
        The report. If its ``run.error`` is set, the same call continues the import.

    Raises:
        InvalidRequest: if the file has no readable codes, a risk is not accepted, or the plan to continue has another
            policy.
        ConfigurationError: without a journal or no such account, or the file is not a file of vouchers.
        MalformedFile: if the file has problems, or no voucher.
        VoucherGatewayError: if a side cannot be read.
    """
    _require_format(file, file_format)
    source = str(file.absolute())
    plan = plan or Path(f"{source}.{account}.plan.jsonl")
    own_settings = {"problems": problems_path(source), "skip_unreadable": _skips_unreadable(policy, plan)}
    settings = {source: {**own_settings, **(file_settings or {})}}
    accounts = add_file_accounts(gateway, account, source, file_format=file_format, settings=settings)
    with accounts as extended, ExitStack() as stack:
        form = _prepare_source(extended, source, file, on_file_read)
        if form.sentences and on_file_form is not None:
            on_file_form(form.sentences)
        if dry_run:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="voucher-gateway-"))
            transfer = _Transfer(extended, source, account, Path(folder) / "plan.jsonl", workers, on_read)
            return TransferReport(plan=transfer.make_plan(policy or Policy()), dry_run=True)
        transfer = _Transfer(extended, source, account, plan, workers, on_read)
        return transfer.carry_out(policy, Policy(), on_progress, readable=True)


def require_accepted_transfer(plan: PlanSummary, *, from_file: bool) -> None:
    """Check that the policy of an export or import accepts all risks of its plan.

    Args:
        plan: the plan.
        from_file: whether the source is a file.

    Raises:
        InvalidRequest: if it does not. A note of the error says what to do.
    """
    try:
        require_accepted_risks(plan.header, plan.totals)
    except InvalidRequest as error:
        if from_file:
            names = json.dumps(list(find_unaccepted_risks(plan.header, plan.totals)))
            error.add_note(f"Correct the file, or accept the risks in the policy: accept = {names}")
        else:
            error.add_note("Try again when fewer vouchers change at the source.")
        raise


class _Transfer:
    """One copy between an account and a file.

    Args:
        gateway: has both accounts.
        source: the account to copy, or the path of the file.
        target: the file, or the account.
        path: the file of the plan.
        workers: how many vouchers are read or written at a time.
        on_read: is called while vouchers are read for the plan.
    """

    def __init__(
        self,
        gateway: Gateway,
        source: str,
        target: str,
        path: Path,
        workers: int,
        on_read: OnPlanProgress | None,
    ) -> None:
        self._gateway = gateway
        self._source = source
        self._target = target
        self._path = path
        self._workers = workers
        self._on_read = on_read

    def make_plan(self, policy: Policy) -> PlanSummary:
        """Make the plan."""
        return make_plan(
            self._gateway,
            self._source,
            self._target,
            self._path,
            policy=policy,
            copy=True,
            workers=self._workers,
            on_progress=self._on_read,
        )

    def carry_out(
        self, policy: Policy | None, default: Policy, on_progress: OnProgress | None, *, readable: bool
    ) -> TransferReport:
        """Make the plan or continue it, run it, and compare.

        Args:
            policy: the policy of the call; None for that of the plan.
            default: the policy of a new plan, if the call has none.
            on_progress: is called during the run.
            readable: whether the codes can be read back from the target.
        """
        resumed = self._path.exists() and self._can_continue(policy)
        if not resumed:
            summary = self.make_plan(policy or default)
            require_accepted_transfer(summary, from_file=self._gateway.capabilities(self._source).record)
        with open_plan(self._path) as plan:
            report = run_plan(self._gateway, plan, on_progress=on_progress)
            if report.error is not None:
                return TransferReport(plan=plan.summary, resumed=resumed, run=report)
            completed = not (report.left or report.in_doubt)
            changes = changes_since_plan(self._gateway, plan) if resumed and completed else ()
            return TransferReport(
                plan=plan.summary,
                resumed=resumed,
                run=report,
                differences=self._differences(plan, readable=readable),
                changes=tuple(changes),
            )

    def _can_continue(self, policy: Policy | None) -> bool:
        """Return whether the plan is continued. A plan that no run has begun is made again.

        Raises:
            ConfigurationError: if it is the plan of another copy.
            InvalidRequest: if it has another policy than the call.
        """
        with open_plan(self._path) as plan:
            summary = plan.summary
        header = summary.header
        if (header.source.account, header.target.account) != (self._source, self._target):
            raise ConfigurationError(f"{self._path.name} is the plan of another copy: choose another file for the plan")
        has_begun = MigrationState.of(self._gateway, summary).plan_state() is not None
        if not has_begun or not summary.totals.of(Action.CARRY).count:
            return False
        if policy is not None and policy.to_json() != header.policy:
            raise InvalidRequest(
                f"{self._path.name} was begun with another policy: continue it without a policy, and import the other"
                " vouchers from another file",
                field="policy",
                rule="that of the plan",
            )
        return True

    def _differences(self, plan: Plan, *, readable: bool) -> tuple[Difference, ...]:
        if readable:
            return verify_plan(self._gateway, plan).differences
        return tuple(compare_masked_file(self._gateway.provider(self._target), plan))


def _require_format(file: Path, file_format: FileFormat | None) -> None:
    if file_format is None and not is_file_name(str(file)):
        raise InvalidRequest(
            f"the name of the file must end in {' or '.join(FILE_SUFFIXES)}, or its format must be given",
            field="file_format",
            rule=f"given, unless the name ends in {' or '.join(FILE_SUFFIXES)}",
        )


def _skips_unreadable(policy: Policy | None, plan: Path) -> bool:
    """Return whether lines that cannot be read are passed over: by the policy, or by the plan that is continued."""
    if policy is not None or not plan.exists():
        return policy is not None and policy.unreadable is Action.SKIP
    return read_summary(plan).header.source.settings.get("skip_unreadable") is True


def _prepare_source(gateway: Gateway, source: str, file: Path, on_file_read: OnPlanProgress | None) -> SourceForm:
    """Read the whole file, so that all its problems are reported now, and return its form."""
    provider = gateway.provider(source)
    form = provider.prepare_source(file_reporter(on_file_read))
    if not provider.capabilities.codes.readable:
        raise InvalidRequest(
            f"{file.name} has masked codes, so no voucher can be issued from it: export it again with `reveal`",
            field="file",
            rule="with readable codes",
        )
    return form


def _require_same_form(gateway: Gateway, target: str, file: Path, *, reveal: bool) -> None:
    """Check that an export continues a file in the form in which it was begun."""
    gateway.provider(target).check()  # reads the whole file
    if file.stat().st_size and gateway.provider(target).capabilities.codes.readable is not reveal:
        content, advice = ("masked codes", "without") if reveal else ("codes", "with")
        raise InvalidRequest(
            f"{file.name} holds {content}: continue it {advice} `reveal`, or use a new file",
            field="reveal",
            rule="as in the call that began the file",
        )
