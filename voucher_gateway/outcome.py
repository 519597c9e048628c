"""The outcome of a changing call, and the data with which it can be found."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import OptionValue
from voucher_gateway.errors import IntegrityMismatch, OutcomePending, Ticket, encode_ticket
from voucher_gateway.instants import format_instant, now, parse_instant
from voucher_gateway.models.results import (
    Deletion,
    Movement,
    Redemption,
    Refund,
    Release,
    Reservation,
    TopUp,
    ValueResult,
)
from voucher_gateway.models.voucher import MovementKind, MovementState, Voucher
from voucher_gateway.money import Money

Result = Voucher | Reservation | Redemption | Refund | TopUp | Release | Deletion


class Effect(enum.StrEnum):
    """The effect of a call on the voucher.

    Attributes:
        SUCCEEDED: the vendor executed it.
        DECLINED: the vendor refused it, and nothing changed.
        NOT_EXECUTED: it did not reach the vendor or was not carried out, and nothing changed.
        UNKNOWN: it may have been executed.
        PENDING: the vendor has accepted it, and will complete or cancel it later.
    """

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"
    PENDING = "pending"


_OPTION: Final = "option."
_PART: Final = "part"
_LEAVES: Final = "leaves"


def part_notes(part: str, leaves: str) -> dict[str, str]:
    """Return the notes of an intent that name its part in the call, and what it leaves behind."""
    return {name: text for name, text in ((_PART, part), (_LEAVES, leaves)) if text}


def option_notes(options: Mapping[str, OptionValue]) -> dict[str, str]:
    """Return the notes of an intent that hold the options of its call; `Intent.options` reads them."""
    return {f"{_OPTION}{name}": json.dumps(value) for name, value in options.items()}


@attrs.frozen(kw_only=True)
class Intent:
    """One changing call right before it is sent. It holds no code and no PIN, so it may be stored.

    Attributes:
        account: the account's name.
        provider: the provider's name.
        host: the vendor's host.
        login: the vendor-side login, where there is one.
        verb: the operation's name.
        reference: the name under which the vendor may know the call, matched exactly.
        order: the shop's order.
        voucher_id: the voucher, where its id is known before sending.
        subject: the id that the call acts on: a reservation's, a redemption's or a voucher's.
        money: the amount that is to move.
        sent_at: by the vendor's clock, as far as it is known.
        notes: what the provider read before sending and needs for finding the outcome.
        key: the vendor's idempotency key of the request, where it has one. `HttpClient.change` sets it.
        key_credentials: a digest of the credentials that the request is sent with and the key, where the vendor forgets
            keys when the credentials change. `HttpClient.change` sets it.
    """

    account: str
    provider: str
    host: str
    login: str | None = None
    verb: str
    reference: str | None = None
    order: str | None = None
    voucher_id: str | None = None
    subject: str | None = None
    money: Money | None = None
    sent_at: datetime = attrs.field(factory=now)
    notes: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    key: str | None = None
    key_credentials: str | None = None

    @property
    def options(self) -> dict[str, OptionValue]:
        """The options of the call that only its vendor has, by name. They are among the notes."""
        names = [name for name in self.notes if name.startswith(_OPTION)]
        values = {name.removeprefix(_OPTION): json.loads(self.notes[name]) for name in names}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}

    @property
    def part(self) -> str:
        """Which request of the call this is, where a call has several. It is among the notes."""
        return self.notes.get(_PART, "")

    @property
    def leaves(self) -> str | None:
        """What a preparing request leaves behind at the vendor if the call goes no further; None for all others.

        A preparing request moves no value: the call has an effect only when a later request of it succeeds.
        """
        return self.notes.get(_LEAVES)

    @property
    def name_in_call(self) -> str | None:
        """What distinguishes the request from the others of its call; None where nothing does."""
        return self.key or (f"part {self.part}" if self.part else None)

    def make_key(self, *, max_length: int, part: str = "") -> str:
        """Return the idempotency key of a request of this call: the same for the same verb, part and reference.

        It is a digest in hexadecimal digits, so it is never cut, and fits into a header.

        Args:
            max_length: the length of the longest key that the vendor takes.
            part: which request of the call it is, where a call has several; that of the intent by default.

        Raises:
            ValueError: if the intent has no reference.
        """
        if not self.reference:
            raise ValueError("an intent without a reference has no key")
        text = "\0".join(f"{len(value)}:{value}" for value in (self.verb, part or self.part, self.reference))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:max_length]

    def ticket(self, reason: str) -> Ticket:
        """Return the ticket of this intent, for an unknown outcome."""
        return Ticket(**self._ticket_fields(), reason=reason)

    def to_json(self) -> str:
        """Return the ticket of this intent, without a reason, as `Ticket.to_json` writes it."""
        return encode_ticket(self._ticket_fields())

    def _ticket_fields(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "provider": self.provider,
            "host": self.host,
            "login": self.login,
            "verb": self.verb,
            "reference": self.reference,
            "wire_reference": self.reference,
            "order": self.order,
            "voucher_id": self.voucher_id,
            "subject": self.subject,
            "amount": None if self.money is None else f"{self.money.amount:f}",
            "currency": None if self.money is None else self.money.currency,
            "sent_at": format_instant(self.sent_at),
            "notes": dict(self.notes),
        }

    def pending(self, reason: str, *, notes: Mapping[str, str] | None = None) -> OutcomePending:
        """Return the error to raise where the vendor has accepted this call and will complete or cancel it later.

        Args:
            reason: what the vendor said, in a sentence without codes.
            notes: what the vendor gave with its acceptance and `resolve` needs, such as an id. `resolve` finds it in
                `Intent.notes`. It must hold no code and no PIN.
        """
        intent = attrs.evolve(self, notes={**self.notes, **(notes or {})})
        return OutcomePending(
            f"{reason}; the vendor will complete or cancel it later",
            ticket=intent.ticket(reason),
            account=self.account,
            operation=self.verb,
        )

    @classmethod
    def from_ticket(cls, ticket: Ticket) -> Intent:
        """Return the intent of a ticket.

        Raises:
            InvalidRequest: if the amount is not valid.
            ValueError: if the time is not valid.
        """
        money = Money(ticket.amount, ticket.currency) if ticket.amount and ticket.currency else None
        return cls(
            account=ticket.account,
            provider=ticket.provider,
            host=ticket.host,
            login=ticket.login,
            verb=ticket.step or ticket.verb,
            reference=ticket.wire_reference or ticket.reference,
            order=ticket.order,
            voucher_id=ticket.voucher_id,
            subject=ticket.subject,
            money=money,
            sent_at=parse_instant(ticket.sent_at) if ticket.sent_at else now(),
            notes=dict(ticket.notes),
        )


@attrs.frozen(kw_only=True)
class Outcome:
    """The result of a look-up of an intent at the vendor.

    Attributes:
        effect: succeeded, not_executed or unknown; pending while the vendor has accepted the call and not decided yet,
            and declined after it has cancelled it. A call that was pending is ended by succeeded and declined alone:
            not_executed leaves it pending.
        result: the result of the call, if it succeeded and the vendor shows it.
        reason: one sentence that names the evidence.
        repeatable: for an unknown effect, whether the same request may be sent again without moving money twice.
        candidates: if the vendor does not show our reference: the movements that could be this call under a reference
            that the vendor changed. With candidates the effect is unknown. The journal changes it to not executed if
            each of them belongs to another operation. None for every other outcome.
    """

    effect: Effect
    result: Result | None = None
    reason: str = ""
    repeatable: bool = False
    candidates: tuple[Movement, ...] | None = None


REFERENCE_MARGIN: Final = timedelta(minutes=1)
"""How much earlier than the sending a movement may be dated that could be the call."""


def resolve_by_reference(
    intent: Intent,
    movements: Iterable[Movement],
    kind: MovementKind,
    make_result: Callable[[Movement], Result],
    *,
    absence_proves: str | None = None,
    partial: bool = False,
) -> Outcome:
    """Return the outcome of a call whose reference the vendor stores with the movement, and shows.

    The reference is compared exactly, never by its beginning. One movement with the reference, of the kind and the
    amount of the call, proves that it was executed, or that it is pending, or that the vendor has cancelled it. Two of
    them, or one that differs in another respect, must be looked at by a person. A missing movement proves nothing,
    because the request may still arrive and a record may lag, unless `absence_proves` says why it does.

    Args:
        intent: the call.
        movements: all movements of the voucher, of every page.
        kind: the kind of the movement that the call makes.
        make_result: makes the result of the call of its movement; see `ValueResult.from_movement`.
        absence_proves: why a missing movement proves that the call was not executed and never will be, in one sentence
            that names the vendor's rule; None where it does not. Give it only if all movements were read, and after
            the vendor's clock has passed the time until which the request can be executed.
        partial: whether the vendor may have taken less than was asked for (`Capabilities.partial_approval`).
    """
    if not intent.reference:
        return Outcome(effect=Effect.UNKNOWN, reason="the call has no reference by which it could be found")
    movements = list(movements)
    matches = [movement for movement in movements if movement.reference == intent.reference]
    if len(matches) > 1:
        reason = f"{len(matches)} movements have the reference of the call: a person must decide"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    if matches:
        movement = matches[0]
        differing = _differences(intent, movement, kind, partial=partial)
        if differing:
            reason = f"a movement has the reference of the call, but another {' and '.join(differing)}"
            return Outcome(effect=Effect.UNKNOWN, reason=reason)
        if movement.state is not MovementState.COMPLETED:
            effect = Effect.PENDING if movement.state is MovementState.PENDING else Effect.DECLINED
            return Outcome(
                effect=effect, reason=f"the movement with the reference of the call is {movement.state.value}"
            )
        reason = "a movement has the reference, the kind and the amount of the call"
        return Outcome(effect=Effect.SUCCEEDED, result=make_result(movement), reason=reason)
    if absence_proves is None:
        reason = "no movement has the reference of the call, which proves nothing: it may still arrive"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    since = intent.sent_at - REFERENCE_MARGIN
    candidates = tuple(
        movement
        for movement in movements
        if not _differences(intent, movement, kind, partial=partial)
        and movement.state is not MovementState.CANCELLED
        and (movement.created_at is None or movement.created_at >= since)
    )
    if candidates:
        reason = f"{len(candidates)} movements of this amount could be the call under another reference"
        return Outcome(effect=Effect.UNKNOWN, reason=reason, candidates=candidates)
    return Outcome(effect=Effect.NOT_EXECUTED, reason=absence_proves, candidates=())


def _differences(intent: Intent, movement: Movement, kind: MovementKind, *, partial: bool) -> list[str]:
    """Return in what a movement differs from that of the call. What is not known does not differ."""
    differing = []
    if movement.kind is not kind:
        differing.append("kind")
    if intent.money is not None and not _has_amount(movement, intent.money, partial=partial):
        differing.append("amount")
    if intent.voucher_id is not None and movement.voucher_id not in (None, intent.voucher_id):
        differing.append("voucher")
    if intent.login is not None and movement.login not in (None, intent.login):
        differing.append("login")
    return differing


def _has_amount(movement: Movement, money: Money, *, partial: bool) -> bool:
    if movement.money is None or movement.money.currency != money.currency:
        return False
    return movement.money <= money if partial else movement.money == money


@attrs.frozen
class Leftover:
    """What a preparing request left behind at the vendor, because its call went no further.

    Attributes:
        what: what it is, such as ``an empty card``.
        voucher_id: the vendor's id of it; None if it is not known.
        is_certain: whether it exists. If the answer to the request was lost, it may exist.
    """

    what: str
    voucher_id: str | None
    is_certain: bool

    def __str__(self) -> str:
        id = "" if self.voucher_id is None else f": {self.voucher_id}"
        return f"{self.what} {'was' if self.is_certain else 'may have been'} left behind at the vendor{id}"


OTHER_VOUCHER: Final = "the reply is about another voucher"
"""The reason of an error, and of a request record, if the reply names another voucher than the expected one."""


def voucher_id_of(result: object) -> str | None:
    """Return the id of the voucher that a result names; None if it names none."""
    if isinstance(result, Voucher):
        return result.id
    return result.voucher_id if isinstance(result, ValueResult) else None


def require_voucher(voucher_id: str | None, result: object) -> None:
    """Check that a result does not name another voucher than the expected one, as far as both are known.

    Raises:
        IntegrityMismatch: if it names another one.
    """
    result_id = voucher_id_of(result)
    if voucher_id is not None and result_id is not None and result_id != voucher_id:
        raise IntegrityMismatch(OTHER_VOUCHER)
