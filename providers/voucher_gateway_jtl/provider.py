"""The JTL provider: the operations of voucher-gateway as calls of the JTL Voucher Cloud API 1.8.

No changing call is repeated, because JTL has no idempotency keys. A reservation needs the code, a capture the
reservation, a refund the charge. Every other call needs the voucher's id.
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
from voucher_gateway_jtl.errors import explain_capture_refusal, explain_refusal
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
        """Exchange a PIN for the login of a client. The Admin UI shows a PIN for 30 minutes, and it works once."""
        pin = Pin.of(pin)
        return connect(base_url, pin)

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of JTL that the scopes of this login allow, as far as they are known."""
        return narrow_by_scopes(self._calls.scopes)

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that the vendor granted, or else those that the settings request; None if neither is known yet."""
        return self._calls.scopes

    @property
    def login(self) -> str:
        """The OAuth client's id. JTL shows it in vouchers and charges as client_id."""
        return self.settings.client_id

    def check(self) -> AccountCheck:
        """List one voucher, or only log in if the scopes forbid that, and return the granted scopes."""
        self.http.log_in()
        granted = self._calls.credentials.granted
        if granted is None or "read-lists" in granted:
            super().check()
        missing = frozenset() if granted is None else frozenset(SCOPES) - granted
        return AccountCheck(scopes=granted, missing=missing, clock_skew=self.http.clock_skew)

    # --- reading ---

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        """Return the voucher with this code, by the code filter of the list.

        A PIN is compared if the login may read it (scope read-secrets), and ignored if not: JTL has no call that checks
        one.
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        voucher, _ = self._find_by_code(request_bodies.validate_code(code))
        if pin is not None and (self.scopes is None or "read-secrets" in self.scopes):
            with suppress(AccessDenied):  # the scopes are not known, and do not include this one
                mapping.check_pin(self._complete(Operation.FIND, voucher.id), pin, self.account)
        return voucher

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return one voucher. With `secrets` it has code and PIN: a second call, which needs read-secrets."""
        id = request_bodies.validate_id(id)
        if secrets:
            self._calls.require_scope(Operation.GET, "read-secrets")
        request = Request(method="GET", path=Path.of("/vouchers/{id}", id=id))
        with self._calls.voucher_not_found_on_404():
            voucher = self._calls.read(Operation.GET, request, partial(self._read_voucher, id))
        return mapping.with_secrets(voucher, self._complete(Operation.GET, id)) if secrets else voucher

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers, oldest first by default, so that new ones come on later pages."""
        query = query or VoucherQuery()
        self._calls.require(Operation.VOUCHERS)
        scope = query.fingerprint(self.account, self.host)
        return lists.list_vouchers(self._calls, self.account, self.settings, query, scope)

    def history(self, id: str) -> History:
        """Return all charges, refunds and recharges of a voucher (JTL: charges), in the currency of the voucher.

        It is complete only if every page has the same total, and that is the number of entries.
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
        """Create a voucher (JTL: create). The vendor decides its status: read it from the result."""
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
        """Make a voucher not spendable (JTL: status)."""
        return self._set_status(Operation.DEACTIVATE, id, "inactive", reference, order)

    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        """Change the SKU or the batch. JTL cannot change other fields, and cannot clear these."""
        return self._patch(
            Operation.UPDATE, id, "/vouchers/{id}", request_bodies.update_body(changes), reference, order
        )

    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        """Add value (JTL: recharge). The reference is sent as the order number."""
        id = request_bodies.validate_id(id)
        body = {"id": id, **request_bodies.amount(money), "order_number": request_bodies.validate_reference(reference)}
        intent = self.intent(Operation.TOP_UP, reference=reference, order=order, voucher_id=id, subject=id, money=money)
        request = Request(method="POST", path=Path.of("/vouchers/recharge"), json=body)

        def read(reply: Response) -> TopUp:
            return mapping.top_up(self.account, intent, *wire.read_charge(reply))

        return self._calls.change(request, intent, read)

    def delete(self, id: str, reason: str, *, reference: str, order: str | None = None) -> Deletion:
        """Delete a voucher that is neither active nor charged. The vendor keeps the reason (255 characters)."""
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
        """Reserve value for 30 minutes (JTL: reservation). A later reservation of the voucher ends this one.

        JTL does not store a reference with a reservation.
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
        raise self._explain_refusal(refused, code, money)

    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        """Take the whole reserved value (JTL: charge). The reference is sent as the order number."""
        if money is not None and money != reservation.money:
            raise UnsupportedOperation(
                f"JTL captures a whole reservation ({reservation.money}), not {money}: reserve the amount to capture",
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
        raise explain_capture_refusal(refused, reservation, at=at)

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        """Give back a charge, or a part of it. JTL stores neither a reference with a refund nor its charge."""
        amount = redemption.money if money is None else money
        intent = self.intent(
            Operation.REFUND,
            reference=reference,
            order=order,
            voucher_id=redemption.voucher_id,
            subject=request_bodies.validate_id(redemption.id),
            money=amount,
        )
        body = request_bodies.amount(amount)
        request = Request(method="POST", path=Path.of("/charges/{id}/refund", id=redemption.id), json=body)
        self._calls.require(Operation.REFUND)
        intent = self._with_refunds_seen(intent)

        def read(reply: Response) -> Refund:
            return mapping.refund(self.account, intent, *wire.read_charge(reply))

        return self._calls.change(request, intent, read)

    # --- unknown outcomes ---

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:  # noqa: ARG002 - JTL needs no code for it
        """Return the outcome of a call, found by reads only. The rules are in `voucher_gateway_jtl.resolution`."""
        return resolve(self, intent)

    def vendor_date(self) -> datetime | None:
        """Return JTL's time, by the smallest request; None if the reply has no time."""
        request = Request(method="GET", path=Path.of("/vouchers"), query=[("page", "1"), ("per_page", "1")])
        return self._calls.read(Operation.VOUCHERS, request, whole_reply).date

    def movements_of(self, id: str, reference: str) -> History:
        """Return the movements of a voucher with one order number. They can prove presence, but not absence."""
        return self._history(id, ("filter[order_number]", reference))

    # --- parts of calls ---

    def _with_refunds_seen(self, intent: Intent) -> Intent:
        """Return the intent with a note of the voucher's earlier refunds: JTL's refunds have no reference.

        Only a refund that is not in the note can be ours. The note is made if a journal stores it, and the login may
        read the history.
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
        """Return the voucher with this code, and the vendor's time of the reply."""
        query: list[Param] = [("page", "1"), ("per_page", "2"), ("filter[code]", code)]
        request = Request(method="GET", path=Path.of("/vouchers"), query=query)

        def read(reply: Response) -> tuple[Voucher, datetime | None]:
            page = wire.read_vouchers(reply)
            if not page.data:
                raise VoucherNotFound("the vendor knows no such voucher")
            if len(page.data) > 1:
                raise MalformedResponse("the code filter returned several vouchers")
            voucher = mapping.voucher(self.account, code, mapping.require_code(code, page.data[0]), page.raw[0])
            return voucher, page.date

        return self._calls.read(Operation.FIND, request, read)

    def _read_voucher(self, id: str | None, reply: Response) -> Voucher:
        """Return the voucher of a reply. It must have this id, unless the id is None."""
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
        # The new values are noted, so that a later read of the voucher can tell whether they were written.
        intent = self.intent(verb, reference=reference, order=order, voucher_id=id, subject=id, **body)
        request = Request(method="PATCH", path=Path.of(template, id=id), json=body)
        with self._calls.voucher_not_found_on_404():
            return self._calls.change(request, intent, partial(self._read_voucher, None))

    def _explain_refusal(self, refused: Rejected, code: Code, money: Money) -> VoucherGatewayError:
        """Return why a reservation was refused, as the voucher shows it: JTL documents no codes for it."""
        try:
            voucher, at = self._find_by_code(code)
            return explain_refusal(refused, voucher, money, at=at or now())
        except VoucherGatewayError:
            return refused
