"""Reads a new voucher from the body of its creation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from voucher_gateway.simulator import random_text
from voucher_gateway_jtl.simulator.vouchers import INTERVALS, MEDIA, STATUSES, Voucher

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from voucher_gateway_jtl.simulator.ledger import Ledger
    from voucher_gateway_jtl.simulator.validation import Fields

WRITABLE: Final = frozenset(
    [
        "id",
        "sku",
        "batch",
        "amount",
        "currency",
        "validity_value",
        "validity_interval",
        "status",
        "type",
        "taxable",
        "tax_rate",
        "order_number",
        "data",
        "code",
        "pin",
    ]
)
"""Seed: the fields of a new voucher that are not read-only."""
READ_ONLY: Final = frozenset(["client_id", "valid_until", "created_at", "updated_at", "remaining_amount", "deletable"])

_UI_VALIDITY: Final = (3, "years")
"""What the settings in the UI say where a client says nothing (seed: they do; the figures are ours)."""


def new_voucher(fields: Fields, ledger: Ledger, client_id: str, now: datetime, draw: random.Random) -> Voucher:
    """The voucher, not yet in the ledger.

    Raises:
        Refused: 422 when a field breaks its rule, or the id or code is taken.
    """
    voucher = Voucher(
        # an empty id or code counts as none, so that no path has an empty part (not documented)
        id=fields.text("id", longest=255) or random_text(draw, 16),
        client_id=client_id,
        code=fields.text("code", longest=255) or random_text(draw, 12),
        pin=fields.text("pin", longest=255) or None,
        sku=fields.text("sku", longest=255),
        batch=fields.text("batch", longest=30),
        cents=fields.amount(),
        remaining=0,
        currency=fields.currency(),
        validity_value=fields.integer("validity_value", least=1, most=100_000) or _UI_VALIDITY[0],
        validity_interval=fields.choice("validity_interval", INTERVALS) or _UI_VALIDITY[1],
        type=fields.choice("type", MEDIA) or "digital",
        taxable=fields.flag("taxable") or False,
        tax_rate=fields.text("tax_rate"),
        order_number=fields.text("order_number"),
        data=fields.text("data"),
        created_at=now,
        updated_at=now,
    )
    voucher.remaining = voucher.cents
    status = fields.choice("status", STATUSES)
    if voucher.taxable and not voucher.tax_rate:
        fields.refuse("tax_rate", "required_if:taxable,true", "is required when taxable is true")
    if voucher.id in ledger.vouchers:
        fields.refuse("id", "unique", "is taken")
    if voucher.code in ledger.by_code:
        fields.refuse("code", "unique", "is taken")
    fields.check()
    # Seed: vouchers are inactive when created in general, printed ones by default.
    if status == "active" and voucher.type != "print":
        voucher.activate(now)
    return voucher
