"""The provider: maps the vendor's calls to the interface of voucher-gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeVar

import attrs
from voucher_gateway.provider_api import (
    AmountRules,
    BearerKey,
    Capabilities,
    Code,
    CodeRules,
    CursorListing,
    CursorPage,
    Effect,
    Expiry,
    History,
    HttpClient,
    HttpProvider,
    HttpSettings,
    IntegrityMismatch,
    Intent,
    KeyRules,
    Listing,
    ListingRules,
    Money,
    Movement,
    MovementKind,
    NewVoucher,
    Operation,
    Outcome,
    Path,
    Pin,
    RawObject,
    Redemption,
    Refund,
    RefundLink,
    RepeatSafety,
    Request,
    Response,
    SecretSource,
    Status,
    UnreadableEntry,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
    VoucherQuery,
    follow_cursors,
    map_entries,
    map_page,
    money_from,
    native,
    positive,
    resolve_by_reference,
    secret_source,
)

from voucher_gateway_acme import wire

T = TypeVar("T")
R = TypeVar("R", Redemption, Refund)

_STATUSES = {"active": Status.ACTIVE, "inactive": Status.INACTIVE, "pending": Status.PENDING}
_KINDS = {
    "activation": MovementKind.ACTIVATION,
    "redemption": MovementKind.REDEMPTION,
    "refund": MovementKind.REFUND,
}
_WORDS: dict[str, str] = {
    Operation.ISSUE: "activation",
    Operation.REDEEM: "redemption",
    Operation.REFUND: "refund",
}
"""The vendor's word for the movement that an operation makes."""
_KEYED = native(repeat=RepeatSafety.VENDOR_KEY)
_PAGE = 100


@attrs.frozen(kw_only=True)
class AcmeSettings(HttpSettings):
    """The settings of an account, in addition to the base URL and time-outs of every HTTP provider."""

    api_key: SecretSource = attrs.field(converter=secret_source)


