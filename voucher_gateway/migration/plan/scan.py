"""The source, voucher by voucher, and what becomes of each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Final

import attrs

from voucher_gateway.journal.journal import Journal
from voucher_gateway.listing.page import ListingReport
from voucher_gateway.migration.plan.assess import Assessment, Target, assess, kind_of
from voucher_gateway.migration.plan.code_index import SourceCodes, TargetCodes, fingerprint
from voucher_gateway.migration.plan.model import Action, Kind, PlanHeader, PlannedVoucher
from voucher_gateway.migration.plan.policy import Policy, Recode, Retire
from voucher_gateway.migration.plan.source import (
    IdSet,
    ReservedVouchers,
    SecretReader,
    in_order,
    listing_of,
    pins_are_asked_for,
)
from voucher_gateway.migration.run.rate_limit import Rates
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
            for number, planned in enumerate(in_order(wanted, self._plan_voucher, self._header.workers), 1):
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
