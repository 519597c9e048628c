"""What is not as it should be after a migration, voucher by voucher."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import attrs

from voucher_gateway.adapter import Money, Status, format_micros, parse_instant
from voucher_gateway.migration.evidence import Evidence, Shown
from voucher_gateway.migration.journey import Journey
from voucher_gateway.migration.plan import Destination, PlannedVoucher
from voucher_gateway.migration.records import value_of
from voucher_gateway.migration.traveller import is_stopped
from voucher_gateway.migration.usage import explained


class Wrong(enum.StrEnum):
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

    kind: Wrong
    number: int | None = None
    source_id: str | None = None
    code: str | None = None
    explanation: str

    @classmethod
    def of_total(cls, currency: str, sums: Mapping[str, Money]) -> Difference:
        """Return the difference of a currency whose sums do not add up."""
        told = ", ".join(f"{name.replace('_', ' ')} {money}" for name, money in sums.items())
        return cls(kind=Wrong.TOTAL, explanation=f"{currency} does not add up: {told}")


def judged(journey: Journey, evidence: Evidence, *, rolled_back: bool) -> Iterator[Difference]:
    """Give everything that is not as it should be; the evidence learns what was used, and what nobody can spend."""
    judge = _Judge(journey, evidence)
    for planned, there, here in evidence.each():
        found = judge.rolled_back(planned, there, here) if rolled_back else judge.moved(planned, there, here)
        for kind, explanation in found:
            yield Difference(
                kind=kind,
                number=planned.number,
                source_id=planned.source_id,
                code=planned.code,
                explanation=explanation,
            )


_Found = Iterator[tuple[Wrong, str]]


class _Judge:
    def __init__(self, journey: Journey, evidence: Evidence) -> None:
        self._journey = journey
        self._evidence = evidence
        gateway = journey.gateway
        self._source_now = format_micros(gateway.provider(journey.source).vendor_now())
        self._target_now = format_micros(gateway.provider(journey.target).vendor_now())

    def moved(self, planned: PlannedVoucher, there: list[Shown], here: Shown | None) -> _Found:
        """Judge a voucher that should be at the target."""
        if not there:
            yield self._not_there(planned, here)
        elif len(there) > 1:
            yield Wrong.DOUBLED, _doubled(there)
        else:
            yield from self._at_target(planned, there[0])
        if self._journey.stays or here is None:
            return
        if _spendable(here, self._source_now):
            if there:
                yield Wrong.SPENDABLE_TWICE, f"{here.remaining} can still be spent at the source"
            return
        self._evidence.note_unspendable("source", here.id)
        resting = Money.zero(value_of(planned).currency) if self._empties else planned.remaining
        if there and here.remaining != resting:
            yield Wrong.SOURCE, f"it has {here.remaining} at the source, where it should rest with {resting}"

    def _not_there(self, planned: PlannedVoucher, here: Shown | None) -> tuple[Wrong, str]:
        """Say of a voucher that is not at the target whether it is at the source."""
        if here is None:
            return Wrong.LOST, f"{self._absent}, and it is not at the source either"
        emptied = self._empties and not here.remaining and bool(planned.remaining)
        if emptied or not (_open(here, self._source_now) or self._rested(planned)):
            return Wrong.LOST, f"{self._absent}, and {here.remaining} at the source cannot be spent"
        if here.remaining == planned.remaining:
            return Wrong.NOT_MOVED, "it is still at the source"
        return Wrong.NOT_MOVED, f"it is still at the source, with {here.remaining} and not {planned.remaining}"

    @property
    def _absent(self) -> str:
        if self._journey.target_can.codes.readable:
            return "it is not at the target"
        return "the target shows no codes to find it by, and the journal does not know that it was issued there"

    @property
    def _empties(self) -> bool:
        return self._journey.header.retire == "empty"

    def _rested(self, planned: PlannedVoucher) -> bool:
        """Whether a voucher could not be spent at the source by the plan already, or its end is over by now."""
        ended = planned.valid_until is not None and format_micros(planned.valid_until) <= self._source_now
        return is_stopped(planned.status) or ended

    def _at_target(self, planned: PlannedVoucher, one: Shown) -> _Found:
        destination = planned.destination
        assert destination is not None
        yield from self._value(one, value_of(planned))
        found = [*self._end(planned, destination, one), *_status(destination, one)]
        yield from found
        if found and destination.active is not False and not _open(one, self._target_now):
            self._evidence.note_unspendable("target", one.id)

    def _end(self, planned: PlannedVoucher, destination: Destination, one: Shown) -> _Found:
        wanted, startable = destination.valid_until or planned.valid_until, destination.active is not False
        if wanted is not None:
            if _ends_early(one, wanted, self._journey):
                yield Wrong.EXPIRY, f"it ends {one.ends}, which is before {format_micros(wanted)}"
            elif one.ends is not None and (latest := self._latest(destination)) is not None and one.ends > latest:
                yield Wrong.EXPIRY, f"it ends {one.ends}, and was to end by {latest}"
            # What is inactive may show no end where activation sets it.
            elif one.ends is None and startable and one.status != Status.INACTIVE.value and "end" not in planned.losses:
                yield Wrong.EXPIRY, f"it never ends at the target, and should at {format_micros(wanted)}"
        elif one.ends is not None and startable:
            # The end of an inactive voucher is not known yet, and some targets choose an end of their own.
            free = is_stopped(planned.status) or "no-end" in planned.losses
            if one.ends <= self._target_now or not free:
                yield Wrong.EXPIRY, f"it ends {one.ends} at the target, and was to have no end"

    def _latest(self, destination: Destination) -> str | None:
        """Return the last moment at which a voucher may end at the target; None where that is the target's affair."""
        grain = max(self._journey.target_can.expiry_grain, self._journey.source_can.expiry_grain)
        if destination.valid_until is not None:
            return format_micros(destination.valid_until + grain)
        if destination.validity_days is None:
            return None
        # Counted from its activation, whenever that was; by then the day may be filled up.
        return format_micros(parse_instant(self._target_now) + timedelta(days=destination.validity_days + 1))

    def _value(self, one: Shown, issued: Money) -> _Found:
        if one.initial == issued and one.remaining == issued:
            return
        if one.remaining is None or one.remaining.currency != issued.currency or one.initial is None:
            yield Wrong.VALUE, f"it has {one.remaining} at the target, and was to have {issued}"
            return
        used = one.remaining - issued
        # Where a value is overwritten, that of the beginning goes with it.
        if one.initial in (issued, one.remaining) and explained(self._journey, one.id, used):
            self._evidence.note_used(one.id, issued, used)
        else:
            yield Wrong.VALUE, f"it has {one.remaining} of {one.initial} at the target, was to have {issued}"

    def rolled_back(self, planned: PlannedVoucher, there: list[Shown], here: Shown | None) -> _Found:
        """Judge a voucher that should be whole at the source again."""
        usable = [one for one in there if _spendable(one, self._target_now)]
        for one in there:
            if one not in usable:
                self._evidence.note_unspendable("target", one.id)
        if usable and (here is None or not _spendable(here, self._source_now)):
            yield from self._not_back(planned, usable, here)
            return
        yield from self._at_source(planned, here)
        for one in usable:
            yield Wrong.SPENDABLE_TWICE, f"{one.remaining} can still be spent at the target"

    def _not_back(self, planned: PlannedVoucher, usable: list[Shown], here: Shown | None) -> _Found:
        if here is not None:
            self._evidence.note_unspendable("source", here.id)
        left = " and ".join(str(one.remaining) for one in usable)
        yield Wrong.NOT_BACK, f"it can be spent at the target only, where it has {left}"
        if len(usable) > 1:
            yield Wrong.DOUBLED, _doubled(usable)
        else:
            yield from self._value(usable[0], value_of(planned))

    def _at_source(self, planned: PlannedVoucher, here: Shown | None) -> _Found:
        if here is None:
            yield Wrong.SOURCE, "it is not at the source any more"
            return
        found = list(self._differs(planned, here))
        yield from ((Wrong.SOURCE, one) for one in found)
        if found and not self._rested(planned) and not _open(here, self._source_now):
            self._evidence.note_unspendable("source", here.id)

    def _differs(self, planned: PlannedVoucher, here: Shown) -> Iterator[str]:
        if here.remaining != planned.remaining:
            yield f"it has {here.remaining} at the source, not {planned.remaining}"
        if here.status != (None if planned.status is None else planned.status.value):
            yield f"it is {here.status} at the source"
        if planned.valid_until is not None:
            if _ends_early(here, planned.valid_until, self._journey):
                yield f"it ends {here.ends} at the source, before {format_micros(planned.valid_until)}"
        elif here.ends is not None and not is_stopped(planned.status):
            yield f"it ends {here.ends} at the source, where it had no end"


def _status(destination: Destination, one: Shown) -> _Found:
    stopped = one.status == Status.INACTIVE.value
    if destination.active is None:
        wrong = stopped  # a status of its own making is the target's affair, unless it keeps the voucher from use
    else:
        wrong = one.status is not None and (one.status == Status.ACTIVE.value) is not destination.active
    if wrong:
        yield Wrong.STATUS, f"it is {one.status} at the target"


def _open(one: Shown, at: str) -> bool:
    """Whether whatever is on a voucher can be spent."""
    ended = one.ends is not None and one.ends <= at
    return one.status != Status.INACTIVE.value and not ended


def _spendable(one: Shown, at: str) -> bool:
    return bool(one.remaining) and _open(one, at)


def _ends_early(one: Shown, wanted: datetime, journey: Journey) -> bool:
    grain = max(journey.target_can.expiry_grain, journey.source_can.expiry_grain)
    return one.ends is not None and one.ends < format_micros(wanted - grain)


def _doubled(there: list[Shown]) -> str:
    return f"the target has it {len(there)} times: {', '.join(one.id for one in there)}"
