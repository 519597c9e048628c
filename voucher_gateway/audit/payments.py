"""Compares payments, their legs and their refunds with their events."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from voucher_gateway.audit.operations import is_name_of
from voucher_gateway.audit.subjects import Rows
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.payments.rows.events import COVERED_COLUMNS, PaymentRows
from voucher_gateway.payments.rows.schema import legs, payments, refund_parts, refunds

_TABLE_NAMES: Final = {"payment": "payments", "legs": "legs", "refunds": "refunds", "parts": "refund parts"}


class PaymentComparison:
    """Compares payments.

    Args:
        keys: the journal's.
        renamed: which name an account got after each name that it had.
    """

    table = "payments"
    key: sa.Column[Any] = payments.c.id
    prefix = "payment."
    removal = "its order could be paid again; the operations of the order show what was taken"
    parts: Mapping[str, sa.Column[Any]] = {
        "legs": legs.c.payment_id,
        "refunds": refunds.c.payment_id,
        "refund parts": refund_parts.c.payment_id,
    }

    def __init__(self, keys: JournalKeys, renamed: Mapping[str, set[str]]) -> None:
        self._keys = keys
        self._renamed = renamed

    def name(self, row: Mapping[str, Any]) -> str:
        """Return the order."""
        return str(row["order_number"])

    def compare(self, row: Mapping[str, Any], parts: Mapping[str, Rows], own_events: Rows) -> Iterator[tuple[str, str]]:
        """Yield what is not as the events tell."""
        last = own_events[-1]
        rows = PaymentRows(row, parts["legs"], parts["refunds"], parts["refund parts"])
        digests = rows.digest(self._keys, key_id=last["key_id"]).split(".")
        recorded = (last["row_digest"] or "").split(".")
        for part, digest, written in zip(COVERED_COLUMNS, digests, [*recorded, "", "", ""], strict=False):
            if not hmac.compare_digest(digest, written):
                yield _TABLE_NAMES[part], _sentence(part)
        accounts = {leg["number"]: leg["account"] for leg in json.loads(last["data"]).get("legs", ())}
        for leg in parts["legs"]:
            recorded_name = accounts.get(leg["number"])
            if recorded_name is not None and not is_name_of(leg["account"], recorded_name, self._renamed):
                yield "legs", f"leg {leg['number']} is under another account than was written"


def _sentence(part: str) -> str:
    subject = {"payment": "its row is", "legs": "its legs are", "refunds": "its refunds are", "parts": "its parts are"}
    return f"{subject[part]} not as they were written" if part != "payment" else "its row is not as it was written"
