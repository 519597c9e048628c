"""Varied cards: every state, location and kind of activity, with codes of the vendor and of the seller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from voucher_gateway.simulator import CAPITALS_AND_DIGITS, Activity, decimals_of, past_instants, random_text
from voucher_gateway_square.simulator.ledger import MAIN_LOCATION, CardLedger, CardState, StoredCard, is_code
from voucher_gateway_square.simulator.responses import money

_OWN_CODES: Final = ("SUMMER2030", "ABCDEFGH", "grusskarte", "GrussKarte", "Z" * 20, "A1B2C3D4E5")
_CENTS: Final = (0, 1, 5, 10, 33, 50, 90, 95, 99)


def add_cards(ledger: CardLedger, random: Random, now: datetime, count: int, locations: Mapping[str, str]) -> None:
    """Add that many cards, which differ from those of earlier calls."""
    existing = len(ledger.cards)
    for number in range(existing, existing + count):
        location_id = list(locations)[number // 5 % len(locations)] if number % 5 == 4 else MAIN_LOCATION
        _CardSeed(ledger, random, now, location_id, locations[location_id]).add(number)


def add_card_with_history(ledger: CardLedger, random: Random, now: datetime, count: int, currency: str) -> None:
    """Add a card of three years ago with that many redemptions, which is still worth something."""
    issued, *moments = past_instants(random, now, count + 1)
    seed = _CardSeed(ledger, random, issued, MAIN_LOCATION, currency)
    card = ledger.add_card(currency=currency, created_at=issued)
    seed.activate(card, 100 * 10 ** decimals_of(currency) + 50 * count, issued)
    for number, at in enumerate(moments):
        seed.redeem(card, random.randrange(1, 50), at, reference=f"old-{number}")


class _CardSeed:
    """Makes one card of a location, with its activities."""

    def __init__(self, ledger: CardLedger, random: Random, now: datetime, location_id: str, currency: str) -> None:
        self._ledger = ledger
        self._random = random
        self._now = now
        self._location_id = location_id
        self._currency = currency

    def add(self, number: int) -> None:
        """Add the card of this number, and everything that happened to it."""
        age = timedelta(days=self._random.randrange(2, 1200), milliseconds=self._random.randrange(86_400_000))
        created = self._now.replace(microsecond=0) - age
        own_code = self._own_code(number)
        card = self._ledger.add_card(
            code=own_code,
            type="PHYSICAL" if number % 7 == 5 and own_code is None else "DIGITAL",
            gan_source="SQUARE" if own_code is None else "OTHER",
            currency=self._currency,
            created_at=created,
        )
        if number % 11 == 6:
            return  # never sold
        self.activate(card, self._amount(), created + timedelta(seconds=5))
        at = created + timedelta(days=1)
        if number % 4 == 1:
            at = self._spend(card, at)
        match number % 13:
            case 3:
                self._add(card, "DEACTIVATE", 0, at, {"reason": "SUSPICIOUS_ACTIVITY"}, state="DEACTIVATED")
            case 7:
                self._add(card, "BLOCK", 0, at, {"reason": "CHARGEBACK_BLOCK"}, state="BLOCKED")
            case 9:
                self._add(card, "CLEAR_BALANCE", -self._ledger.balance(card), at, {"reason": "REUSE_GIFTCARD"})
            case 11:
                self._redeem_at_tills(card, at)

    def activate(self, card: StoredCard, amount: int, at: datetime) -> None:
        """Give the card its first value."""
        shown = self._amount_details(amount) | {"buyer_payment_instrument_ids": ["cash"]}
        self._add(card, "ACTIVATE", amount, at, shown, state="ACTIVE")

    def redeem(self, card: StoredCard, amount: int, at: datetime, reference: str | None = None) -> Activity:
        """Take value from the card."""
        shown = self._amount_details(amount) | ({} if reference is None else {"reference_id": reference})
        return self._add(card, "REDEEM", -amount, at, shown, reference=reference)

    def _spend(self, card: StoredCard, at: datetime) -> datetime:
        """Let everything happen to the card that changes its value, as far as it is worth enough; return the end."""
        unit = max(self._ledger.balance(card) // 10, 1)
        redemption = self.redeem(card, 3 * unit if self._ledger.balance(card) >= 3 * unit else unit, at, "till-1")
        shown = {"redeem_activity_id": redemption.id, **self._amount_details(unit), "reference_id": "return-1"}
        steps: list[tuple[str, int, dict[str, Any]]] = [
            ("REFUND", unit, shown),
            ("LOAD", 2 * unit, self._amount_details(2 * unit) | {"buyer_payment_instrument_ids": ["cash"]}),
            ("ADJUST_INCREMENT", unit, self._amount_details(unit) | {"reason": "COMPLIMENTARY"}),
            ("ADJUST_DECREMENT", -unit, self._amount_details(unit) | {"reason": "SUPPORT_ISSUE"}),
            ("UNLINKED_ACTIVITY_REFUND", unit, self._amount_details(unit) | {"reference_id": "return-2"}),
        ]
        for step, (kind, amount, details) in enumerate(steps, 1):
            linked_id = redemption.id if kind == "REFUND" else None
            reference = details.get("reference_id")
            self._add(card, kind, amount, at + timedelta(hours=step), details, linked_id=linked_id, reference=reference)
        return at + timedelta(hours=len(steps) + 1)

    def _redeem_at_tills(self, card: StoredCard, at: datetime) -> None:
        """Add redemptions of tills: one that was completed, one that was cancelled, and one that is pending."""
        for step, state in enumerate(("completed", "cancelled", "pending")):
            amount = self._ledger.balance(card) // 4
            if amount == 0:
                return
            shown = self._amount_details(amount) | {"payment_id": f"payment{step}{card.id[-8:]}"}
            self._add(card, "REDEEM", -amount, at + timedelta(hours=step), shown, activity_state=state)

    def _add(
        self,
        card: StoredCard,
        kind: str,
        amount: int,
        at: datetime,
        shown: Mapping[str, Any],
        *,
        state: CardState | None = None,
        activity_state: Any = "completed",
        reference: str | None = None,
        linked_id: str | None = None,
    ) -> Activity:
        activity = self._ledger.new_activity(
            card,
            kind,
            amount,
            shown=shown,
            location_id=self._location_id,
            at=at,
            state=activity_state,
            reference=reference,
            linked_id=linked_id,
        )
        return self._ledger.book(card, activity, state)

    def _amount_details(self, amount: int) -> dict[str, Any]:
        return {"amount_money": money(amount, self._currency)}

    def _amount(self) -> int:
        decimals = decimals_of(self._currency)
        whole = self._random.choice((5, 10, 25, 50, 60, 100, 250, 1999))
        return int(whole * 10**decimals + (self._random.choice(_CENTS) if decimals else 0))

    def _own_code(self, number: int) -> str | None:
        if number % 3 != 1:
            return None
        code = _OWN_CODES[number // 3] if number // 3 < len(_OWN_CODES) else ""
        while not is_code(code) or self._ledger.with_code(code) is not None:
            code = "G" + random_text(self._random, 11, CAPITALS_AND_DIGITS)
        return code
