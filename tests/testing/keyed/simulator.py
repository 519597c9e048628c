"""A made-up vendor of cards with idempotency keys: movements under a key, a history, and faults in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

from voucher_gateway.simulator import (
    IdempotencyKeys,
    Refused,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    amount_text,
    fault,
)

TOKEN: Final = "keyed-token-4711-abcdef"
LIFETIME: Final = timedelta(days=1)


class KeyedSimulator(Simulator):
    name: ClassVar[str] = "keyed"
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})
    reference_member: ClassVar[str | None] = "reference"
    own_faults = (
        fault("try-later", 422, {"error": "try_later"}),
        fault("in-progress", 409, {"error": "in_progress"}, commits=True),
    )

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.cards: list[dict[str, Any]] = []
        self.keys = IdempotencyKeys(
            self.clock.now,
            running=self._make_running_reply,
            reused=self._make_reused_reply,
            lifetime_s=LIFETIME.total_seconds(),
        )

    def routes(self) -> Sequence[Route]:
        return (
            Route("GET", "/v1/cards", self._find, look_up=True),
            Route("GET", "/v1/cards/{id}", self._get, look_up=True),
            Route("GET", "/v1/cards/{id}/movements", self._list_movements, look_up=True),
            Route("POST", "/v1/cards/{id}/movements", self._move_under_key),
        )

    def error_reply(self, status: int, message: str) -> Reply:
        return Reply(status, {"error": "general", "message": message})

    def announcement(self, base: str) -> dict[str, str]:
        return {"base_url": f"{base}/v1", "token": TOKEN}

    def seed(self, count: int) -> None:
        for _ in range(count):
            self.insert_voucher()

    def insert_voucher(self) -> None:
        number = len(self.cards)
        cents = 6000 + 7 * number
        self.cards.append(
            {
                "id": f"c{number:03d}",
                "code": f"KEYED-{number * 7919:06d}",
                "initial": cents,
                "left": cents,
                "movements": [],
            }
        )

    def ledger(self) -> list[dict[str, object]]:
        return [
            {
                "id": card["id"],
                "code": card["code"],
                "currency": "EUR",
                "initial": amount_text(card["initial"], "EUR"),
                "remaining": amount_text(card["left"], "EUR"),
                "reserved": "0.00",
                "status": "active",
                "valid_until": None,
                "movements": [
                    {**movement, "amount": amount_text(movement["cents"], "EUR")} for movement in card["movements"]
                ],
            }
            for card in self.cards
        ]

    def dump(self) -> dict[str, object]:
        cards = [{**card, "movements": list(card["movements"])} for card in self.cards]
        return {"cards": cards, "keys": self.keys.dump()}

    def load(self, state: dict[str, Any]) -> None:
        self.cards = [{**card, "movements": list(card["movements"])} for card in state["cards"]]
        self.keys.load(state["keys"])

    def distort(self, reply: Reply) -> Reply:
        if isinstance(reply.body, dict) and "cents" in reply.body:
            return Reply(reply.status, {**reply.body, "cents": reply.body["cents"] + 1}, reply.headers)
        return reply

    def _find(self, request: Request) -> Reply:
        self._let_in(request)
        code = request.query.get("code")
        return Reply(200, {"cards": [_show_card(card) for card in self.cards if card["code"] == code]})

    def _get(self, request: Request) -> Reply:
        return Reply(200, _show_card(self._card(request)))

    def _list_movements(self, request: Request) -> Reply:
        return Reply(200, {"movements": self._card(request)["movements"]})

    def _move_under_key(self, request: Request) -> Reply:
        self._let_in(request)
        return self.keys.answer(request, self._move, key=request.headers.get("Idempotency-Key"))

    def _move(self, request: Request) -> Reply:
        card = self._card(request)
        body: Any = request.json()
        if body.get("code", card["code"]) != card["code"]:
            return Reply(404, {"error": "no_card"})
        sign = -1 if body["kind"] == "redemption" else 1
        if card["left"] + sign * body["cents"] < 0:
            return Reply(422, {"error": "too_little"})
        card["left"] += sign * body["cents"]
        movement = {
            "id": f"{card['id']}-{len(card['movements'])}",
            "card": card["id"],
            "kind": body["kind"],
            "cents": body["cents"],
            "reference": body["reference"],
            "at": self.clock.now().isoformat(),
        }
        card["movements"] = [*card["movements"], movement]
        return Reply(201, {**movement, "left": card["left"]})

    def _card(self, request: Request) -> dict[str, Any]:
        self._let_in(request)
        for card in self.cards:
            if card["id"] == request.parts["id"]:
                return card
        raise Refused(Reply(404, {"error": "no_card"}))

    def _let_in(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(self.error_reply(401, "The token is wrong."))

    def _make_running_reply(self) -> Reply:
        return Reply(409, {"error": "in_progress"})

    def _make_reused_reply(self) -> Reply:
        return Reply(422, {"error": "key_reused"})


def _show_card(card: dict[str, Any]) -> dict[str, Any]:
    return {key: card[key] for key in ("id", "code", "initial", "left")}
