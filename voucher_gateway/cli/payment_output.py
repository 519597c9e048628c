"""How the commands about payments print a payment, its refunds and its operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from voucher_gateway.cli.context import DECLINED, DONE, NOT_DONE, UNKNOWN
from voucher_gateway.cli.output import Output, printable
from voucher_gateway.cli.tables import STYLES, TableColumn, details, print_rows, text_of
from voucher_gateway.payments.rows.records import PaymentLeg, PaymentRecord
from voucher_gateway.payments.rows.references import payment_mark
from voucher_gateway.payments.rows.refund_records import PaymentRefund, RefundPart
from voucher_gateway.payments.rows.states import (
    DECIDED,
    OTHER,
    LegState,
    OtherState,
    PartState,
    PaymentState,
    RefundState,
)

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.journal.records import OperationRecord

_FREEING: Final = (LegState.RELEASED, LegState.RELEASING)
_HOLDING: Final = (LegState.HELD, LegState.CAPTURING)


def _attempt_of(record: PaymentRecord) -> int | None:
    """Return the attempt of an order that has several; None for the first."""
    return None if record.attempt == 1 else record.attempt


PAYMENT_COLUMNS: Final = (
    TableColumn("opened (UTC)", attrgetter("created_at")),
    TableColumn("order", attrgetter("order")),
    TableColumn("attempt", _attempt_of, right=True, optional=True),
    TableColumn("state", attrgetter("state")),
    TableColumn("total", attrgetter("total"), right=True),
    TableColumn("captured", attrgetter("captured"), right=True),
    TableColumn("due", attrgetter("due"), right=True),
    TableColumn("attention", attrgetter("attention"), optional=True),
)
"""The columns of a list of payments."""


def _hold_end_text(leg: PaymentLeg) -> str:
    """Return until when the value of a leg is held, or when released value is free."""
    if leg.held_until is None:
        return ""
    if leg.state in _FREEING:
        return f"free at {text_of(leg.held_until)}"
    return f"held until {text_of(leg.held_until)}" if leg.state in _HOLDING else ""


_LEG_COLUMNS: Final = (
    TableColumn("leg", attrgetter("number"), right=True),
    TableColumn("account", attrgetter("account")),
    TableColumn("voucher", attrgetter("hint")),
    TableColumn("state", attrgetter("state")),
    TableColumn("amount", attrgetter("amount"), right=True),
    TableColumn("taken", attrgetter("taken"), right=True, optional=True),
    TableColumn("returned", attrgetter("returned"), right=True, optional=True),
    TableColumn("value", _hold_end_text, optional=True),
    TableColumn("problem", attrgetter("problem"), optional=True),
)


def _giver_of(part: RefundPart) -> str:
    return "other means" if part.leg == OTHER else f"leg {part.leg}"


_PART_COLUMNS: Final = (
    TableColumn("from", _giver_of),
    TableColumn("amount", attrgetter("amount"), right=True),
    TableColumn("state", attrgetter("state")),
    TableColumn("new voucher", attrgetter("replacement_id"), optional=True),
    TableColumn("reason", attrgetter("reason"), optional=True),
)
_REFUND_COLUMNS: Final = (
    TableColumn("refund (UTC)", attrgetter("created_at")),
    TableColumn("reference", attrgetter("reference")),
    TableColumn("state", attrgetter("state")),
    TableColumn("amount", attrgetter("amount"), right=True),
    TableColumn("vouchers", attrgetter("vouchers"), right=True),
    TableColumn("other means", attrgetter("other"), right=True),
    TableColumn("not possible", attrgetter("not_possible"), right=True),
)


def payment_fields(record: PaymentRecord) -> dict[str, Any]:
    """Return what is printed of a payment."""
    return {
        "order": record.order,
        "attempt": record.attempt,
        "state": record.state,
        "total": record.total,
        "captured": record.captured,
        "due": record.due,
        "short_by": record.short_by,
        "attention": record.attention,
        "authorized_until": record.authorized_until,
        "allocation": record.allocation,
        "other": {"amount": record.other_amount, "state": record.other_state} if record.has_other else None,
        "legs": record.legs,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "decided_at": record.decided_at,
        "payment_id": record.id,
    }


def print_payment(output: Output, record: PaymentRecord, *, legs: bool = True) -> None:
    """Print a payment, and its legs, for people."""
    attempt = "" if record.attempt == 1 else f", attempt {record.attempt}"
    title = f"Payment of order {record.order}{attempt}: {record.state.value}"
    other = "" if not record.has_other else f"{record.other_state.value} {text_of(record.other_amount)}".strip()
    texts = {
        "total": text_of(record.total),
        "captured": text_of(record.captured),
        "due": text_of(record.due),
        "short by": text_of(record.short_by),
        "held until": text_of(record.authorized_until),
        "other means": other,
        "opened": text_of(record.created_at),
        "decided": text_of(record.decided_at),
        "attention": record.attention or "",
    }
    output.show(Text(printable(title), STYLES.get(record.state.value, "")), details(texts))
    if legs and record.legs:
        print_rows(output, record.legs, _LEG_COLUMNS)


def print_refunds(output: Output, refunds: Iterable[PaymentRefund]) -> None:
    """Print the refunds of a payment, for people."""
    print_rows(output, refunds, _REFUND_COLUMNS)


def print_refund(output: Output, refund: PaymentRefund, record: PaymentRecord) -> None:
    """Print what each leg gives back in a refund, and what the shop has to do, for people."""
    title = f"Refund {refund.reference} of order {record.order}: {refund.state.value}"
    output.show(Text(printable(title), "green" if refund.state is RefundState.DONE else "yellow"))
    print_rows(output, refund.parts, _PART_COLUMNS)
    if any(part.state is PartState.TOLD for part in refund.parts):
        output.note(f"Give {refund.other} back by the other means of the shop: it is not inside the payment.")
    if refund.not_possible:
        output.note(f"{refund.not_possible} cannot be given back to a voucher. Refund it in another way.", "yellow")


def refund_code(refund: PaymentRefund) -> int:
    """Return the exit code of a refund that ended without an error."""
    if refund.state is RefundState.OPEN:
        return NOT_DONE
    return DECLINED if refund.not_possible else DONE


def payment_code(gateway: Gateway, record: PaymentRecord) -> int:
    """Return the exit code of a command that should have completed what was decided about a payment."""
    if record.state in DECIDED or record.attention is not None:
        is_unknown = any(operation.state.is_unresolved for operation in operations_of(gateway, record))
        return UNKNOWN if is_unknown else NOT_DONE
    return DECLINED if record.state is PaymentState.SHORT else DONE


def operations_of(gateway: Gateway, record: PaymentRecord) -> Sequence[OperationRecord]:
    """Return the operations of a payment, the oldest first."""
    prefix = f"{payment_mark(record.id)}-"
    of_order = gateway.operations(order=record.order)
    return [operation for operation in of_order if operation.key.reference.startswith(prefix)][::-1]


def other_sentence(record: PaymentRecord) -> str | None:
    """Return what the shop has to do at its other means after a cancellation; None if nothing."""
    if not record.has_other:
        outside = "Void or refund the other means of the shop, if it paid: it is not inside the payment."
        return outside if record.due else None
    if record.other_state in (OtherState.NONE, OtherState.VOIDED, OtherState.RETURNED):
        return None
    return f"The other means: {record.other_state.value}."
