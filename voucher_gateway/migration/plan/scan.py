"""Reads the vouchers of the source, and plans what a run does with each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final, Self

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.errors import AccessDenied, VoucherNotFound
from voucher_gateway.gateway.account import Account
from voucher_gateway.iteration import ordered_map
from voucher_gateway.journal.journal import Journal
from voucher_gateway.listing.digest_set import DigestSet
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import ListingReport, key_digest
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.masking import Code
from voucher_gateway.migration.plan.assess import Assessment, Assessor, Target, kind_of
from voucher_gateway.migration.plan.code_index import SourceCodes, TargetCodes, fingerprint_maker
from voucher_gateway.migration.plan.model import Action, Kind, PlanHeader, PlannedVoucher
from voucher_gateway.migration.plan.policy import Policy, Recode, Retire
from voucher_gateway.migration.plan.spoiled_codes import SpoiledCodes
from voucher_gateway.migration.rate_limit import Rates
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider.provider import VoucherProvider

_TWICE: Final = "the source has its code twice"
_MOVED: Final = "another plan moves it, or has moved it"
_CLOCK_MARGIN: Final = timedelta(seconds=2)
"""The clock of a vendor is read from a header in whole seconds, which is as old as its response."""


def listing_of(provider: VoucherProvider, *, dated: bool) -> Listing[Voucher]:
    """Return the listing of the source.

    If the vendor can filter by creation, the listing leaves out vouchers that are created during the scan. It can then
    only shrink, and an equal total proves that no voucher was deleted. Without the filter, one deleted and one new
    voucher would give the same total.

    Args:
        provider: the source.
        dated: whether its clock is known.
    """
    query = None
    if dated and "created_to" in provider.capabilities.listing.filters:
        query = VoucherQuery(created_to=provider.vendor_now() + _CLOCK_MARGIN)
    return provider.vouchers(query)


class SecretReader:
    """Reads what a list does not show: the code, the PIN and the remaining value.

    Args:
        provider: the source.
        rates: the rate limits.
        pins: whether to read PINs also if the list shows the code.

    Attributes:
        gone: the ids of vouchers that were listed, but did not exist when they were read.
    """

    def __init__(self, provider: VoucherProvider, rates: Rates, *, pins: bool = False) -> None:
        self._provider = provider
        self._rates = rates
        self._pins = pins
        self._requests = provider.capabilities.requests_per_operation.get(Operation.GET, 1)
        self.gone: list[str] = []

    def complete(self, voucher: Voucher) -> Voucher:
        """Return the voucher with its code and PIN, if they may be read. Several threads may call this."""
        if self._is_hidden(voucher) and self._provider.capabilities.codes.readable:
            for _ in range(self._requests):
                self._rates.wait(self._provider.account)
            try:
                reading = self._provider.get(voucher.id, secrets=True)
            except AccessDenied:
                return voucher  # the login may not read the code: the voucher is reported as unreadable
            except VoucherNotFound:
                self.gone.append(voucher.id)
                return attrs.evolve(voucher, remaining=None)
            voucher = _merge_readings(voucher, reading)
        if voucher.remaining is None and voucher.code is not None:
            self._rates.wait(self._provider.account)
            try:
                voucher = _merge_readings(voucher, self._provider.find(voucher.code))
            except VoucherNotFound:
                self.gone.append(voucher.id)
        return voucher

    def _is_hidden(self, voucher: Voucher) -> bool:
        return voucher.code is None or (self._pins and voucher.pin is None)


def pins_are_asked_for(source: Capabilities, target: Capabilities) -> bool:
    """Return whether the plan must read PINs that the list does not show, because the target may lose them."""
    if source.record or "pin" not in source.stored_fields:  # the list of a file shows everything
        return False
    ours, theirs = source.max_text_lengths.get("pin"), target.max_text_lengths.get("pin")
    shorter = theirs is not None and (ours is None or ours > theirs)
    return "pin" not in target.stored_fields or shorter


def _merge_readings(listed: Voucher, reading: Voucher) -> Voucher:
    """Return both readings of a voucher as one; the later one has precedence."""
    fields = (field for field in attrs.fields(Voucher) if field.eq and field.name not in ("account", "id"))
    known_fields = {
        field.name: getattr(reading, field.name) for field in fields if getattr(reading, field.name) is not None
    }
    unread = (listed.unread | reading.unread) - {*known_fields}
    return attrs.evolve(listed, **known_fields, unread=unread)


class ReservedVouchers:
    """The vouchers of an account that have reservations in the journal.

    The journal does not have the reservations of other systems.
    """

    def __init__(self, journal: Journal, provider: VoucherProvider) -> None:
        self._journal = journal
        self._provider = provider
        self._ids: set[str] = set()
        self._marks: dict[str, set[str]] = {}
        for _, entry in journal.active_holds(account=provider.account, at=provider.vendor_now()):
            if entry.voucher_id is not None:
                self._ids.add(entry.voucher_id)
            if entry.target.fingerprint is not None:
                self._marks.setdefault(entry.target.key_id, set()).add(entry.target.fingerprint)

    def __bool__(self) -> bool:
        """Return whether the account has any reservation."""
        return bool(self._ids or self._marks)

    def on(self, voucher_id: str, code: Code | None) -> bool:
        """Return whether this voucher has a reservation."""
        if voucher_id in self._ids:
            return True
        provider, keys = self._provider, self._journal.keys
        return code is not None and any(
            keys.fingerprint(code, provider=provider.name, host=provider.host, key_id=key_id) in marks
            for key_id, marks in self._marks.items()
        )


class IdSet:
    """A set of ids that keeps one small hash of each."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._known = DigestSet(key_digest(voucher_id) for voucher_id in ids)

    @classmethod
    def empty(cls) -> Self:
        """Return an empty set."""
        return cls(())

    @classmethod
    def of_moves_from(cls, journal: Journal, account: str) -> Self:
        """Return the ids of the vouchers of an account that plans move or have moved."""
        return cls(journal.iterate_moved_ids(account))

    def __bool__(self) -> bool:
        return bool(self._known)

    def __contains__(self, id: str | None) -> bool:
        return id is not None and bool(self._known) and key_digest(id) in self._known


