"""The filters of the list of cards."""

from __future__ import annotations

from typing import Final

from voucher_gateway.provider_api import InvalidRequest, VoucherQuery
from voucher_gateway_square.mapping import STATUSES

NATIVE_FILTERS: Final = {"type": ("DIGITAL", "PHYSICAL"), "state": ("ACTIVE", "BLOCKED", "DEACTIVATED", "PENDING")}
"""The vendor's own filters, and their values (schema)."""


def filters(query: VoucherQuery) -> list[tuple[str, str]] | None:
    """Return the query's filters as the vendor writes them; None if no card can have the status."""
    query.refuse_all_but("status", native=NATIVE_FILTERS)
    params: list[tuple[str, str]] = []
    for name, value in query.native.items():
        if value not in NATIVE_FILTERS[name]:
            rule = f"one of {', '.join(NATIVE_FILTERS[name])}"
            raise InvalidRequest(f"{name} must be {rule}", field=f"native.{name}", rule=rule)
        params.append((name, str(value)))
    if query.status is None:
        return params
    if "state" in query.native:
        raise InvalidRequest("status and the native filter state are the same", field="status", rule="one of the two")
    states = [state for state, status in STATUSES.items() if status is query.status]
    return [*params, ("state", states[0])] if states else None
