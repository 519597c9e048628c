"""Makes a plan: reads the source and the target, and changes nothing at either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from voucher_gateway.capabilities import AccountCheck, Capabilities
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.migration.plan.assess import Target
from voucher_gateway.migration.plan.estimate import Estimate, own_time, requests_of
from voucher_gateway.migration.plan.measure import commit_time_of, load_of
from voucher_gateway.migration.plan.model import End, PlanHeader, Step
from voucher_gateway.migration.plan.plan_file import PlanSummary, PlanWriter, read_summary
from voucher_gateway.migration.plan.policy import Policy
from voucher_gateway.migration.plan.progress import OnPlanProgress, count_items, file_reporter
from voucher_gateway.migration.plan.route import MigrationRoute, choose_route
from voucher_gateway.migration.plan.scan import IdSet, SourceScanner
from voucher_gateway.migration.plan.totals import TotalsBuilder
from voucher_gateway.migration.schema import ids_of_moved_vouchers
from voucher_gateway.provider.provider import VoucherProvider


@use_work_class(WorkClass.MIGRATE)
def make_plan(
    gateway: Gateway,
    source: str,
    target: str,
    out: Path,
    *,
    policy: Policy | None = None,
    copy: bool = False,
    workers: int = 8,
    rates: Mapping[str, float] | None = None,
    after: Path | None = None,
    on_progress: OnPlanProgress | None = None,
    on_file_read: OnPlanProgress | None = None,
    on_file_form: Callable[[Sequence[str]], None] | None = None,
) -> PlanSummary:
    """Plan how the vouchers of one account are moved to another. Nothing is changed at either vendor.

    Args:
        gateway: has both accounts and a journal.
        source: the account to move from. A file is copied.
        target: the account to move to.
        out: the file of the plan. An existing file is replaced.
        policy: the policy of the migration; the strictest one by default.
        copy: whether the source is not changed.
        workers: how many vouchers are read, and later moved, at a time.
        rates: the most requests per second, by account, for this call and for the run.
        after: an earlier plan of the same source. Vouchers that it has moved are left out.
        on_progress: is called repeatedly while vouchers are read and written.
        on_file_read: if the source is a file, is called repeatedly while the file is checked.
        on_file_form: if the source is a file, is called with sentences that say how it is read, before the plan is
            written.

    Raises:
        ConfigurationError: without a journal, no such account, or a file cannot be read or written.
        InvalidRequest: if source and target are the same, or an argument is out of range.
        MalformedFile: if the source is a file that cannot be read, or that has no voucher.
        UnsupportedOperation: if no voucher can be moved between these accounts.
    """
    if gateway.journal is None:
        raise ConfigurationError('a migration needs a journal: name one in the configuration, as journal = "..."')
    source_provider, target_provider = gateway.provider(source), gateway.provider(target)
    _check(source_provider, target_provider, workers, rates or {})
    policy, database = policy or Policy(), gateway.journal.database
    # First, because the checks read the permissions of the logins and the clocks of the vendors.
    form = source_provider.prepare_source(file_reporter(on_file_read))
    if form.sentences and on_file_form is not None:
        on_file_form(form.sentences)
    source_check, target_check = source_provider.check(), target_provider.check()
    source_can, target_can = gateway.capabilities(source), gateway.capabilities(target)
    route = choose_route(source_can, target_can, copy=copy, retire=policy.retire)
    header = PlanHeader(
        made_at=source_provider.vendor_now(),
        source=attrs.evolve(_end(source_provider), settings=form.settings),
        target=_end(target_provider),
        copy=copy or source_can.record,
        steps=route.steps,
        retire=route.retire.value,
        accepted=policy.accept,
        policy=policy.to_json(),
        workers=workers,
        rates=dict(rates or {}),
        file_form=form.sentences,
        key_id=gateway.journal.keys.newest,
        key_check=gateway.journal.keys.check_value(gateway.journal.keys.newest),
    )
    _require_known_currency(target_provider, target_can, target_check)
    goal = Target(capabilities=target_can, currency=target_check.currency, at=target_provider.vendor_now())
    scanner = SourceScanner(
        gateway.journal,
        source_provider,
        goal,
        target_provider,
        policy,
        header,
        _ids_to_leave_out(gateway.journal, after),
        gateway.account(target),
    )
    costs = requests_of(route.steps, route.retire, source_can, target_can)

    def estimate(carried: int) -> Estimate:
        source_load, target_load = (
            load_of(provider, cost, header.rates.get(provider.account))
            for provider, cost in zip((source_provider, target_provider), costs, strict=True)
        )
        own = own_time(route.steps, source_load, target_load, commit_time_of(database))
        return Estimate(vouchers=carried, workers=workers, source=source_load, target=target_load, own=own)

    return _write_plan(
        out,
        header,
        gateway.journal.keys,
        scanner,
        route,
        estimate,
        dated=source_check.clock_skew is not None,
        restarts=source_can.restarts_validity,
        on_progress=on_progress,
    )


def _write_plan(
    out: Path,
    header: PlanHeader,
    keys: JournalKeys,
    scanner: SourceScanner,
    route: MigrationRoute,
    estimate: Callable[[int], Estimate],
    *,
    dated: bool,
    restarts: bool,
    on_progress: OnPlanProgress | None,
) -> PlanSummary:
    with PlanWriter(out, header, keys) as writer:
        builder = _totals_builder(route, header, restarts=restarts)
        for planned in count_items(scanner.plan(dated=dated), "read", scanner.expected_count, on_progress):
            builder.add(planned)
            writer.write(planned)
        if not scanner.codes:
            return writer.finish(builder.totals(scanner.report, scanner.spoiled_codes), estimate(builder.carried))
        # Only now are all codes known, and the vouchers whose code the source has twice.
        with PlanWriter(out, header, keys) as again:
            builder = _totals_builder(route, header, restarts=restarts)
            resolved = map(scanner.resolve_duplicate_code, writer.read_back())
            for planned in count_items(resolved, "written to the plan", scanner.expected_count, on_progress):
                builder.add(planned)
                again.write(planned)
            return again.finish(builder.totals(scanner.report, scanner.spoiled_codes), estimate(builder.carried))


def _totals_builder(route: MigrationRoute, header: PlanHeader, *, restarts: bool) -> TotalsBuilder:
    return TotalsBuilder(
        workers=header.workers if route.double_spendable else None,
        whole=route.permanently,
        restarts_validity=restarts and Step.FREEZE in route.steps,
    )


def _check(
    source_provider: VoucherProvider, target_provider: VoucherProvider, workers: int, rates: Mapping[str, float]
) -> None:
    same_login = source_provider.login is not None and (source_provider.host, source_provider.login) == (
        target_provider.host,
        target_provider.login,
    )
    if source_provider is target_provider or same_login:
        raise InvalidRequest(
            "source and target are the same account at the vendor; choose another target",
            field="target",
            rule="another account",
        )
    if workers < 1:
        raise InvalidRequest("workers must be above zero", field="workers", rule="at least 1")
    for account, rate in rates.items():
        if account not in (source_provider.account, target_provider.account) or not rate > 0:
            raise InvalidRequest(
                "a rate is a number above zero, for the source or for the target",
                field="rates",
                rule="above zero, for one of the two accounts",
            )


def _require_known_currency(provider: VoucherProvider, can: Capabilities, check: AccountCheck) -> None:
    """Check that the currency of a target is known, if new vouchers there have no other.

    Raises:
        ConfigurationError: if it is not. A run would find out only after it has begun to create vouchers.
    """
    one_currency = can.currency_from == "account" or can.issues_in_account_currency
    if one_currency and check.currency is None:
        raise ConfigurationError(
            "the currency of new vouchers at this account is not known: set `currency` of the account, or give its"
            " login the right to read it",
            account=provider.account,
        )


def _end(provider: VoucherProvider) -> End:
    return End(account=provider.account, provider=provider.name, host=provider.host, login=provider.login)


def _ids_to_leave_out(journal: Journal, after: Path | None) -> IdSet:
    return IdSet.empty() if after is None else IdSet(ids_of_moved_vouchers(journal.database, read_summary(after).id))
