"""The rules by which an unknown outcome is resolved at JTL, each with the vendor's fact behind it.

==================  ===============================================================================================
verb                rule
==================  ===============================================================================================
capture             Only we send this order number, so a charge with it proves the capture (filter). Absence is proved
                    only by the whole history without a filter, read completely, in a reply whose Date is later than the
                    reservation's end plus a margin: a filter may lag, and a request may still arrive while the
                    reservation is active. It is not documented that JTL stores order numbers as they are sent. So the
                    history must also have no other charge of our login and amount since the reservation was made. Such
                    a charge is a candidate, which the journal may assign to another operation.
top-up              A recharge with our order number proves it. Absence proves nothing, as the call can arrive later.
refund              Refunds have no reference and name no charge. If exactly one refund of our login and amount is new,
                    it is ours. Otherwise a person must decide.
reserve             It moves no money. After the lifetime of a reservation, none can be active.
activate            The voucher's status. A repeat could start the validity again, so it is read first.
deactivate, update  The voucher shows whether the change was made. A repeat writes the same values again. The first
                    request may still arrive after a later call that undoes it; JTL neither shows nor prevents that.
issue               The id is ours, so a voucher with the id and the value proves it. A repeat cannot make a second one.
delete              The voucher does not exist any more. A repeat does no harm.
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
from voucher_gateway_jtl.mapping import tax_rate_from_notes, taxable_from_notes

REFUNDS_SEEN: Final = "refunds_seen"
"""The note with the ids of the refunds that a voucher had before a refund was sent."""

LIFETIME: Final = timedelta(minutes=30)
"""The lifetime of a reservation (seed)."""

MARGIN: Final = timedelta(minutes=1)
"""A request that was sent in time may be executed a little later."""

_UNKNOWN: Final = Effect.UNKNOWN


class VendorRecords(Protocol):
    """The calls by which the rules read JTL's records; the provider has them."""

    def get(self, id: str) -> Voucher:
        """Return a voucher."""
        ...

    def history(self, id: str) -> History:
        """Return the whole history of a voucher."""
        ...

    def movements_of(self, id: str, reference: str) -> History:
        """Return the movements with one order number."""
        ...

    def vendor_date(self) -> datetime | None:
        """Return the vendor's time."""
        ...


def refunds_seen(history: History) -> str:
    """Return the ids of the refunds in a history."""
    return " ".join(str(movement.id) for movement in history if movement.kind is MovementKind.REFUND)


def resolve(provider: VendorRecords, intent: Intent) -> Outcome:
    """Return the outcome of a call, by the rule of its operation."""
    rule = _RULES.get(intent.verb)
    if rule is None or (intent.voucher_id is None and intent.verb != Operation.RESERVE):
        return Outcome(effect=_UNKNOWN, reason=f"JTL's records do not show the outcome of this {intent.verb}")
    return rule(provider, intent)


def _capture(provider: VendorRecords, intent: Intent) -> Outcome:
    movement = _find_movement(provider, intent, MovementKind.REDEMPTION)
    if movement is not None:
        return _outcome_of_charge(movement, intent)
    until = intent.notes.get("valid_until")
    if until is None:
        return Outcome(
            effect=_UNKNOWN, reason="the end of the reservation is not known, so that absence proves nothing"
        )
    history = provider.history(intent.voucher_id or "")
    movement = next(
        (movement for movement in history if _has_our_reference(movement, intent, MovementKind.REDEMPTION)), None
    )
    if movement is not None:
        return _outcome_of_charge(movement, intent)
    if not history.complete or history.as_of is None:
        return Outcome(effect=_UNKNOWN, reason="the voucher's history could not be read completely")
    ends_at = parse_instant(until)
    if history.as_of <= ends_at + MARGIN:
        return Outcome(effect=_UNKNOWN, reason="JTL has no charge, but the reservation could still be captured")
    since = min(intent.sent_at, ends_at - LIFETIME) - MARGIN
    candidates = tuple(charge for charge in history if _could_be(charge, intent, since))
    if candidates:
        reason = (
            f"the reservation is over, and no charge has our order number; {len(candidates)} of our login and this"
            " amount could be this one with another order number: a person must decide"
        )
        return Outcome(effect=_UNKNOWN, reason=reason, candidates=candidates)
    reason = "the reservation is over, and the whole history has no charge of ours"
    return Outcome(effect=Effect.NOT_EXECUTED, reason=reason, candidates=())


def _could_be(movement: Movement, intent: Intent, since: datetime) -> bool:
    """Return whether a movement could be the capture, with an order number that the vendor changed."""
    return (
        movement.kind is MovementKind.REDEMPTION
        and movement.money == intent.money
        and movement.login in (None, intent.login)
        and (movement.created_at is None or movement.created_at >= since)
    )


