"""What became of a call at JTL: for each verb the rule, and the vendor's fact that it rests on.

==================  ===============================================================================================
verb                rule
==================  ===============================================================================================
capture             The order number that went out is ours alone, so a charge under it proves the capture (filter).
                    Absence is proved only by the whole history without a filter, read to a consistent end by an answer
                    whose own Date is later than the reservation's end, plus a margin: a filter may lag, and a request
                    may still be under way while the reservation lives. That JTL keeps order numbers as they are sent
                    is not documented, so the history must also have no other charge of our login and amount since
                    the reservation was made: such a charge is a candidate, which the journal may give to another
                    operation.
top-up              A recharge under our order number proves it. Nothing proves its absence: it has no end.
refund              Refunds carry no reference and name no charge. Exactly one refund of our login and amount that was
                    not there before is ours; anything else a person must decide.
reserve             Moves nothing. After the longest life of a reservation none can be standing.
activate            The voucher's status. A repeat could start the validity again, so it is read first.
deactivate, update  What was asked for is there, or is not; a repeat writes the same again. The first request may still
                    arrive after a later call that undoes it: nothing at JTL tells or prevents that.
issue               The id is ours: a voucher of that id and value proves it. A repeat with that id cannot make two.
delete              The voucher is gone; a repeat does no harm.
==================  ===============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from voucher_gateway.provider_api import (
    Effect,
    History,
    Intent,
    Movement,
    MovementKind,
    Operation,
    Outcome,
    Redemption,
    Refund,
    Status,
    TopUp,
    Voucher,
    VoucherNotFound,
    parse_instant,
)
from voucher_gateway_jtl.mapping import tax_rate_noted, taxable_noted

REFUNDS_SEEN: Final = "refunds_seen"
"""The note that names the refunds a voucher had before another was sent."""

LIFE: Final = timedelta(minutes=30)
"""How long a reservation lasts (seed)."""

MARGIN: Final = timedelta(minutes=1)
"""A request that was sent in time may be carried out a little later."""

_UNKNOWN: Final = Effect.UNKNOWN


class Records(Protocol):
    """What the rules read at JTL; the adapter has it."""

    def get(self, id: str) -> Voucher:
        """Return a voucher."""
        ...

    def history(self, id: str) -> History:
        """Return the whole history of a voucher."""
        ...

    def movements_of(self, id: str, reference: str) -> History:
        """Return the part of it under one order number."""
        ...

    def vendor_date(self) -> datetime | None:
        """Return the vendor's time."""
        ...


def refunds_seen(history: History) -> str:
    """Return the ids of the refunds in a history."""
    return " ".join(str(movement.id) for movement in history if movement.kind is MovementKind.REFUND)


def resolve(provider: Records, intent: Intent) -> Outcome:
    """Find out what became of a call, by the rule of its verb."""
    rule = _RULES.get(intent.verb)
    if rule is None or (intent.voucher_id is None and intent.verb != Operation.RESERVE):
        return Outcome(effect=_UNKNOWN, reason=f"nothing at JTL shows what became of this {intent.verb}")
    return rule(provider, intent)


def _capture(provider: Records, intent: Intent) -> Outcome:
    movement = _find_movement(provider, intent, MovementKind.REDEMPTION)
    if movement is not None:
        return _outcome_of_charge(movement, intent)
    until = intent.notes.get("valid_until")
    if until is None:
        return Outcome(effect=_UNKNOWN, reason="the end of the reservation is not known, so absence proves nothing")
    whole = provider.history(intent.voucher_id or "")
    movement = next((movement for movement in whole if _is(movement, intent, MovementKind.REDEMPTION)), None)
    if movement is not None:
        return _outcome_of_charge(movement, intent)
    if not whole.complete or whole.as_of is None:
        return Outcome(effect=_UNKNOWN, reason="the voucher's history could not be read to a consistent end")
    over_at = parse_instant(until)
    if whole.as_of <= over_at + MARGIN:
        return Outcome(effect=_UNKNOWN, reason="no charge is there, but the reservation could still be captured")
    since = min(intent.sent_at, over_at - LIFE) - MARGIN
    candidates = tuple(charge for charge in whole if _could_be(charge, intent, since))
    if candidates:
        reason = (
            f"the reservation is over, and no charge has our order number; {len(candidates)} of our login and this"
            " amount could be this one under another: a person must decide"
        )
        return Outcome(effect=_UNKNOWN, reason=reason, candidates=candidates)
    reason = "the reservation is over, and the whole history has no charge of ours"
    return Outcome(effect=Effect.NOT_EXECUTED, reason=reason, candidates=())


def _could_be(movement: Movement, intent: Intent, since: datetime) -> bool:
    """Whether a movement could be a capture whose order number the vendor changed."""
    return (
        movement.kind is MovementKind.REDEMPTION
        and movement.money == intent.money
        and movement.login in (None, intent.login)
        and (movement.created_at is None or movement.created_at >= since)
    )


def _outcome_of_charge(movement: Movement, intent: Intent) -> Outcome:
    if movement.money != intent.money:
        return _other_amount(movement)
    return _succeeded(
        Redemption(
            account=intent.account,
            id=str(movement.id),
            voucher_id=intent.voucher_id,
            money=movement.money,
            reference=intent.reference,
            order=intent.order,
            reservation_id=intent.subject,
            taxable=taxable_noted(intent),
            tax_rate=tax_rate_noted(intent),
            login=movement.login,
            created_at=movement.created_at,
            raw=movement.raw,
        )
    )


