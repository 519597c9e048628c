"""The pretix provider: the gift cards of one organizer.

The vendor's filter compares codes without case, so the answer is compared here. A card has no face value: that is its
first transaction, which `history` shows. With `include_accepted`, two issuers may have the same code. Such a code is
refused, because only a person can tell which card is meant.

Value moves by one call, `transact`, which answers with the card and not with the transaction. So the transaction is
known by our reference, which is stored in its `info`; `confirm_transaction` tells when it is looked for. The vendor
looks neither at the end of validity nor at the test mode of a card (witness): both are checked here.
"""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from secrets import choice
from typing import Final

from voucher_gateway.provider_api import (
    AlreadyRefunded,
    BearerKey,
    Code,
    CurrencyMismatch,
    DuplicateCode,
    History,
    HttpClient,
    HttpProvider,
    Intent,
    InvalidRequest,
    Listing,
    Money,
    NewVoucher,
    Operation,
    Outcome,
    Page,
    Pin,
    RawObject,
    Redemption,
    Refund,
    Rejected,
    Request,
    TopUp,
    UnreadableEntry,
    UnsupportedOperation,
    Voucher,
    VoucherChanges,
    VoucherExpired,
    VoucherInactive,
    VoucherNotFound,
    VoucherQuery,
    hide_arguments,
    map_entries,
    money_from,
    positive,
)
from voucher_gateway_pretix import mapping, wire
from voucher_gateway_pretix.capabilities import DECLARED, NATIVE_FILTERS
from voucher_gateway_pretix.errors import REFUSALS, parse_refusal
from voucher_gateway_pretix.reads import Param, PretixReads
from voucher_gateway_pretix.resolution import confirm_transaction, resolve
from voucher_gateway_pretix.settings import PretixSettings

_NEW_CODE_LENGTH: Final = 16
_LETTERS_OF_NEW_CODES: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ3789"  # without characters that look like others


