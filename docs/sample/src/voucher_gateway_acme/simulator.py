"""A local server that speaks the vendor's API.

Write it from the vendor's documents, and share no code with the provider: otherwise both could have the same mistake.
The kit provides the rest: sockets, a virtual clock, faults, the record of requests, the state file and the command.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import attrs
from voucher_gateway.simulator import (
    ODD_TEXTS,
    LedgerMovement,
    LedgerVoucher,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    VoucherStore,
    from_records,
    random_text,
    to_records,
)


@attrs.frozen(kw_only=True)
class StoredVoucher:
    """A voucher as the vendor stores it. Amounts are integers in cents."""

    id: str
    code: str = attrs.field(repr=False)
    status: str
    currency: str
    initial: int
    balance: int
    valid_until: datetime | None
    movements: tuple[LedgerMovement, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the vendor's JSON of the voucher."""
        return {
            "id": self.id,
            "code": self.code,
            "status": self.status,
            "currency": self.currency,
            "initial": self.initial,
            "balance": self.balance,
            "validUntil": None if self.valid_until is None else self.valid_until.isoformat(),
        }


class AcmeSimulator(Simulator):
    """Acme Gift Cards. Its API keys do not expire, and it has no reservations."""

    name: ClassVar[str] = "acme"
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self._key = f"key_{secrets.token_hex(16)}"
        self._vouchers: VoucherStore[StoredVoucher] = VoucherStore()

    def routes(self) -> Sequence[Route]:
        """Return the routes of the vendor's API."""
        return [
            Route("GET", "/v1/lookup", self._with_key(self._look_up), look_up=True),
            Route("GET", "/v1/vouchers/{id}", self._with_key(self._show)),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        """Return the vendor's error reply for a status."""
        code = {403: "forbidden", 404: "not-found"}.get(status, "invalid")
        return Reply(status, {"error": code, "message": message})

    def announcement(self, base: str) -> dict[str, str]:
        """Return the settings that a client needs, under the names of the provider's settings."""
        return {"base_url": f"{base}/v1", "api_key": self._key}

    def seed(self, count: int) -> None:
        """Add varied vouchers, some of them with unusual codes, inactive or expired."""
        for _ in range(count):
            self.insert_voucher()

    def insert_voucher(self) -> None:
        """Add one voucher at the end."""
        draw, number, now = self.random, len(self._vouchers), self.clock.now().replace(microsecond=0)
        plain = number % 3 != 2  # two of three can be spent; the others are unusual
        initial = draw.choice((10_000, 25_000, 123_456) if plain else (0, 1, 999, 1053, 9_999_999))
        odd = "" if plain else ODD_TEXTS[number // 3 % len(ODD_TEXTS)]
        voucher = StoredVoucher(
            id=f"v{number}-{random_text(draw, 8)}",
            code=f"{random_text(draw, 8)}{odd}",
            status="inactive" if number % 9 == 7 else "active",
            currency="EUR" if plain else draw.choice(("EUR", "USD", "CHF")),
            initial=initial,
            balance=initial if plain else draw.choice((initial, initial // 2, 0)),
            valid_until=now + timedelta(days=-1 if number % 9 == 4 else 365) if number % 2 == 0 else None,
        )
        self._vouchers.put(voucher)

    def ledger(self) -> list[dict[str, object]]:
        """Return the ground truth that tests compare with the provider's results."""
        return [
            LedgerVoucher(
                id=voucher.id,
                code=voucher.code,
                currency=voucher.currency,
                initial=_units(voucher.initial),
                remaining=_units(voucher.balance),
                reserved=_units(0),
                status=voucher.status,
                valid_until=None if voucher.valid_until is None else voucher.valid_until.isoformat(),
                movements=voucher.movements,
            ).to_json()
            for voucher in self._vouchers
        ]

    def dump(self) -> dict[str, object]:
        """Return the vouchers and the key, so that they survive a restart of the simulator."""
        return {"key": self._key, "vouchers": to_records(list(self._vouchers))}

    def load(self, state: dict[str, Any]) -> None:
        """Restore the vouchers and the key."""
        self._key = state["key"]
        self._vouchers = VoucherStore(from_records(list[StoredVoucher], state["vouchers"]))

    def distort(self, reply: Reply) -> Reply:
        """Return the reply with its first amount raised by one cent."""
        if not isinstance(reply.body, dict) or "currency" not in reply.body:
            return reply
        name = "amount" if "amount" in reply.body else "balance"
        return attrs.evolve(reply, body={**reply.body, name: reply.body[name] + 1})

    def _with_key(self, handler: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
        def handle_with_key(request: Request) -> Reply:
            if request.headers.get("Authorization") != f"Bearer {self._key}":
                return self.error_reply(401, "A key is needed.")
            return handler(request)

        return handle_with_key

    def _look_up(self, request: Request) -> Reply:
        return self._voucher_reply(self._vouchers.with_code(request.query.get("code", "")))

    def _show(self, request: Request) -> Reply:
        voucher = self._vouchers.get(request.parts["id"])
        return self._voucher_reply([voucher] if voucher else [])

    def _voucher_reply(self, vouchers: list[StoredVoucher]) -> Reply:
        return Reply(200, vouchers[0].to_json()) if vouchers else self.error_reply(404, "There is no such voucher.")


def _units(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
