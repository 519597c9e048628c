"""Making a plan: the source is read, the target is looked at, and nothing is written at either."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.concurrency import ordered_map
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.journal import Journal
from voucher_gateway.listing.page import ListingReport
from voucher_gateway.migration.plan.assess import Assessment, Target, assess, kind_of
from voucher_gateway.migration.plan.code_index import SourceCodes, TargetCodes, fingerprint
from voucher_gateway.migration.plan.estimate import AccountLoad, Estimate, requests_of
from voucher_gateway.migration.plan.model import Action, End, Kind, PlanHeader, PlannedVoucher
from voucher_gateway.migration.plan.plan_file import PlanSummary, PlanWriter, read_summary
from voucher_gateway.migration.plan.policy import Policy, Recode, Retire
from voucher_gateway.migration.plan.route import Route, choose_route
from voucher_gateway.migration.plan.source import (
    IdSet,
    ReservedVouchers,
    SecretReader,
    listing_of,
    pins_are_asked_for,
)
from voucher_gateway.migration.plan.totals import TotalsBuilder
from voucher_gateway.migration.run.rate_limit import Rates
from voucher_gateway.migration.run.state import ids_of_moved_vouchers
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider import VoucherProvider

_TWICE: Final = "its code is there twice at the source"
_MOVED: Final = "another plan has moved it already, or is moving it"


class SourceScanner:
    """Reads the source and says what becomes of each voucher.

    Args:
        journal: has the keys of fingerprints, and knows reservations and earlier moves.
        source: from where.
        goal: to where, as far as it is known.
        target: to where.
        policy: what the owner decided.
        header: the plan's.
        left_out: the ids of vouchers that are not to be in the plan.

    Attributes:
        codes: the codes that came by.
        report: what the listing said of itself; only after `plan` has come to its end.
    """

    report: ListingReport

    def __init__(
        self,
        journal: Journal,
        source: VoucherProvider,
        goal: Target,
        target: VoucherProvider,
        policy: Policy,
        header: PlanHeader,
        left_out: IdSet,
    ) -> None:
        self._keys = journal.keys
        self._source = source
        self._goal = goal
        self._policy = policy
        self._header = header
        self._retire = Retire(header.retire)
        self._left_out = left_out
        rates = Rates(header.rates, threading.Event())
        self._secrets = SecretReader(source, rates, pins=pins_are_asked_for(source.capabilities, goal.capabilities))
        self._held = ReservedVouchers(journal, source)
        self._moved = IdSet.empty() if header.copy else IdSet.of_moves_from(journal, source.account)
        self._taken = TargetCodes(target, journal.keys, rates)
        self.codes = SourceCodes()

    def plan(self, *, dated: bool) -> Iterator[PlannedVoucher]:
        """Give every voucher of the source, in the order of its list.

        Args:
            dated: whether the source's clock is known.
        """
        with listing_of(self._source, dated=dated) as listing:
            wanted = (voucher for voucher in listing if voucher.id not in self._left_out)
            for number, planned in enumerate(ordered_map(self._plan_voucher, wanted, self._header.workers), 1):
                if planned.fingerprint is not None:
                    self.codes.add(planned.fingerprint)
                yield attrs.evolve(planned, number=number)
            self.report = _with_gone(listing.report, len(self._secrets.gone))

    def without_twins(self, planned: PlannedVoucher) -> PlannedVoucher:
        """Return what becomes of a voucher, now that it is known whose codes come twice."""
        if planned.destination is None or not self.codes.twice(planned.fingerprint):
            return planned
        if self._policy.code_taken is Recode.REFUSE:
            return attrs.evolve(planned, action=Action.REFUSE, reasons=(_TWICE,), destination=None)
        losses = tuple(sorted({*planned.losses, "code"}))
        return attrs.evolve(planned, losses=losses, destination=attrs.evolve(planned.destination, new_code=True))

    def _plan_voucher(self, voucher: Voucher) -> PlannedVoucher:
        """Say what becomes of one voucher, reading what is needed for that; called by several threads."""
        at = self._header.made_at
        kind = kind_of(voucher, at)
        if kind is Kind.UNREADABLE or self._policy.action(kind) is Action.CARRY:
            voucher = self._secrets.complete(voucher)
        held = self._held.on(voucher.id, voucher.code)
        judge = partial(assess, voucher, self._goal, self._policy, at=at, retire=self._retire, held=held)
        verdict = judge()
        mark = None if voucher.code is None else fingerprint(self._keys, voucher.code)
        if verdict.action is Action.CARRY and voucher.id in self._moved:
            verdict = attrs.evolve(verdict, action=Action.REFUSE, reasons=(_MOVED,), destination=None)
        elif verdict.action is Action.CARRY and voucher.code is not None and mark is not None:
            verdict = judge(taken=True) if self._taken.has(voucher.code, mark) else verdict
        return self._line(voucher, verdict, mark)

    def _line(self, voucher: Voucher, verdict: Assessment, mark: str | None) -> PlannedVoucher:
        return PlannedVoucher(
            number=0,
            source_id=voucher.id,
            code=None if voucher.code is None else str(voucher.code),
            fingerprint=mark,
            key_id=None if mark is None else self._keys.newest,
            kind=verdict.kind,
            initial=voucher.initial,
            remaining=voucher.remaining,
            status=voucher.status,
            valid_until=voucher.valid_until,
            action=verdict.action,
            reasons=verdict.reasons,
            losses=verdict.losses,
            destination=verdict.destination,
        )


def _with_gone(report: ListingReport, gone: int) -> ListingReport:
    if not gone:
        return report
    problem = f"{gone} of the listed vouchers were gone when they were looked at"
    return attrs.evolve(report, consistent=False, problems=(*report.problems, problem))


_PROBES: Final = 3
_TOLD_EVERY: Final = 100


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
    on_progress: Callable[[int], None] | None = None,
) -> PlanSummary:
    """Plan how the vouchers of one account go to another. Nothing is changed at either vendor.

    Args:
        gateway: has both accounts, and a journal.
        source: the account to move from. If it is a record only, such as a file, it is copied.
        target: the account to move to.
        out: the file that the plan is written to; one that is there is replaced.
        policy: what its owner decided; the strictest by default.
        copy: whether the source stays as it is.
        workers: how many vouchers are read, and later moved, at a time.
        rates: at most so many requests a second, by account, now and once the plan is carried out.
        after: an earlier plan of the same source; what that one has moved is left out.
        on_progress: is told now and then how many vouchers were read.

    Raises:
        ConfigurationError: if there is no journal, no such account, or a file cannot be read or written.
        InvalidRequest: if source and target are the same, or an argument makes no sense.
        UnsupportedOperation: if the vouchers cannot be moved between the two at all.
    """
    if gateway.journal is None:
        raise ConfigurationError('a migration needs a journal: name one in the configuration, as journal = "..."')
    begin, end = gateway.provider(source), gateway.provider(target)
    _check(begin, end, workers, rates or {})
    policy = policy or Policy()
    # Asked first, as they tell what the logins may do, and the vendors' clocks.
    of_source, of_target = begin.check(), end.check()
    can_source, can_target = gateway.capabilities(source), gateway.capabilities(target)
    way = choose_route(can_source, can_target, copy=copy, retire=policy.retire)
    header = PlanHeader(
        made_at=begin.vendor_now(),
        source=_end(begin),
        target=_end(end),
        copy=copy or can_source.record,
        steps=way.steps,
        retire=way.retire.value,
        accepted=policy.accept,
        policy=policy.to_json(),
        workers=workers,
        rates=dict(rates or {}),
    )
    goal = Target(capabilities=can_target, currency=of_target.currency, at=end.vendor_now())
    reader = SourceScanner(gateway.journal, begin, goal, end, policy, header, _ids_to_leave_out(gateway.journal, after))
    costs = requests_of(way.steps, way.retire, can_source, can_target)

    def estimate(carried: int) -> Estimate:
        loads = [
            AccountLoad(
                account=waited.account, requests=cost, latency=latency_of(waited), rate=header.rates.get(waited.account)
            )
            for waited, cost in zip((begin, end), costs, strict=True)
        ]
        return Estimate(vouchers=carried, workers=workers, source=loads[0], target=loads[1])

    return _write_plan(
        out, header, reader, way, estimate, dated=of_source.clock_skew is not None, report_progress=on_progress
    )


def _write_plan(
    out: Path,
    header: PlanHeader,
    reader: SourceScanner,
    way: Route,
    estimate: Callable[[int], Estimate],
    *,
    dated: bool,
    report_progress: Callable[[int], None] | None,
) -> PlanSummary:
    with PlanWriter(out, header) as writer:
        adder = _adder(way, header)
        for planned in reader.plan(dated=dated):
            adder.add(planned)
            writer.write(planned)
            if report_progress is not None and planned.number % _TOLD_EVERY == 0:
                report_progress(planned.number)
        if not reader.codes:
            return writer.finish(adder.totals(reader.report), estimate(adder.carried))
        # Only now it is known which codes come twice: the first of two was taken for the only one.
        with PlanWriter(out, header) as again:
            adder = _adder(way, header)
            for planned in map(reader.without_twins, writer.read_back()):
                adder.add(planned)
                again.write(planned)
            return again.finish(adder.totals(reader.report), estimate(adder.carried))


def latency_of(provider: VoucherProvider) -> timedelta:
    """Return what a small request takes: the middle one of three reads. Nothing where no read is to be had."""
    if not provider.capabilities.of(Operation.VOUCHERS).available:
        return timedelta()
    took = []
    for _ in range(_PROBES):
        begun = time.perf_counter()
        with provider.vouchers(VoucherQuery(limit=1)) as listing:
            next(listing, None)
        took.append(time.perf_counter() - begun)
    return timedelta(seconds=median(took))


def _adder(way: Route, header: PlanHeader) -> TotalsBuilder:
    return TotalsBuilder(workers=header.workers if way.double_spendable else None, whole=way.permanently)


def _check(begin: VoucherProvider, end: VoucherProvider, workers: int, rates: Mapping[str, float]) -> None:
    same_login = begin.login is not None and (begin.host, begin.login) == (end.host, end.login)
    if begin is end or same_login:
        raise InvalidRequest(
            "source and target are the same account at the vendor", field="target", rule="another account"
        )
    if workers < 1:
        raise InvalidRequest("workers must be above zero", field="workers", rule="at least 1")
    for account, rate in rates.items():
        if account not in (begin.account, end.account) or not rate > 0:
            raise InvalidRequest(
                "a rate is a number above zero, for the source or for the target",
                field="rates",
                rule="above zero, for one of the two accounts",
            )


def _end(provider: VoucherProvider) -> End:
    return End(account=provider.account, provider=provider.name, host=provider.host, login=provider.login)


def _ids_to_leave_out(journal: Journal, after: Path | None) -> IdSet:
    return IdSet.empty() if after is None else IdSet(ids_of_moved_vouchers(journal.database, read_summary(after).id))
