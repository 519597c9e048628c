"""What the shop talks to: the gateway, which is made once for each process, and the card processor."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from card_processor.client import CardMeans
from fastapi_shop.orders import FOLDER
from voucher_gateway import AsyncGateway

gateway = AsyncGateway.from_config(FOLDER / "voucher-gateway.toml")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the gateway when the server stops. That waits for the calls that run."""
    async with gateway:
        yield


def card_means(card: str = "") -> CardMeans:
    """Return the client of the card processor; it needs the card only to authorize."""
    return CardMeans(os.environ["CARDS_URL"], card)
