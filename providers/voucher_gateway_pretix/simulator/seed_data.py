"""Varied gift cards: old and new, in currencies of 0, 2 and 3 decimals, with odd codes and long histories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final

from voucher_gateway.simulator import random_text
from voucher_gateway_pretix.simulator.ledger import StoredCard, StoredTransaction

CODE_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ3789"
"""The characters of a code that the program chooses."""

_ODD_CODES: Final = ("Twin-1", "TWIN-1", "100.50", "0-", "a..", "SUMMER.2030", "x" * 190, "00", "Twin-11")
_CURRENCIES: Final = ("EUR", "EUR", "JPY", "KWD", "USD")
_CENTS: Final = (0, 1, 5, 10, 33, 50, 90, 95, 99)


def make_cards(random: Random, now: datetime, count: int, existing: int, issuer: str) -> Iterator[StoredCard]:
    """Yield cards in the order of their issuance, each with its transactions. Ids go on after those that exist."""
    for number in range(existing, existing + count):
        yield _make_card(random, now, number, issuer)


def _make_card(random: Random, now: datetime, number: int, issuer: str) -> StoredCard:
    # Steps of time and no chance, so that the order of issuance is that of the ids.
    issued = now - timedelta(days=900) + timedelta(hours=number, microseconds=number)
    currency = _CURRENCIES[number % len(_CURRENCIES)]
    unit = 100 if currency == "JPY" else 1
    cents = max(unit, (random.choice((500, 2500, 5000, 12345)) + random.choice(_CENTS)) * unit)
    transactions = [StoredTransaction(id=number * 1000 + 1, at=issued, cents=cents, acceptor=issuer)]
    left = cents
    for step in range(_history_length(random, number)):
        taken = -random.randrange(left // unit + 1) * unit if step % 3 != 2 else random.randrange(1, 500) * unit
        if step > 5:
            taken = unit if step % 2 else -unit * (left >= unit)
        if taken == 0:
            continue
        left += taken
        in_shop = step % 4 == 1
        transactions.append(
            StoredTransaction(
                id=number * 1000 + 2 + step,
                at=issued + timedelta(days=1 + step, microseconds=step),
                cents=taken,
                text=None if in_shop else f"order {step}",
                info=None if in_shop else {"reference": f"till-{number}-{step}"},
                event="gala" if in_shop else None,
                order=random_text(random, 5, CODE_ALPHABET) if in_shop else None,
                acceptor=issuer,
            )
        )
    return StoredCard(
        id=str(number + 1),
        code=_choose_code(random, number),
        issuer=issuer,
        currency=currency,
        testmode=number % 11 == 7,
        issuance=issued,
        expires=_choose_expiry(now, number),
        conditions="Not for drinks" if number % 6 == 1 else None,
        transactions=tuple(transactions),
    )


def _history_length(random: Random, number: int) -> int:
    return 120 if number % 25 == 6 else random.randrange(4) if number % 2 else 0


def _choose_code(random: Random, number: int) -> str:
    if number % 2 == 0 and number // 2 < len(_ODD_CODES):
        return _ODD_CODES[number // 2]
    return random_text(random, 16, CODE_ALPHABET)


def _choose_expiry(now: datetime, number: int) -> datetime | None:
    match number % 5:
        case 0 | 3:
            return None
        case 4:
            return now - timedelta(days=1 + number % 300)
        case _:
            return now + timedelta(days=30 + number, microseconds=123_456)
