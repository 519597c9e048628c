"""Checks every voucher after a migration and yields the differences from the plan."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.migration.plan.assess import is_not_spendable, is_stopped
from voucher_gateway.migration.plan.model import Destination, PlannedVoucher
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.rows import value_of
from voucher_gateway.migration.verify.other_plans import OtherMove
from voucher_gateway.migration.verify.progress import ProgressReporter
from voucher_gateway.migration.verify.shifted_ends import ShiftedEndStore
from voucher_gateway.migration.verify.store import ListedVoucher, VerificationStore
from voucher_gateway.migration.verify.usage import usage_is_explained, was_emptied_by_owner
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money


class DifferenceKind(enum.StrEnum):
    """The kinds of differences.

    Attributes:
        NOT_MOVED: it is still at the source, and not at the target.
        NOT_BACK: it should be at the source again, and can be spent at the target only.
        LOST: it cannot be spent anywhere.
        NOT_RECORDED: it gets a new code, and the journal does not know under which id it was issued. The target has a
            voucher of its value that was created since the plan and that this journal does not know.
        DOUBLED: it is at the target more than once.
        SPENDABLE_TWICE: it can be spent at the source and at the target.
        VALUE: it has another value, and no record explains why.
        EXPIRY: it ends too early, or never.
        STATUS: it is active and should not be, or it is inactive and should be active.
        SOURCE: at the source it is not as expected.
        UNREADABLE: it cannot be read, so it is not known whether it is as expected.
        ANOTHER_PLAN: this plan has not moved it, and another plan moves it or has moved it.
        TOTAL: the sums of a currency do not add up.
    """

    NOT_MOVED = "not-moved"
    NOT_BACK = "not-back"
    LOST = "lost"
    NOT_RECORDED = "not-recorded"
    DOUBLED = "doubled"
    SPENDABLE_TWICE = "spendable-twice"
    VALUE = "value"
    EXPIRY = "expiry"
    STATUS = "status"
    SOURCE = "source"
    UNREADABLE = "unreadable"
    ANOTHER_PLAN = "moved-by-another-plan"
    TOTAL = "total"


_SUM_NAMES: Final[Mapping[str, str]] = {
    "at_target": "issued at the target",
    "used": "used there since",
    "left": "remaining there",
    "at_source": "still at the source",
}
"""What the sums of a `Total` are called in a sentence."""


@attrs.frozen(kw_only=True)
class Difference:
    """A difference between what was planned and what was read.

    Attributes:
        kind: the kind of the difference.
        number: the number of the voucher in the plan; None for a total.
        source_id: its id at the source.
        code: its masked code.
        explanation: the difference in a sentence.
    """

    kind: DifferenceKind
    number: int | None = None
    source_id: str | None = None
    code: str | None = None
    explanation: str

    @classmethod
    def of_total(cls, currency: str, sums: Mapping[str, Money]) -> Difference:
        """Return the difference of a currency whose sums do not add up."""
        sums_text = ", ".join(f"{_SUM_NAMES.get(name, name)} {money}" for name, money in sums.items())
        return cls(kind=DifferenceKind.TOTAL, explanation=f"{currency} does not add up: {sums_text}")


def check_all(
    context: MigrationContext,
    store: VerificationStore,
    ends: ShiftedEndStore,
    progress: ProgressReporter,
    *,
    rolled_back: bool,
) -> Iterator[Difference]:
    """Yield all differences. Used values, unspendable vouchers and shifted ends are recorded in the store."""
    checks = _VoucherChecks(context, store)
    for voucher in progress.count_items(store.each(), "compared", store.count()):
        planned, at_target, at_source = voucher.planned, voucher.at_target, voucher.at_source
        if voucher.other_move is not None:
            problems = checks.check_moved_by_another(voucher.other_move, at_source, rolled_back=rolled_back)
        else:
            ends.compare(planned, at_target, at_source, rolled_back=rolled_back)
            check = checks.check_rolled_back if rolled_back else checks.check_moved
            problems = check(planned, at_target, at_source)
        for kind, explanation in problems:
            yield Difference(
                kind=kind,
                number=planned.number,
                source_id=planned.source_id,
                code=planned.code,
                explanation=explanation,
            )


_FROZEN: Final = frozenset({Status.INACTIVE, Status.PENDING, Status.DEACTIVATED})
"""The statuses of a source voucher that the plan has frozen."""

_Problems = Iterator[tuple[DifferenceKind, str]]


class _VoucherChecks:
    """Checks one voucher at a time."""

    def __init__(self, context: MigrationContext, store: VerificationStore) -> None:
        self._context = context
        self._store = store
        gateway = context.gateway
        self._source_now = format_micros(gateway.provider(context.source).vendor_now())
        self._target_now = format_micros(gateway.provider(context.target).vendor_now())

    def check_moved(
        self, planned: PlannedVoucher, at_target: list[ListedVoucher], listed: ListedVoucher | None
    ) -> _Problems:
        """Check a voucher that should be at the target."""
        if listed is not None and self._was_undone(planned, at_target, listed):
            for voucher in at_target:
                self._store.note_unspendable("target", voucher.id)
            where = self._text_of_rest(planned, listed)
            yield DifferenceKind.NOT_MOVED, f"{where}; at the target it was created and stopped again"
            return
        if not at_target:
            yield self._not_there(planned, listed)
        elif len(at_target) > 1:
            yield DifferenceKind.DOUBLED, _duplicate_text(at_target)
        else:
            yield from self._at_target(planned, at_target[0])
        if self._context.leaves_source:
            return
        if listed is None:
            if at_target:
                yield from self._unreadable_at_source(planned)
            return
        if _has_spendable_value(listed, self._source_now):
            if at_target:
                yield DifferenceKind.SPENDABLE_TWICE, f"{listed.remaining} can still be spent at the source"
            return
        self._store.note_unspendable("source", listed.id)
        resting = Money.zero(value_of(planned).currency) if self._empties else planned.remaining
        if at_target and listed.remaining != resting:
            yield DifferenceKind.SOURCE, f"it has {listed.remaining} at the source, and should have {resting}"

    def _was_undone(self, planned: PlannedVoucher, at_target: list[ListedVoucher], listed: ListedVoucher) -> bool:
        """Return whether a voucher was not retired at the source, and the target has it stopped and unused.

        So a run leaves it that has undone its move at a target that cannot delete vouchers. It may have been spent at
        the source since, or has expired there.
        """
        destination = planned.destination
        meant_active = destination is not None and destination.active is not False
        return (
            bool(at_target)
            and meant_active
            and not self._context.leaves_source
            and (_has_spendable_value(listed, self._source_now) or not self._was_retired(planned, listed))
            and all(
                voucher.remaining == value_of(planned) and not is_spendable_now(voucher, self._target_now)
                for voucher in at_target
            )
        )

    def _was_retired(self, planned: PlannedVoucher, listed: ListedVoucher) -> bool:
        """Return whether the source has a voucher as the plan leaves one that was moved."""
        if self._context.freezes_source and listed.status in _FROZEN:
            return True
        match self._context.header.retire:
            case "expire":
                return listed.ends != (None if planned.valid_until is None else format_micros(planned.valid_until))
            case "empty":
                return not listed.remaining
        return False  # it is neither frozen nor deleted

    def check_moved_by_another(self, move: OtherMove, listed: ListedVoucher | None, *, rolled_back: bool) -> _Problems:
        """Check a voucher that another plan moves or has moved. After a rollback of this plan, that is as it should be.

        A verification of the other plan checks what the voucher has at its target.
        """
        if not move.in_progress and listed is not None and _has_spendable_value(listed, self._source_now):
            yield (
                DifferenceKind.SPENDABLE_TWICE,
                f"{move.text}, and {listed.remaining} can still be spent at the source",
            )
        elif not rolled_back:
            yield DifferenceKind.ANOTHER_PLAN, move.text

    def _not_there(self, planned: PlannedVoucher, listed: ListedVoucher | None) -> tuple[DifferenceKind, str]:
        """Return the difference of a voucher that is not at the target."""
        context, store = self._context, self._store
        absent = self._absence_text(planned)
        if reason := store.why_unreadable(context.target, store.target_id(planned.number)):
            return DifferenceKind.UNREADABLE, f"at the target it cannot be read: {reason}"
        if listed is None and (reason := store.why_unreadable(context.source, planned.source_id)):
            return DifferenceKind.UNREADABLE, f"{absent}, and at the source it cannot be read: {reason}"
        if listed is None:
            return DifferenceKind.LOST, f"{absent}, and it is not at the source either"
        emptied = self._empties and not listed.remaining and bool(planned.remaining)
        emptied = emptied and not was_emptied_by_owner(context, planned.source_id)
        if emptied or not (is_spendable_now(listed, self._source_now) or self._was_unspendable(planned)):
            if (unrecorded := self._unrecorded_id(planned)) is not None:
                text = "the target has a voucher of its value, created since the plan, that this journal does not know"
                return DifferenceKind.NOT_RECORDED, f"{absent}; {text}: {unrecorded}"
            return DifferenceKind.LOST, f"{absent}, and {listed.remaining} at the source cannot be spent"
        return DifferenceKind.NOT_MOVED, self._text_of_rest(planned, listed)

    @staticmethod
    def _text_of_rest(planned: PlannedVoucher, listed: ListedVoucher) -> str:
        if listed.remaining == planned.remaining:
            return "it is still at the source"
        return f"it is still at the source, with {listed.remaining} and not {planned.remaining}"

    def _unreadable_at_source(self, planned: PlannedVoucher) -> _Problems:
        reason = self._store.why_unreadable(self._context.source, planned.source_id)
        if reason is not None:
            yield DifferenceKind.UNREADABLE, f"at the source it cannot be read: {reason}"

    def _absence_text(self, planned: PlannedVoucher) -> str:
        """Return how it is known that the target does not have a voucher."""
        destination = planned.destination
        if destination is not None and destination.new_code and self._store.target_id(planned.number) is None:
            return "it gets a new code, and the journal has no record that it was issued at the target"
        if self._context.target_can.codes.readable:
            return "it is not at the target"
        return "the target does not show codes, and the journal has no record that it was issued there"

    def _unrecorded_id(self, planned: PlannedVoucher) -> str | None:
        """Return the id of a voucher at the target that may be a planned one under its new code; None for none."""
        destination = planned.destination
        if destination is None or not destination.new_code or self._store.target_id(planned.number) is not None:
            return None
        return self._store.take_unrecorded(destination.value)

    @property
    def _empties(self) -> bool:
        return self._context.header.retire == "empty"

    def _was_unspendable(self, planned: PlannedVoucher) -> bool:
        """Return whether a voucher could not be spent at the source when it was planned, or has expired since."""
        ended = planned.valid_until is not None and format_micros(planned.valid_until) <= self._source_now
        return is_not_spendable(planned.status) or ended

    def _at_target(self, planned: PlannedVoucher, listed: ListedVoucher) -> _Problems:
        destination = planned.destination
        assert destination is not None
        yield from self._value(listed, value_of(planned))
        problems = [*self._end(planned, destination, listed), *_status(destination, listed)]
        yield from problems
        if problems and destination.active is not False and not is_spendable_now(listed, self._target_now):
            self._store.note_unspendable("target", listed.id)

    def _end(self, planned: PlannedVoucher, destination: Destination, listed: ListedVoucher) -> _Problems:
        wanted, startable = destination.valid_until or planned.valid_until, destination.active is not False
        if wanted is not None:
            if _ends_early(listed, wanted, self._context):
                yield DifferenceKind.EXPIRY, f"it ends {listed.ends}, which is before {format_micros(wanted)}"
            elif listed.ends is not None and (latest := self._latest(destination)) is not None and listed.ends > latest:
                yield DifferenceKind.EXPIRY, f"it ends {listed.ends}, which is after {latest}"
            # An inactive voucher may show no end if activation sets it.
            elif listed.ends is None and startable and not is_stopped(listed.status) and "end" not in planned.losses:
                yield DifferenceKind.EXPIRY, f"it never ends at the target, and should end at {format_micros(wanted)}"
        elif listed.ends is not None and startable:
            # The end of an inactive voucher is not known yet, and some targets choose an end.
            free = is_not_spendable(planned.status) or "no-end" in planned.losses
            if listed.ends <= self._target_now or not free:
                yield DifferenceKind.EXPIRY, f"it ends {listed.ends} at the target, and should have no end"

    def _latest(self, destination: Destination) -> str | None:
        """Return the last moment at which a voucher may end at the target; None if the target decides that."""
        resolution = max(self._context.target_can.expiry_resolution, self._context.source_can.expiry_resolution)
        if destination.valid_until is not None:
            return format_micros(destination.valid_until + resolution)
        if destination.validity_days is None:
            return None
        # It counts from the activation. The target may round up to the end of the day.
        return format_micros(parse_instant(self._target_now) + timedelta(days=destination.validity_days + 1))

    def _value(self, listed: ListedVoucher, issued: Money) -> _Problems:
        # A target that shows no initial value has the value that was issued in what is left and what was used.
        initial = issued if listed.initial is None else listed.initial
        if initial == issued and listed.remaining == issued:
            return
        if listed.remaining is None or listed.remaining.currency != issued.currency:
            yield DifferenceKind.VALUE, f"it has {listed.remaining} at the target, and should have {issued}"
            return
        if usage_is_explained(self._context, listed.id, issued=issued, initial=initial, left=listed.remaining):
            self._store.record_usage(listed.id, issued, listed.remaining - issued)
        else:
            yield (
                DifferenceKind.VALUE,
                f"it has {listed.remaining} of {initial} at the target, and should have {issued}",
            )

    def check_rolled_back(
        self, planned: PlannedVoucher, at_target: list[ListedVoucher], listed: ListedVoucher | None
    ) -> _Problems:
        """Check a voucher that should be at the source again."""
        usable = [voucher for voucher in at_target if _has_spendable_value(voucher, self._target_now)]
        for voucher in at_target:
            if voucher not in usable:
                self._store.note_unspendable("target", voucher.id)
        if listed is None or not _has_spendable_value(listed, self._source_now):
            retired = bool(planned.remaining) and (listed is None or self._was_retired(planned, listed))
            used_up = [voucher for voucher in at_target if retired and _is_used_up(voucher, self._target_now)]
            if usable or used_up:
                yield from self._not_back(planned, usable or used_up, listed)
                return
        problems = list(self._at_source(planned, listed))
        reason = self._store.why_unreadable(self._context.target, self._store.target_id(planned.number))
        if problems and reason is not None:
            yield DifferenceKind.UNREADABLE, f"at the target it cannot be read: {reason}"
        yield from problems
        for voucher in usable:
            yield DifferenceKind.SPENDABLE_TWICE, f"{voucher.remaining} can still be spent at the target"

    def _not_back(
        self, planned: PlannedVoucher, usable: list[ListedVoucher], listed: ListedVoucher | None
    ) -> _Problems:
        if listed is not None:
            self._store.note_unspendable("source", listed.id)
        left = " and ".join(str(voucher.remaining) for voucher in usable)
        if any(voucher.remaining for voucher in usable):
            yield DifferenceKind.NOT_BACK, f"it can be spent at the target only, where it has {left}"
        else:
            yield DifferenceKind.NOT_BACK, f"it is not at the source again, and has {left} at the target"
        if len(usable) > 1:
            yield DifferenceKind.DOUBLED, _duplicate_text(usable)
        else:
            yield from self._value(usable[0], value_of(planned))

    def _at_source(self, planned: PlannedVoucher, listed: ListedVoucher | None) -> _Problems:
        if listed is None:
            unreadable = list(self._unreadable_at_source(planned))
            yield from unreadable or [(DifferenceKind.SOURCE, "it is not at the source any more")]
            return
        problems = list(self._differs(planned, listed))
        yield from ((DifferenceKind.SOURCE, difference) for difference in problems)
        if problems and not self._was_unspendable(planned) and not is_spendable_now(listed, self._source_now):
            self._store.note_unspendable("source", listed.id)

    def _differs(self, planned: PlannedVoucher, listed: ListedVoucher) -> Iterator[str]:
        if listed.remaining != planned.remaining:
            yield f"it has {listed.remaining} at the source, not {planned.remaining}"
        if listed.status != (None if planned.status is None else planned.status.value):
            yield f"it is {listed.status} at the source"
        if planned.valid_until is not None:
            if _ends_early(listed, planned.valid_until, self._context):
                yield f"it ends {listed.ends} at the source, before {format_micros(planned.valid_until)}"
        elif listed.ends is not None and not is_not_spendable(planned.status):
            yield f"it ends {listed.ends} at the source, where it had no end"


def _status(destination: Destination, listed: ListedVoucher) -> _Problems:
    if destination.active is None:
        # The target may choose another status, unless it makes the voucher unusable.
        differs = is_stopped(listed.status) or listed.status == Status.BLOCKED.value
    else:
        differs = listed.status is not None and (listed.status == Status.ACTIVE.value) is not destination.active
    if differs:
        yield DifferenceKind.STATUS, f"it is {listed.status} at the target"


def is_spendable_now(listed: ListedVoucher, at: str) -> bool:
    """Return whether a voucher is active and valid, regardless of its remaining value.

    A voucher that is blocked for now counts as active: a block may end at any moment.
    """
    ended = listed.ends is not None and listed.ends <= at
    return not is_stopped(listed.status) and not ended


def _has_spendable_value(listed: ListedVoucher, at: str) -> bool:
    return bool(listed.remaining) and is_spendable_now(listed, at)


def _is_used_up(listed: ListedVoucher, at: str) -> bool:
    """Return whether a voucher was spent whole, and was not stopped."""
    status = None if listed.status == Status.USED_UP.value else listed.status
    return not listed.remaining and is_spendable_now(attrs.evolve(listed, status=status), at)


def _ends_early(listed: ListedVoucher, wanted: datetime, context: MigrationContext) -> bool:
    resolution = max(context.target_can.expiry_resolution, context.source_can.expiry_resolution)
    return listed.ends is not None and listed.ends < format_micros(wanted - resolution)


def _duplicate_text(vouchers: list[ListedVoucher]) -> str:
    return f"the target has it {len(vouchers)} times: {', '.join(listing.id for listing in vouchers)}"
