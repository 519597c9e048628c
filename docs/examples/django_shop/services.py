"""What the shop talks to: the gateway, made once for each process, and the card processor."""

from __future__ import annotations

from django.conf import settings

from card_processor.client import CardMeans
from voucher_gateway import Gateway

gateway = Gateway.from_config(settings.VOUCHER_GATEWAY)


def card_processor(card: str = "") -> CardMeans:
    """Return the client of the card processor; it needs the card only to authorize."""
    return CardMeans(settings.CARDS_URL, card)
