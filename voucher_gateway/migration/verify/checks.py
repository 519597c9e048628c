"""What is not as it should be after a migration, voucher by voucher."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.migration.plan.model import Destination, PlannedVoucher
from voucher_gateway.migration.plan.target_voucher import is_not_spendable
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.rows import value_of
from voucher_gateway.migration.verify.store import ListedVoucher, VerificationStore
from voucher_gateway.models.voucher import MovementKind, Status
from voucher_gateway.money import Money


def usage_is_explained(context: MigrationContext, target_id: str, used: Money) -> bool:
    """Whether the vendor's history of a voucher, or else our journal, tells exactly of what was used.

    Args:
        context: the plan's.
        target_id: the voucher.
        used: what is on it now less what was issued: negative where it was spent.
    """
    return _by_history(context, target_id, used.currency) == used or _by_journal(context, target_id, used) == used


def _by_history(context: MigrationContext, target_id: str, currency: str) -> Money | None:
    if not context.target_can.of(Operation.HISTORY).available:
        return None
    try:
        history = context.retry_while_safe(lambda: context.gateway.history(context.target, target_id))
    except VoucherGatewayError:
        return None
    if not history.complete or any(movement.kind is MovementKind.UNKNOWN for movement in history):
        return None
    total = Money.zero(currency)
    for entry in history:
        total = total - entry.money if entry.kind is MovementKind.REDEMPTION else total + entry.money
    return total


def _by_journal(context: MigrationContext, target_id: str, used: Money) -> Money:
    """Add up our own operations: some vendors keep no history of what we overwrite."""
    return context.journal.value_change(context.target, target_id, used.currency)


class DifferenceKind(enum.StrEnum):
    """What can be wrong."""

    NOT_MOVED = "not-moved"
    """It is at the source still, and not at the target."""
    NOT_BACK = "not-back"
    """It was to be brought back, and can be spent at the target only."""
    LOST = "lost"
    """Nobody can spend it anywhere."""
    DOUBLED = "doubled"
    """It is at the target more than once."""
    SPENDABLE_TWICE = "spendable-twice"
    """It can be spent at both ends."""
    VALUE = "value"
    """It has another value, and no record tells why."""
    EXPIRY = "expiry"
    """It ends too early, or never."""
    STATUS = "status"
    """It is active and should not be, or the other way round."""
    SOURCE = "source"
    """The source, which should be whole or at rest, is not."""
    TOTAL = "total"
    """The sums of a currency do not add up."""


@attrs.frozen(kw_only=True)
class Difference:
    """Something that is not as it should be.

    Attributes:
        kind: what.
        number: the voucher's place in the plan; None for a sum.
        source_id: its id at the source.
        code: its masked code.
        explanation: in a sentence.
    """

    kind: DifferenceKind
    number: int | None = None
    source_id: str | None = None
    code: str | None = None
    explanation: str

    @classmethod
    def of_total(cls, currency: str, sums: Mapping[str, Money]) -> Difference:
        """Return the difference of a currency whose sums do not add up."""
        sums_text = ", ".join(f"{name.replace('_', ' ')} {money}" for name, money in sums.items())
        return cls(kind=DifferenceKind.TOTAL, explanation=f"{currency} does not add up: {sums_text}")


def check_all(context: MigrationContext, evidence: VerificationStore, *, rolled_back: bool) -> Iterator[Difference]:
    """Give everything that is not as it should be; the evidence learns what was used, and what nobody can spend."""
    judge = _VoucherChecks(context, evidence)
    for planned, at_target, at_source in evidence.each():
        problems = (
            judge.check_rolled_back(planned, at_target, at_source)
            if rolled_back
            else judge.check_moved(planned, at_target, at_source)
        )
        for kind, explanation in problems:
            yield Difference(
                kind=kind,
                number=planned.number,
                source_id=planned.source_id,
                code=planned.code,
                explanation=explanation,
            )


_Found = Iterator[tuple[DifferenceKind, str]]


class _VoucherChecks:
    def __init__(self, context: MigrationContext, evidence: VerificationStore) -> None:
        self._context = context
        self._evidence = evidence
        gateway = context.gateway
        self._source_now = format_micros(gateway.provider(context.source).vendor_now())
        self._target_now = format_micros(gateway.provider(context.target).vendor_now())

    def check_moved(
        self, planned: PlannedVoucher, at_target: list[ListedVoucher], listed: ListedVoucher | None
    ) -> _Found:
        """Judge a voucher that should be at the target."""
        if not at_target:
            yield self._not_there(planned, listed)
        elif len(at_target) > 1:
            yield DifferenceKind.DOUBLED, _duplicate_text(at_target)
        else:
            yield from self._at_target(planned, at_target[0])
        if self._context.leaves_source or listed is None:
            return
        if _spendable(listed, self._source_now):
            if at_target:
                yield DifferenceKind.SPENDABLE_TWICE, f"{listed.remaining} can still be spent at the source"
            return
        self._evidence.note_unspendable("source", listed.id)
        resting = Money.zero(value_of(planned).currency) if self._empties else planned.remaining
        if at_target and listed.remaining != resting:
            yield DifferenceKind.SOURCE, f"it has {listed.remaining} at the source, where it should rest with {resting}"

    def _not_there(self, planned: PlannedVoucher, listed: ListedVoucher | None) -> tuple[DifferenceKind, str]:
        """Say of a voucher that is not at the target whether it is at the source."""
        if listed is None:
            return DifferenceKind.LOST, f"{self._absent}, and it is not at the source either"
        emptied = self._empties and not listed.remaining and bool(planned.remaining)
        if emptied or not (_open(listed, self._source_now) or self._was_unspendable(planned)):
            return DifferenceKind.LOST, f"{self._absent}, and {listed.remaining} at the source cannot be spent"
        if listed.remaining == planned.remaining:
            return DifferenceKind.NOT_MOVED, "it is still at the source"
        return (
            DifferenceKind.NOT_MOVED,
            f"it is still at the source, with {listed.remaining} and not {planned.remaining}",
        )

    @property
    def _absent(self) -> str:
        if self._context.target_can.codes.readable:
            return "it is not at the target"
        return "the target shows no codes to find it by, and the journal does not know that it was issued there"

    @property
    def _empties(self) -> bool:
        return self._context.header.retire == "empty"

    def _was_unspendable(self, planned: PlannedVoucher) -> bool:
        """Whether a voucher could not be spent at the source by the plan already, or its end is over by now."""
        ended = planned.valid_until is not None and format_micros(planned.valid_until) <= self._source_now
        return is_not_spendable(planned.status) or ended

    def _at_target(self, planned: PlannedVoucher, listed: ListedVoucher) -> _Found:
        destination = planned.destination
        assert destination is not None
        yield from self._value(listed, value_of(planned))
        problems = [*self._end(planned, destination, listed), *_status(destination, listed)]
        yield from problems
        if problems and destination.active is not False and not _open(listed, self._target_now):
            self._evidence.note_unspendable("target", listed.id)

    def _end(self, planned: PlannedVoucher, destination: Destination, listed: ListedVoucher) -> _Found:
        wanted, startable = destination.valid_until or planned.valid_until, destination.active is not False
        if wanted is not None:
            if _ends_early(listed, wanted, self._context):
                yield DifferenceKind.EXPIRY, f"it ends {listed.ends}, which is before {format_micros(wanted)}"
            elif listed.ends is not None and (latest := self._latest(destination)) is not None and listed.ends > latest:
                yield DifferenceKind.EXPIRY, f"it ends {listed.ends}, and was to end by {latest}"
            # What is inactive may show no end where activation sets it.
            elif (
                listed.ends is None
                and startable
                and listed.status != Status.INACTIVE.value
                and "end" not in planned.losses
            ):
                yield DifferenceKind.EXPIRY, f"it never ends at the target, and should at {format_micros(wanted)}"
        elif listed.ends is not None and startable:
            # The end of an inactive voucher is not known yet, and some targets choose an end of their own.
            free = is_not_spendable(planned.status) or "no-end" in planned.losses
            if listed.ends <= self._target_now or not free:
                yield DifferenceKind.EXPIRY, f"it ends {listed.ends} at the target, and was to have no end"

    def _latest(self, destination: Destination) -> str | None:
        """Return the last moment at which a voucher may end at the target; None where that is the target's affair."""
        grain = max(self._context.target_can.expiry_resolution, self._context.source_can.expiry_resolution)
        if destination.valid_until is not None:
            return format_micros(destination.valid_until + grain)
        if destination.validity_days is None:
            return None
        # Counted from its activation, whenever that was; by then the day may be filled up.
        return format_micros(parse_instant(self._target_now) + timedelta(days=destination.validity_days + 1))

    def _value(self, listed: ListedVoucher, issued: Money) -> _Found:
        if listed.initial == issued and listed.remaining == issued:
            return
        if listed.remaining is None or listed.remaining.currency != issued.currency or listed.initial is None:
            yield DifferenceKind.VALUE, f"it has {listed.remaining} at the target, and was to have {issued}"
            return
        used = listed.remaining - issued
        # Where a value is overwritten, that of the beginning goes with it.
        if listed.initial in (issued, listed.remaining) and usage_is_explained(self._context, listed.id, used):
            self._evidence.record_usage(listed.id, issued, used)
        else:
            yield (
                DifferenceKind.VALUE,
                f"it has {listed.remaining} of {listed.initial} at the target, was to have {issued}",
            )

    def check_rolled_back(
        self, planned: PlannedVoucher, at_target: list[ListedVoucher], listed: ListedVoucher | None
    ) -> _Found:
        """Judge a voucher that should be whole at the source again."""
        usable = [listing for listing in at_target if _spendable(listing, self._target_now)]
        for one in at_target:
            if one not in usable:
                self._evidence.note_unspendable("target", one.id)
        if usable and (listed is None or not _spendable(listed, self._source_now)):
            yield from self._not_back(planned, usable, listed)
            return
        yield from self._at_source(planned, listed)
        for one in usable:
            yield DifferenceKind.SPENDABLE_TWICE, f"{one.remaining} can still be spent at the target"

    def _not_back(self, planned: PlannedVoucher, usable: list[ListedVoucher], listed: ListedVoucher | None) -> _Found:
        if listed is not None:
            self._evidence.note_unspendable("source", listed.id)
        left = " and ".join(str(listed.remaining) for listed in usable)
        yield DifferenceKind.NOT_BACK, f"it can be spent at the target only, where it has {left}"
        if len(usable) > 1:
            yield DifferenceKind.DOUBLED, _duplicate_text(usable)
        else:
            yield from self._value(usable[0], value_of(planned))

    def _at_source(self, planned: PlannedVoucher, listed: ListedVoucher | None) -> _Found:
        if listed is None:
            yield DifferenceKind.SOURCE, "it is not at the source any more"
            return
        problems = list(self._differs(planned, listed))
        yield from ((DifferenceKind.SOURCE, difference) for difference in problems)
        if problems and not self._was_unspendable(planned) and not _open(listed, self._source_now):
            self._evidence.note_unspendable("source", listed.id)

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


def _status(destination: Destination, listed: ListedVoucher) -> _Found:
    stopped = listed.status == Status.INACTIVE.value
    if destination.active is None:
        wrong = stopped  # a status of its own making is the target's affair, unless it keeps the voucher from use
    else:
        wrong = listed.status is not None and (listed.status == Status.ACTIVE.value) is not destination.active
    if wrong:
        yield DifferenceKind.STATUS, f"it is {listed.status} at the target"


def _open(listed: ListedVoucher, at: str) -> bool:
    """Whether whatever is on a voucher can be spent."""
    ended = listed.ends is not None and listed.ends <= at
    return listed.status != Status.INACTIVE.value and not ended


def _spendable(listed: ListedVoucher, at: str) -> bool:
    return bool(listed.remaining) and _open(listed, at)


def _ends_early(listed: ListedVoucher, wanted: datetime, context: MigrationContext) -> bool:
    grain = max(context.target_can.expiry_resolution, context.source_can.expiry_resolution)
    return listed.ends is not None and listed.ends < format_micros(wanted - grain)


def _duplicate_text(vouchers: list[ListedVoucher]) -> str:
    return f"the target has it {len(vouchers)} times: {', '.join(listing.id for listing in vouchers)}"
