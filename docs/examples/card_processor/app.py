"""The HTTP API of the card processor, and its control API: faults, clock, books."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue

from .books import Books, KeyConflict, Refusal

FAULTS = {
    "time-out-before": "It never answers; nothing happened.",
    "time-out-after": "It does it and never answers.",
    "error-before": "503; nothing happened, but the answer does not say so.",
    "error-after": "It does it and answers 500.",
    "reset-before": "The connection is reset; nothing happened.",
    "reset-after": "It does it, and the connection is reset.",
    "declined": "It declines the request, now and under this key for ever.",
    "rate-limit": "429; surely nothing happened.",
    "late": "The connection is reset, and it does it after `requests` further requests, or at POST /control/deliver.",
}

SILENCE_S = 3.0
"""How long a connection stays open without an answer, in seconds."""


@dataclass
class ArmedFault:
    """A fault that waits for its requests.

    Attributes:
        name: a key of `FAULTS`.
        operation: authorize, capture, void, refund, or * for each.
        times: how many requests meet it; 0 for all of them.
        after: how many requests pass first.
        requests: for the fault `late`.
    """

    name: str
    operation: str = "*"
    times: int = 1
    after: int = 0
    requests: int = 2


class Processor:
    """The books, the faults that wait, and the requests that arrived."""

    def __init__(self) -> None:
        self.books = Books()
        self.arrived: list[dict[str, object]] = []
        self._armed: list[ArmedFault] = []
        self._late: list[tuple[int, Callable[[], object]]] = []
        self._lock = threading.Lock()

    def arm(self, fault: ArmedFault) -> None:
        """Let a fault wait for its requests."""
        if fault.name not in FAULTS:
            raise ValueError(f"no fault {fault.name}: there are {', '.join(FAULTS)}")
        with self._lock:
            self._armed.append(fault)

    def clear_faults(self) -> None:
        """Remove all faults. What is late stays so."""
        with self._lock:
            self._armed.clear()

    def deliver(self, *, everything: bool = False) -> None:
        """Carry out the late requests that are due, or all of them."""
        with self._lock:
            due = [act for left, act in self._late if everything or left <= 0]
            self._late = [] if everything else [(left - 1, act) for left, act in self._late if left > 0]
        for act in due:
            with suppress(Refusal, KeyConflict):  # no client waits for the answer
                act()

    def take_fault(self, operation: str) -> ArmedFault | None:
        """Return the fault that this request meets."""
        with self._lock:
            for fault in self._armed:
                if fault.operation not in ("*", operation):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                if fault.times == 1:
                    self._armed.remove(fault)
                elif fault.times:
                    fault.times -= 1
                return fault
        return None

    def handle(
        self, operation: str, key: str, content: tuple[object, ...], act: Callable[[], object]
    ) -> ResponseReturnValue:
        """Answer one request, with the fault that waits for it."""
        self.deliver()
        fault = self.take_fault(operation)
        name = "" if fault is None else fault.name
        self.arrived.append({"operation": operation, "key": key, "fault": name})
        if fault is not None and name == "late":
            with self._lock:
                self._late.append((fault.requests, act))
        if name == "rate-limit":
            return {"error": "rate_limit"}, 429
        if name == "declined":
            self.books.refuse(key, content)
        if name in ("reset-before", "late"):
            _reset()
        if name == "time-out-before":
            time.sleep(SILENCE_S)
            _reset()
        if name == "error-before":
            return {"error": "unavailable"}, 503
        try:
            result = act()
        except Refusal as refusal:
            reply: ResponseReturnValue = {"error": str(refusal)}, 402
        except KeyConflict:
            reply = {"error": "another request had this key"}, 409
        else:
            reply = result if isinstance(result, dict) else {}
        if name == "reset-after":
            _reset()
        if name == "time-out-after":
            time.sleep(SILENCE_S)
            _reset()
        return ({"error": "internal"}, 500) if name == "error-after" else reply


def _reset() -> None:
    """Reset the connection of the present request, so that the client gets no answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    raise ConnectionError


def make_app() -> Flask:
    """Return the application."""
    app, processor = Flask(__name__), Processor()
    app.config["PROPAGATE_EXCEPTIONS"] = True  # the server drops a connection that was reset, and logs nothing
    _add_api(app, processor)
    _add_control(app, processor)
    return app


def _add_api(app: Flask, processor: Processor) -> None:
    books = processor.books

    @app.post("/charges")
    def authorize() -> ResponseReturnValue:
        body, key = _body(), request.headers["Idempotency-Key"]
        amount, currency = Decimal(body["amount"]), str(body["currency"])
        card, at_once = str(body["card"]), bool(body.get("capture"))
        content = ("authorize", amount, currency)
        return processor.handle(
            "authorize", key, content, lambda: books.authorize(key, amount, currency, card, capture=at_once)
        )

    @app.post("/charges/<charge>/capture")
    def capture(charge: str) -> ResponseReturnValue:
        key, amount = request.headers["Idempotency-Key"], Decimal(_body()["amount"])
        content = ("capture", charge, amount)
        return processor.handle("capture", key, content, lambda: books.capture(charge, key, amount))

    @app.post("/charges/<charge>/void")
    def void(charge: str) -> ResponseReturnValue:
        key = request.headers["Idempotency-Key"]
        return processor.handle("void", key, ("void", charge), lambda: books.void(charge, key))

    @app.post("/charges/<charge>/refunds")
    def refund(charge: str) -> ResponseReturnValue:
        key, text = request.headers["Idempotency-Key"], _body().get("amount")
        amount = None if text is None else Decimal(text)
        return processor.handle("refund", key, ("refund", charge, amount), lambda: books.refund(charge, key, amount))

    @app.get("/charges/<charge>")
    def show(charge: str) -> ResponseReturnValue:
        try:
            return books.show(charge)
        except Refusal as refusal:
            return {"error": str(refusal)}, 404

    @app.post("/charges/<charge>/confirm")
    def confirm(charge: str) -> ResponseReturnValue:
        books.confirm(charge, accepted=bool(_body().get("accepted", True)))
        return books.show(charge)


def _add_control(app: Flask, processor: Processor) -> None:
    @app.get("/control/books")
    def show_books() -> ResponseReturnValue:
        return {"charges": processor.books.charges()}

    @app.get("/control/requests")
    def show_requests() -> ResponseReturnValue:
        return {"requests": processor.arrived}

    @app.post("/control/faults")
    def arm() -> ResponseReturnValue:
        processor.arm(ArmedFault(**_body()))
        return {}

    @app.delete("/control/faults")
    def clear() -> ResponseReturnValue:
        processor.clear_faults()
        return {}

    @app.post("/control/deliver")
    def deliver() -> ResponseReturnValue:
        processor.deliver(everything=True)
        return {}

    @app.post("/control/clock")
    def advance() -> ResponseReturnValue:
        processor.books.advance(float(_body()["seconds"]))
        return {}


def _body() -> dict[str, Any]:
    body = request.get_json()
    assert isinstance(body, dict)
    return body
