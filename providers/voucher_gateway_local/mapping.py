"""Maps rows of the database to the objects of the domain."""

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
# Used because the decimal context of the caller could round.
_EXACT: Final = Context(prec=40, traps=[InvalidOperation, Inexact])


def money_of(minor: int, currency: str) -> Money:
    """Return minor units as money. They fit the currency, because they were made from money."""
    return Money.from_exact(_EXACT.scaleb(Decimal(minor), -exponent(currency)), currency)


def entry_id(voucher: int, seq: int) -> str:
    """Return the id of a movement or reservation."""
    return f"{voucher}-{seq}"


def entry_of(id: str, what: str) -> tuple[int, int]:
    """Return the numbers of the voucher and of the entry in an id.

    Raises:
        VoucherNotFound: if no entry can have this id.
    """
    match = _ID.fullmatch(id)
    if match is None:
        raise VoucherNotFound(f"no {what} has this id")
    return int(match[1]), int(match[2])


def instant_of(text: str | None) -> datetime | None:
    """Return the instant in a column."""
    return None if text is None else datetime.fromisoformat(text)  # as `format_micros` wrote it


def voucher_of(account: str, row: Row, code: Code | None, pin: Pin | None) -> Voucher:
    """Return the voucher of a row of `statements.VOUCHERS`."""
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
    """Return the state of the voucher after an entry, as JSON text that the entry stores."""
    return json.dumps({name: row[name] for name in (*CHANGEABLE, "moved", "held")})


def row_after_entry(row: Row, entry: Row) -> Row:
    """Return a voucher's row as it was after an entry, so that a repeated call returns the first result."""
    return {**row, **json.loads(entry["state"]), "remaining": entry["after"]}


def reservation_of(account: str, row: Row, entry: Row) -> Reservation:
    """Return the reservation of an entry."""
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
    """Return the release of an entry. The value of the reservation is free."""
    return Release(account=account, reservation_id=entry_id(entry["voucher"], entry["subject"]), freed=True)


def redemption_of(account: str, row: Row, entry: Row) -> Redemption:
    """Return the redemption of an entry: of a capture, or in one step."""
    reservation = entry["subject"]
    return Redemption(
        account=account,
        reservation_id=None if reservation is None else entry_id(entry["voucher"], reservation),
        **_tax_of(row),
        **_movement_fields(row, entry),
    )


def refund_of(account: str, row: Row, entry: Row) -> Refund:
    """Return the refund of an entry."""
    return Refund(
        account=account, redemption_id=entry_id(entry["voucher"], entry["subject"]), **_movement_fields(row, entry)
    )


def top_up_of(account: str, row: Row, entry: Row) -> TopUp:
    """Return the top-up of an entry."""
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
    """Return the movement of an entry, for the history of the voucher."""
    return Movement(
        account=account,
        id=entry_id(entry["voucher"], entry["seq"]),
        voucher_id=row["id"],
        kind=_KINDS[entry["kind"]],
        money=money_of(abs(entry["amount"]), row["currency"]),
        reference=entry["reference"],
        created_at=instant_of(entry["at"]),
    )
