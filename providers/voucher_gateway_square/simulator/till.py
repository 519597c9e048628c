"""What happens to cards outside of the API: tills, chargebacks, and payment tokens of web pages."""

from __future__ import annotations

from typing import Any

from voucher_gateway.simulator import minor_units
from voucher_gateway_square.simulator.ledger import MAIN_LOCATION, CardLedger, CardState, StoredCard
from voucher_gateway_square.simulator.responses import money


class TillRefused(ValueError):
    """A till cannot do that with the card."""


class Till:
    """The vendor's own products, beside the API.

    Args:
        ledger: the cards and activities.
        lock: the simulator's lock, held by each method.
    """

    def __init__(self, ledger: CardLedger, lock: Any) -> None:
        self._ledger = ledger
        self._lock = lock

    def block(self, code: str) -> None:
        """Block an active card for now, as the vendor does after a chargeback."""
        self._change_state(code, "ACTIVE", "BLOCK", "BLOCKED")

    def unblock(self, code: str) -> None:
        """End the block of a card."""
        self._change_state(code, "BLOCKED", "UNBLOCK", "ACTIVE")

    def redeem(self, code: str, amount: str) -> str:
        """Begin a redemption, and return its id. It is pending until `settle`."""
        with self._lock:
            card = self._card(code, "ACTIVE")
            units = minor_units(amount, card.currency)
            if not 0 < units <= self._ledger.spendable(card):
                raise TillRefused("the amount is zero, or more than the card is worth")
            shown = {"amount_money": money(units, card.currency), "payment_id": f"{len(self._ledger.activities):020d}"}
            activity = self._ledger.new_activity(
                card, "REDEEM", -units, shown=shown, location_id=MAIN_LOCATION, state="pending"
            )
            return self._ledger.book(card, activity).id

    def settle(self, activity_id: str, *, completed: bool) -> None:
        """Complete or cancel a pending redemption."""
        with self._lock:
            self._ledger.activities.settle(activity_id, "completed" if completed else "cancelled")

    def make_nonce(self, code: str) -> str:
        """Return a payment token of a card, as the vendor's form in a web page makes it. It can be used once."""
        with self._lock:
            return self._ledger.add_nonce(self._card(code, None))

    def _change_state(self, code: str, before: CardState, kind: str, after: CardState) -> None:
        with self._lock:
            card = self._card(code, before)
            shown = {"reason": f"CHARGEBACK_{kind}"}
            activity = self._ledger.new_activity(card, kind, 0, shown=shown, location_id=MAIN_LOCATION)
            self._ledger.book(card, activity, after)

    def _card(self, code: str, state: CardState | None) -> StoredCard:
        card = self._ledger.with_code(code)
        if card is None or state not in (None, card.state):
            raise TillRefused(f"no card with this code is {state or 'known'}")
        return card