class AcmeProvider(HttpProvider):
    """Acme Gift Cards. Operations that are not declared raise `UnsupportedOperation`."""

    name = "acme"
    title = "Acme Gift Cards"
    interface_version = 1
    settings_type = AcmeSettings
    settings: AcmeSettings
    declared = Capabilities(
        operations={
            Operation.FIND: native(),
            Operation.GET: native(),
            Operation.BALANCE: native(),
            Operation.VOUCHERS: native(),
            Operation.HISTORY: native(),
            Operation.ISSUE: _KEYED,
            Operation.REDEEM: _KEYED,
            Operation.REFUND: native(repeat=RepeatSafety.VENDOR_KEY, partial=True),
        },
        amounts=AmountRules(minimum=Decimal("0.01"), maximum=Decimal(10_000)),
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.ABSOLUTE,
        listing=ListingRules(page_size=100),
        refund_link=RefundLink.LINKED,
        keys=KeyRules(),  # a day, for the account; the vendor's documents say nothing else
        resolvable=frozenset({Operation.ISSUE, Operation.REDEEM, Operation.REFUND}),
        requests_per_operation={Operation.ISSUE: 2, Operation.REDEEM: 2},
    )

    def __init__(self, account: str, settings: AcmeSettings) -> None:
        http = HttpClient(account, settings, explain=wire.explain, keys=self.declared.keys)
        super().__init__(account, settings, http)
        self.http.auth = BearerKey(settings.api_key)

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        """Return the voucher with exactly this code. The vendor's vouchers have no PIN, so it is ignored."""
        code = Code.of(code)  # the same name: otherwise an error tracker could send the plain code of a local variable
        with self.calls.voucher_not_found_on_404():
            voucher = self._voucher(Operation.FIND, Path.of("/lookup"), ("code", code))
        if voucher.code != code:
            raise VoucherNotFound("the vendor has no such voucher", account=self.account, operation="find")
        return voucher

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return the voucher with this id. The vendor always shows its code."""
        with self.calls.voucher_not_found_on_404():
            return self._voucher(Operation.GET, Path.of("/vouchers/{id}", id=id))

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List all vouchers, oldest first."""
        query = query or VoucherQuery()
        query.refuse_all_but()  # the vendor has no filter, and no other order

        def fetch(cursor: str | None) -> CursorPage[Voucher | UnreadableEntry]:
            params = [("limit", str(_PAGE)), *([] if cursor is None else [("cursor", cursor)])]
            request = Request(method="GET", path=Path.of("/vouchers"), query=params, returns_page=True)
            page, vouchers, raws = self.calls.send_read(Operation.VOUCHERS, request, wire.read_page)
            with self.calls.error_context(Operation.VOUCHERS):
                items = map_entries(self._map_voucher, vouchers, raws)
            return CursorPage(items=items, next_cursor=page.next)

        return CursorListing(
            fetch,
            key=attrgetter("id"),
            size=_PAGE,
            limit=query.limit,
            resume=query.resume,
            scope=query.fingerprint(self.account, self.host),
        )

    def history(self, id: str) -> History:
        """Return all movements of a voucher, oldest first."""
        dates: list[datetime | None] = []

        def fetch(cursor: str | None) -> CursorPage[Movement]:
            params = [] if cursor is None else [("cursor", cursor)]
            request = Request(
                method="GET", path=Path.of("/vouchers/{id}/movements", id=id), query=params, returns_page=True
            )
            page, raws, date = self.calls.send_read(Operation.HISTORY, request, wire.read_movements)
            dates.append(date)
            with self.calls.error_context(Operation.HISTORY):
                movements = map_page(self._map_movement, page.items, raws, what="history", at="items")
            return CursorPage(items=movements, next_cursor=page.next)

        with self.calls.voucher_not_found_on_404():
            movements = [movement for page in follow_cursors(fetch) for movement in page.items]
        return History(voucher_id=id, movements=tuple(movements), complete=True, as_of=dates[0])

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Create a voucher without value, and then activate it with the value: two requests, each with its key."""
        new.refuse_all_but("valid_until")
        self.declared.amounts.check(new.initial)
        until = None if new.valid_until is None else new.valid_until.isoformat()
        create = self.intent(
            Operation.ISSUE,
            reference=reference,
            order=order,
            money=new.initial,
            part="create",
            leaves="a voucher without value",
        )
        body = {"currency": new.initial.currency, "validUntil": until}
        pending = self._change(create, Path.of("/vouchers"), body, self._read_voucher)
        activate = self.intent(
            Operation.ISSUE,
            reference=reference,
            order=order,
            money=new.initial,
            voucher_id=pending.id,
            part="activate",
        )

        def read(reply: Response) -> Voucher:
            voucher = self._read_voucher(reply)
            if voucher.initial != new.initial:
                raise IntegrityMismatch(f"the vendor activated it with {voucher.initial}, not {new.initial}")
            return voucher

        path = Path.of("/vouchers/{id}/activation", id=pending.id)
        return self._change(activate, path, self._write_money(activate), read)

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        """Take value in one step. The id is looked up first: by it the call can be found again without the code."""
        code = Code.of(code)
        positive(money)
        voucher = self.find(code)
        intent = self.intent(Operation.REDEEM, reference=reference, order=order, voucher_id=voucher.id, money=money)
        return self._move(intent, Path.of("/vouchers/{id}/redemptions", id=voucher.id), Redemption)

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        """Give back a redemption, or a part of it. The vendor gives back no more than it took."""
        intent = self.intent(
            Operation.REFUND,
            reference=reference,
            order=order,
            voucher_id=redemption.voucher_id,
            subject=redemption.id,
            money=positive(redemption.money if money is None else money),
        )
        path = Path.of("/movements/{id}/refunds", id=redemption.id)
        return self._move(intent, path, Refund, redemption_id=redemption.id)

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Look for the reference of a call in the history of its voucher. A missing movement proves nothing."""
        if intent.voucher_id is None:
            return Outcome(effect=Effect.UNKNOWN, reason="the vendor keeps no record of this request")
        try:
            history = self.history(intent.voucher_id)
            voucher = self.get(intent.voucher_id) if intent.verb == Operation.ISSUE else None
        except VoucherGatewayError as error:
            return Outcome(effect=Effect.UNKNOWN, reason=f"the voucher could not be read: {error.message}")
        word = _WORDS.get(intent.verb)
        if word is None:
            return Outcome(effect=Effect.UNKNOWN, reason="the vendor keeps no record of this request")
        kind = _KINDS[word]

        def make_result(movement: Movement) -> Voucher | Redemption | Refund:
            if voucher is not None:
                return voucher
            if kind is MovementKind.REFUND:
                return Refund.from_movement(movement, order=intent.order, redemption_id=intent.subject)
            return Redemption.from_movement(movement, order=intent.order)

        movements = [movement for movement in history if movement.raw is not None and movement.raw["kind"] == word]
        return resolve_by_reference(intent, movements, kind, make_result)

    # --- parts of calls ---

    def _change(self, intent: Intent, path: Path, body: dict[str, Any], read: Callable[[Response], T]) -> T:
        """Send a changing request under its key."""
        key = self.make_key(intent)
        request = Request(method="POST", path=path, json=body, headers={"Idempotency-Key": key})
        return self.http.change(request, intent, read, key=key)

    def _write_money(self, intent: Intent) -> dict[str, Any]:
        assert intent.money is not None
        amount = wire.AMOUNT.write(intent.money)
        return {"amount": amount, "currency": intent.money.currency, "reference": intent.reference}

    def _move(self, intent: Intent, path: Path, kind: type[R], **fields: str) -> R:
        """Send a request that moves value, and return the result that the vendor's movement proves."""

        def read(reply: Response) -> R:
            movement, raw = wire.read_movement(reply)
            left = money_from(wire.AMOUNT, movement.balance, movement.currency, "balance")
            return kind.from_movement(
                self._map_movement(movement, raw), expected=intent.money, order=intent.order, remaining=left, **fields
            )

        return self._change(intent, path, self._write_money(intent), read)

    def _map_movement(self, movement: wire.AcmeMovement, raw: RawObject) -> Movement:
        return Movement(
            account=self.account,
            id=movement.id,
            voucher_id=movement.voucher,
            kind=_KINDS.get(movement.kind, MovementKind.UNKNOWN),
            money=money_from(wire.AMOUNT, movement.amount, movement.currency, "amount"),
            reference=movement.reference,
            created_at=movement.at,
            raw=raw,
        )

    def _read_voucher(self, reply: Response) -> Voucher:
        return self._map_voucher(*wire.read_voucher(reply))

    def _voucher(self, operation: Operation, path: Path, *query: tuple[str, str | Code]) -> Voucher:
        request = Request(method="GET", path=path, query=query)
        voucher, raw = self.calls.send_read(operation, request, wire.read_voucher)
        with self.calls.error_context(operation):
            return self._map_voucher(voucher, raw)

    def _map_voucher(self, voucher: wire.AcmeVoucher, raw: RawObject) -> Voucher:
        return Voucher(
            account=self.account,
            id=voucher.id,
            code=voucher.code,
            initial=money_from(wire.AMOUNT, voucher.initial, voucher.currency, "initial"),
            remaining=money_from(wire.AMOUNT, voucher.balance, voucher.currency, "balance"),
            status=_STATUSES.get(voucher.status, Status.UNKNOWN),
            valid_until=voucher.valid_until,
            raw=raw,
        )
