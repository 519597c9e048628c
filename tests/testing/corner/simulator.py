"""A small vendor for trying the contract out: three calls, amounts as JSON numbers, statuses, and an API key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from voucher_gateway.simulator import (
    Cursors,
    InvalidCursor,
    Refused,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    past_instants,
)

API_KEY = "corner-key-4711-abcdef"
ODD_CODES = ("a/b?c=d&e", "two  words", "Grüße 🎁", "100%2F", "PLUS+AND&MORE")


class CornerSimulator(Simulator):
    name: ClassVar[str] = "corner"
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.vouchers: list[dict[str, Any]] = []
        self.cursors = Cursors()

    def routes(self) -> Sequence[Route]:
        return (
            Route("GET", "/v1/vouchers", self._listed, look_up=True),
            Route("GET", "/v1/vouchers/{id}", lambda request: Reply(200, self._shown(self._voucher(request)))),
            Route("GET", "/v1/vouchers/{id}/movements", self._movements, look_up=True),
            Route("GET", "/v1/presentations", self._presented, look_up=True),
        )

    def error_reply(self, status: int, message: str) -> Reply:
        return Reply(status, {"error": message})

    def announcement(self, base: str) -> dict[str, str]:
        return {"base_url": f"{base}/v1", "api_key": API_KEY}

    def seed(self, count: int) -> None:
        for _ in range(count):
            self.insert_voucher()

    def insert_voucher(self) -> None:
        number = len(self.vouchers)
        cents = (1053, 2999, 5, 12345, 700)[number % 5] + 100 * number
        made = datetime(2026, 1, 1, 12, tzinfo=self.clock.now().tzinfo) + timedelta(hours=number)
        voucher: dict[str, Any] = {
            "id": f"v{number:03d}",
            "code": f"{ODD_CODES[number % 5]}{number}" if number % 5 == 4 else f"CORNER-{number * 7919:06d}",
            "currency": "USD" if number % 7 == 6 else "EUR",
            "initial": cents,
            "remaining": cents,
            "status": "inactive" if number % 4 == 3 else "active",
            "customer": f"c{number}",
            "valid_until": None if number % 3 == 2 else made + timedelta(days=900),
            "created_at": made,
            "movements": [],
        }
        if number % 3 == 0:
            for taken in (3, 2):
                voucher["remaining"] -= taken
                movement = {"id": f"m{number}-{taken}", "kind": "redemption", "amount": taken, "at": made}
                voucher["movements"].append({**movement, "reference": f"order-{number}-{taken}"})
        if number % 6 == 0:
            for state in ("pending", "cancelled"):
                movement = {"id": f"m{number}-{state}", "kind": "redemption", "amount": 4, "at": made, "state": state}
                voucher["movements"].append({**movement, "reference": f"order-{number}-{state}"})
        self.vouchers.append(voucher)

    def seed_history(self, count: int) -> None:
        made, *moments = past_instants(self.random, self.clock.now(), count + 1)
        self.insert_voucher()
        voucher = self.vouchers[-1]
        voucher.update(status="active", valid_until=None, created_at=made, initial=10_000, movements=[])
        for number, moment in enumerate(moments):
            taken = 1 + number % 9
            movement = {"id": f"old-{number}", "kind": "redemption", "amount": taken, "at": moment}
            voucher["movements"].append({**movement, "reference": f"old-order-{number}"})
        voucher["remaining"] = 10_000 - sum(movement["amount"] for movement in voucher["movements"])

    def ledger(self) -> list[dict[str, object]]:
        return [
            {
                **voucher,
                "initial": str(_amount(voucher["initial"])),
                "remaining": str(_amount(voucher["remaining"])),
                "reserved": "0.00",
                "valid_until": _instant(voucher["valid_until"]),
                "created_at": _instant(voucher["created_at"]),
                "movements": [
                    _shown_movement(one) | {"amount": str(_amount(one["amount"]))} for one in voucher["movements"]
                ],
            }
            for voucher in self.vouchers
        ]

    def dump(self) -> dict[str, object]:
        return {"vouchers": list(self.vouchers)}

    def load(self, state: dict[str, Any]) -> None:
        self.vouchers = list(state["vouchers"])

    def distort(self, reply: Reply) -> Reply:
        return reply

    def _listed(self, request: Request) -> Reply:
        self._let_in(request)
        query = request.query
        found = [one for one in self.vouchers if query.get("code") in (None, one["code"])]
        found = [one for one in found if query.get("status") in (None, one["status"])]
        size, page = int(query.get("size", "10")), int(query.get("page", "1"))
        shown = found[(page - 1) * size : page * size]
        return Reply(200, {"vouchers": [self._shown(one) for one in shown], "total": len(found)})

    def _movements(self, request: Request) -> Reply:
        voucher = self._voucher(request)
        try:
            page = self.cursors.page(
                voucher["movements"],
                sort_key=lambda movement: (movement["at"], movement["id"]),
                limit=int(request.query.get("size", "20")),
                cursor=request.query.get("cursor"),
                query={"id": voucher["id"]},
            )
        except InvalidCursor:
            return self.error_reply(400, "The cursor is wrong.")
        return Reply(200, {"movements": [_shown_movement(one) for one in page.entries], "next": page.cursor})

    def _presented(self, request: Request) -> Reply:
        self._let_in(request)
        query = request.query
        for one in self.vouchers:
            if one["code"] == query.get("code") and query.get("id", one["id"]) == one["id"]:
                return Reply(200, {"voucher": self._shown(one), "seller": "Corner shop"})
        return self.error_reply(404, "There is no such voucher.")

    def _voucher(self, request: Request) -> dict[str, Any]:
        self._let_in(request)
        for one in self.vouchers:
            if one["id"] == request.parts["id"]:
                return one
        raise Refused(self.error_reply(404, "There is no such voucher."))

    def _let_in(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            raise Refused(self.error_reply(401, "The key is wrong."))

    def _shown(self, voucher: dict[str, Any]) -> dict[str, object]:
        shown = {key: voucher[key] for key in ("id", "code", "currency", "status", "customer")}
        amounts = {"amount": _amount(voucher["initial"]), "balance": _amount(voucher["remaining"])}
        return {
            **shown,
            **amounts,
            "validUntil": _instant(voucher["valid_until"]),
            "createdAt": _instant(voucher["created_at"]),
        }


def _shown_movement(one: dict[str, Any]) -> dict[str, object]:
    return {**one, "amount": _amount(one["amount"]), "at": _instant(one["at"])}


def _true_movement(one: dict[str, Any]) -> dict[str, object]:
    return {**_shown_movement(one), "amount": str(_amount(one["amount"]))}


def _amount(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
