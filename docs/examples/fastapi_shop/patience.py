"""How long a customer waits: a request that takes longer is answered, and one whose customer has gone is cancelled.

A cancelled request does not undo the calls of the gateway that it awaits. They go on, and the journal keeps what became
of them.
"""

from __future__ import annotations

import asyncio
import os

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE_S = float(os.environ.get("SHOP_PATIENCE_S", "15"))
"""How long a customer waits for an answer, in seconds."""

_TEXT = "This takes longer than usual. Please open your order again in a minute. Nothing is taken twice."


class Patience:
    """Cancels the handling of a request after `PATIENCE_S`, or when the customer has gone away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages: asyncio.Queue[Message] = asyncio.Queue()
        handling = asyncio.create_task(self._handle(scope, messages.get, send))
        watching = asyncio.create_task(_watch(receive, messages, handling))
        try:
            await handling
        except asyncio.CancelledError:
            if not handling.cancelled():  # the server stops
                handling.cancel()
                raise
        finally:
            watching.cancel()

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._app(scope, receive, send)
        except TimeoutError:
            await JSONResponse({"text": _TEXT}, 202)(scope, receive, send)


async def _watch(receive: Receive, messages: asyncio.Queue[Message], handling: asyncio.Task[None]) -> None:
    """Pass the messages of the client on. When the client is gone, end the handling of its request."""
    while True:
        message = await receive()
        await messages.put(message)
        if message["type"] == "http.disconnect":
            handling.cancel()
            return
