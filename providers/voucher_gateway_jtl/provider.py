"""The JTL adapter: calls of the JTL Voucher Cloud API 1.8, mapped to the one interface.

Nothing here repeats a changing call: JTL has no idempotency keys. A reservation needs the code, a capture the
reservation, a refund the charge; everything else the voucher's id.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import attrs

from voucher_gateway.provider_api import (
    AccessDenied,
    AccountCheck,
    Capabilities,
    Code,
    Deletion,
    History,
    HttpProvider,
    Intent,
    Listing,
    MalformedResponse,
    Money,
    NewVoucher,
    Operation,
    Outcome,
    Path,
    Pin,
    Redemption,
    Refund,
    Rejected,
    Request,
    Reservation,
    Response,
    Secret,
    TopUp,
    UnsupportedOperation,
    Voucher,
    VoucherChanges,
    VoucherGatewayError,
    VoucherNotFound,
    VoucherQuery,
    has_before_send_hook,
    now,
)
from voucher_gateway_jtl import lists, mapping, request_bodies, wire
from voucher_gateway_jtl.capabilities import DECLARED, narrow_by_scopes
from voucher_gateway_jtl.client import JtlCalls, connect, whole_reply
from voucher_gateway_jtl.errors import explain_refusal, precise_capture
from voucher_gateway_jtl.filters import Param
from voucher_gateway_jtl.resolution import REFUNDS_SEEN, refunds_seen, resolve
from voucher_gateway_jtl.settings import SCOPES, JtlSettings

T = TypeVar("T")


class JtlProvider(HttpProvider):
    """JTL-Voucher (Cloud API 1.8): string amounts, OAuth2, reservations of 30 minutes."""

    name = "jtl"
    title = "JTL"
    interface_version = 1
    settings_type = JtlSettings
    settings: JtlSettings
    declared = DECLARED

    def __init__(self, account: str, settings: JtlSettings) -> None:
        """Make the provider; nothing is sent yet."""
        self._calls = JtlCalls(account, settings)
        super().__init__(account, settings, self._calls.http)

    @classmethod
    def connect(cls, base_url: str, pin: str | Pin) -> dict[str, str | Secret]:
        """Swap the PIN that the Admin UI shows for 30 minutes for the login of a client. It works once."""
        pin = Pin.of(pin)
        return connect(base_url, pin)

    @property
    def capabilities(self) -> Capabilities:
        """What JTL can do, without what this login's scopes leave out, as far as they are known."""
        return narrow_by_scopes(self.scopes)

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that the vendor granted, or else those that are asked for; None if neither is known yet."""
        return self._calls.scopes

    @property
    def login(self) -> str:
        """The OAuth client's id; JTL names it in vouchers and charges as client_id."""
        return self.settings.client_id

    def check(self) -> AccountCheck:
        """List one voucher, or only log in where the scopes forbid that, and say which scopes were granted."""
        self.http.log_in()
        granted = self._calls.credentials.granted
        if granted is None or "read-lists" in granted:
            super().check()
        missing = frozenset() if granted is None else frozenset(SCOPES) - granted
        return AccountCheck(scopes=granted, missing=missing, clock_skew=self.http.clock_skew)

    # --- reading ---

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        """Return the voucher with this code, by the list's code filter.

        A PIN is compared where the login may read it (scope read-secrets), and not looked at otherwise: JTL has no call
        that checks one.
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        voucher, _ = self._find_by_code(request_bodies.validate_code(code))
        if pin is not None and (self.scopes is None or "read-secrets" in self.scopes):
            with suppress(AccessDenied):  # the scopes are not known, and this one is not among them
                mapping.check_pin(self._complete(Operation.FIND, voucher.id), pin, self.account)
        return voucher

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return one voucher; with `secrets`, its code and PIN too, which takes a second call and read-secrets."""
        id = request_bodies.validate_id(id)
        if secrets:
            self._calls.require_scope(Operation.GET, "read-secrets")
        request = Request(method="GET", path=Path.of("/vouchers/{id}", id=id))
        with self._calls.voucher_not_found_on_404():
            voucher = self._calls.read(Operation.GET, request, partial(self._read_voucher, id))
        return mapping.with_secrets(voucher, self._complete(Operation.GET, id)) if secrets else voucher

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers, oldest first unless the query says otherwise: new ones then come on later pages."""
        query = query or VoucherQuery()
        self._calls.require(Operation.VOUCHERS)
        scope = query.fingerprint(self.account, self.host)
        return lists.list_vouchers(self._calls, self.account, self.settings, query, scope)

    def history(self, id: str) -> History:
        """Return all charges, refunds and recharges of a voucher (JTL: charges), in the currency of the voucher.

        It is complete only if every page agreed on the total and all entries of it came.
        """
        return self._history(id)

    def _history(self, id: str, *filtered: Param) -> History:
        id = request_bodies.validate_id(id)
        request = Request(method="GET", path=Path.of("/vouchers/{id}", id=id))

        def read_currency(reply: Response) -> str:
            return mapping.currency_of(self._read_voucher(id, reply))

        with self._calls.voucher_not_found_on_404():
            currency = self._calls.read(Operation.HISTORY, request, read_currency)

        return lists.read_history(self._calls, self.account, id, currency, filtered)

    # --- issuing ---

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Create a voucher (JTL: create). Its status is the vendor's choice in the end: read it from the result."""
        body = request_bodies.create_body(new, order=order)
        intent = self.intent(Operation.ISSUE, reference=reference, order=order, voucher_id=new.id, money=new.initial)
        request = Request(method="POST", path=Path.of("/vouchers"), json=body)

        def read(reply: Response) -> Voucher:
            return mapping.check_issued(self.account, new, *wire.read_voucher(reply))

        return self._calls.change(request, intent, read)

    def activate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Make a voucher spendable and start its validity (JTL: status). A second call may start the validity again."""
        return self._set_status(Operation.ACTIVATE, id, "active", reference, order)

    def deactivate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Stop a voucher from being spent (JTL: status)."""
        return self._set_status(Operation.DEACTIVATE, id, "inactive", reference, order)

    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        """Change the SKU or the batch; JTL can change nothing else of a voucher, and clear neither."""
        return self._patch(Operation.UPDATE, id, "/vouchers/{id}", request_bodies.changes(changes), reference, order)

    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        """Add credit (JTL: recharge). The reference goes out as the order number."""
        id = request_bodies.validate_id(id)
        body = {"id": id, **request_bodies.amount(money), "order_number": request_bodies.validate_reference(reference)}
        intent = self.intent(Operation.TOP_UP, reference=reference, order=order, voucher_id=id, subject=id, money=money)
        request = Request(method="POST", path=Path.of("/vouchers/recharge"), json=body)

        def read(reply: Response) -> TopUp:
            return mapping.top_up(self.account, intent, *wire.read_charge(reply))

        return self._calls.change(request, intent, read)

    def delete(self, id: str, reason: str, *, reference: str, order: str | None = None) -> Deletion:
        """Delete a voucher that is neither active nor charged; the vendor keeps the reason (255 characters)."""
        id = request_bodies.validate_id(id)
        body = {"comment": request_bodies.validate_comment(reason)}
        intent = self.intent(Operation.DELETE, reference=reference, order=order, voucher_id=id, subject=id)
        request = Request(method="DELETE", path=Path.of("/vouchers/{id}", id=id), json=body)
        with self._calls.voucher_not_found_on_404():
            self._calls.change(request, intent, wire.read_nothing)
        return Deletion(account=self.account, voucher_id=id)

    # --- spending ---

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        """Set value aside for 30 minutes (JTL: reservation). Any later reservation of the voucher ends this one.

        JTL keeps no reference with a reservation.
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        code = request_bodies.validate_code(code)
        body = {"code": code, **request_bodies.amount(money)}
        if pin is not None:
            body["pin"] = request_bodies.validate_pin(pin)
        intent = self.intent(Operation.RESERVE, reference=reference, order=order, money=money)
        request = Request(method="POST", path=Path.of("/reservations"), json=body)

        def read(reply: Response) -> Reservation:
            return mapping.reservation(self.account, intent, *wire.read_reservation(reply))

        try:
            return self._calls.change(request, intent, read)
        except Rejected as error:
            refused = error
        raise self._precise(refused, code, money)

    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        """Take the whole reservation (JTL: charge). The reference goes out as the order number."""
        if money is not None and money != reservation.money:
            raise UnsupportedOperation(
                f"JTL captures a reservation whole ({reservation.money}), not {money}: reserve the amount that is due",
                account=self.account,
                operation="capture",
            )
        body = {"order_number": request_bodies.validate_reference(reference)}
        intent = self.intent(
            Operation.CAPTURE,
            reference=reference,
            order=order,
            voucher_id=reservation.voucher_id,
            subject=request_bodies.validate_id(reservation.id),
            money=reservation.money,
            **mapping.capture_notes(reservation),
        )
        request = Request(method="POST", path=Path.of("/reservations/{id}/charge", id=reservation.id), json=body)

        def read(reply: Response) -> Redemption:
            return mapping.redemption(self.account, intent, *wire.read_charge(reply))

        try:
            return self._calls.change(request, intent, read)
        except Rejected as error:
            refused = error
        at = None if self.http.clock_skew is None else self.vendor_now()
        raise precise_capture(refused, reservation, at=at)

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        """Give a charge back, in full or in part. JTL keeps no reference with a refund, nor which charge it was of."""
        back = redemption.money if money is None else money
        intent = self.intent(
            Operation.REFUND,
            reference=reference,
            order=order,
            voucher_id=redemption.voucher_id,
            subject=request_bodies.validate_id(redemption.id),
            money=back,
        )
        body = request_bodies.amount(back)
        request = Request(method="POST", path=Path.of("/charges/{id}/refund", id=redemption.id), json=body)
        self._calls.require(Operation.REFUND)
        intent = self._with_refunds_seen(intent)

        def read(reply: Response) -> Refund:
            return mapping.refund(self.account, intent, *wire.read_charge(reply))

        return self._calls.change(request, intent, read)

    # --- in doubt ---

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:  # noqa: ARG002 - JTL needs no code for it
        """Find out by reading what became of a call; the rules are in `voucher_gateway_jtl.resolution`."""
        return resolve(self, intent)

    def vendor_date(self) -> datetime | None:
        """Ask JTL for the time, with the smallest request there is; None if its answer has none."""
        request = Request(method="GET", path=Path.of("/vouchers"), query=[("page", "1"), ("per_page", "1")])
        return self._calls.read(Operation.VOUCHERS, request, whole_reply).date

    def movements_of(self, id: str, reference: str) -> History:
        """Return the entries of a voucher's history under one order number. They prove presence, never absence."""
        return self._history(id, ("filter[order_number]", reference))

    # --- the ways all calls go ---

    def _with_refunds_seen(self, intent: Intent) -> Intent:
        """Note which refunds the voucher had before: JTL's refunds carry no reference, so only a new one can be ours.

        Only where a journal will keep the note, and the login may read it.
        """
        if (
            not has_before_send_hook()
            or intent.voucher_id is None
            or not self.capabilities.of(Operation.HISTORY).available
        ):
            return intent
        before = self.history(intent.voucher_id)
        if not before.complete:
            return intent
        return attrs.evolve(intent, notes={**intent.notes, REFUNDS_SEEN: refunds_seen(before)})

    def _find_by_code(self, code: Code) -> tuple[Voucher, datetime | None]:
        """Return the voucher with this code, and the vendor's clock when it said so."""
        query: list[Param] = [("page", "1"), ("per_page", "2"), ("filter[code]", code)]
        request = Request(method="GET", path=Path.of("/vouchers"), query=query)

        def read(reply: Response) -> tuple[Voucher, datetime | None]:
            page = wire.read_vouchers(reply)
            if not page.data:
                raise VoucherNotFound("the vendor knows no such voucher")
            if len(page.data) > 1:
                raise MalformedResponse("the code filter gave several vouchers")
            voucher = mapping.voucher(self.account, code, mapping.require_code(code, page.data[0]), page.raw[0])
            return voucher, page.date

        return self._calls.read(Operation.FIND, request, read)

    def _read_voucher(self, id: str | None, reply: Response) -> Voucher:
        """Return the voucher of a reply, which must have this id; None for any."""
        voucher = mapping.voucher(self.account, None, *wire.read_voucher(reply))
        return voucher if id is None else mapping.require_id(id, voucher)

    def _complete(self, operation: Operation, id: str) -> wire.JtlVoucher:
        request = Request(method="GET", path=Path.of("/vouchers/{id}/complete", id=id))

        def read(reply: Response) -> wire.JtlVoucher:
            return mapping.require_id(id, wire.read_voucher(reply)[0])

        with self._calls.voucher_not_found_on_404():
            return self._calls.send_read(operation, request, read)

    def _set_status(self, verb: Operation, id: str, status: str, reference: str, order: str | None) -> Voucher:
        # Whether the comment is required is not documented, so one is always sent.
        body = {"status": status, "comment": request_bodies.validate_reference(reference)}
        return self._patch(verb, id, "/vouchers/{id}/status", body, reference, order)

    def _patch(
        self, verb: Operation, id: str, template: str, body: dict[str, Any], reference: str, order: str | None
    ) -> Voucher:
        id = request_bodies.validate_id(id)
        # What it is to become is noted, so that a look at the voucher can tell whether it has.
        intent = self.intent(verb, reference=reference, order=order, voucher_id=id, subject=id, **body)
        request = Request(method="PATCH", path=Path.of(template, id=id), json=body)
        with self._calls.voucher_not_found_on_404():
            return self._calls.change(request, intent, partial(self._read_voucher, None))

    def _precise(self, refused: Rejected, code: Code, money: Money) -> VoucherGatewayError:
        """Say why a reservation was refused, from a look at the voucher: JTL documents no codes for it."""
        try:
            voucher, at = self._find_by_code(code)
            return explain_refusal(refused, voucher, money, at=at or now())
        except VoucherGatewayError:
            return refused
