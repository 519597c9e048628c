"""What the journal holds, as objects and as JSON."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import Ticket, VoucherGatewayError
from voucher_gateway.instants import parse_instant
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import nfc
from voucher_gateway.models.results import Deletion, Redemption, Refund, Release, Reservation, TopUp
from voucher_gateway.models.voucher import Links, Voucher
from voucher_gateway.money import Money
from voucher_gateway.outcome import Effect, Intent, Result
from voucher_gateway.serialization import make_converter
from voucher_gateway.wire.json import decode


class OperationState(enum.StrEnum):
    """The state of an operation.

    Attributes:
        OPEN: a worker executes it, or crashed while it did.
        SUCCEEDED: the vendor executed it.
        DECLINED: the vendor refused it, and nothing changed.
        NOT_EXECUTED: it was not carried out, and nothing changed.
        UNKNOWN: it may have been executed; it has to be resolved.
        PENDING: the vendor has accepted it, and will complete or cancel it later; it has to be resolved.
    """

    OPEN = "open"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"
    PENDING = "pending"

    @property
    def is_unresolved(self) -> bool:
        """Whether it is not known yet what becomes of the operation."""
        return self in UNRESOLVED

    @property
    def may_have_happened(self) -> bool:
        """Whether the operation was executed, or may have been, or may still be."""
        return self is OperationState.SUCCEEDED or self.is_unresolved


UNRESOLVED: Final = (OperationState.OPEN, OperationState.UNKNOWN, OperationState.PENDING)
"""The states of operations whose outcome is not known yet."""


@attrs.frozen
class OperationKey:
    """The name of an operation. A reserve and its capture may share a reference, because their verbs differ."""

    account: str
    verb: Operation
    reference: str = attrs.field(converter=nfc)


@attrs.frozen(kw_only=True)
class OperationTarget:
    """What an operation shall do. It is compared when the same key comes again."""

    provider: str
    host: str
    login: str | None
    key_id: str
    fingerprint: str | None
    id: str | None
    money: Money | None
    content: str | None = None


@attrs.frozen(kw_only=True)
class OperationRecord:
    """One operation in the journal.

    Attributes:
        id: the journal's id of it.
        key: the caller's.
        order: the shop's order.
        target: what it shall do.
        voucher_id: the voucher at the vendor, once it is known.
        state: its state.
        attempt: the number of its attempts.
        epoch: raised by every take-over.
        owner: the process that works on it, or worked on it last.
        result: its result, as JSON text.
        error: the last error, as JSON text.
        created_at: when its first attempt began.
        updated_at: when it last changed.
        checks: how often its outcome was looked up and stayed unknown.
        check_at: when to look again.
        decided_by: the person who decided it.
        decision: that person's reason.
    """

    id: str
    key: OperationKey
    order: str | None
    target: OperationTarget
    voucher_id: str | None
    state: OperationState
    attempt: int
    epoch: int
    owner: str | None
    result: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    checks: int = 0
    check_at: datetime | None = None
    decided_by: str | None = None
    decision: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[Any, Any]) -> OperationRecord:
        """Return the operation that a row of the table holds."""
        money = Money(row["amount"], row["currency"]) if row["amount"] is not None else None
        return cls(
            id=row["id"],
            key=OperationKey(row["account"], Operation(row["verb"]), row["reference"]),
            order=row["order_number"],
            target=OperationTarget(
                provider=row["provider"],
                host=row["host"],
                login=row["login"],
                key_id=row["key_id"],
                fingerprint=row["fingerprint"],
                id=row["target"],
                money=money,
                content=row["content"],
            ),
            voucher_id=row["voucher_id"],
            state=OperationState(row["state"]),
            attempt=row["attempt"],
            epoch=row["epoch"],
            owner=row["owner"],
            result=row["result"],
            error=row["error"],
            created_at=parse_instant(row["created_at"]),
            updated_at=parse_instant(row["updated_at"]),
            checks=row["checks"],
            check_at=parse_instant(row["check_at"]) if row["check_at"] else None,
            decided_by=row["decided_by"],
            decision=row["decision"],
        )

    @property
    def label(self) -> str:
        """Account, operation and id, for log lines. A log line does not name the caller's reference."""
        return f"{self.key.account}: {self.key.verb.value} {self.id}"

    @property
    def reason(self) -> str:
        """The message of the last error."""
        return str(json.loads(self.error).get("message", "")) if self.error else ""

    @property
    def needs_decision(self) -> bool:
        """Whether another system changed the voucher at the same moment, so that only a person can decide it."""
        return bool(self.error) and json.loads(self.error or "{}").get("error") == "ConcurrentModification"

    def replay(self) -> Result:
        """Return the recorded result, marked as replayed, under the present name of its account."""
        assert self.result is not None
        return attrs.evolve(read_result(self.result), replayed=True, account=self.key.account)