def _top_up(provider: Records, intent: Intent) -> Outcome:
    movement = _find_movement(provider, intent, MovementKind.TOP_UP)
    if movement is None:
        return Outcome(effect=_UNKNOWN, reason="no recharge of ours is there, which proves nothing")
    if movement.money != intent.money:
        return _other_amount(movement)
    return _succeeded(
        TopUp(
            account=intent.account,
            id=str(movement.id),
            voucher_id=intent.voucher_id,
            money=movement.money,
            reference=intent.reference,
            order=intent.order,
            login=movement.login,
            created_at=movement.created_at,
            raw=movement.raw,
        )
    )


def _refund(provider: Records, intent: Intent) -> Outcome:
    seen = intent.notes.get(REFUNDS_SEEN)
    if seen is None:
        return Outcome(effect=_UNKNOWN, reason="the refunds before it were not noted, so a person must decide")
    before = set(seen.split())
    new = [
        movement
        for movement in provider.history(intent.voucher_id or "")
        if movement.kind is MovementKind.REFUND
        and movement.id not in before
        and movement.money == intent.money
        and movement.login == intent.login
    ]
    if len(new) != 1:
        return Outcome(effect=_UNKNOWN, reason=f"{len(new)} new refunds of this amount are there: a person must decide")
    return _succeeded(
        Refund(
            account=intent.account,
            id=str(new[0].id),
            redemption_id=intent.subject,
            voucher_id=intent.voucher_id,
            money=new[0].money,
            reference=intent.reference,
            order=intent.order,
            login=new[0].login,
            created_at=new[0].created_at,
            raw=new[0].raw,
        )
    )


def _reserve(provider: Records, intent: Intent) -> Outcome:
    at = provider.vendor_date()
    if at is not None and at > intent.sent_at + LIFE + MARGIN:
        return Outcome(effect=Effect.NOT_EXECUTED, reason="whatever was reserved is over by now")
    return Outcome(effect=_UNKNOWN, reason="it counts as standing until it would be over at the latest")


def _status(wanted: Status) -> Callable[[Records, Intent], Outcome]:
    def rule(provider: Records, intent: Intent) -> Outcome:
        voucher = provider.get(intent.voucher_id or "")
        if voucher.status is wanted:
            return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason=f"the voucher is {wanted.value}")
        return Outcome(effect=_UNKNOWN, reason=f"the voucher is not {wanted.value}", repeatable=True)

    return rule


def _update(provider: Records, intent: Intent) -> Outcome:
    voucher = provider.get(intent.voucher_id or "")
    wanted = {name: value for name, value in intent.notes.items() if name in ("sku", "batch")}
    if wanted and all(getattr(voucher, name) == value for name, value in wanted.items()):
        return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="the voucher is as it was to be")
    return Outcome(effect=_UNKNOWN, reason="the voucher is not as it was to be", repeatable=True)


def _issue(provider: Records, intent: Intent) -> Outcome:
    try:
        voucher = provider.get(intent.voucher_id or "")
    except VoucherNotFound:
        return Outcome(effect=_UNKNOWN, reason="no voucher of that id is there yet", repeatable=True)
    if voucher.initial == intent.money:
        return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="the voucher of our id is there")
    return Outcome(effect=_UNKNOWN, reason="a voucher of that id, but of another value, is there")


def _delete(provider: Records, intent: Intent) -> Outcome:
    try:
        provider.get(intent.voucher_id or "")
    except VoucherNotFound:
        return Outcome(effect=Effect.SUCCEEDED, reason="the voucher is gone")
    return Outcome(effect=_UNKNOWN, reason="the voucher is still there", repeatable=True)


_RULES: Final[Mapping[str, Callable[[Records, Intent], Outcome]]] = {
    Operation.CAPTURE: _capture,
    Operation.TOP_UP: _top_up,
    Operation.REFUND: _refund,
    Operation.RESERVE: _reserve,
    Operation.ACTIVATE: _status(Status.ACTIVE),
    Operation.DEACTIVATE: _status(Status.INACTIVE),
    Operation.UPDATE: _update,
    Operation.ISSUE: _issue,
    Operation.DELETE: _delete,
}


def _find_movement(provider: Records, intent: Intent, kind: MovementKind) -> Movement | None:
    """Return the movement under our order number. The filter is not trusted: what it gives is compared."""
    assert intent.voucher_id is not None
    assert intent.reference is not None
    movements = provider.movements_of(intent.voucher_id, intent.reference)
    return next((movement for movement in movements if _is(movement, intent, kind)), None)


def _is(movement: Movement, intent: Intent, kind: MovementKind) -> bool:
    # Not by the amount: money that moved under our reference does not prove absence, whatever its amount.
    return movement.kind is kind and movement.reference == intent.reference


def _other_amount(movement: Movement) -> Outcome:
    return Outcome(
        effect=_UNKNOWN, reason=f"under our reference the vendor shows {movement.money}: a person must decide"
    )


def _succeeded(result: Redemption | Refund | TopUp) -> Outcome:
    return Outcome(effect=Effect.SUCCEEDED, result=result, reason=f"the vendor shows it as {result.id}")
