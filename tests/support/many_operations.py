"""A journal of many operations that were never sent, written straight into its tables."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from voucher_gateway.instants import format_micros
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.schema import operations

HOST: Final = "vendor.test"
KEY_ID: Final = "1"
_VERBS: Final = ("issue", "redeem", "reserve", "capture")
_BATCH: Final = 5_000


def write_operations(journal: Journal, count: int, *, begin: datetime) -> None:
    """Write operations of one a second: a quarter of each verb, two of each order, one in 50 of them unknown."""
    with journal.database.write() as connection:
        for first in range(0, count, _BATCH):
            rows = [_row(number, begin) for number in range(first, min(first + _BATCH, count))]
            connection.execute(sa.insert(operations), rows)


def _row(number: int, begin: datetime) -> dict[str, Any]:
    instant = begin + timedelta(seconds=number)
    at, verb = format_micros(instant), _VERBS[number % 4]
    order, voucher = f"order-{number // 2:06}", f"voucher-{number % 99:02}"
    is_unknown = number % 50 == 49
    result = {
        "kind": "Redemption",
        "account": "shop",
        "id": f"movement-{number:06}",
        "voucher_id": voucher,
        "money": {"amount": "10.53", "currency": "EUR"},
        "reference": f"reference-{number:06}",
        "order": order,
        "created_at": at,
    }
    return {
        "id": f"{int(instant.timestamp() * 1000):012x}{number:014x}",
        "account": "shop" if number % 10 else "events",
        "verb": verb,
        "reference": f"reference-{number:06}",
        "order_number": order,
        "provider": "jtl",
        "host": HOST,
        "login": "a-client",
        "key_id": KEY_ID,
        "fingerprint": f"{number % 99:064x}",
        "voucher_id": voucher,
        "amount": "10.53",
        "currency": "EUR",
        "state": "unknown" if is_unknown else "succeeded",
        "attempt": 1,
        "epoch": 1,
        "owner": "0123456789abcdef",
        "result": None if is_unknown else json.dumps(result),
        "error": json.dumps({"error": "OutcomeUnknown", "message": "no answer came"}) if is_unknown else None,
        "created_at": at,
        "updated_at": at,
        "checks": 0,
    }
