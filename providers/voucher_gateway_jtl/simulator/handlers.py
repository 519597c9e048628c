"""The handlers of the calls: those about vouchers, and those that move value."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen

from voucher_gateway.simulator import Reply, Request, random_text
from voucher_gateway_jtl.simulator.filters import ListQuery, pick
from voucher_gateway_jtl.simulator.ledger import INTERVALS, MEDIA, STATUSES, VoucherRecord
from voucher_gateway_jtl.simulator.scalars import from_cents
from voucher_gateway_jtl.simulator.validation import Fields

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from voucher_gateway.simulator import VirtualClock
    from voucher_gateway_jtl.simulator.errors import Errors
    from voucher_gateway_jtl.simulator.ledger import Ledger, MovementRecord
    from voucher_gateway_jtl.simulator.oauth_clients import Clients
    from voucher_gateway_jtl.simulator.options import JtlOptions
    from voucher_gateway_jtl.simulator.responses import ResponseWriter


class HandlerContext(Protocol):
    """What the handlers need of the simulator.

    Attributes:
        options: how it was started.
        clock: the virtual time.
        random: the source of every choice.
        errors: makes refusals.
        responses: makes the JSON objects of replies.
        voucher_ledger: the vouchers.
        clients: the logins.
    """

    options: JtlOptions
    clock: VirtualClock
    random: random.Random
    errors: Errors
    responses: ResponseWriter
    voucher_ledger: Ledger
    clients: Clients

    def moment(self) -> datetime:
        """Return the virtual time in whole seconds."""
        ...


WRITABLE: Final = frozenset(
    [
        "id",
        "sku",
        "batch",
        "amount",
        "currency",
        "validity_value",
        "validity_interval",
        "status",
        "type",
        "taxable",
        "tax_rate",
        "order_number",
        "data",
        "code",
        "pin",
    ]
)
"""Seed: the fields of a new voucher that a client may set."""
READ_ONLY: Final = frozenset(["client_id", "valid_until", "created_at", "updated_at", "remaining_amount", "deletable"])

_DEFAULT_VALIDITY: Final = (3, "years")
"""The validity from the settings in the UI, for a voucher without one (seed). The figures are ours."""


def new_voucher(fields: Fields, ledger: Ledger, client_id: str, now: datetime, draw: random.Random) -> VoucherRecord:
    """Return a new voucher, which is not in the ledger yet.

    Raises:
        Refused: 422 if a field breaks its rule, or the id or code is taken.
    """
    voucher = VoucherRecord(
        # An empty id or code is replaced, because a path cannot have an empty part (not documented).
        id=fields.text("id", longest=255) or random_text(draw, 16),
        client_id=client_id,
        code=fields.text("code", longest=255) or random_text(draw, 12),
        pin=fields.text("pin", longest=255) or None,
        sku=fields.text("sku", longest=255),
        batch=fields.text("batch", longest=30),
        cents=fields.amount(),
        remaining=0,
        currency=fields.currency(),
        validity_value=fields.integer("validity_value", least=1, most=100_000) or _DEFAULT_VALIDITY[0],
        validity_interval=fields.choice("validity_interval", INTERVALS) or _DEFAULT_VALIDITY[1],
        type=fields.choice("type", MEDIA) or "digital",
        taxable=fields.flag("taxable") or False,
        tax_rate=fields.text("tax_rate"),
        order_number=fields.text("order_number"),
        data=fields.text("data"),
        created_at=now,
        updated_at=now,
    )
    voucher.remaining = voucher.cents
    status = fields.choice("status", STATUSES)
    if voucher.taxable and not voucher.tax_rate:
        fields.refuse("tax_rate", "required_if:taxable,true", "is required when taxable is true")
    if voucher.id in ledger.vouchers:
        fields.refuse("id", "unique", "is taken")
    if voucher.code in ledger.by_code:
        fields.refuse("code", "unique", "is taken")
    fields.check()
    # Seed: a new voucher is inactive in general; printed ones are by default.
    if status == "active" and voucher.type != "print":
        voucher.activate(now)
    return voucher


@frozen
class VoucherHandlers:
    """The calls about vouchers. A handler gets the request and the id of the client that makes it."""

    simulator: HandlerContext

    def list_vouchers(self, request: Request, _: str) -> Reply:
        """`GET /vouchers`: a page of the vouchers that pass every filter."""
        query = ListQuery(request, "VOUCHER.LIST", self.simulator.errors)
        page = query.page(self.simulator.options.max_per_page)
        descending = query.descending()
        vouchers = self._filter_vouchers(query)
        query.check(strict=self.simulator.options.strict)
        picked = pick(vouchers, page, descending=descending)
        now = self.simulator.clock.now()
        items = [self.simulator.responses.voucher_with_balance(voucher, now) for voucher in picked.items]
        return Reply(200, self.simulator.responses.page(picked.page, request, items))

    def create(self, request: Request, client_id: str) -> Reply:
        """`POST /vouchers`: the reply shows code and PIN, whatever scopes the client has."""
        simulator = self.simulator
        fields = self._fields(request, "VOUCHER.CREATE", WRITABLE)
        voucher = new_voucher(fields, simulator.voucher_ledger, client_id, simulator.moment(), simulator.random)
        simulator.voucher_ledger.add(voucher)
        return Reply(201, self.simulator.responses.voucher_with_secrets(voucher))

    def show(self, request: Request, _: str) -> Reply:
        """`GET /vouchers/{id}`."""
        voucher = self._voucher(request)
        return Reply(200, self.simulator.responses.voucher_with_balance(voucher, self.simulator.clock.now()))

    def show_complete(self, request: Request, _: str) -> Reply:
        """`GET /vouchers/{id}/complete`: with code and PIN, without the balance."""
        return Reply(200, self.simulator.responses.voucher_with_secrets(self._voucher(request)))

    def update(self, request: Request, _: str) -> Reply:
        """`PATCH /vouchers/{id}`: changes sku and batch."""
        fields = self._fields(request, "VOUCHER.UPDATE", {"sku", "batch"})
        sku, batch = fields.text("sku", longest=255), fields.text("batch", longest=30)
        fields.check()
        voucher = self._voucher(request)
        if voucher.active and self.simulator.options.update_inactive_only:
            raise self.simulator.errors.against_rules("update-active")
        voucher.sku = voucher.sku if sku is None else sku
        voucher.batch = voucher.batch if batch is None else batch
        return self._voucher_reply(voucher)

    def delete(self, request: Request, _: str) -> Reply:
        """`DELETE /vouchers/{id}`: needs a comment in a JSON body; the reply has no body."""
        fields = self._fields(request, "VOUCHER.DELETE", {"comment"})
        fields.non_empty_text("comment", longest=255)
        fields.check()
        self.simulator.voucher_ledger.remove(self._voucher(request))
        return Reply(204)

    def set_status(self, request: Request, _: str) -> Reply:
        """`PATCH /vouchers/{id}/status`: activates or deactivates. Each activation starts the validity again."""
        fields = self._fields(request, "VOUCHER.STATUS", {"status", "comment"})
        status = fields.non_empty_text("status")
        fields.choice("status", STATUSES)
        fields.text("comment")
        fields.check()
        voucher = self._voucher(request)
        if status == "active":
            voucher.activate(self.simulator.moment())
        else:
            voucher.deactivate()
        return self._voucher_reply(voucher)

    def list_movements(self, request: Request, _: str) -> Reply:
        """`GET /vouchers/{id}/charges`: a page of the movements of a voucher."""
        query = ListQuery(request, "CHARGE.LIST", self.simulator.errors)
        page = query.page(self.simulator.options.max_per_page)
        order_number = query.text("filter[order_number]")
        created = query.period("created")
        query.check(strict=self.simulator.options.strict)
        voucher = self._voucher(request)
        responses = self.simulator.responses
        movements = [
            movement
            for movement in voucher.movements
            if created.contains(movement.at) and order_number in (None, responses.order_number(movement, voucher))
        ]
        picked = pick(movements, page, descending=True)
        items = [responses.movement(movement, voucher) for movement in picked.items]
        return Reply(200, responses.page(picked.page, request, items))

    def show_movement(self, request: Request, _: str) -> Reply:
        """`GET /vouchers/{id}/charges/{charge_id}`."""
        voucher = self._voucher(request)
        for movement in voucher.movements:
            if movement.id == request.parts["charge_id"]:
                return Reply(200, self.simulator.responses.movement(movement, voucher))
        raise self.simulator.errors.absent("no-charge")

    def _fields(self, request: Request, action: str, known: Collection[str]) -> Fields:
        simulator = self.simulator
        return Fields(
            request, action, simulator.errors, known=known, read_only=READ_ONLY, strict=simulator.options.strict
        )

    def _voucher(self, request: Request) -> VoucherRecord:
        return self.simulator.voucher_ledger.voucher(request.parts["id"])

    def _voucher_reply(self, voucher: VoucherRecord) -> Reply:
        voucher.updated_at = self.simulator.moment()
        return Reply(200, self.simulator.responses.voucher(voucher))

    def _filter_vouchers(self, query: ListQuery) -> list[VoucherRecord]:
        """Return the vouchers that pass every filter of a query, in order of creation."""
        ledger, clients = self.simulator.voucher_ledger, self.simulator.clients
        voucher_id, code = query.text("filter[id]"), query.text("filter[code]")
        texts = {
            "id": voucher_id,
            "code": code,
            "client_id": query.text("filter[client_id]"),
            "sku": query.text("filter[sku]"),
            "type": query.choice("filter[type]", MEDIA),
            "batch": query.text("filter[batch]"),
            "taxable": query.flag("filter[taxable]"),
            "tax_rate": query.text("filter[tax_rate]"),
        }
        wanted = {name: value for name, value in texts.items() if value is not None}
        group, amount = query.text("filter[client.client_group_id]"), query.text("filter[amount]")
        has_value, statuses = query.flag("filter[remaining_amount]"), query.texts("filter[status]")
        created, valid_until = query.period("created"), query.period("valid_until")
        # An id or a code is looked up in an index, so that a large ledger is as fast as a small one.
        if code is not None:
            candidates = [ledger.by_code[code]] if code in ledger.by_code else []
        elif voucher_id is not None:
            candidates = [ledger.vouchers[voucher_id]] if voucher_id in ledger.vouchers else []
        else:
            candidates = list(ledger)
        if not query.has_filters:
            return candidates
        return [
            voucher
            for voucher in candidates
            if all(getattr(voucher, name) == value for name, value in wanted.items())
            and (group is None or group == clients.group_of(voucher.client_id))
            and amount in (None, from_cents(voucher.cents))
            and has_value in (None, voucher.remaining > 0)
            and (statuses is None or voucher.status in statuses)
            and created.contains(voucher.created_at)
            and valid_until.contains(voucher.valid_until)
        ]


@frozen
class PaymentHandlers:
    """The calls that move value. A handler gets the request and the id of the client that makes it."""

    simulator: HandlerContext

    def recharge(self, request: Request, client_id: str) -> Reply:
        """`POST /vouchers/recharge`: adds value to the voucher with a code or an id."""
        fields = self._fields(request, "VOUCHER.RECHARGE", {"code", "id", "amount", "currency", "order_number"})
        code, voucher_id = fields.text("code", longest=255), fields.text("id")
        cents, currency = fields.amount(), fields.currency()
        order_number = fields.non_empty_text("order_number")
        if not fields.has("code") and not fields.has("id"):
            fields.refuse("code", "required_without:id", "or the field id is required")
        fields.check()
        ledger = self.simulator.voucher_ledger
        voucher = ledger.voucher(voucher_id) if voucher_id is not None else ledger.voucher_by_code(code or "")
        if code is not None and voucher.code != code:
            raise self.simulator.errors.no_voucher()
        return self._movement_reply(
            ledger.recharge(voucher, cents, currency, order_number, client_id, self.simulator.clock.now())
        )

    def reserve(self, request: Request, client_id: str) -> Reply:
        """`POST /reservations`: sets value aside for 30 minutes and replaces the voucher's older reservation."""
        fields = self._fields(request, "RESERVATION.CREATE", {"amount", "currency", "code", "pin"})
        cents, currency = fields.amount(), fields.currency()
        code, pin = fields.non_empty_text("code", longest=255), fields.text("pin", longest=255)
        fields.check()
        ledger = self.simulator.voucher_ledger
        voucher = ledger.voucher_by_code(code)
        self._check_pin(voucher, pin)
        reservation = ledger.reserve(voucher, cents, currency, client_id, self.simulator.clock.now())
        return Reply(201, self.simulator.responses.reservation(reservation, voucher))

    def charge(self, request: Request, client_id: str) -> Reply:
        """`POST /reservations/{id}/charge`: takes the whole reserved value."""
        fields = self._fields(request, "RESERVATION.CHARGE", {"order_number"})
        order_number = fields.non_empty_text("order_number")
        fields.check()
        ledger = self.simulator.voucher_ledger
        return self._movement_reply(
            ledger.charge(request.parts["id"], order_number, client_id, self.simulator.clock.now())
        )

    def refund(self, request: Request, client_id: str) -> Reply:
        """`POST /charges/{id}/refund`: gives back 0.01 or more of a charge."""
        fields = self._fields(request, "CHARGE.REFUND", {"amount", "currency"})
        cents, currency = fields.amount(least=1), fields.currency()
        fields.check()
        ledger = self.simulator.voucher_ledger
        return self._movement_reply(
            ledger.refund(request.parts["id"], cents, currency, client_id, self.simulator.clock.now())
        )

    def _fields(self, request: Request, action: str, known: set[str]) -> Fields:
        simulator = self.simulator
        return Fields(request, action, simulator.errors, known=known, strict=simulator.options.strict)

    def _check_pin(self, voucher: VoucherRecord, pin: str | None) -> None:
        if voucher.pin is None or pin == voucher.pin:
            return
        if pin is not None or self.simulator.options.pin_required:
            raise self.simulator.errors.against_rules("wrong-pin")

    def _movement_reply(self, movement: MovementRecord) -> Reply:
        voucher = self.simulator.voucher_ledger.vouchers[movement.voucher_id]
        return Reply(201, self.simulator.responses.movement(movement, voucher))