@attrs.frozen(kw_only=True)
class RequestRecord:
    """One changing request that was, or may have been, sent.

    Attributes:
        id: the row's number.
        epoch: the operation's epoch when it was sent.
        attempt: the operation's attempt when it was sent.
        step: the name of its step.
        decisive: whether the operation succeeds when this request does.
        intent: what was sent, under its wire reference and, where it has one, its key.
        sent_at: when the row was committed, by our clock.
        effect: what it did; None if the process crashed before that was known.
        reason: how that is known, or why it is not.
    """

    id: int
    epoch: int
    attempt: int
    step: str
    decisive: bool
    intent: Intent
    sent_at: datetime
    effect: Effect | None
    reason: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[Any, Any]) -> RequestRecord:
        """Return the request that a row of the table holds."""
        intent = Intent.from_ticket(Ticket.from_json(row["intent"]))
        return cls(
            id=row["id"],
            epoch=row["epoch"],
            attempt=row["attempt"],
            step=row["step"],
            decisive=row["decisive"],
            intent=attrs.evolve(intent, key=row["vendor_key"], key_credentials=row["key_credentials"]),
            sent_at=parse_instant(row["sent_at"]),
            effect=Effect(row["effect"]) if row["effect"] else None,
            reason=row["reason"],
        )


@attrs.frozen(kw_only=True)
class HoldRequest:
    """How a reservation that is about to be made treats other reservations of the voucher.

    Attributes:
        code: the voucher's code.
        order: the shop's order. Reservations of the same order belong together.
        exclusive: whether the vendor ends the others when it makes this one.
        holds_rest: whether the rest stays reserved after a capture of a part.
        if_held: ``refuse`` if there is another, ``replace-own`` to replace those of the same order, or ``replace``.
        lasts_until: its latest possible end, if its outcome stays unknown.
    """

    code: Code
    order: str | None
    exclusive: bool
    holds_rest: bool
    if_held: str
    lasts_until: datetime | None


@attrs.frozen
class RequestResult:
    """The outcome of a request, to be written with the next commit.

    Attributes:
        row: the request's number.
        effect: what it did.
        reason: a sentence, where the effect is not success.
        step: which request of the operation it was.
        reservation: the reservation that it made; None if it made none.
        key_forgotten: whether the vendor has forgotten the key of the request, so that its row must not keep it.
        notes: what the vendor gave when it accepted the request, for its look-up; None for nothing.
    """

    row: int
    effect: Effect
    reason: str | None = None
    step: str = ""
    reservation: Reservation | None = None
    key_forgotten: bool = False
    notes: Mapping[str, str] | None = None


# --- results and errors as JSON: without codes, PINs and the vendor's raw objects ---

_KINDS: Final[Mapping[str, type[Any]]] = {
    kind.__name__: kind for kind in (Voucher, Reservation, Redemption, Refund, TopUp, Release, Deletion)
}


_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


def write_result(result: Result) -> str:
    """Return a result as one line of JSON."""
    return _encode({"kind": type(result).__name__, **_CONVERTER.unstructure(result)})


def read_result(text: str) -> Result:
    """Return the result that `write_result` wrote; codes and PINs in it are None."""
    fields: Any = decode(text.encode())
    result: Result = _CONVERTER.structure(fields, _KINDS[fields.pop("kind")])
    return result


def _leave_out(*_: object) -> None:
    """Return None in the place of a code or PIN."""


def _make_converter() -> cattrs.Converter:
    converter = make_converter()
    converter.register_unstructure_hook(Links, dict)
    for secret in (Code, Pin):
        converter.register_structure_hook(secret, _leave_out)
        converter.register_unstructure_hook(secret, _leave_out)
    for kind in _KINDS.values():
        left_out: dict[str, Any] = {"raw": override(omit=True), "replayed": override(omit=True)}
        if kind is Voucher:
            # Metadata is the shop's own and may be large; a replayed voucher can be read again.
            left_out |= {name: override(omit=True) for name in ("code", "pin", "metadata", "unread")}
        if kind in (Release, Deletion):
            left_out.pop("raw")
        converter.register_unstructure_hook(kind, make_dict_unstructure_fn(kind, converter, True, **left_out))
        converter.register_structure_hook(kind, make_dict_structure_fn(kind, converter, **left_out))
    return converter


_CONVERTER: Final = _make_converter()


def write_error(error: VoucherGatewayError) -> str:
    """Return an error as one line of JSON: without payloads and codes."""
    ticket = getattr(error, "ticket", None)
    fields = {
        "error": type(error).__name__,
        "message": error.message,
        "http_status": error.http_status,
        "vendor_code": error.vendor_code,
        "ticket": None if ticket is None else json.loads(ticket.to_json()),
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}, ensure_ascii=False)