class PretixProvider(HttpProvider):
    """pretix: amounts as text with two decimals, absolute expiries, cards of one organizer and of those it accepts."""

    name = "pretix"
    title = "pretix"
    interface_version = 1
    settings_type = PretixSettings
    settings: PretixSettings
    declared = DECLARED

    def __init__(self, account: str, settings: PretixSettings) -> None:
        """Make the provider; nothing is sent yet."""
        # The vendor's texts follow the language of the request.
        english = {"Accept-Language": "en"}
        http = HttpClient(
            account, settings, explain=parse_refusal, refusals=REFUSALS, headers=english, keys=self.declared.keys
        )
        http.auth = BearerKey(settings.token, scheme="Token")
        super().__init__(account, settings, http)
        self._reads = PretixReads(account, settings, http)

    # --- reading ---

    @hide_arguments
    def find(
        self,
        code: str | Code,
        pin: str | Pin | None = None,  # noqa: ARG002 - gift cards have none
    ) -> Voucher:
        """Return the card with exactly this code. Gift cards have no PIN, so `pin` is ignored.

        Raises:
            MalformedResponse: if cards of two issuers have this code.
        """
        card, raw = self._reads.card_with_code(Operation.FIND, _require_code(code))
        with self.calls.error_context(Operation.FIND):
            return mapping.voucher(self.account, card, raw)

    @hide_arguments
    def get(
        self,
        id: str,
        *,
        secrets: bool = False,  # noqa: ARG002 - the vendor shows the code in any case
    ) -> Voucher:
        """Return the card with this id. The vendor shows its code in any case."""
        card, raw = self._reads.card(Operation.GET, id)
        with self.calls.error_context(Operation.GET):
            return mapping.voucher(self.account, card, raw)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List the cards, oldest first.

        `VoucherQuery.native` takes ``testmode`` and ``expired``, each ``true`` or ``false``.
        """
        query = query or VoucherQuery()
        params = [*_filters(query), *self._reads.issuer_params()]
        size = min(self.settings.page_size, query.limit or self.settings.page_size)

        def fetch(index: int) -> Page[Voucher | UnreadableEntry]:
            page = self._reads.entries(Operation.VOUCHERS, index, size, params)
            entries = [
                (card, raw)
                for card, raw in zip(page.cards, page.raws, strict=True)
                if isinstance(card, UnreadableEntry) or query.code in (None, card.secret)
            ]
            with self.calls.error_context(Operation.VOUCHERS):
                items = map_entries(
                    partial(mapping.voucher, self.account), [card for card, _ in entries], [raw for _, raw in entries]
                )
            # With a code, the vendor counts those that differ in case as well.
            total = page.count if query.code is None else None
            return Page(items=items, total=total, pages=-(-page.count // size), size=size)

        return Listing(
            fetch,
            key=attrgetter("id"),
            workers=self.settings.workers,
            limit=query.limit,
            resume=query.resume,
            scope=query.fingerprint(self.account, self.host, self.settings.organizer, str(size)),
            size=size,
        )

    @hide_arguments
    def history(self, id: str) -> History:
        """Return all transactions of a card. The first is its issue."""
        card, _ = self._reads.card(Operation.HISTORY, id)
        transactions = self._reads.transactions(Operation.HISTORY, id)
        with self.calls.error_context(Operation.HISTORY):
            return mapping.history(self.account, id, card.currency, transactions)

    # --- issuing ---

    @hide_arguments
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Create a card, which can be spent at once. Without a code in `new`, one of 16 characters is made here.

        Raises:
            DuplicateCode: if the organizer, or one that it accepts, has a card with this code.
        """
        new.refuse_all_but("code", "valid_until", "active")
        if new.active is False:
            raise UnsupportedOperation("pretix has no cards that are not active", operation="issue")
        self.declared.amounts.check(new.initial)
        code = _make_code() if new.code is None else new.code
        self.declared.codes.check(code)
        intent = self.intent(Operation.ISSUE, reference=reference, order=order, money=new.initial)
        body = {
            "secret": code,
            "value": wire.AMOUNT.write(new.initial),
            "currency": new.initial.currency,
            "expires": wire.write_expiry(new.valid_until),
            "testmode": self.settings.testmode,
        }
        request = Request(method="POST", path=self._reads.path(), json=body)
        try:
            return self.http.change(request, intent, partial(mapping.read_issued, self.account, new, code))
        except Rejected as error:
            refusal = error
        raise self._explain_refused_code(refusal, code) or refusal

    @hide_arguments
    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        """Change the end of validity of a card of this organizer. Cards of others cannot be changed."""
        changes.refuse_all_but("valid_until")
        if not changes.fields_to_change():
            raise InvalidRequest("the request has no change", field="changes", rule="at least one change")
        self._reads.require_id(Operation.UPDATE, id)
        until = wire.write_expiry(changes.fields_to_change()["valid_until"])
        intent = self.intent(
            Operation.UPDATE, reference=reference, order=order, voucher_id=id, subject=id, valid_until=until or ""
        )
        request = Request(method="PATCH", path=self._reads.path("{id}/", id), json={"expires": until})
        with self.calls.voucher_not_found_on_404():
            return self.http.change(request, intent, partial(mapping.read_updated, self.account, until))

    # --- value ---

    @hide_arguments
    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,  # noqa: ARG002 - gift cards have none
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        """Take value off the card with this code, under the vendor's idempotency key.

        The vendor takes value off expired cards and test cards too, so these are refused here.
        """
        positive(money)
        card, _ = self._reads.card_with_code(Operation.REDEEM, _require_code(code))
        self._require_same_mode(card, money)
        if card.expires is not None and card.expires <= self.vendor_now():
            raise VoucherExpired("the gift card has expired", account=self.account, operation="redeem")
        intent = self.intent(Operation.REDEEM, reference=reference, order=order, voucher_id=str(card.id), money=money)
        remaining, raw = self._transact(intent, card)
        return mapping.result(Redemption, intent, remaining=remaining, raw=raw)

    @hide_arguments
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        """Add value to a card, under the vendor's idempotency key."""
        positive(money)
        card, _ = self._reads.card(Operation.TOP_UP, id)
        self._require_same_mode(card, money)
        intent = self.intent(Operation.TOP_UP, reference=reference, order=order, voucher_id=id, subject=id, money=money)
        remaining, raw = self._transact(intent, card)
        return mapping.result(TopUp, intent, remaining=remaining, raw=raw)

    @hide_arguments
    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        """Give back a redemption or a part of it. Other refunds of it are found in the card's transactions.

        The vendor adds any value to any card. That refunds give back no more than was taken is checked here, and
        surely by the journal alone: two calls at one moment may not see each other.

        Raises:
            AlreadyRefunded: if less of the redemption is left.
        """
        money = positive(redemption.money if money is None else money)
        if redemption.voucher_id is None or money.currency != redemption.money.currency:
            raise InvalidRequest(
                "the redemption must name its voucher and have the currency of the refund",
                field="redemption",
                rule="a redemption of the same currency, with voucher_id",
            )
        card, _ = self._reads.card(Operation.REFUND, redemption.voucher_id)
        self._require_same_mode(card, money)
        transactions = self._reads.transactions(Operation.REFUND, redemption.voucher_id)
        if money.amount > mapping.refundable(redemption, transactions, except_for=reference):
            raise AlreadyRefunded(
                "less of the redemption is left than the refund", account=self.account, operation="refund"
            )
        intent = self.intent(
            Operation.REFUND,
            reference=reference,
            order=order,
            voucher_id=redemption.voucher_id,
            subject=redemption.id,
            money=money,
        )
        remaining, raw = self._transact(intent, card)
        return mapping.result(Refund, intent, redemption_id=redemption.id, remaining=remaining, raw=raw)

    # --- unknown outcomes ---

    @hide_arguments
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Look up the outcome of a call; see `voucher_gateway_pretix.resolution`."""
        return resolve(self._reads, intent, code)

    # --- parts of calls ---

    def _transact(self, intent: Intent, card: wire.PretixCard) -> tuple[Money, RawObject]:
        """Move the value of an intent on a card, and return what is left on it."""
        assert intent.money is not None
        amount = intent.money.amount * (-1 if intent.verb == Operation.REDEEM else 1)
        key = self.make_key(intent)
        request = Request(
            method="POST",
            path=self._reads.path("{id}/transact/", intent.voucher_id),
            query=self._reads.issuer_params(),
            headers={"X-Idempotency-Key": key},
            json={
                "value": wire.write_signed(intent.money, amount),
                "text": intent.order or "",
                "info": mapping.info(intent),
            },
        )
        with self.calls.voucher_not_found_on_404():
            after, raw = self.http.change(request, intent, partial(mapping.read_changed, card), key=key)
        if after.value != card.value + amount:
            confirm_transaction(self._reads, intent, after)
        return money_from(wire.AMOUNT, after.value, after.currency, "value"), raw

    def _require_same_mode(self, card: wire.PretixCard, money: Money) -> None:
        """Check that a card has the currency of an amount, and is a test card in accounts for tests only."""
        if card.testmode is not self.settings.testmode:
            which = "a test card" if card.testmode else "not a test card"
            raise VoucherInactive(f"the gift card is {which}", account=self.account)
        if card.currency != money.currency:
            raise CurrencyMismatch(f"the gift card is in {card.currency}, not in {money.currency}")

    def _explain_refused_code(self, refusal: Rejected, code: Code) -> DuplicateCode | None:
        """Return the error for a code that is taken. The vendor refuses a malformed one with the same field."""
        if [error.field for error in refusal.fields] != ["secret"]:
            return None
        try:
            self._reads.card_with_code(Operation.ISSUE, code, every_issuer=True)
        except VoucherNotFound:
            return None
        return DuplicateCode(
            "another gift card has this code", account=self.account, operation="issue", http_status=refusal.http_status
        )


def _require_code(code: str | Code) -> Code:
    """Return the code, if it is not empty: the vendor ignores an empty filter and lists everything (witness)."""
    code = Code.of(code)
    if not code.reveal():
        raise InvalidRequest("code must not be empty", field="code", rule="not empty")
    return code


def _make_code() -> Code:
    """Return a random code (77 bits)."""
    return Code("".join(choice(_LETTERS_OF_NEW_CODES) for _ in range(_NEW_CODE_LENGTH)))


def _filters(query: VoucherQuery) -> list[Param]:
    """Return the query's filters as the vendor writes them.

    Raises:
        UnsupportedOperation: if the vendor lacks a common filter, or the query chooses an order.
        InvalidRequest: if the vendor lacks a native filter, or takes other values for it.
    """
    query.refuse_all_but("code", native=NATIVE_FILTERS)
    params: list[Param] = [] if query.code is None else [("secret", _require_code(query.code))]
    for name, value in query.native.items():
        if value not in NATIVE_FILTERS[name]:
            rule = " or ".join(NATIVE_FILTERS[name])
            raise InvalidRequest(f"the filter {name} of pretix must be {rule}", field=f"native.{name}", rule=rule)
        params.append((name, str(value)))
    return params
