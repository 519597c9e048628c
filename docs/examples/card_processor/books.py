"""The books of the card processor: every charge, what was captured, voided and refunded, and under which key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

AUTHORIZED, CAPTURED, VOIDED, DECLINED, PENDING = "authorized", "captured", "voided", "declined", "pending"

LASTS_S = 7 * 24 * 3600.0
"""How long an authorization can be captured, in seconds."""

CONFIRMABLE_S = 3600.0
"""How long the customer can confirm a payment (3-D Secure), in seconds."""


class Refusal(Exception):
    """The processor refuses a request, and nothing has happened. The text is its code."""


class KeyConflict(Exception):
    """A key came again with other content. Nothing has happened."""


@dataclass
class Charge:
    """One payment by card.

    Attributes:
        key: the key of its authorization, which the shop chose.
        id: the processor's own id of it.
        amount: what was authorized.
        currency: its currency.
        status: authorized, captured, voided, declined or pending (3-D Secure: the customer must confirm it).
        captured: what was taken.
        refunded: what was given back, by key.
        authorized_at: when it was authorized, or began to wait for the customer, by the processor's clock.
    """

    key: str
    id: str
    amount: Decimal
    currency: str
    status: str
    captured: Decimal = Decimal(0)
    refunded: dict[str, Decimal] = field(default_factory=dict)
    authorized_at: float = 0.0

    @property
    def kept(self) -> Decimal:
        """What was taken and not given back."""
        return self.captured - sum(self.refunded.values(), Decimal(0))

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values; amounts are strings."""
        return {
            "key": self.key,
            "id": self.id,
            "amount": f"{self.amount:f}",
            "currency": self.currency,
            "status": self.status,
            "captured": f"{self.captured:f}",
            "refunded": {key: f"{amount:f}" for key, amount in self.refunded.items()},
        }


class Books:
    """All charges. Every request is idempotent by its key, a refusal too.

    The card decides about an authorization by its token: `tok_declined` is declined, `tok_3ds` waits until the customer
    confirms, `tok_capture_declined` is authorized and its capture is declined. Every other token is good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._charges: dict[str, Charge] = {}
        self._voided_before: set[str] = set()
        self._outcomes: dict[str, tuple[tuple[object, ...], str | None]] = {}
        self._cards: dict[str, str] = {}
        self._ahead_s = 0.0

    def advance(self, seconds: float) -> None:
        """Move the processor's clock forward."""
        with self._lock:
            self._ahead_s += seconds

    def charges(self) -> list[dict[str, object]]:
        """Return every charge as JSON values."""
        with self._lock:
            return [charge.to_json() for charge in self._charges.values()]

    def show(self, key: str) -> dict[str, object]:
        """Return the charge of an authorization's key as JSON values."""
        with self._lock:
            return self._charge(key).to_json()

    def refuse(self, key: str, content: tuple[object, ...]) -> None:
        """Decide that the request of this key is declined, now and whenever it comes again."""
        with self._lock:
            self._outcomes.setdefault(key, (content, "declined"))

    def authorize(self, key: str, amount: Decimal, currency: str, card: str, *, capture: bool) -> dict[str, object]:
        """Authorize an amount; `capture` takes it at once, as PayPal does.

        Raises:
            Refusal: if it is declined, or was voided before it arrived.
        """

        def act() -> None:
            if key in self._voided_before:
                raise Refusal("voided")
            if card == "tok_declined":
                raise Refusal("declined")
            status = PENDING if card == "tok_3ds" else AUTHORIZED
            charge = Charge(key, f"ch_{len(self._charges) + 1}", amount, currency, status, authorized_at=self._now())
            if capture and status == AUTHORIZED:
                charge.status, charge.captured = CAPTURED, amount
            self._charges[key], self._cards[key] = charge, card

        with self._lock:
            self._once(key, ("authorize", amount, currency), act)
            charge = self._charge(key)
            if charge.status == VOIDED:
                raise Refusal("voided")
            if charge.status == DECLINED or (charge.status == PENDING and self._is_late(charge, CONFIRMABLE_S)):
                charge.status = DECLINED
                raise Refusal("declined")
            if capture and charge.status == AUTHORIZED:
                charge.status, charge.captured = CAPTURED, amount
            return charge.to_json()

    def confirm(self, key: str, *, accepted: bool) -> None:
        """Let the customer confirm a payment that waits for that, or refuse it."""
        with self._lock:
            charge = self._charge(key)
            if charge.status == PENDING and not self._is_late(charge, CONFIRMABLE_S):
                charge.status, charge.authorized_at = (AUTHORIZED if accepted else DECLINED), self._now()

    def capture(self, charge_key: str, key: str, amount: Decimal) -> dict[str, object]:
        """Take the amount of an authorization, or less.

        Raises:
            Refusal: if it is not authorized any more, or the capture is declined.
        """

        def act() -> None:
            charge = self._charge(charge_key)
            if charge.status == CAPTURED and charge.captured == amount:
                return  # it was taken when it was authorized
            if charge.status != AUTHORIZED or amount > charge.amount:
                raise Refusal(f"not_capturable_{charge.status}")
            if self._is_late(charge, LASTS_S):
                raise Refusal("authorization_expired")
            if self._cards[charge_key] == "tok_capture_declined":
                raise Refusal("declined")
            charge.status, charge.captured = CAPTURED, amount

        with self._lock:
            self._once(key, ("capture", charge_key, amount), act)
            return self._charge(charge_key).to_json()

    def void(self, charge_key: str, key: str) -> None:
        """End an authorization. One that has not arrived can never happen afterwards.

        Raises:
            Refusal: if it was captured.
        """

        def act() -> None:
            charge = self._charges.get(charge_key)
            if charge is None:
                self._voided_before.add(charge_key)
            elif charge.status == CAPTURED:
                raise Refusal("captured")
            elif charge.status != DECLINED:
                charge.status = VOIDED

        with self._lock:
            self._once(key, ("void", charge_key), act)

    def refund(self, charge_key: str, key: str, amount: Decimal | None) -> None:
        """Give an amount back, or all that is left where it is None.

        Raises:
            Refusal: if less than that is left of what was captured.
        """

        def act() -> None:
            charge = self._charge(charge_key)
            money = charge.kept if amount is None else amount
            if money > charge.kept:
                raise Refusal("more_than_captured")
            charge.refunded[key] = money

        with self._lock:
            self._once(key, ("refund", charge_key, amount), act)

    def _charge(self, key: str) -> Charge:
        if key not in self._charges:
            raise Refusal("unknown_charge")
        return self._charges[key]

    def _once(self, key: str, content: tuple[object, ...], act: Callable[[], None]) -> None:
        """Act under a key that is new, or end as the first request under it did."""
        if key not in self._outcomes:
            code = None
            try:
                act()
            except Refusal as refusal:
                code = str(refusal)
            self._outcomes[key] = content, code
        first, code = self._outcomes[key]
        if first != content:
            raise KeyConflict(key)
        if code is not None:
            raise Refusal(code)

    def _now(self) -> float:
        return time.time() + self._ahead_s

    def _is_late(self, charge: Charge, seconds: float) -> bool:
        return self._now() > charge.authorized_at + seconds
