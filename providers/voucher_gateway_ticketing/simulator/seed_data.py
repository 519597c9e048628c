"""Varied vouchers: every origin, age and odd code that the vendor's documents allow."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import attrgetter
from random import Random
from typing import Final

import attrs

from voucher_gateway.simulator import ODD_TEXTS, past_instants, random_text
from voucher_gateway_ticketing.simulator.ledger import ORIGINS, CheckoutRedemption, StoredVoucher
from voucher_gateway_ticketing.simulator.scalars import SellerCurrency

CODE_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""The characters of a code that the caller did not choose. The vendor does not document its alphabet."""

ODD_CODES: Final = (*(text for text in ODD_TEXTS if len(text) >= 4 and ";" not in text), "rich")
"""Codes that a caller may choose, of four characters or more without a semicolon (vendor page). One is a path."""

_CENTS: Final = (0, 1, 5, 10, 33, 50, 90, 95, 99)


def random_code(random: Random) -> str:
    """Return a random code of eight characters, the length that the vendor's import guide names."""
    return random_text(random, 8, CODE_ALPHABET)


def random_id(random: Random) -> str:
    """Return 24 random hexadecimal digits, the usual form of an id (vendor page)."""
    return f"{random.getrandbits(96):024x}"


def make_vouchers(
    random: Random, currency: SellerCurrency, now: datetime, count: int, existing: int
) -> Iterator[StoredVoucher]:
    """Yield `count` vouchers. They differ from those of earlier calls, which made `existing` vouchers."""
    for number in range(existing, existing + count):
        yield _make_voucher(random, currency, now, number)


def make_voucher_with_history(
    random: Random, currency: SellerCurrency, now: datetime, code: str, count: int
) -> StoredVoucher:
    """Return a voucher of three years ago with that many redemptions, which is still worth something."""
    created, *moments = past_instants(random, now, count + 1)
    redemptions = [CheckoutRedemption(random_id(random), random.randrange(1, 50), at) for at in moments]
    return StoredVoucher(
        id=random_id(random),
        code=code,
        amount=100 * 10**currency.places + 50 * count,
        created_at=created,
        updated_at=moments[-1] if moments else created,
        redemptions=tuple(redemptions),
    )


def _make_voucher(random: Random, currency: SellerCurrency, now: datetime, number: int) -> StoredVoucher:
    created = now - timedelta(days=random.randrange(1, 700), milliseconds=random.randrange(86_400_000))
    origin = ORIGINS[number % len(ORIGINS)]
    amount = _random_amount(random, currency)
    voucher = StoredVoucher(
        id=random_id(random),
        code=_choose_code(random, number),
        amount=amount,
        created_at=created,
        updated_at=created,
        valid_until=_choose_expiry(random, now, number),
        origin=origin,
        transaction_id=random_id(random) if origin in {"shop", "upgrade", "refund"} else None,
        product_id=random_id(random) if origin == "shop" else None,
        refund_id=random_id(random) if origin == "refund" else None,
        customer_id=random_id(random) if number % 3 == 0 else None,
    )
    return _with_redemptions(random, voucher, now) if number % 4 == 1 else voucher


def _random_amount(random: Random, currency: SellerCurrency) -> int:
    unit: int = 10**currency.places
    whole = random.choice((0, 5, 10, 25, 50, 100, 250, 12_345))
    rest = random.choice(_CENTS) if currency.places else 0
    return max(1, whole * unit + rest)


def _choose_code(random: Random, number: int) -> str:
    if number % 7 != 3:
        return random_code(random)
    odd, round_number = number // 7 % len(ODD_CODES), number // 7 // len(ODD_CODES)
    return ODD_CODES[odd] + (f"~{round_number}" if round_number else "")


def _choose_expiry(random: Random, now: datetime, number: int) -> datetime | None:
    match number % 6:
        case 0 | 2:
            return None
        case 5:
            return now - timedelta(days=random.randrange(1, 400), milliseconds=123)
        case _:
            return now + timedelta(days=random.randrange(30, 1500), milliseconds=random.randrange(1000))


def _with_redemptions(random: Random, voucher: StoredVoucher, now: datetime) -> StoredVoucher:
    """Return the voucher with up to three redemptions, which sometimes take all of it."""
    redemptions = []
    balance = voucher.amount
    for _ in range(random.randrange(1, 4)):
        amount = balance if random.randrange(4) == 0 else random.randrange(balance + 1)
        if amount:
            at = voucher.created_at + (now - voucher.created_at) * random.random() / 2
            redemptions.append(CheckoutRedemption(random_id(random), amount, at))
            balance -= amount
    redemptions.sort(key=attrgetter("at"))
    updated = redemptions[-1].at if redemptions else voucher.updated_at
    return attrs.evolve(voucher, redemptions=tuple(redemptions), updated_at=updated)
