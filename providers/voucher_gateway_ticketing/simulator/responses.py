"""The vendor's JSON objects. Their names and shapes are those of the seed and of the vendor page."""

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

_STATUSES_WITHOUT_BODY: Final = frozenset({400, 404})
"""The statuses of refusals in the seed, which shows no body for them."""


def http_error(status: int, message: str) -> Reply:
    """Return the vendor's `HttpError`. Its `statusCode` is a string (vendor page)."""
    error = responses.get(status, "Error")
    return Reply(status, {"statusCode": str(status), "error": error, "message": message})


def bad_request(message: str) -> Refused:
    """Return the refusal with 400, for `raise`. The vendor does not document its message."""
    return Refused(http_error(400, message))


def with_refusal_body(reply: Reply, bodies: RefusalBodies) -> Reply:
    """Return the reply. A refusal whose body is not documented gets the body that the options choose."""
    if reply.status not in _STATUSES_WITHOUT_BODY or bodies == "described":
        return reply
    if bodies == "empty":
        return Reply(reply.status)
    message = responses[reply.status]
    if bodies == "text":
        return Reply(reply.status, message.encode(), (("Content-Type", "text/plain; charset=utf-8"),))
    return Reply(reply.status, {"message": message})


TIMEZONE: Final = "Europe/Berlin"

_IMAGES: Final = "https://pictures.example"

_BRANDING: Final = {
    "customBrandingEnabled": True,
    "shopLogoUrl": f"{_IMAGES}/shop.png",
    "eventLogo": f"{_IMAGES}/event.png",
    "mailLogo": f"{_IMAGES}/mail.png",
    "customLogo": f"{_IMAGES}/custom.png",
    "walletLogo": f"{_IMAGES}/wallet.png",
    "googleWalletLogo": f"{_IMAGES}/google-wallet.png",
    "walletBackgroundColor": "#102030",
    "walletForegroundColor": "#ffffff",
    "walletLabelColor": "#c0c0c0",
    "ticketRibbonImage": f"{_IMAGES}/ribbon.png",
}
"""All fields of the example in the seed."""

Document = dict[str, Any]
"""A JSON object. Its amounts are Decimals, or floats if `float_noise` is set."""


@attrs.frozen
class DocumentWriter:
    """Makes the JSON objects of one seller's vouchers.

    Attributes:
        seller_id: the owner of every voucher.
        seller_name: shown in the public replies.
        currency: the seller's currency; a voucher does not name one.
        show_id: whether vouchers have `_id`. The schema lacks it, though every path needs it (seed, vendor page).
        float_noise: whether balances are computed in binary floating point, as some vendors do.
        negative_redemptions: whether redemptions are negative; their sign is not documented.
    """

    seller_id: str
    seller_name: str
    currency: SellerCurrency
    show_id: bool
    float_noise: bool
    negative_redemptions: bool

    def voucher(self, voucher: StoredVoucher) -> Document:
        """Return the voucher object. A field without a value is left out and not null (vendor page)."""
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
        """Return the voucher object with its balance, which only the list shows (seed)."""
        return {**self.voucher(voucher), "balance": self._balance(voucher)}

    def voucher_info(self, voucher: StoredVoucher) -> Document:
        """Return the public reply to id and code: the voucher, and how its seller presents it (seed)."""
        return {
            "voucher": self.voucher(voucher),
            "displaySettings": {"disclaimer": "Not redeemable for cash.", "pdfImage": f"{_IMAGES}/voucher.png"},
            "seller": {
                "name": self.seller_name,
                "city": "Berlin",
                "street": "Example Street 1",
                "postal": "10115",
                "taxRate": Decimal("10.5"),
                "taxNo": "DE000000000",
                "currency": self.currency.code,
                "image": f"{_IMAGES}/seller.png",
                "locationName": "Main hall",
                "brandingSettings": _BRANDING,
                "documentSettings": {
                    "image": f"{_IMAGES}/letterhead.png",
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
        """Return the redemptions of a voucher, oldest first, as an array (vendor page)."""
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
        """Return the public reply to a code alone: whether it can be used now, its id and its balance (vendor page)."""
        return {
            "message": voucher.message(now),
            "type": "voucher",
            "voucher": {"_id": voucher.id, "code": voucher.code, "balance": self._balance(voucher)},
        }

    def seller(self) -> Document:
        """Return the public seller object, which has the currency (vendor page)."""
        return {"_id": self.seller_id, "name": self.seller_name, "currency": self.currency.code}

    def _balance(self, voucher: StoredVoucher) -> Decimal | float:
        if not self.float_noise:
            return self.currency.decimal(voucher.balance)
        balance = float(self.currency.decimal(voucher.amount))
        for redemption in voucher.redemptions:
            balance -= float(self.currency.decimal(redemption.amount))
        return balance
