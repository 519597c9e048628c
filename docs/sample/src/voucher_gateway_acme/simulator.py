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
    Activity,
    ActivityLedger,
    Cursors,
    IdempotencyKeys,
    InvalidCursor,
    Refused,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    VoucherStore,
    fault,
    from_records,
    past_instants,
    random_text,
    to_records,
)


@attrs.frozen(kw_only=True)
class StoredVoucher:
    """A voucher as the vendor stores it. Amounts are integers in minor units."""

    id: str
    code: str = attrs.field(repr=False)
    status: str
    currency: str
    initial: int
    valid_until: datetime | None


class AcmeSimulator(Simulator):
    """Acme Gift Cards. Its API keys do not expire, and it has no reservations."""

    name: ClassVar[str] = "acme"
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})
    own_faults = (fault("temporary", 503, {"error": "temporary", "message": "Please try again."}),)
    reference_member: ClassVar[str | None] = "reference"

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self._key = f"key_{secrets.token_hex(16)}"
        self._vouchers: VoucherStore[StoredVoucher] = VoucherStore()
        self._cursors = Cursors()
        self._activities = ActivityLedger()
        self._keys = IdempotencyKeys(
            self.clock.now,
            running=lambda: self.error_reply(409, "A request with this key is still carried out."),
            reused=lambda: self._refusal("key-reused", "The key belongs to another request."),
            keeps=lambda reply: reply.status < 400,  # a refused request is carried out when it comes again
        )

    def routes(self) -> Sequence[Route]:
        """Return the routes of the vendor's API."""
        return [
            Route("GET", "/v1/lookup", self._with_key(self._look_up), look_up=True),
            Route("GET", "/v1/vouchers", self._with_key(self._list), look_up=True),
            Route("GET", "/v1/vouchers/{id}", self._with_key(self._show), look_up=True),
            Route("GET", "/v1/vouchers/{id}/movements", self._with_key(self._history), look_up=True),
            Route("POST", "/v1/vouchers", self._once(self._create)),
            Route("POST", "/v1/vouchers/{id}/activation", self._once(self._activate)),
            Route("POST", "/v1/vouchers/{id}/redemptions", self._once(self._redeem)),
            Route("POST", "/v1/movements/{id}/refunds", self._once(self._refund)),
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
            valid_until=now + timedelta(days=-1 if number % 9 == 4 else 365) if number % 2 == 0 else None,
        )
        self._vouchers.put(voucher)
        self._book(voucher, "activation", initial)
        spent = 0 if plain else initial - draw.choice((initial, initial // 2, 0))
        if spent:
            self._book(voucher, "redemption", -spent)

    def seed_history(self, count: int) -> None:
        """Add one voucher that is years old, with that many movements. It still has value."""
        draw, number = self.random, len(self._vouchers)
        times = past_instants(draw, self.clock.now(), count)
        initial = 100 * (count + 10)
        voucher = StoredVoucher(
            id=f"v{number}-{random_text(draw, 8)}",
            code=f"OLD-{random_text(draw, 8)}",
            status="active",
            currency="EUR",
            initial=initial,
            valid_until=None,
        )
        self._vouchers.put(voucher)
        for place, at in enumerate(times):
            if place:
                self._book(voucher, "redemption", -100, reference=f"old-{place}", at=at)
            else:
                self._book(voucher, "activation", initial, at=at)

    def ledger(self) -> list[dict[str, object]]:
        """Return the ground truth that tests compare with the provider's results."""
        return [
            self._activities.ledger_voucher(
                voucher,
                currency=voucher.currency,
                status=voucher.status,
                initial=voucher.initial,
                valid_until=voucher.valid_until,
            ).to_json()
            for voucher in self._vouchers
        ]

    def dump(self) -> dict[str, object]:
        """Return everything that the vendor stores, so that it survives a restart of the simulator."""
        return {
            "key": self._key,
            "vouchers": to_records(list(self._vouchers)),
            "activities": self._activities.dump(),
            "keys": self._keys.dump(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `dump` returned."""
        self._key = state["key"]
        self._vouchers = VoucherStore(from_records(list[StoredVoucher], state["vouchers"]))
        self._activities.load(state["activities"])
        self._keys.load(state["keys"])

    def distort(self, reply: Reply) -> Reply:
        """Return the reply with its first amount raised by one minor unit."""
        if not isinstance(reply.body, dict) or "currency" not in reply.body:
            return reply
        name = next((name for name in ("amount", "initial", "balance") if name in reply.body), None)
        return reply if name is None else attrs.evolve(reply, body={**reply.body, name: reply.body[name] + 1})

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
        if not vouchers:
            return self.error_reply(404, "There is no such voucher.")
        return Reply(200, self._to_json(vouchers[0]))

    def _to_json(self, voucher: StoredVoucher) -> dict[str, object]:
        until = None if voucher.valid_until is None else voucher.valid_until.isoformat()
        fields = {**attrs.asdict(voucher), "balance": self._activities.balance(voucher.id), "validUntil": until}
        return {name: value for name, value in fields.items() if name != "valid_until"}

    def _list(self, request: Request) -> Reply:
        numbers = {voucher.id: number for number, voucher in enumerate(self._vouchers)}
        try:
            page = self._cursors.page(
                list(self._vouchers),
                sort_key=lambda voucher: (numbers[voucher.id],),
                limit=min(int(request.query.get("limit", "100")), 100),
                cursor=request.query.get("cursor"),
                query="vouchers",
            )
        except InvalidCursor:
            return self.error_reply(400, "This is not a cursor of this list.")
        return Reply(200, {"items": [self._to_json(voucher) for voucher in page.entries], "next": page.cursor})

    # --- what changes something ---

    def _once(self, handler: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
        """Return the handler behind the API key and the idempotency key."""

        def handle_once(request: Request) -> Reply:
            return self._keys.answer(request, handler, key=request.headers.get("Idempotency-Key"))

        return self._with_key(handle_once)

    def _refusal(self, code: str, message: str) -> Reply:
        return Reply(422, {"error": code, "message": message})

    def _create(self, request: Request) -> Reply:
        body: Any = request.json()
        until = None if body["validUntil"] is None else datetime.fromisoformat(body["validUntil"])
        voucher = StoredVoucher(
            id=f"v{len(self._vouchers)}-{random_text(self.random, 8)}",
            code=random_text(self.random, 12),
            status="pending",
            currency=body["currency"],
            initial=0,
            valid_until=until,
        )
        self._vouchers.put(voucher)
        return Reply(201, self._to_json(voucher))

    def _activate(self, request: Request) -> Reply:
        voucher, body = self._voucher(request), self._amount(request)
        if voucher.status != "pending":
            raise Refused(self._refusal("not-pending", "The voucher was activated before."))
        if body["currency"] != voucher.currency:
            raise Refused(self._refusal("currency", "The voucher is in another currency."))
        voucher = attrs.evolve(voucher, status="active", initial=body["amount"])
        self._vouchers.put(voucher)
        self._book(voucher, "activation", body["amount"], reference=body["reference"])
        return Reply(201, self._to_json(voucher))

    def _redeem(self, request: Request) -> Reply:
        voucher, body = self._spendable(request), self._amount(request)
        self._require_value(voucher, body)
        return self._booked(voucher, "redemption", -body["amount"], reference=body["reference"])

    def _refund(self, request: Request) -> Reply:
        redemption, body = self._activities.get(request.parts["id"]), self._amount(request)
        if redemption is None or redemption.kind not in ("redemption", "capture"):
            raise Refused(self.error_reply(404, "There is no such redemption."))
        voucher = self._vouchers.get(redemption.voucher_id)
        assert voucher is not None
        if body["currency"] != voucher.currency:
            raise Refused(self._refusal("currency", "The voucher is in another currency."))
        if body["amount"] > self._activities.left_of(redemption.id):
            raise Refused(self._refusal("refunded", "Less is left of the redemption."))
        return self._booked(voucher, "refund", body["amount"], reference=body["reference"], linked_id=redemption.id)

    def _history(self, request: Request) -> Reply:
        voucher = self._voucher(request)
        activities = [activity for activity in self._activities.of(voucher.id) if activity.kind != "reservation"]
        places = {activity.id: place for place, activity in enumerate(activities)}
        try:
            page = self._cursors.page(
                activities,
                sort_key=lambda activity: (places[activity.id],),
                limit=50,
                cursor=request.query.get("cursor"),
                query=voucher.id,
            )
        except InvalidCursor:
            return self.error_reply(400, "This is not a cursor of this history.")
        items = [self._movement_json(voucher, activity) for activity in page.entries]
        return Reply(200, {"items": items, "next": page.cursor})

    def _voucher(self, request: Request) -> StoredVoucher:
        voucher = self._vouchers.get(request.parts["id"])
        if voucher is None:
            raise Refused(self.error_reply(404, "There is no such voucher."))
        return voucher

    def _amount(self, request: Request) -> dict[str, Any]:
        body: Any = request.json()
        if type(body["amount"]) is not int or body["amount"] < 1:
            raise Refused(self._refusal("amount", "The amount must be above zero, in minor units."))
        return {"amount": body["amount"], "currency": body["currency"], "reference": body["reference"]}

    def _spendable(self, request: Request) -> StoredVoucher:
        voucher = self._voucher(request)
        if voucher.status != "active":
            raise Refused(self._refusal("inactive", "The voucher is not active."))
        if voucher.valid_until is not None and voucher.valid_until <= self.clock.now():
            raise Refused(self._refusal("expired", "The validity of the voucher is over."))
        return voucher

    def _require_value(self, voucher: StoredVoucher, body: dict[str, Any]) -> None:
        if body["currency"] != voucher.currency:
            raise Refused(self._refusal("currency", "The voucher is in another currency."))
        if body["amount"] > self._activities.balance(voucher.id) - self._activities.held(voucher.id):
            raise Refused(self._refusal("insufficient", "Less is left on the voucher."))

    def _book(self, voucher: StoredVoucher, kind: str, amount: int, **fields: Any) -> Activity:
        """Book an activity of now, unless `at` is given."""
        name = f"m{len(self._activities)}-{random_text(self.random, 6)}"
        fields = {"at": self.clock.now(), **fields}
        return self._activities.add(Activity(id=name, voucher_id=voucher.id, kind=kind, amount=amount, **fields))

    def _booked(self, voucher: StoredVoucher, kind: str, amount: int, **fields: Any) -> Reply:
        return Reply(201, self._movement_json(voucher, self._book(voucher, kind, amount, **fields)))

    def _movement_json(self, voucher: StoredVoucher, activity: Activity) -> dict[str, object]:
        return {
            "id": activity.id,
            "voucher": voucher.id,
            "kind": activity.kind,
            "currency": voucher.currency,
            "amount": abs(activity.amount),
            "balance": self._activities.balance(voucher.id),
            "reference": activity.reference,
            "at": activity.at.isoformat(),
        }