def _outcome_of_charge(movement: Movement, intent: Intent) -> Outcome:
    if movement.money is None or movement.money != intent.money:
        return _other_amount(movement)
    return _success(
        Redemption(
            account=intent.account,
            id=str(movement.id),
            voucher_id=intent.voucher_id,
            money=movement.money,
            reference=intent.reference,
            order=intent.order,
            reservation_id=intent.subject,
            taxable=taxable_from_notes(intent),
            tax_rate=tax_rate_from_notes(intent),
            login=movement.login,
            created_at=movement.created_at,
            raw=movement.raw,
        )
    )


def _top_up(provider: VendorRecords, intent: Intent) -> Outcome:
    movement = _find_movement(provider, intent, MovementKind.TOP_UP)
    if movement is None:
        return Outcome(effect=_UNKNOWN, reason="JTL has no recharge of ours, which proves nothing")
    if movement.money is None or movement.money != intent.money:
        return _other_amount(movement)
    return _success(
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


def _refund(provider: VendorRecords, intent: Intent) -> Outcome:
    noted_ids = intent.notes.get(REFUNDS_SEEN)
    if noted_ids is None:
        return Outcome(effect=_UNKNOWN, reason="the earlier refunds were not noted, so a person must decide")
    earlier_ids = set(noted_ids.split())
    new = [
        movement
        for movement in provider.history(intent.voucher_id or "")
        if movement.kind is MovementKind.REFUND
        and movement.id not in earlier_ids
        and movement.money == intent.money
        and movement.login == intent.login
    ]
    if len(new) != 1 or intent.money is None:
        return Outcome(effect=_UNKNOWN, reason=f"there are {len(new)} new refunds of this amount: a person must decide")
    return _success(
        Refund(
            account=intent.account,
            id=str(new[0].id),
            redemption_id=intent.subject,
            voucher_id=intent.voucher_id,
            money=intent.money,
            reference=intent.reference,
            order=intent.order,
            login=new[0].login,
            created_at=new[0].created_at,
            raw=new[0].raw,
        )
    )


def _reserve(provider: VendorRecords, intent: Intent) -> Outcome:
    at = provider.vendor_date()
    if at is not None and at > intent.sent_at + LIFETIME + MARGIN:
        return Outcome(effect=Effect.NOT_EXECUTED, reason="a reservation would be over by now")
    return Outcome(effect=_UNKNOWN, reason="it counts as active until it would be over")


def _status(expected: Status) -> Callable[[VendorRecords, Intent], Outcome]:
    def rule(provider: VendorRecords, intent: Intent) -> Outcome:
        voucher = provider.get(intent.voucher_id or "")
        if voucher.status is expected:
            return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason=f"the voucher is {expected.value}")
        return Outcome(effect=_UNKNOWN, reason=f"the voucher is not {expected.value}", repeatable=True)

    return rule


def _update(provider: VendorRecords, intent: Intent) -> Outcome:
    voucher = provider.get(intent.voucher_id or "")
    expected = {name: value for name, value in intent.notes.items() if name in ("sku", "batch")}
    if expected and all(getattr(voucher, name) == value for name, value in expected.items()):
        return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="the voucher has the new values")
    return Outcome(effect=_UNKNOWN, reason="the voucher does not have the new values", repeatable=True)


def _issue(provider: VendorRecords, intent: Intent) -> Outcome:
    try:
        voucher = provider.get(intent.voucher_id or "")
    except VoucherNotFound:
        return Outcome(effect=_UNKNOWN, reason="JTL has no voucher with the id yet", repeatable=True)
    if voucher.initial == intent.money:
        return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="there is a voucher with our id and the value")
    return Outcome(effect=_UNKNOWN, reason="there is a voucher with the id, but with another value")


def _delete(provider: VendorRecords, intent: Intent) -> Outcome:
    try:
        provider.get(intent.voucher_id or "")
    except VoucherNotFound:
        return Outcome(effect=Effect.SUCCEEDED, reason="the voucher does not exist any more")
    return Outcome(effect=_UNKNOWN, reason="the voucher still exists", repeatable=True)


_RULES: Final[Mapping[str, Callable[[VendorRecords, Intent], Outcome]]] = {
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


def _find_movement(provider: VendorRecords, intent: Intent, kind: MovementKind) -> Movement | None:
    """Return the movement with our order number. The filter is not trusted: its results are compared."""
    assert intent.voucher_id is not None
    assert intent.reference is not None
    movements = provider.movements_of(intent.voucher_id, intent.reference)
    return next((movement for movement in movements if _has_our_reference(movement, intent, kind)), None)


def _has_our_reference(movement: Movement, intent: Intent, kind: MovementKind) -> bool:
    # The amount is not compared: a movement with our reference and another amount does not prove absence.
    return movement.kind is kind and movement.reference == intent.reference


def _other_amount(movement: Movement) -> Outcome:
    return Outcome(
        effect=_UNKNOWN, reason=f"the vendor shows {movement.money} under our reference: a person must decide"
    )


def _success(result: Redemption | Refund | TopUp) -> Outcome:
    return Outcome(effect=Effect.SUCCEEDED, result=result, reason=f"the vendor has it as {result.id}")
