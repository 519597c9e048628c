"""The ticketing provider: the operations of voucher-gateway as calls of vivenu.

The API creates, changes and shows vouchers. They are spent in the vendor's ticket checkouts. No changing call is
repeated, because the vendor has no idempotency keys. The path of a call may hold a code, so messages show its template.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, Final, TypeVar

from voucher_gateway.provider_api import (
    AccountCheck,
    BearerKey,
    Code,
    ConfigurationError,
    DuplicateCode,
    History,
    HttpClient,
    HttpProvider,
    Intent,
    InvalidRequest,
    Listing,
    MalformedResponse,
    Money,
    NewVoucher,
    Operation,
    Outcome,
    OutcomeUnknown,
    Page,
    Path,
    Pin,
    Presentation,
    RawObject,
    Rejected,
    Request,
    Response,
    UnreadableEntry,
    ValueReading,
    Voucher,
    VoucherChanges,
    VoucherGatewayError,
    VoucherQuery,
    hide_arguments,
    map_entries,
)
from voucher_gateway_ticketing import mapping, request_bodies, resolution, wire
from voucher_gateway_ticketing.capabilities import DECLARED
from voucher_gateway_ticketing.client import TicketingReads
from voucher_gateway_ticketing.errors import parse_refusal
from voucher_gateway_ticketing.filters import filters, validate_code
from voucher_gateway_ticketing.presentation import check_info, presentation, read_info
from voucher_gateway_ticketing.settings import TicketingSettings

T = TypeVar("T")

OVERLAP: Final = 2
"""The entries of a page that are read again with the next one. The vendor pages by offset, in an order that it does not
document. Only the overlap shows when entries move from one page to another."""
_MIN_OVERLAP_PAGE: Final = 20


class TicketingProvider(HttpProvider):
    """vivenu: amounts as JSON numbers in the seller's currency, absolute expiries, spending in checkouts only."""

    name = "ticketing"
    title = "vivenu"
    interface_version = 1
    settings_type = TicketingSettings
    settings: TicketingSettings
    declared = DECLARED

    def __init__(self, account: str, settings: TicketingSettings) -> None:
        """Make the provider; nothing is sent yet."""
        super().__init__(account, settings, HttpClient(account, settings, explain=parse_refusal))
        self.http.auth = BearerKey(settings.api_key)
        self._reads = TicketingReads(account, settings, self.http)

    def check(self) -> AccountCheck:
        """Read the seller and the list of vouchers, and return the currency and the clock skew.

        Raises:
            ConfigurationError: if the settings have another currency than the seller, or the key has no seller.
        """
        currency, configured = self.seller_currency(), self.settings.currency
        if configured not in (None, currency):
            raise ConfigurationError(
                f"the seller's currency is {currency}, but currency is set to {configured}", account=self.account
            )
        super().check()
        return AccountCheck(currency=currency, clock_skew=self.http.clock_skew)

    def seller_currency(self) -> str:
        """Return the seller's currency, whatever the settings say. The vendor is asked once."""
        return self._reads.seller_currency()

    # --- reading ---

    @hide_arguments
    def find(
        self,
        code: str | Code,
        pin: str | Pin | None = None,  # noqa: ARG002 - the vendor's vouchers have none
    ) -> Voucher:
        """Return the voucher with exactly this code, by the list's code filter.

        The vendor's vouchers have no PIN, so `pin` is ignored.
        """
        vouchers = self._reads.with_code(Operation.FIND, validate_code(code))
        voucher, raw = self._reads.require_one(Operation.FIND, vouchers)
        return self._voucher_of(Operation.FIND, self._reads.with_id(Operation.FIND, voucher), raw)

    @hide_arguments
    def get(
        self,
        id: str,
        *,
        secrets: bool = False,  # noqa: ARG002 - the vendor shows the code in any case
    ) -> Voucher:
        """Return one voucher, with its code. The reply does not show what is left; `balance` does."""
        voucher, raw = self._reads.get(Operation.GET, id)
        return self._voucher_of(Operation.GET, voucher, raw)

    @hide_arguments
    def presentation(self, code: str | Code, *, id: str | None = None) -> Presentation:
        """Return the public view of a voucher (vivenu: info). The key is not sent with it.

        Without the id, the voucher is first looked up in the list, with the key.
        """
        code = validate_code(code)
        if id is None:
            voucher, _ = self._reads.require_one(
                Operation.PRESENTATION, self._reads.with_code(Operation.PRESENTATION, code)
            )
            id = self._reads.with_id(Operation.PRESENTATION, voucher).own_id
            assert id is not None
        path = Path.of("/api/vouchers/{id}/{code}/info", id=id, code=code)
        request = Request(method="GET", path=path, anonymous=True)
        with self._reads.voucher_not_found_on_404():
            info, raw = self._reads.send_read(Operation.PRESENTATION, request, read_info)
        with self._reads.error_context(Operation.PRESENTATION):
            check_info(info, id, code)
            seller_currency = None if info.seller is None else info.seller.currency
            currency = seller_currency or self._reads.currency(Operation.PRESENTATION)
            return presentation(self.account, currency, info, raw)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers, in an order that the vendor does not document.

        `VoucherQuery.code` lists the vouchers with exactly this code, a native ``code`` those that pass the vendor's
        filter. If the vendor leaves ids out, each voucher takes another request.
        """
        query = query or VoucherQuery()
        params = filters(query)
        size = self.settings.page_size
        if query.limit is not None and query.code is None:
            size = min(size, query.limit)
        # The list of a code is filtered here, so that its pages have no common entries to compare.
        overlap = 0 if query.code is not None else min(OVERLAP, size // _MIN_OVERLAP_PAGE)
        step = size - overlap

        def fetch(index: int) -> Page[Voucher | UnreadableEntry]:
            currency = self._reads.currency(Operation.VOUCHERS)
            page = self._reads.list_slice(Operation.VOUCHERS, index * step, size, params, wire.read_entries)
            entries = [
                (entry, raw)
                for entry, raw in zip(page.docs, page.raw, strict=True)
                if isinstance(entry, UnreadableEntry) or query.code in (None, entry.code)
            ]
            vouchers = [self._reads.entry_with_id(Operation.VOUCHERS, entry, raw) for entry, raw in entries]
            make = partial(mapping.voucher, self.account, currency)
            with self._reads.error_context(Operation.VOUCHERS):
                items = map_entries(make, vouchers, [raw for _, raw in entries])
            # With a code, the vendor may count other codes as well, so its total proves nothing.
            total = page.total if query.code is None else None
            pages = None if query.code is None else -(-page.total // size)
            return Page(items=items, total=total, pages=pages, size=step, overlap=overlap)

        return Listing(
            fetch,
            key=attrgetter("id"),
            workers=self.settings.workers,
            limit=query.limit,
            resume=query.resume,
            scope=query.fingerprint(self.account, self.host),
            size=step,
        )

    def history(self, id: str) -> History:
        """Return the ticket checkouts that took value from a voucher (vivenu: transactions), in one reply."""
        request = Request(method="GET", path=Path.of("/api/vouchers/{id}/transactions", id=id), returns_page=True)
        with self._reads.voucher_not_found_on_404():
            history = self._reads.send_read(Operation.HISTORY, request, wire.read_transactions)
        currency = self._reads.currency(Operation.HISTORY)
        with self._reads.error_context(Operation.HISTORY):
            return mapping.history(self.account, currency, id, history)

    # --- issuing ---

    @hide_arguments
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Create a voucher, which can be spent at once.

        Without a code in `new`, one of 16 characters is made here. If the outcome is unknown, it is lost: only the
        request and the result have it. To be safe, choose the code and store it before the call; then `find` shows it.
        """
        request_bodies.check_new(new)
        code = request_bodies.make_code() if new.code is None else request_bodies.validate_new_code(new.code)
        currency = self._reads.currency(Operation.ISSUE)
        request_bodies.check_currency(new.initial, currency)
        intent = self.intent(Operation.ISSUE, reference=reference, order=order, money=new.initial)
        request = Request(method="POST", path=Path.of("/api/vouchers"), json=request_bodies.create_body(new, code))

        def read(reply: Response) -> wire.VoucherEntry:
            voucher, raw = wire.read_voucher(reply)
            mapping.check_issued(new, code, voucher)
            return voucher, raw

        try:
            voucher, raw = self.http.change(request, intent, read)
        except Rejected as error:
            refused = error
        else:
            return self._check_issued(currency, voucher, raw, intent)
        raise self._explain_refusal(refused, code)

    @hide_arguments
    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        """Change the expiry. The vendor overwrites amount and expiry together, so the amount is read and sent back.

        It is read twice, by id and from the list, and once more afterwards. If another program changes the amount in
        between, this call undoes that change.

        Raises:
            MalformedResponse: if the two readings differ; nothing was sent.
            OutcomeUnknown: if the voucher cannot be read back as it was written.
        """
        until = request_bodies.expiry(request_bodies.new_expiry(changes))
        currency = self._reads.currency(Operation.UPDATE)
        before, _, _ = self._read_twice(Operation.UPDATE, id)
        # Check before the change that the amount can be read back afterwards.
        with self._reads.error_context(Operation.UPDATE):
            value = mapping.amount(currency, before)
        intent = self.intent(
            Operation.UPDATE,
            reference=reference,
            order=order,
            voucher_id=id,
            subject=id,
            valid_until=resolution.expiry_note(until),
            valid_until_before=resolution.expiry_note(request_bodies.expiry(before.valid_until)),
            amount_written=str(value),
        )
        # The vendor's own digits, such as 29.999999999999996, so that the amount does not change.
        body = {"amount": before.amount, "validUntil": until}

        def make(voucher: wire.TicketingVoucher, raw: RawObject) -> Voucher:
            mapping.check_overwritten(value, until, voucher)
            return mapping.voucher(self.account, currency, voucher, raw)

        updated = self._put(id, body, intent, make)
        self._read_back(id, value, until, intent)
        return updated

    # --- primitives of emulations ---

    @hide_arguments
    def read_value(self, code: str | Code | None = None, *, id: str | None = None) -> ValueReading:
        """Return amount and balance of one voucher, as the list shows both at one time.

        With an id it is read twice, by id and from the list, because it may be overwritten afterwards.

        Raises:
            MalformedResponse: if the two readings differ.
        """
        if code is not None and id is None:
            voucher, raw = self._reads.require_one(
                "read_value", self._reads.with_code("read_value", validate_code(code))
            )
        elif code is None and id is not None:
            _, voucher, raw = self._read_twice("read_value", id)
        else:
            raise InvalidRequest(
                "read_value needs either the code or the id", field="code", rule="either a code or an id"
            )
        voucher, currency = self._reads.with_id("read_value", voucher), self._reads.currency("read_value")
        with self._reads.error_context("read_value"):
            return mapping.value_reading(currency, voucher, raw)

    def write_value(self, before: ValueReading, value: Money, *, intent: Intent) -> None:
        """Overwrite the amount. The expiry is sent back as it was read.

        We assume that the vendor changes the balance with the amount; that is not documented.
        """
        request_bodies.check_range(value)
        body = {"amount": wire.AMOUNT.write(value), "validUntil": before.passthrough}
        until = request_bodies.expiry(before.valid_until)

        def check(voucher: wire.TicketingVoucher, _: RawObject) -> None:
            mapping.check_overwritten(value, until, voucher)

        self._put(before.voucher_id, body, intent, check)

    # --- unknown outcomes ---

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Return the outcome of a call, found by reads only; see `voucher_gateway_ticketing.resolution`."""
        return resolution.resolve(self, intent, code)

    # --- parts of several calls ---

    def _voucher_of(self, operation: Operation, voucher: wire.TicketingVoucher, raw: RawObject) -> Voucher:
        currency = self._reads.currency(operation)
        with self._reads.error_context(operation):
            return mapping.voucher(self.account, currency, voucher, raw)

    def _read_twice(self, operation: str, id: str) -> tuple[wire.TicketingVoucher, wire.TicketingVoucher, RawObject]:
        """Return the voucher with this id as the call by id shows it, and as the list shows it, with its balance.

        Raises:
            IntegrityMismatch: if the reply has another id: it may be about another voucher, which must not be changed.
            MalformedResponse: if the two differ.
        """
        single, _ = self._reads.get(operation, id)
        with self._reads.error_context(operation):
            mapping.same_voucher(single, id)
        same_code = self._reads.with_code(operation, single.code)
        matching = [(mapping.with_id(voucher, id), raw) for voucher, raw in same_code if voucher.own_id in (None, id)]
        if not matching:
            raise MalformedResponse("the list does not show the voucher", account=self.account, operation=operation)
        listed, raw = self._reads.require_one(operation, matching)
        currency = self._reads.currency(operation)
        with self._reads.error_context(operation):
            mapping.check_same_reading(currency, single, listed)
        return single, listed, raw

    def _read_back(self, id: str, value: Money, until: str | None, intent: Intent) -> None:
        """Check that a voucher shows what was written.

        Raises:
            OutcomeUnknown: if it does not, or cannot be read.
        """
        try:
            voucher, _ = self._reads.get(Operation.UPDATE, id)
            mapping.check_overwritten(value, until, voucher)
        except VoucherGatewayError as error:
            reason = f"the voucher could not be read back as it was written: {error.message}"
        else:
            return
        raise OutcomeUnknown(reason, ticket=intent.ticket(reason), account=self.account, operation=intent.verb)

    def _check_issued(self, currency: str, voucher: wire.TicketingVoucher, raw: RawObject, intent: Intent) -> Voucher:
        """Return the voucher that was created.

        Raises:
            OutcomeUnknown: if it cannot be read: the voucher exists, so the call must not count as failed.
        """
        try:
            return mapping.voucher(self.account, currency, self._reads.with_id(Operation.ISSUE, voucher), raw)
        except VoucherGatewayError as error:
            reason = f"the voucher was created, but {error.message}"
        raise OutcomeUnknown(reason, ticket=intent.ticket(reason), account=self.account, operation=intent.verb)

    def _explain_refusal(self, refused: Rejected, code: Code) -> VoucherGatewayError:
        """Return `DuplicateCode` if the code is in use: the vendor documents no error for that. Else the refusal."""
        try:
            vouchers = self._reads.with_code(Operation.ISSUE, code)
        except VoucherGatewayError:
            return refused
        if not vouchers:
            return refused
        return DuplicateCode(
            "the code is in use by another voucher",
            account=refused.account,
            operation=refused.operation,
            http_status=refused.http_status,
            vendor_code=refused.vendor_code,
            request_id=refused.request_id,
        )

    def _put(
        self, id: str, body: dict[str, Any], intent: Intent, make: Callable[[wire.TicketingVoucher, RawObject], T]
    ) -> T:
        """Overwrite amount and expiry. Both are always sent: without an expiry it never expires (vendor page)."""

        def read(reply: Response) -> T:
            voucher, raw = wire.read_voucher(reply)
            return make(mapping.same_voucher(voucher, id), raw)

        request = Request(method="PUT", path=Path.of("/api/vouchers/{id}", id=id), json=body)
        with self._reads.voucher_not_found_on_404():
            return self.http.change(request, intent, read)
