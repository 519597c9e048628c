"""Pages of 1000 vouchers for the benchmark of structuring, as bytes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from voucher_gateway.instants import format_milliseconds, format_seconds
from voucher_gateway.wire.json import encode

VOUCHERS: Final = 1000


def jtl_page() -> bytes:
    """A page as the seed shows one, its fields filled; one in ten has data."""
    chance = random.Random(1)
    made = datetime(2025, 1, 1, tzinfo=UTC)
    data = []
    for number in range(VOUCHERS):
        made += timedelta(seconds=chance.randrange(1, 5000))
        cents = chance.randrange(1, 9_999_999)
        left = chance.randrange(cents + 1)
        data.append(
            {
                "id": f"4ZH83T0ACUUC{number:04d}",
                "client_id": "da39a3ee5eb28b7392ef5",
                "sku": f"SKU{chance.randrange(10**8)}",
                "batch": "Winter Campaign",
                "amount": f"{cents // 100}.{cents % 100:02d}",
                "currency": "EUR",
                "valid_until": format_seconds(made + timedelta(days=730)),
                "validity_value": 24,
                "validity_interval": "months",
                "status": chance.choice(["active", "inactive"]),
                "type": chance.choice(["print", "digital"]),
                "taxable": chance.random() < 0.5,
                "tax_rate": "19",
                "order_number": f"Order {number}",
                "data": None if number % 10 else '{"foo": "bar"}',
                "created_at": format_seconds(made),
                "updated_at": format_seconds(made + timedelta(seconds=chance.randrange(10**6))),
                "remaining_amount": f"{left // 100}.{left % 100:02d}",
                "deletable": chance.random() < 0.5,
            }
        )
    return encode(
        {"data": data, "meta": {"current_page": 1, "per_page": VOUCHERS, "last_page": 7, "total": 7 * VOUCHERS}}
    )


def ticketing_page() -> bytes:
    """A page as the seed shows one, with the `_id` that it leaves out; every other voucher never expires."""
    chance = random.Random(2)
    made = datetime(2025, 1, 1, tzinfo=UTC)
    docs = []
    for number in range(VOUCHERS):
        made += timedelta(milliseconds=chance.randrange(1, 5_000_000))
        cents = chance.randrange(1, 100_000)
        voucher: dict[str, Any] = {
            "_id": f"{chance.randrange(16**24):024x}",
            "code": f"{chance.randrange(36**8):08d}",
            "amount": Decimal(cents) / 100,
            "sellerId": "5f2a1c9d8e7b6a5f4e3d2c1b",
            "transactionId": f"{chance.randrange(16**24):024x}",
            "productId": f"{chance.randrange(16**24):024x}",
            "customerId": f"{chance.randrange(16**24):024x}",
            "origin": "shop",
            "createdAt": format_milliseconds(made),
            "updatedAt": format_milliseconds(made + timedelta(hours=1)),
            "balance": Decimal(chance.randrange(cents + 1)) / 100,
        }
        if number % 2:
            voucher["validUntil"] = format_milliseconds(made + timedelta(days=1000))
        docs.append(voucher)
    return encode({"docs": docs, "total": VOUCHERS})


def square_page() -> bytes:
    """A page as the vendor's examples show one; one in ten is a printed card, one in twenty linked to a customer."""
    chance = random.Random(3)
    made = datetime(2025, 1, 1, tzinfo=UTC)
    cards = []
    for number in range(VOUCHERS):
        made += timedelta(milliseconds=chance.randrange(1, 5_000_000))
        card: dict[str, Any] = {
            "id": f"gftc:{chance.randrange(16**32):032x}",
            "type": "DIGITAL" if number % 10 else "PHYSICAL",
            "gan_source": "SQUARE",
            "state": chance.choice(["ACTIVE", "ACTIVE", "PENDING", "DEACTIVATED"]),
            "balance_money": {"amount": chance.randrange(100_000), "currency": "EUR"},
            "gan": f"77833200{chance.randrange(10**8):08d}",
            "created_at": format_milliseconds(made),
        }
        if number % 20 == 0:
            card["customer_ids"] = [f"{chance.randrange(36**16):020d}"]
        cards.append(card)
    return encode({"gift_cards": cards, "cursor": "JbFmyvUpaNKsfC1hoLSA4WlqkgkZXTWeKuStajR5"})