class SourceScanner:
    """Reads the source and plans what a run does with each voucher.

    Args:
        journal: has the keys of fingerprints, the reservations and the earlier moves.
        source: the source.
        goal: what is known of the target.
        target: the target.
        policy: the policy of the migration.
        header: the header of the plan.
        left_out: the ids of vouchers that are left out of the plan.
        target_account: the account of the target, if it is known which codes customers of it have.

    Attributes:
        codes: the codes that were read.
        spoiled_codes: how many codes of a file look changed by a spreadsheet. It is set at the end of `plan`.
        report: the report of the listing. It is set at the end of `plan`.
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
        target_account: Account | None = None,
    ) -> None:
        self._key_id = journal.keys.newest
        self._fingerprint = fingerprint_maker(journal.keys)
        self._source = source
        self._goal = goal
        self._policy = policy
        self._header = header
        self._assessor = Assessor(goal, policy, at=header.made_at, retire=Retire(header.retire))
        self._left_out = left_out
        rates = Rates(header.rates, threading.Event())
        self._secrets = SecretReader(source, rates, pins=pins_are_asked_for(source.capabilities, goal.capabilities))
        self._held = ReservedVouchers(journal, source)
        self._moved = IdSet.empty() if header.copy else IdSet.of_moves_from(journal, source.account)
        self._taken = TargetCodes(target, journal.keys, rates)
        self._listing: Listing[Voucher] | None = None
        self._passed_over = 0
        self.codes = SourceCodes()
        self.spoiled_codes: Mapping[str, int] = {}
        has_pattern = target_account is not None and target_account.code_pattern is not None
        matches = target_account.matches_code if target_account is not None and has_pattern else None
        self._spoiled = SpoiledCodes(matches) if source.capabilities.record else None

    def plan(self, *, dated: bool) -> Iterator[PlannedVoucher]:
        """Yield every voucher of the source, in the order of its list.

        Args:
            dated: whether the clock of the source is known.
        """
        with self.codes, listing_of(self._source, dated=dated) as listing:
            self._listing = listing
            for planned in self._map(self._plan_voucher, enumerate(self._iterate_vouchers(listing), 1)):
                if planned.fingerprint is not None:
                    self.codes.add(planned.fingerprint)
                yield planned
            self.codes.compare()
            self.report = _with_gone(listing.report, len(self._secrets.gone))
            self.spoiled_codes = {} if self._spoiled is None else self._spoiled.counts()

    def expected_count(self) -> int | None:
        """Return how many vouchers the plan will have, as far as the vendor tells it; None if it does not."""
        total = None if self._listing is None else self._listing.report.vendor_total
        return None if total is None else total - self._passed_over

    def _iterate_vouchers(self, listing: Listing[Voucher]) -> Iterator[Voucher | UnreadableEntry]:
        """Yield the entries of the source that the plan has to have."""
        if not self._left_out:
            yield from listing.entries()
            return
        for entry in listing.entries():
            if entry.id in self._left_out:
                self._passed_over += 1
            else:
                yield entry

    def resolve_duplicate_code(self, planned: PlannedVoucher) -> PlannedVoucher:
        """Return the planned voucher again, now that all codes are known: the source may have its code twice."""
        if planned.destination is None or not self.codes.twice(planned.fingerprint):
            return planned
        if self._policy.code_taken is Recode.REFUSE or self._goal.capabilities.record:
            return attrs.evolve(planned, action=Action.REFUSE, reasons=(_TWICE,), destination=None)
        losses = tuple(sorted({*planned.losses, "code"}))
        return attrs.evolve(planned, losses=losses, destination=attrs.evolve(planned.destination, new_code=True))

    def _map(
        self,
        fn: Callable[[tuple[int, Voucher | UnreadableEntry]], PlannedVoucher],
        items: Iterable[tuple[int, Voucher | UnreadableEntry]],
    ) -> Iterator[PlannedVoucher]:
        """Call a function for each item; on several threads if it sends requests."""
        if self._source.capabilities.record and not self._taken.looks_up:
            return map(fn, items)
        return ordered_map(fn, items, self._header.workers)

    def _plan_voucher(self, numbered: tuple[int, Voucher | UnreadableEntry]) -> PlannedVoucher:
        """Return the planned voucher of a number and a voucher. Several threads call this."""
        number, voucher = numbered
        if isinstance(voucher, UnreadableEntry):
            return self._unreadable_line(number, voucher)
        listed, kind = voucher, kind_of(voucher, self._header.made_at)
        if kind is Kind.UNREADABLE or self._assessor.actions[kind] is Action.CARRY:
            voucher = self._secrets.complete(voucher)
        held = bool(self._held) and self._held.on(voucher.id, voucher.code)
        assessment = self._assessor.assess(voucher, held=held, kind=None if held or voucher is not listed else kind)
        mark = None if voucher.code is None else self._fingerprint(voucher.code)
        if assessment.action is Action.CARRY and voucher.id in self._moved:
            assessment = attrs.evolve(assessment, action=Action.REFUSE, reasons=(_MOVED,), destination=None)
        elif (
            assessment.action is Action.CARRY
            and voucher.code is not None
            and mark is not None
            and self._taken.has(voucher.code, mark)
        ):
            assessment = self._assessor.assess(voucher, held=held, taken=True)
        if self._spoiled is not None and voucher.code is not None and assessment.action is Action.CARRY:
            self._spoiled.add(voucher.code)
        return self._line(number, voucher, assessment, mark)

    def _unreadable_line(self, number: int, entry: UnreadableEntry) -> PlannedVoucher:
        return PlannedVoucher(
            number=number,
            source_id=entry.name,
            kind=Kind.UNREADABLE,
            action=self._policy.unreadable,
            reasons=(f"it cannot be read: {entry.reason}",),
        )

    def _line(self, number: int, voucher: Voucher, assessment: Assessment, mark: str | None) -> PlannedVoucher:
        return PlannedVoucher(
            number=number,
            source_id=voucher.id,
            code=None if voucher.code is None else str(voucher.code),
            fingerprint=mark,
            key_id=None if mark is None else self._key_id,
            kind=assessment.kind,
            initial=voucher.initial,
            remaining=voucher.remaining,
            status=voucher.status,
            valid_until=voucher.valid_until,
            action=assessment.action,
            reasons=assessment.reasons,
            losses=assessment.losses,
            destination=assessment.destination,
        )


def _with_gone(report: ListingReport, gone: int) -> ListingReport:
    if not gone:
        return report
    problem = f"{gone} of the listed vouchers did not exist when they were read"
    return attrs.evolve(report, consistent=False, problems=(*report.problems, problem))
