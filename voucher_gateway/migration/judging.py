"""What is not as it should be after a migration, voucher by voucher."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime

import attrs

from voucher_gateway.adapter import Money, Status, format_micros
from voucher_gateway.migration.evidence import Evidence, Shown
from voucher_gateway.migration.journey import Journey
from voucher_gateway.migration.plan import PlannedVoucher
from voucher_gateway.migration.records import value_of
from voucher_gateway.migration.usage import explained


class Wrong(enum.StrEnum):
    """What can be wrong."""

    NOT_MOVED = "not-moved"
    """It is whole at the source, and not at the target."""
    LOST = "lost"
    """Nobody can spend it anywhere."""
    DOUBLED = "doubled"
    """It is at the target more than once."""
    SPENDABLE_TWICE = "spendable-twice"
    """It can be spent at the source still."""
    VALUE = "value"
    """It has another value, and no record tells why."""
    EXPIRY = "expiry"
    """It ends too early."""
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
        at_source = here is not None and _spendable(here, self._source_now)
        if not there:
            whole = here is not None and at_source and here.remaining == planned.remaining
            yield (Wrong.NOT_MOVED, "it is still at the source") if whole else (Wrong.LOST, _lost(here))
        elif len(there) > 1:
            yield Wrong.DOUBLED, f"the target has it {len(there)} times: {', '.join(one.id for one in there)}"
        else:
            yield from self._at_target(planned, there[0])
        if self._journey.stays or here is None:
            return
        if at_source:
            if there:
                yield Wrong.SPENDABLE_TWICE, f"{here.remaining} can still be spent at the source"
            return
        self._evidence.note_unspendable("source", here.id)
        frozen = self._journey.freezes and self._journey.header.retire == "keep-frozen"
        if there and frozen and here.remaining != planned.remaining:
            yield Wrong.SOURCE, f"it has {here.remaining} at the source, where it should rest with {planned.remaining}"

    def _at_target(self, planned: PlannedVoucher, one: Shown) -> _Found:
        destination = planned.destination
        assert destination is not None
        yield from self._value(one, value_of(planned))
        wanted = destination.valid_until or planned.valid_until
        if wanted is not None and _ends_early(one, wanted, self._journey):
            yield Wrong.EXPIRY, f"it ends {one.ends}, which is before {format_micros(wanted)}"
        elif wanted is not None and one.ends is None and destination.active and "end" not in planned.losses:
            yield Wrong.EXPIRY, f"it never ends at the target, and should at {format_micros(wanted)}"
        if destination.active is not None and one.status is not None:
            active = one.status == Status.ACTIVE.value
            if active is not destination.active:
                yield Wrong.STATUS, f"it is {one.status} at the target"

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
        if here is None:
            yield Wrong.SOURCE, "it is not at the source any more"
        else:
            if here.remaining != planned.remaining:
                yield Wrong.SOURCE, f"it has {here.remaining} at the source, not {planned.remaining}"
            if here.status != (None if planned.status is None else planned.status.value):
                yield Wrong.SOURCE, f"it is {here.status} at the source"
            if planned.valid_until is not None and _ends_early(here, planned.valid_until, self._journey):
                yield Wrong.SOURCE, f"it ends {here.ends} at the source, before {format_micros(planned.valid_until)}"
        for one in there:
            if _spendable(one, self._target_now):
                yield Wrong.SPENDABLE_TWICE, f"{one.remaining} can still be spent at the target"
            else:
                self._evidence.note_unspendable("target", one.id)


def _spendable(one: Shown, at: str) -> bool:
    ended = one.ends is not None and one.ends <= at
    return bool(one.remaining) and one.status != Status.INACTIVE.value and not ended


def _ends_early(one: Shown, wanted: datetime, journey: Journey) -> bool:
    grain = max(journey.target_can.expiry_grain, journey.source_can.expiry_grain)
    return one.ends is not None and one.ends < format_micros(wanted - grain)


def _lost(here: Shown | None) -> str:
    rest = "and not at the source either" if here is None else f"and {here.remaining} at the source cannot be spent"
    return f"it is not at the target, {rest}"
