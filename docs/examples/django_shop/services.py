"""What the shop talks to: the gateway, which is made once for each process, and the card processor."""

from __future__ import annotations

from django.conf import settings

from card_processor.client import CardMeans
from voucher_gateway.contrib.django import get_gateway

gateway = get_gateway()


def card_processor(card: str = "") -> CardMeans:
    """Return the client of the card processor; it needs the card only to authorize."""
    return CardMeans(settings.CARDS_URL, card)
