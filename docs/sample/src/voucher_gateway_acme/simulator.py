"""A local server that speaks the vendor's API.

Write it from the vendor's documents, and share no code with the adapter: a mistake would agree with itself. The kit
brings the rest: sockets, a virtual clock, faults, the record of what arrived, the state file and the command.
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
    """A voucher as the vendor keeps it; amounts are whole cents."""

    id: str
    code: str = attrs.field(repr=False)
    status: str
    currency: str
    initial: int
    balance: int
    valid_until: datetime | None
    movements: tuple[LedgerMovement, ...] = ()

    def shown(self) -> dict[str, object]:
        """Return it as the vendor's JSON."""
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
    """Acme Gift Cards, whose keys do not expire and who reserves nothing."""

    name: ClassVar[str] = "acme"
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self._key = f"key_{secrets.token_hex(16)}"
        self._book: VoucherStore[StoredVoucher] = VoucherStore()

    def routes(self) -> Sequence[Route]:
        """Every call of the vendor's API."""
        return [
            Route("GET", "/v1/lookup", self._with_key(self._look_up), look_up=True),
            Route("GET", "/v1/vouchers/{id}", self._with_key(self._show)),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        """The vendor's error body, for any status."""
        word = {403: "forbidden", 404: "not-found"}.get(status, "invalid")
        return Reply(status, {"error": word, "message": message})

    def announcement(self, base: str) -> dict[str, str]:
        """What a client needs, under the names that the provider's settings have."""
        return {"base_url": f"{base}/v1", "api_key": self._key}

    def seed(self, count: int) -> None:
        """Add varied vouchers, odd codes, inactive and expired ones among them."""
        for _ in range(count):
            self.insert_voucher()

    def insert_voucher(self) -> None:
        """Add one more, the last of the book."""
        draw, number, now = self.random, len(self._book), self.clock.now().replace(microsecond=0)
        plain = number % 3 != 2  # two of three can be spent; the others have something odd about them
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
        self._book.put(voucher)

    def ledger(self) -> list[dict[str, object]]:
        """The truth, against which the provider's answers are held."""
        return [
            LedgerVoucher(
                id=one.id,
                code=one.code,
                currency=one.currency,
                initial=_units(one.initial),
                remaining=_units(one.balance),
                reserved=_units(0),
                status=one.status,
                valid_until=None if one.valid_until is None else one.valid_until.isoformat(),
                movements=one.movements,
            ).to_json()
            for one in self._book
        ]

    def dump(self) -> dict[str, object]:
        """The vouchers and the key, so that a client's configuration outlives the process."""
        return {"key": self._key, "vouchers": to_records(list(self._book))}

    def load(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._key = state["key"]
        self._book = VoucherStore(from_records(list[StoredVoucher], state["vouchers"]))

    def distort(self, reply: Reply) -> Reply:
        """One cent more than the truth, in the first amount of the reply."""
        if not isinstance(reply.body, dict) or "currency" not in reply.body:
            return reply
        name = "amount" if "amount" in reply.body else "balance"
        return attrs.evolve(reply, body={**reply.body, name: reply.body[name] + 1})

    def _with_key(self, handler: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
        def checked(request: Request) -> Reply:
            if request.headers.get("Authorization") != f"Bearer {self._key}":
                return self.error_reply(401, "A key is needed.")
            return handler(request)

        return checked

    def _look_up(self, request: Request) -> Reply:
        return self._shown(self._book.with_code(request.query.get("code", "")))

    def _show(self, request: Request) -> Reply:
        voucher = self._book.get(request.parts["id"])
        return self._shown([voucher] if voucher else [])

    def _shown(self, found: list[StoredVoucher]) -> Reply:
        return Reply(200, found[0].shown()) if found else self.error_reply(404, "There is no such voucher.")


def _units(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
