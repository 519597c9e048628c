"""The vendor's JSON objects, made from the ledger: names and shapes are the seed's and the vendor page's."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from http.client import responses
from typing import Any, Final, Literal

import attrs

from voucher_gateway.simulator import Refused, Reply
from voucher_gateway_ticketing.simulator.ledger import StoredVoucher
from voucher_gateway_ticketing.simulator.scalars import SellerCurrency, write_instant

RefusalBodies = Literal["described", "message", "text", "empty"]

_WITHOUT_A_BODY: Final = frozenset({400, 404})
"""The statuses that the seed documents for refusals, without a body."""


def http_error(status: int, message: str) -> Reply:
    """The vendor's `HttpError`; its `statusCode` is a text (vendor page)."""
    error = responses.get(status, "Error")
    return Reply(status, {"statusCode": str(status), "error": error, "message": message})


def bad_request(message: str) -> Refused:
    """To be raised: 400, with words that the vendor does not document."""
    return Refused(http_error(400, message))


def with_body(reply: Reply, bodies: RefusalBodies) -> Reply:
    """The same reply; a refusal whose body is not documented with the body that the options ask for."""
    if reply.status not in _WITHOUT_A_BODY or bodies == "described":
        return reply
    if bodies == "empty":
        return Reply(reply.status)
    message = responses[reply.status]
    if bodies == "text":
        return Reply(reply.status, message.encode(), (("Content-Type", "text/plain; charset=utf-8"),))
    return Reply(reply.status, {"message": message})


TIMEZONE: Final = "Europe/Berlin"

_PICTURES: Final = "https://pictures.example"

_BRANDING: Final = {
    "customBrandingEnabled": True,
    "shopLogoUrl": f"{_PICTURES}/shop.png",
    "eventLogo": f"{_PICTURES}/event.png",
    "mailLogo": f"{_PICTURES}/mail.png",
    "customLogo": f"{_PICTURES}/custom.png",
    "walletLogo": f"{_PICTURES}/wallet.png",
    "googleWalletLogo": f"{_PICTURES}/google-wallet.png",
    "walletBackgroundColor": "#102030",
    "walletForegroundColor": "#ffffff",
    "walletLabelColor": "#c0c0c0",
    "ticketRibbonImage": f"{_PICTURES}/ribbon.png",
}
"""All fields of the seed's example (seed)."""

Document = dict[str, Any]
"""One JSON object; amounts in it are Decimals, or floats where the vendor is careless."""


@attrs.frozen
class DocumentWriter:
    """Writes what a client may see of one seller's vouchers.

    Attributes:
        seller_id: The owner of every voucher.
        seller_name: Shown in the public answers.
        currency: The seller's currency; no voucher names its own.
        show_id: Whether vouchers carry `_id`. The schema lacks it though every path needs it (seed, vendor page).
        float_noise: Whether balances are computed in binary floating point, as a careless vendor would.
        negative_redemptions: Whether redemptions are written with a minus; their sign is not documented.
    """

    seller_id: str
    seller_name: str
    currency: SellerCurrency
    show_id: bool
    float_noise: bool
    negative_redemptions: bool

    def voucher(self, voucher: StoredVoucher) -> Document:
        """The voucher object; a key without a value is left out rather than null (vendor page)."""
        document: Document = {"_id": voucher.id} if self.show_id else {}
        document |= {
            "code": voucher.code,
            "amount": self.currency.decimal(voucher.amount),
            "validUntil": write_instant(voucher.valid_until) if voucher.valid_until else None,
            "sellerId": self.seller_id,
            "transactionId": voucher.transaction_id,
            "productId": voucher.product_id,
            "refundId": voucher.refund_id,
            "customerId": voucher.customer_id,
            "origin": voucher.origin,
            "createdAt": write_instant(voucher.created_at),
            "updatedAt": write_instant(voucher.updated_at),
        }
        return {name: value for name, value in document.items() if value is not None}

    def voucher_in_list(self, voucher: StoredVoucher) -> Document:
        """The voucher object with its balance, which only the list shows (seed)."""
        return {**self.voucher(voucher), "balance": self._balance(voucher)}

    def voucher_info(self, voucher: StoredVoucher) -> Document:
        """The public answer to id and code: the voucher and how its seller presents itself (seed)."""
        return {
            "voucher": self.voucher(voucher),
            "displaySettings": {"disclaimer": "Not redeemable for cash.", "pdfImage": f"{_PICTURES}/voucher.png"},
            "seller": {
                "name": self.seller_name,
                "city": "Berlin",
                "street": "Example Street 1",
                "postal": "10115",
                "taxRate": Decimal("10.5"),
                "taxNo": "DE000000000",
                "currency": self.currency.code,
                "image": f"{_PICTURES}/seller.png",
                "locationName": "Main hall",
                "brandingSettings": _BRANDING,
                "documentSettings": {
                    "image": f"{_PICTURES}/letterhead.png",
                    "invoice": {
                        "footerColumns": [
                            {"text": "Example Events", "active": True},
                            {"text": "Example Street 1, 10115 Berlin", "active": False},
                        ]
                    },
                },
            },
            "timezone": TIMEZONE,
            "useDocumentTemplate": False,
        }

    def transactions(self, voucher: StoredVoucher) -> list[Document]:
        """The redemptions of a voucher, oldest first, as a bare array (vendor page)."""
        sign = -1 if self.negative_redemptions else 1
        return [
            {
                "transactionId": redemption.transaction_id,
                "amount": self.currency.decimal(sign * redemption.amount),
                "createdAt": write_instant(redemption.at),
            }
            for redemption in voucher.redemptions
        ]

    def code_info(self, voucher: StoredVoucher, now: datetime) -> Document:
        """The public answer to a code alone: whether it can be used now, its id and balance (vendor page)."""
        return {
            "message": voucher.message(now),
            "type": "voucher",
            "voucher": {"_id": voucher.id, "code": voucher.code, "balance": self._balance(voucher)},
        }

    def seller(self) -> Document:
        """The public seller object, the documented way to the currency (vendor page)."""
        return {"_id": self.seller_id, "name": self.seller_name, "currency": self.currency.code}

    def _balance(self, voucher: StoredVoucher) -> Decimal | float:
        if not self.float_noise:
            return self.currency.decimal(voucher.balance)
        balance = float(self.currency.decimal(voucher.amount))
        for redemption in voucher.redemptions:
            balance -= float(self.currency.decimal(redemption.amount))
        return balance
