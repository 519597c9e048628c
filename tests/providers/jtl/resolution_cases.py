"""What JTL's records show of a call in doubt, and what each rule of `resolution` makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    Effect,
    History,
    Intent,
    Money,
    Movement,
    MovementKind,
    Operation,
    Outcome,
    Status,
    Voucher,
    VoucherNotFound,
    format_instant,
)

TEN: Final = Money("10.00", "EUR")
ELEVEN: Final = Money("11.00", "EUR")
SENT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENDS: Final = SENT + timedelta(minutes=30)
OVER: Final = ENDS + timedelta(minutes=2)

CHARGE: Final = Movement(
    account="shop",
    id="m1",
    voucher_id="v1",
    kind=MovementKind.REDEMPTION,
    money=TEN,
    reference="R-1",
    login="till",
    created_at=SENT,
)
RECHARGE: Final = attrs.evolve(CHARGE, kind=MovementKind.TOP_UP)
REFUND: Final = attrs.evolve(CHARGE, kind=MovementKind.REFUND, reference=None)
OTHER_CHARGE: Final = attrs.evolve(CHARGE, id="m2", reference="R-2")
VOUCHER: Final = Voucher(account="shop", id="v1", initial=TEN, status=Status.ACTIVE, sku="S-1", batch="B-1")


@attrs.frozen(kw_only=True)
class Records:
    """The records of one voucher; a filter by reference that lets everything in `filtered` pass."""

    movements: Sequence[Movement] = ()
    filtered: Sequence[Movement] | None = None
    complete: bool = True
    as_of: datetime | None = OVER
    voucher: Voucher | None = VOUCHER
    date: datetime | None = None

    def get(self, id: str) -> Voucher:
        if self.voucher is None:
            raise VoucherNotFound("there is no such voucher")
        return self.voucher

    def history(self, id: str) -> History:
        return History(voucher_id=id, movements=tuple(self.movements), complete=self.complete, as_of=self.as_of)

    def movements_of(self, id: str, reference: str) -> History:
        passed = self.movements if self.filtered is None else self.filtered
        return History(voucher_id=id, movements=tuple(passed), complete=True, as_of=self.as_of)

    def vendor_date(self) -> datetime | None:
        return self.date


@attrs.frozen(kw_only=True)
class Case:
    """A call in doubt.

    Attributes:
        operation: of the call.
        records: what the vendor shows.
        effect: what is to be said.
        id: of the movement or voucher in the result; None for none.
        candidates: the ids of the candidates.
        repeatable: whether the same request may be sent again.
        notes: of the intent.
    """

    operation: Operation
    records: Records
    effect: Effect
    id: str | None = None
    candidates: tuple[str | None, ...] = ()
    repeatable: bool = False
    notes: dict[str, str] = attrs.field(factory=dict)

    def check(self, resolve: Callable[[Any, Intent], Outcome]) -> None:
        intent = Intent(
            account="shop",
            provider="jtl",
            host="jtl.example",
            login="till",
            verb=self.operation,
            reference="R-1",
            voucher_id="v1",
            subject="s1",
            money=TEN,
            sent_at=SENT,
            notes=self.notes,
        )
        outcome = resolve(self.records, intent)
        candidates = tuple(movement.id for movement in outcome.candidates or ())
        seen = (outcome.effect, getattr(outcome.result, "id", None), candidates, outcome.repeatable)
        assert seen == (self.effect, self.id, self.candidates, self.repeatable), outcome.reason


def _capture(records: Records, effect: Effect, **expected: Any) -> Case:
    notes = expected.pop("notes", {"valid_until": format_instant(ENDS)})
    return Case(operation=Operation.CAPTURE, records=records, effect=effect, notes=notes, **expected)


def _top_up(records: Records, effect: Effect, **expected: Any) -> Case:
    return Case(operation=Operation.TOP_UP, records=records, effect=effect, **expected)


def _refund(records: Records, effect: Effect, **expected: Any) -> Case:
    notes = expected.pop("notes", {"refunds_seen": "m8 m9"})
    return Case(operation=Operation.REFUND, records=records, effect=effect, notes=notes, **expected)


def _of_voucher(operation: Operation, voucher: Voucher | None, effect: Effect, **expected: Any) -> Case:
    return Case(operation=operation, records=Records(voucher=voucher), effect=effect, **expected)


def _charge(**fields: Any) -> Records:
    return Records(movements=[attrs.evolve(OTHER_CHARGE, **fields)])


def _one_refund(**fields: Any) -> Records:
    return Records(movements=[attrs.evolve(REFUND, **fields)])


def _reserve(after: timedelta, effect: Effect) -> Case:
    return Case(operation=Operation.RESERVE, records=Records(date=SENT + after), effect=effect)


_DONE: Final = Effect.SUCCEEDED
_OPEN: Final = Effect.UNKNOWN
_NOT: Final = Effect.NOT_EXECUTED
_STATED: Final = {"sku": "S-1", "batch": "B-2"}

CASES: Final[dict[str, Case]] = {
    # a capture that is there
    "a charge with our order number": _capture(Records(movements=[CHARGE]), _DONE, id="m1"),
    "a charge that the filter does not show yet": _capture(Records(movements=[CHARGE], filtered=[]), _DONE, id="m1"),
    "our charge behind others": _capture(Records(movements=[OTHER_CHARGE, CHARGE]), _DONE, id="m1"),
    "our charge of another amount": _capture(Records(movements=[attrs.evolve(CHARGE, money=ELEVEN)]), _OPEN),
    # a capture that is not there
    "no charge after the end": _capture(Records(), _NOT),
    "no charge, the end not known": _capture(Records(), _OPEN, notes={}),
    "no charge within the margin": _capture(Records(as_of=ENDS + timedelta(seconds=60)), _OPEN),
    "no charge just after the margin": _capture(Records(as_of=ENDS + timedelta(seconds=61)), _NOT),
    "no charge in an incomplete history": _capture(Records(complete=False), _OPEN),
    "no charge in a history without a time": _capture(Records(as_of=None), _OPEN),
    # what is taken for the capture, and what is not
    "a recharge with our order number": _capture(Records(movements=[RECHARGE]), _NOT),
    "an order number that begins with ours": _capture(_charge(reference="R-10", money=ELEVEN), _NOT),
    "an order number that ours begins with": _capture(_charge(reference="R-", money=ELEVEN), _NOT),
    "an order number in another case": _capture(_charge(reference="r-1", money=ELEVEN), _NOT),
    # candidates
    "a charge of our login and amount": _capture(_charge(), _OPEN, candidates=("m2",)),
    "a charge of our amount without a login": _capture(_charge(login=None), _OPEN, candidates=("m2",)),
    "a charge of our amount without a time": _capture(_charge(created_at=None), _OPEN, candidates=("m2",)),
    "a charge of another login": _capture(_charge(login="web"), _NOT),
    "a charge of another amount": _capture(_charge(money=ELEVEN), _NOT),
    "a recharge of our login and amount": _capture(_charge(kind=MovementKind.TOP_UP), _NOT),
    "a charge of long before": _capture(_charge(created_at=SENT - timedelta(hours=1)), _NOT),
    "a charge just before, by another clock": _capture(
        _charge(created_at=SENT - timedelta(seconds=60)), _OPEN, candidates=("m2",)
    ),
    # a top-up
    "a recharge of ours": _top_up(Records(movements=[RECHARGE]), _DONE, id="m1"),
    "no recharge": _top_up(Records(), _OPEN),
    "a charge in place of the recharge": _top_up(Records(movements=[CHARGE]), _OPEN),
    "our recharge of another amount": _top_up(Records(movements=[attrs.evolve(RECHARGE, money=ELEVEN)]), _OPEN),
    "a recharge with a longer order number": _top_up(
        Records(movements=[attrs.evolve(RECHARGE, reference="R-10")]), _OPEN
    ),
    "a recharge with a shorter order number": _top_up(
        Records(movements=[attrs.evolve(RECHARGE, reference="R-")]), _OPEN
    ),
    # a refund
    "one new refund": _refund(_one_refund(), _DONE, id="m1"),
    "no refund": _refund(Records(), _OPEN),
    "two new refunds": _refund(Records(movements=[REFUND, attrs.evolve(REFUND, id="m2")]), _OPEN),
    "the refund that was there before": _refund(_one_refund(id="m9"), _OPEN),
    "a new refund beside an earlier one": _refund(
        Records(movements=[attrs.evolve(REFUND, id="m8"), REFUND]), _DONE, id="m1"
    ),
    "a new refund of another amount": _refund(_one_refund(money=ELEVEN), _OPEN),
    "a new refund of another login": _refund(_one_refund(login="web"), _OPEN),
    "a new refund without a login": _refund(_one_refund(login=None), _OPEN),
    "a new recharge in place of the refund": _refund(_one_refund(kind=MovementKind.TOP_UP), _OPEN),
    "earlier refunds that were not noted": _refund(_one_refund(), _OPEN, notes={}),
    "no earlier refunds": _refund(_one_refund(), _DONE, id="m1", notes={"refunds_seen": ""}),
    # a reservation
    "a reservation that may stand": _reserve(timedelta(minutes=31), _OPEN),
    "a reservation that is over": _reserve(timedelta(minutes=31, seconds=1), _NOT),
    "a reservation of an unknown time": Case(operation=Operation.RESERVE, records=Records(), effect=_OPEN),
    # the status and the other fields
    "an active voucher was activated": _of_voucher(Operation.ACTIVATE, VOUCHER, _DONE, id="v1"),
    "an active voucher was not deactivated": _of_voucher(Operation.DEACTIVATE, VOUCHER, _OPEN, repeatable=True),
    "an inactive voucher was not activated": _of_voucher(
        Operation.ACTIVATE, attrs.evolve(VOUCHER, status=Status.INACTIVE), _OPEN, repeatable=True
    ),
    "every new value": _of_voucher(
        Operation.UPDATE, VOUCHER, _DONE, id="v1", notes={"sku": "S-1", "batch": "B-1", "other": "x"}
    ),
    "one of two new values": _of_voucher(Operation.UPDATE, VOUCHER, _OPEN, repeatable=True, notes=_STATED),
    "no value noted": _of_voucher(Operation.UPDATE, VOUCHER, _OPEN, repeatable=True),
    # creation and deletion
    "a voucher with our id and value": _of_voucher(Operation.ISSUE, VOUCHER, _DONE, id="v1"),
    "a voucher with our id and another value": _of_voucher(
        Operation.ISSUE, attrs.evolve(VOUCHER, initial=ELEVEN), _OPEN
    ),
    "no voucher with our id": _of_voucher(Operation.ISSUE, None, _OPEN, repeatable=True),
    "a voucher that is gone": _of_voucher(Operation.DELETE, None, _DONE),
    "a voucher that is still there": _of_voucher(Operation.DELETE, VOUCHER, _OPEN, repeatable=True),
}
