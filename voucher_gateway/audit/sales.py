"""Compares sales with their events."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from voucher_gateway.audit.operations import is_name_of
from voucher_gateway.audit.subjects import Rows
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.sales.events import sale_digest
from voucher_gateway.sales.records import SaleRow, SaleState
from voucher_gateway.sales.schema import sales


class SaleComparison:
    """Compares sales.

    Args:
        keys: the journal's.
        renamed: which name an account got after each name that it had.
    """

    table = "sales"
    key: sa.Column[Any] = sales.c.id
    prefix = "sale."
    removal = "its name could be sold again; the operations of the order show what was issued"
    parts: Mapping[str, sa.Column[Any]] = {}

    def __init__(self, keys: JournalKeys, renamed: Mapping[str, set[str]]) -> None:
        self._keys = keys
        self._renamed = renamed

    def name(self, row: Mapping[str, Any]) -> str:
        """Return the name of the sale."""
        return str(row["name"])

    def compare(self, row: Mapping[str, Any], parts: Mapping[str, Rows], own_events: Rows) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Yield what is not as the events tell."""
        last = own_events[-1]
        is_state = row["state"] in list(SaleState)
        digest = sale_digest(self._keys, SaleRow.of(row), key_id=last["key_id"]) if is_state else ""
        if not hmac.compare_digest(digest, last["row_digest"] or "-"):
            yield self.table, "its row is not as it was written"
        if not is_name_of(row["account"], json.loads(last["data"]).get("account"), self._renamed):
            yield self.table, f"it is under the account {row['account']}, and was not when it was written"
