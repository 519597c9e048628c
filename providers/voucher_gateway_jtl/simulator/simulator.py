"""The JTL simulator: its routes, and the hooks of the kit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import evolve

from voucher_gateway.simulator import (
    InvalidJson,
    LedgerMovement,
    LedgerVoucher,
    Refused,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    random_text,
)
from voucher_gateway_jtl.simulator.errors import Errors
from voucher_gateway_jtl.simulator.handlers import PaymentHandlers, VoucherHandlers
from voucher_gateway_jtl.simulator.ledger import Ledger
from voucher_gateway_jtl.simulator.oauth_clients import CONNECT_PIN_LIFETIME, SCOPES, Client, Clients
from voucher_gateway_jtl.simulator.options import JtlOptions
from voucher_gateway_jtl.simulator.responses import ResponseWriter
from voucher_gateway_jtl.simulator.scalars import LARGEST_CENTS, from_cents, to_cents
from voucher_gateway_jtl.simulator.seed_data import Seeder, random_hex
from voucher_gateway_jtl.simulator.validation import Fields

if TYPE_CHECKING:
    from voucher_gateway_jtl.simulator.ledger import VoucherRecord


class JtlSimulator(Simulator):
    """JTL Voucher Cloud API 1.8, from the vendor's documents. Points that they leave open are random or an option."""

    name: ClassVar[str] = "jtl"
    options_type: ClassVar[type[SimulatorOptions]] = JtlOptions
    reference_member: ClassVar[str | None] = "order_number"
    options: JtlOptions

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.errors = Errors()
        self.voucher_ledger = Ledger(self.errors, self.new_id)
        self.responses = ResponseWriter(
            self.options.reserved_is_subtracted,
            self.options.omit_unset,
            self.options.refunds_show_order,
            self.options.seed_links,
        )
        self.clients = Clients(
            self.errors, self.clock.now, partial(random_hex, self.random, 40), self.options.token_lifetime_s
        )
        self._add_clients()

    def routes(self) -> Sequence[Route]:
        """Return the routes of the fifteen calls and of the token call."""
        vouchers, payments = VoucherHandlers(self), PaymentHandlers(self)
        secured: list[tuple[str, str, str | None, Callable[[Request, str], Reply]]] = [
            ("GET", "/v1/vouchers", "read-lists", vouchers.list_vouchers),
            ("POST", "/v1/vouchers", "manage", vouchers.create),
            ("POST", "/v1/vouchers/recharge", "recharge", payments.recharge),
            ("GET", "/v1/vouchers/{id}", "read", vouchers.show),
            ("GET", "/v1/vouchers/{id}/complete", "read-secrets", vouchers.show_complete),
            ("PATCH", "/v1/vouchers/{id}", "update", vouchers.update),
            ("DELETE", "/v1/vouchers/{id}", "manage", vouchers.delete),
            ("PATCH", "/v1/vouchers/{id}/status", "use", vouchers.set_status),
            ("GET", "/v1/vouchers/{id}/charges", "read-lists", vouchers.list_movements),
            ("GET", "/v1/vouchers/{id}/charges/{charge_id}", "read", vouchers.show_movement),
            ("POST", "/v1/reservations", "use", payments.reserve),
            ("POST", "/v1/reservations/{id}/charge", "use", payments.charge),
            ("POST", "/v1/charges/{id}/refund", "use", payments.refund),
            ("POST", "/v1/clients/disconnect", None, self._disconnect),
        ]
        look_up_paths = {"/v1/vouchers", "/v1/vouchers/{id}/charges"}
        return [
            *(
                Route(
                    method,
                    template,
                    partial(self._handle, scope, handler),
                    method == "GET" and template in look_up_paths,
                )
                for method, template, scope, handler in secured
            ),
            Route("POST", "/v1/clients/connect", self._connect),
            Route("POST", "/oauth/token", self.clients.issue_token),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        """Return the reply of a status, in the shape of the documented 404, or of the documented 403."""
        return self.errors.plain(status, message)

    def announcement(self, base: str) -> dict[str, str]:
        """Return the URLs, the credentials of a connected client, a token, and a PIN that connects another client."""
        client, till = list(self.clients.by_id.values())[:2]
        if till.secret is None:
            till.pin, till.pin_until = random_text(self.random, 6), self.clock.now() + CONNECT_PIN_LIFETIME
        return {
            "base_url": f"{base}/v1",
            "token_url": f"{base}/oauth/token",
            "client_id": client.id,
            "client_secret": client.secret or "",
            "token": self.clients.permanent_token(client),
            "connect_pin": till.pin or "",
        }

    def seed(self, count: int) -> None:
        """Add varied vouchers of the last three years."""
        ledger = self.voucher_ledger
        seeder = Seeder(self.random, list(self.clients.by_id), self.moment())
        for voucher in seeder.vouchers(count, ledger.vouchers, ledger.by_code):
            ledger.add(voucher)

    def seed_history(self, count: int) -> None:
        """Add a voucher of three years ago with that many movements."""
        seeder = Seeder(self.random, list(self.clients.by_id), self.moment())
        self.voucher_ledger.add(seeder.voucher_with_history(count))

    def insert_voucher(self) -> None:
        """Add a varied voucher that was created this second."""
        ledger, now = self.voucher_ledger, self.moment()
        voucher = Seeder(self.random, list(self.clients.by_id), now).voucher(now)
        ledger.add(voucher)

    def ledger(self) -> list[dict[str, object]]:
        """Return every voucher with its true value, PIN and movements. Nothing is masked."""
        return [self._ledger_voucher(voucher) for voucher in self.voucher_ledger]

    def dump(self) -> dict[str, object]:
        """Return vouchers, reservations and clients with their secrets."""
        return {**self.voucher_ledger.dump(), "clients": self.clients.dump()}

    def load(self, state: dict[str, Any]) -> None:
        """Replace everything by what `dump` returned."""
        self.voucher_ledger.load(state)
        self.clients.load(state["clients"])

    def distort(self, reply: Reply) -> Reply:
        """Return the reply with one cent more in its amount, or one less if the amount is the largest."""
        if not isinstance(reply.body, dict) or not isinstance(reply.body.get("amount"), str):
            return reply
        cents = to_cents(reply.body["amount"]) or 0
        wrong_cents = cents + 1 if cents < LARGEST_CENTS else cents - 1
        return evolve(reply, body={**reply.body, "amount": from_cents(wrong_cents)})

    def expire_tokens(self) -> None:
        """Make every access token invalid, also the announced one."""
        self.clients.tokens.expire()

    def replace_reservation(self, request: Request) -> None:
        """Reserve a cent, as another till, of the voucher that a reservation or charge is about."""
        voucher = self._voucher_of_request(request)
        if voucher is None:
            return
        till = list(self.clients.by_id)[-1]
        with suppress(Refused):  # a voucher that cannot be reserved stays as it is
            self.voucher_ledger.reserve(voucher, min(1, voucher.remaining), voucher.currency, till, self.clock.now())

    def new_id(self) -> str:
        """Return a new id, like those of the seeds."""
        return random_hex(self.random, 21)

    def moment(self) -> datetime:
        """Return the virtual time in whole seconds, as the API shows it."""
        return self.clock.now().replace(microsecond=0)

    def _add_clients(self) -> None:
        now = self.moment()
        group = self.new_id()
        for name in ("Shop", "Till"):
            self.clients.add(
                Client(
                    id=self.new_id(),
                    client_group_id=group,
                    name=name,
                    scopes=SCOPES,
                    created_at=now,
                    updated_at=now,
                )
            )
        shop, _ = self.clients.by_id.values()
        shop.secret, shop.connected_at = random_hex(self.random, 40), now

    def _handle(self, scope: str | None, handler: Callable[[Request, str], Reply], request: Request) -> Reply:
        return handler(request, self.clients.guard.token(request, scope).client_id)

    def _connect(self, request: Request) -> Reply:
        fields = Fields(request, "CLIENT.CONNECT", self.errors, known={"pin"}, strict=self.options.strict)
        pin = fields.non_empty_text("pin", longest=255)
        fields.check()
        return Reply(200, self.responses.client(self.clients.connect(pin)))

    def _disconnect(self, _: Request, client_id: str) -> Reply:
        self.clients.disconnect(client_id)
        return Reply(204)

    def _voucher_of_request(self, request: Request) -> VoucherRecord | None:
        ledger = self.voucher_ledger
        if reservation := ledger.reservations.get(request.parts.get("id", "")):
            return ledger.vouchers[reservation.voucher_id]
        try:
            body = request.json()
        except InvalidJson:
            return None
        return ledger.by_code.get(str(body.get("code"))) if isinstance(body, dict) else None

    def _ledger_voucher(self, voucher: VoucherRecord) -> dict[str, object]:
        return LedgerVoucher(
            id=voucher.id,
            code=voucher.code,
            details={"pin": voucher.pin},
            currency=voucher.currency,
            initial=from_cents(voucher.cents),
            remaining=from_cents(voucher.remaining),
            reserved=from_cents(voucher.reserved_cents(self.clock.now())),
            status=voucher.status,
            valid_until=voucher.valid_until.isoformat() if voucher.valid_until else None,
            movements=tuple(
                LedgerMovement(
                    id=movement.id,
                    kind=movement.type,
                    amount=from_cents(movement.cents),
                    reference=movement.order_number,
                    at=movement.at.isoformat(),
                )
                for movement in voucher.movements
            ),
        ).to_json()
