"""The calls that move value: recharge, reserve, charge, refund."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from voucher_gateway.simulator import Reply, Request
from voucher_gateway_jtl.simulator.validation import Fields

if TYPE_CHECKING:
    from voucher_gateway_jtl.simulator.state import Counter
    from voucher_gateway_jtl.simulator.vouchers import MovementRecord, VoucherRecord


@frozen
class ValueCalls:
    """Each call gets the id of the client that makes it."""

    simulator: Counter

    def recharge(self, request: Request, client_id: str) -> Reply:
        """`POST /vouchers/recharge`: adds value, by code or id."""
        fields = self._fields(request, "VOUCHER.RECHARGE", {"code", "id", "amount", "currency", "order_number"})
        code, voucher_id = fields.text("code", longest=255), fields.text("id")
        cents, currency = fields.amount(), fields.currency()
        order_number = fields.non_empty_text("order_number")
        if not fields.has("code") and not fields.has("id"):
            fields.refuse("code", "required_without:id", "or the field id is required")
        fields.check()
        book = self.simulator.ledger_book
        voucher = book.voucher(voucher_id) if voucher_id is not None else book.voucher_by_code(code or "")
        if code is not None and voucher.code != code:
            raise self.simulator.errors.no_voucher()
        return self._movement_reply(
            book.recharge(voucher, cents, currency, order_number, client_id, self.simulator.clock.now())
        )

    def reserve(self, request: Request, client_id: str) -> Reply:
        """`POST /reservations`: sets value aside for 30 minutes and replaces the voucher's older reservation."""
        fields = self._fields(request, "RESERVATION.CREATE", {"amount", "currency", "code", "pin"})
        cents, currency = fields.amount(), fields.currency()
        code, pin = fields.non_empty_text("code", longest=255), fields.text("pin", longest=255)
        fields.check()
        book = self.simulator.ledger_book
        voucher = book.voucher_by_code(code)
        self._check_pin(voucher, pin)
        reservation = book.reserve(voucher, cents, currency, client_id, self.simulator.clock.now())
        return Reply(201, self.simulator.answers.reservation(reservation, voucher))

    def charge(self, request: Request, client_id: str) -> Reply:
        """`POST /reservations/{id}/charge`: takes the whole reservation."""
        fields = self._fields(request, "RESERVATION.CHARGE", {"order_number"})
        order_number = fields.non_empty_text("order_number")
        fields.check()
        book = self.simulator.ledger_book
        return self._movement_reply(
            book.charge(request.parts["id"], order_number, client_id, self.simulator.clock.now())
        )

    def refund(self, request: Request, client_id: str) -> Reply:
        """`POST /charges/{id}/refund`: gives back 0.01 or more of a charge."""
        fields = self._fields(request, "CHARGE.REFUND", {"amount", "currency"})
        cents, currency = fields.amount(least=1), fields.currency()
        fields.check()
        book = self.simulator.ledger_book
        return self._movement_reply(
            book.refund(request.parts["id"], cents, currency, client_id, self.simulator.clock.now())
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
        voucher = self.simulator.ledger_book.vouchers[movement.voucher_id]
        return Reply(201, self.simulator.answers.movement(movement, voucher))
