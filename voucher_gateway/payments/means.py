"""The other means of a payment, such as a card: what a shop implements if it gives its means to the payment."""

from __future__ import annotations

from typing import Protocol

import attrs

from voucher_gateway.money import Money


@attrs.frozen(kw_only=True)
class Authorization:
    """An authorization at the other means.

    Attributes:
        key: the key of the call that made it.
        id: what that call returned; None if its answer was lost, or if it returned nothing.
        order: the shop's order number.
    """

    key: str
    id: str | None
    order: str


class OtherMeans(Protocol):
    """The other means of a payment, such as a card.

    Every call has a key that never changes: the same key again must be the same call at the means, and must do nothing
    twice. A call that raises `Declined` was surely refused. One that raises `NotExecuted` was surely not carried out.
    Every other error means that its outcome is unknown: the same call comes again with the same key.
    """

    def authorize(self, money: Money, key: str) -> str | None:
        """Reserve an amount, and return the means' own id of that.

        Args:
            money: the amount.
            key: the idempotency key of this call.

        Raises:
            Declined: if it is surely refused.
            NotExecuted: if it was surely not carried out.
        """
        ...

    def capture(self, money: Money, key: str, authorization: Authorization) -> None:
        """Take an amount that was authorized.

        Args:
            money: the amount, which is the whole authorized amount.
            key: the idempotency key of this call.
            authorization: what `authorize` made.

        Raises:
            Declined: if it is surely refused.
            NotExecuted: if it was surely not carried out.
        """
        ...

    def void(self, money: Money, key: str, authorization: Authorization) -> None:
        """Give an authorization up. If it never arrived, make sure that it cannot arrive later.

        Args:
            money: the authorized amount.
            key: the idempotency key of this call.
            authorization: what `authorize` made, or may have made.

        Raises:
            Declined: if it never arrived, or is given up already.
            NotExecuted: if it was surely not carried out.
        """
        ...

    def refund(self, money: Money, key: str, authorization: Authorization) -> None:
        """Give back an amount that was captured.

        Args:
            money: the amount.
            key: the idempotency key of this call.
            authorization: the authorization that was captured.

        Raises:
            Declined: if it is surely refused.
            NotExecuted: if it was surely not carried out.
        """
        ...
