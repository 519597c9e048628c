"""The gift cards of the simulated Square, and the locations that they belong to. Amounts are in minor units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Literal

import attrs

from voucher_gateway.simulator import (
    Activity,
    ActivityLedger,
    ActivityState,
    LedgerVoucher,
    VirtualClock,
    VoucherStore,
    from_records,
    to_records,
)

CardState = Literal["PENDING", "ACTIVE", "BLOCKED", "DEACTIVATED"]

MAIN_LOCATION: Final = "L8MAINSHOP01"
"""The seller's main location. Its currency is an option of the simulator."""

OTHER_LOCATIONS: Final = {"L8ZURICH0001": "CHF", "L8TOKYO00001": "JPY", "L8KUWAIT0001": "KWD"}
"""Further locations, by id, with their currencies. A real seller has one currency; these have others, so that one
simulator shows amounts of 0, 2 and 3 decimals."""


@attrs.frozen(kw_only=True)
class StoredCard:
    """A gift card. Its value is the sum of its completed activities."""

    id: str
    code: str = attrs.field(repr=False)
    type: str = "DIGITAL"
    gan_source: str = "SQUARE"
    currency: str
    created_at: datetime
    state: CardState = "PENDING"
    customer_ids: tuple[str, ...] = ()


class CardLedger:
    """The cards of a seller and everything that happened to them. Use it under the simulator's lock.

    Args:
        random: makes ids and codes.
        clock: the simulator's.
    """

    def __init__(self, random: Random, clock: VirtualClock) -> None:
        self.cards: VoucherStore[StoredCard] = VoucherStore()
        self.activities = ActivityLedger()
        self._random = random
        self._clock = clock
        self._nonces: dict[str, str] = {}

    # --- cards ---

    def with_code(self, code: str) -> StoredCard | None:
        """Return the card with exactly this code."""
        return next(iter(self.cards.with_code(code)), None)

    def add_card(
        self,
        *,
        code: str | None = None,
        type: str = "DIGITAL",
        gan_source: str = "SQUARE",
        currency: str,
        created_at: datetime | None = None,
    ) -> StoredCard:
        """Add a card without value, and return it. Without a code it gets one."""
        card = StoredCard(
            id=self._free_id("gftc:"),
            code=code or self._free_code(),
            type=type,
            gan_source=gan_source,
            currency=currency,
            created_at=created_at or self._now(),
        )
        self.cards.put(card)
        return card

    def balance(self, card: StoredCard) -> int:
        """Return the value of a card."""
        return self.activities.balance(card.id)

    def spendable(self, card: StoredCard) -> int:
        """Return the value less what pending redemptions hold."""
        return self.balance(card) - self.activities.held(card.id)

    # --- activities ---

    def new_activity(
        self,
        card: StoredCard,
        kind: str,
        amount: int,
        *,
        shown: Mapping[str, Any],
        location_id: str,
        at: datetime | None = None,
        state: ActivityState = "completed",
        reference: str | None = None,
        linked_id: str | None = None,
    ) -> Activity:
        """Return an activity that is not booked yet.

        Args:
            card: the card.
            kind: the type.
            amount: what it adds to the value.
            shown: the details as the API shows them.
            location_id: where it happens.
            at: when; now by default.
            state: whether it counts.
            reference: the client's reference.
            linked_id: the redemption that it gives back.
        """
        return Activity(
            id=self._free_id("gcact_"),
            voucher_id=card.id,
            kind=kind,
            amount=amount,
            at=at or self._now(),
            state=state,
            reference=reference,
            linked_id=linked_id,
            details={"shown": dict(shown), "location_id": location_id},
        )

    def book(self, card: StoredCard, activity: Activity, state: CardState | None = None) -> Activity:
        """Book an activity with the balance after it, and set the card's state."""
        if state is not None:
            self.cards.put(attrs.evolve(card, state=state))
        after = self.balance(card) + (activity.amount if activity.state == "completed" else 0)
        return self.activities.add(attrs.evolve(activity, details={**activity.details, "balance": after}))

    # --- payment tokens ---

    def add_nonce(self, card: StoredCard) -> str:
        """Return a new payment token of a card."""
        nonce = f"cnon:{self._random.getrandbits(128):032x}"
        self._nonces[nonce] = card.id
        return nonce

    def use_nonce(self, nonce: str) -> str | None:
        """Return the id of the card of a payment token; empty if it was used before, None if it is unknown."""
        card_id = self._nonces.get(nonce)
        if card_id is not None:
            self._nonces[nonce] = ""
        return card_id

    # --- the whole ledger ---

    def to_common_form(self) -> list[dict[str, object]]:
        """Return every card with its true value and movements, in the common form of ledgers."""
        return [self._voucher(card).to_json() for card in self.cards]

    def dump(self) -> dict[str, object]:
        """Return everything as fresh JSON values."""
        return {
            "cards": to_records(list(self.cards)),
            "activities": self.activities.dump(),
            "nonces": dict(self._nonces),
        }

    def load(self, state: Mapping[str, object]) -> None:
        """Replace everything by what `dump` returned."""
        self.cards = VoucherStore(from_records(list[StoredCard], state["cards"]))
        self.activities.load(state["activities"])
        self._nonces = from_records(dict[str, str], state["nonces"])

    def _voucher(self, card: StoredCard) -> LedgerVoucher:
        return self.activities.ledger_voucher(card, currency=card.currency, status=card.state.lower())

    def _now(self) -> datetime:
        """Return the time in milliseconds, as the vendor shows it."""
        now = self._clock.now()
        return now - timedelta(microseconds=now.microsecond % 1000)

    def _free_id(self, prefix: str) -> str:
        while True:
            id = f"{prefix}{self._random.getrandbits(128):032x}"
            if self.cards.get(id) is None and self.activities.get(id) is None:
                return id

    def _free_code(self) -> str:
        while True:
            code = "77833" + "".join(self._random.choices("0123456789", k=11))
            if not self.cards.with_code(code):
                return code


def is_code(text: str) -> bool:
    """Return whether a text can be a code of the seller's choice: 8 to 20 letters and digits (schema)."""
    return 8 <= len(text) <= 20 and text.isascii() and text.isalnum()


def looks_like_a_payment_card(code: str) -> bool:
    """Return whether a code begins like the number of a payment card. The vendor refuses those (schema).

    Which numbers it knows is not documented. Here they are six digits of the ranges of the large networks.
    """
    start = code[:6]
    if len(start) < 6 or not start.isdecimal():
        return False
    number = int(start)
    return (
        400_000 <= number <= 499_999
        or 510_000 <= number <= 559_999
        or 222_100 <= number <= 272_099
        or start[:2] in {"34", "36", "37", "38", "65"}
        or start[:4] == "6011"
        or 352_800 <= number <= 358_999
    )
