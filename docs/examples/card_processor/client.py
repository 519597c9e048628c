"""The card processor as `OtherMeans` of a payment: what a shop writes once for its processor."""

from __future__ import annotations

import requests
from urllib3.exceptions import NewConnectionError

from voucher_gateway import Declined, Money, NotExecuted


class CardUnknown(Exception):
    """The processor gave no answer, so that it may have done it. The same call comes again with the same key."""


class CustomerMustConfirm(Exception):
    """The customer must confirm the payment at the bank (3-D Secure). Call `authorize` again afterwards."""


class CardMeans:
    """The card of one order.

    Args:
        base_url: where the processor listens.
        card: the token that the shop's page got for the customer's card.
        at_once: whether the processor takes the money when it authorizes, as PayPal does. Then `capture` finds it
            taken.
        timeout_s: how long to wait for an answer.
    """

    def __init__(
        self, base_url: str, card: str = "tok_good", *, at_once: bool = False, timeout_s: float = 10.0
    ) -> None:
        self._base_url = base_url
        self._card = card
        self._at_once = at_once
        self._timeout_s = timeout_s

    def authorize(self, money: Money, key: str) -> str | None:
        """Authorize an amount under a key that never changes, and return the processor's id of the charge."""
        body = {"amount": f"{money.amount:f}", "currency": money.currency, "card": self._card}
        reply = self._post("/charges", key, {**body, "capture": self._at_once})
        if reply["status"] == "pending":
            raise CustomerMustConfirm
        return str(reply["id"])

    def capture(self, money: Money, key: str, authorization: object) -> None:
        """Take an amount that was authorized."""
        self._post(f"/charges/{_key(authorization)}/capture", key, {"amount": f"{money.amount:f}"})

    def void(self, money: Money, key: str, authorization: object) -> None:
        """End an authorization, or make sure that it can never arrive. Money that was taken at once is given back."""
        charge = _key(authorization)
        try:
            self._post(f"/charges/{charge}/void", key, {})
        except Declined as error:
            if error.vendor_code != "captured":
                raise
            self._post(f"/charges/{charge}/refunds", f"{key}-back", {"amount": f"{money.amount:f}"})

    def refund(self, money: Money, key: str, authorization: object) -> None:
        """Give back an amount that was captured."""
        self._post(f"/charges/{_key(authorization)}/refunds", key, {"amount": f"{money.amount:f}"})

    def cancel(self, key: str, authorization: object) -> None:
        """Give everything back: end the authorization, or give back what is left of what was taken.

        A payment does not need this. It is for a shop that keeps its card outside the payment.
        """
        charge = _key(authorization)
        try:
            self._post(f"/charges/{charge}/void", key, {})
        except Declined as error:
            if error.vendor_code != "captured":
                raise
            self._post(f"/charges/{charge}/refunds", f"{key}-back", {})

    def _post(self, path: str, key: str, body: dict[str, object]) -> dict[str, object]:
        headers = {"Idempotency-Key": key}
        try:
            reply = requests.post(f"{self._base_url}{path}", json=body, headers=headers, timeout=self._timeout_s)
        except requests.ConnectTimeout:
            raise NotExecuted("the card processor cannot be reached") from None
        except requests.ConnectionError as error:
            if isinstance(getattr(error.args[0], "reason", None), NewConnectionError):
                raise NotExecuted("the card processor cannot be reached") from None
            raise CardUnknown("the card processor closed the connection without an answer") from None
        except requests.Timeout:
            raise CardUnknown("the card processor did not answer in time") from None
        if reply.status_code == 429:
            raise NotExecuted("the card processor asks for fewer requests")
        if reply.status_code == 402:
            code = str(reply.json()["error"])
            raise Declined(f"the card processor refuses: {code}", vendor_code=code)
        if reply.status_code >= 400:
            raise CardUnknown(f"the card processor answered {reply.status_code}")
        answer = reply.json()
        assert isinstance(answer, dict)
        return answer


def _key(authorization: object) -> str:
    return str(getattr(authorization, "key"))  # noqa: B009
