"""The JTL simulator: its options, its routes, and the hooks of the kit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import evolve, field, frozen, validators

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
from voucher_gateway_jtl.simulator.handlers import ValueCalls, VoucherCalls
from voucher_gateway_jtl.simulator.ledger import Ledger
from voucher_gateway_jtl.simulator.oauth_clients import CONNECT_PIN_LASTS, SCOPES, Client, Clients
from voucher_gateway_jtl.simulator.responses import Answers
from voucher_gateway_jtl.simulator.scalars import LARGEST_CENTS, from_cents, to_cents
from voucher_gateway_jtl.simulator.seeding import Seeder, random_hex
from voucher_gateway_jtl.simulator.validation import Fields

if TYPE_CHECKING:
    from voucher_gateway_jtl.simulator.ledger import VoucherRecord


@frozen(kw_only=True)
class JtlOptions(SimulatorOptions):
    """What the vendor leaves open, so that adapters can be tried against either reading.

    Attributes:
        token_lifetime_s: of access tokens; the one of the announcement does not end by time.
        pin_required: whether a voucher with a PIN can be reserved without it.
        reserved_is_subtracted: whether remaining_amount leaves out what is reserved.
        update_inactive_only: whether sku and batch of an active voucher are fixed (changelog 1.1 says so, the page's
            example is active).
        omit_unset: whether fields without a value are left out of answers, as the vendor's schema has no null for
            them; otherwise they are null.
        seed_links: whether the links of lists are the nonsense of the vendor's example: another host, and the same
            pages whatever page was asked for.
        refunds_show_order: whether a refund repeats the order number of its charge.
        max_per_page: the longest page that clients get, whatever they ask for.
    """

    token_lifetime_s: int = field(default=3600, validator=validators.ge(1))
    pin_required: bool = True
    reserved_is_subtracted: bool = False
    update_inactive_only: bool = False
    omit_unset: bool = True
    seed_links: bool = False
    refunds_show_order: bool = False
    max_per_page: int | None = field(default=None, validator=validators.optional(validators.ge(1)))


class JtlSimulator(Simulator):
    """JTL Voucher Cloud API 1.8, from the vendor's documents; what they leave open is random or an option."""

    name: ClassVar[str] = "jtl"
    options_type: ClassVar[type[SimulatorOptions]] = JtlOptions
    reference_member: ClassVar[str | None] = "order_number"
    options: JtlOptions

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.errors = Errors()
        self.ledger_book = Ledger(self.errors, self.new_id)
        self.answers = Answers(
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
        """The fifteen operations and the token call."""
        vouchers, value = VoucherCalls(self), ValueCalls(self)
        secured: list[tuple[str, str, str | None, Callable[[Request, str], Reply]]] = [
            ("GET", "/v1/vouchers", "read-lists", vouchers.list_vouchers),
            ("POST", "/v1/vouchers", "manage", vouchers.create),
            ("POST", "/v1/vouchers/recharge", "recharge", value.recharge),
            ("GET", "/v1/vouchers/{id}", "read", vouchers.show),
            ("GET", "/v1/vouchers/{id}/complete", "read-secrets", vouchers.show_complete),
            ("PATCH", "/v1/vouchers/{id}", "update", vouchers.update),
            ("DELETE", "/v1/vouchers/{id}", "manage", vouchers.delete),
            ("PATCH", "/v1/vouchers/{id}/status", "use", vouchers.set_status),
            ("GET", "/v1/vouchers/{id}/charges", "read-lists", vouchers.list_movements),
            ("GET", "/v1/vouchers/{id}/charges/{charge_id}", "read", vouchers.show_movement),
            ("POST", "/v1/reservations", "use", value.reserve),
            ("POST", "/v1/reservations/{id}/charge", "use", value.charge),
            ("POST", "/v1/charges/{id}/refund", "use", value.refund),
            ("POST", "/v1/clients/disconnect", None, self._disconnect),
        ]
        look_ups = {"/v1/vouchers", "/v1/vouchers/{id}/charges"}
        return [
            *(
                Route(
                    method,
                    template,
                    partial(self._call_with_scope, scope, call),
                    method == "GET" and template in look_ups,
                )
                for method, template, scope, call in secured
            ),
            Route("POST", "/v1/clients/connect", self._connect),
            Route("POST", "/oauth/token", self.clients.issue_token),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        """The shape of the documented 404, or the string of the documented 403."""
        return self.errors.plain(status, message)

    def announcement(self, base: str) -> dict[str, str]:
        """Addresses, the credentials of a connected client, a token and a PIN for connecting another."""
        client, till = list(self.clients.by_id.values())[:2]
        if till.secret is None:
            till.pin, till.pin_until = random_text(self.random, 6), self.clock.now() + CONNECT_PIN_LASTS
        return {
            "base_url": f"{base}/v1",
            "token_url": f"{base}/oauth/token",
            "client_id": client.id,
            "client_secret": client.secret or "",
            "token": self.clients.standing_token(client),
            "connect_pin": till.pin or "",
        }

    def seed(self, count: int) -> None:
        """Adds varied vouchers of the last three years."""
        book = self.ledger_book
        seeder = Seeder(self.random, list(self.clients.by_id), self.moment())
        for voucher in seeder.vouchers(count, book.vouchers, book.by_code):
            book.add(voucher)

    def insert_voucher(self) -> None:
        """Adds a varied voucher that was made this second."""
        book, now = self.ledger_book, self.moment()
        voucher = Seeder(self.random, list(self.clients.by_id), now).voucher(now)
        book.add(voucher)

    def ledger(self) -> list[dict[str, object]]:
        """Every voucher with its true value, PIN and movements; nothing is masked."""
        return [self._true_voucher(voucher) for voucher in self.ledger_book]

    def dump(self) -> dict[str, object]:
        """Vouchers, reservations and clients with their secrets."""
        return {**self.ledger_book.dump(), "clients": self.clients.dump()}

    def load(self, state: dict[str, Any]) -> None:
        """Takes them back."""
        self.ledger_book.load(state)
        self.clients.load(state["clients"])

    def distort(self, reply: Reply) -> Reply:
        """One cent more in the amount of the reply, or less where more would not fit."""
        if not isinstance(reply.body, dict) or not isinstance(reply.body.get("amount"), str):
            return reply
        cents = to_cents(reply.body["amount"]) or 0
        other = cents + 1 if cents < LARGEST_CENTS else cents - 1
        return evolve(reply, body={**reply.body, "amount": from_cents(other)})

    def expire_tokens(self) -> None:
        """Makes every access token invalid, the announced one too."""
        self.clients.tokens.expire()

    def replace_reservation(self, request: Request) -> None:
        """Lets another till reserve a cent of the voucher that a reservation or charge is about."""
        voucher = self._voucher_at_stake(request)
        if voucher is None:
            return
        till = list(self.clients.by_id)[-1]
        with suppress(Refused):  # a voucher that nobody can reserve stays as it is
            self.ledger_book.reserve(voucher, min(1, voucher.remaining), voucher.currency, till, self.clock.now())

    def new_id(self) -> str:
        """An id like those in the seeds."""
        return random_hex(self.random, 21)

    def moment(self) -> datetime:
        """The virtual instant in whole seconds, as the wire shows instants."""
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

    def _call_with_scope(self, scope: str | None, call: Callable[[Request, str], Reply], request: Request) -> Reply:
        return call(request, self.clients.caller(request, scope))

    def _connect(self, request: Request) -> Reply:
        fields = Fields(request, "CLIENT.CONNECT", self.errors, known={"pin"}, strict=self.options.strict)
        pin = fields.non_empty_text("pin", longest=255)
        fields.check()
        return Reply(200, self.answers.client(self.clients.connect(pin)))

    def _disconnect(self, _: Request, client_id: str) -> Reply:
        self.clients.disconnect(client_id)
        return Reply(204)

    def _voucher_at_stake(self, request: Request) -> VoucherRecord | None:
        book = self.ledger_book
        if reservation := book.reservations.get(request.parts.get("id", "")):
            return book.vouchers[reservation.voucher_id]
        try:
            body = request.json()
        except InvalidJson:
            return None
        return book.by_code.get(str(body.get("code"))) if isinstance(body, dict) else None

    def _true_voucher(self, voucher: VoucherRecord) -> dict[str, object]:
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
