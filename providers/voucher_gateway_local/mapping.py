"""Between rows and the domain."""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

from voucher_gateway.provider_api import (
    Code,
    Deletion,
    Interval,
    Medium,
    Money,
    Movement,
    MovementKind,
    Pin,
    Redemption,
    Refund,
    Release,
    Reservation,
    Status,
    TopUp,
    Validity,
    Voucher,
    VoucherNotFound,
    decode,
    exponent,
    metadata_of,
)
from voucher_gateway_local.statements import CHANGEABLE, Row

_ID: Final = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,8})", re.ASCII)
_KINDS: Final = {
    "redeem": MovementKind.REDEMPTION,
    "capture": MovementKind.REDEMPTION,
    "refund": MovementKind.REFUND,
    "top_up": MovementKind.TOP_UP,
}
# The caller's own decimal context could round.
_EXACT: Final = Context(prec=40, traps=[InvalidOperation, Inexact])


def money_of(minor: int, currency: str) -> Money:
    """Return minor units as money; they fit the currency, as they were money before."""
    return Money.from_exact(_EXACT.scaleb(Decimal(minor), -exponent(currency)), currency)


def entry_id(voucher: int, seq: int) -> str:
    """Return the id of a movement or reservation."""
    return f"{voucher}-{seq}"


def entry_of(id: str, what: str) -> tuple[int, int]:
    """Return the number of the voucher and that of the entry which an id names.

    Raises:
        VoucherNotFound: if no entry can have this id.
    """
    match = _ID.fullmatch(id)
    if match is None:
        raise VoucherNotFound(f"there is no {what} with this id")
    return int(match[1]), int(match[2])


def instant_of(text: str | None) -> datetime | None:
    """Return the instant that a column holds."""
    return None if text is None else datetime.fromisoformat(text)  # as `format_micros` wrote it


def voucher_of(account: str, row: Row, code: Code | None, pin: Pin | None) -> Voucher:
    """Return the voucher that a row of `statements.SHOWN` shows."""
    currency = row["currency"]
    validity = row["validity_value"]
    text = row["metadata"]
    metadata = None if text is None else metadata_of(decode(text.encode(), what="metadata"))
    return Voucher(
        account=account,
        id=row["id"],
        code=code,
        pin=pin,
        initial=money_of(row["initial"], currency),
        remaining=money_of(row["remaining"], currency),
        status=Status(row["status"]),
        medium=None if row["medium"] is None else Medium(row["medium"]),
        valid_until=instant_of(row["valid_until"]),
        validity=None if validity is None else Validity(validity, Interval(row["validity_interval"])),
        **_tax_of(row),
        sku=row["sku"],
        batch=row["batch"],
        order=row["order_number"],
        metadata=metadata,
        created_at=instant_of(row["created_at"]),
        updated_at=instant_of(row["updated_at"]),
        deletable=row["deleted_at"] is None and not row["moved"] and not row["held"],
    )


def state_of(row: Row) -> str:
    """Return what an entry keeps of the voucher that it left behind."""
    return json.dumps({name: row[name] for name in (*CHANGEABLE, "moved", "held")})


def row_as_left(row: Row, entry: Row) -> Row:
    """Return a voucher's row as an entry left it, so that a repeated call hears what the first one heard."""
    return {**row, **json.loads(entry["state"]), "remaining": entry["after"]}


def reservation_of(account: str, row: Row, entry: Row) -> Reservation:
    """Return the reservation that an entry made."""
    return Reservation(
        account=account,
        id=entry_id(entry["voucher"], entry["seq"]),
        voucher_id=row["id"],
        money=money_of(entry["held_amount"], row["currency"]),
        valid_until=instant_of(entry["ends_at"]),
        reference=entry["reference"],
        order=entry["order_number"],
        **_tax_of(row),
        created_at=instant_of(entry["at"]),
    )


def deletion_of(account: str, row: Row, _: Row) -> Deletion:
    """Return the deletion of a voucher."""
    return Deletion(account=account, voucher_id=row["id"])


def release_of(account: str, _: Row, entry: Row) -> Release:
    """Return what became of the reservation that an entry gave up: its value is free."""
    return Release(account=account, reservation_id=entry_id(entry["voucher"], entry["subject"]), freed=True)


def redemption_of(account: str, row: Row, entry: Row) -> Redemption:
    """Return the redemption that an entry made, out of a reservation or at once."""
    captured = entry["subject"]
    return Redemption(
        account=account,
        reservation_id=None if captured is None else entry_id(entry["voucher"], captured),
        **_tax_of(row),
        **_movement_fields(row, entry),
    )


def refund_of(account: str, row: Row, entry: Row) -> Refund:
    """Return the refund that an entry made."""
    return Refund(
        account=account, redemption_id=entry_id(entry["voucher"], entry["subject"]), **_movement_fields(row, entry)
    )


def top_up_of(account: str, row: Row, entry: Row) -> TopUp:
    """Return the top-up that an entry made."""
    return TopUp(account=account, **_movement_fields(row, entry))


def _tax_of(row: Row) -> dict[str, Any]:
    return {"taxable": None if row["taxable"] is None else bool(row["taxable"]), "tax_rate": row["tax_rate"]}


def _movement_fields(row: Row, entry: Row) -> dict[str, Any]:
    return {
        "id": entry_id(entry["voucher"], entry["seq"]),
        "voucher_id": row["id"],
        "money": money_of(abs(entry["amount"]), row["currency"]),
        "reference": entry["reference"],
        "order": entry["order_number"],
        "remaining": money_of(entry["after"], row["currency"]),
        "created_at": instant_of(entry["at"]),
    }


def movement_of(account: str, row: Row, entry: Row) -> Movement:
    """Return an entry as a line of the voucher's history."""
    return Movement(
        account=account,
        id=entry_id(entry["voucher"], entry["seq"]),
        voucher_id=row["id"],
        kind=_KINDS[entry["kind"]],
        money=money_of(abs(entry["amount"]), row["currency"]),
        reference=entry["reference"],
        created_at=instant_of(entry["at"]),
    )
