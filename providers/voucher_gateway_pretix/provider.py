"""The pretix provider: the gift cards of one organizer, read exactly.

The vendor's filter compares codes without case, so the answer is compared here. A card has no face value: that is its
first transaction, which takes a second request. With `include_accepted`, two issuers may have the same code. Such a
code is refused, because only a person can tell which card is meant.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Final

from voucher_gateway.provider_api import (
    BearerKey,
    Capabilities,
    Code,
    CodeRules,
    Expiry,
    History,
    HttpClient,
    HttpProvider,
    InvalidRequest,
    Listing,
    ListingRules,
    MalformedResponse,
    Masked,
    Money,
    Movement,
    MovementKind,
    Operation,
    Page,
    Path,
    Pin,
    RawObject,
    Request,
    UnsupportedOperation,
    Voucher,
    VoucherNotFound,
    VoucherQuery,
    hide_arguments,
    map_page,
    money_from,
    native,
)
from voucher_gateway_pretix import wire
from voucher_gateway_pretix.errors import parse_refusal
from voucher_gateway_pretix.settings import MAX_PAGE_SIZE, PretixSettings

Param = tuple[str, str | Masked]


_CARDS: Final = "/organizers/{organizer}/giftcards/"
_NATIVE_FILTERS: Final = {"testmode": ("true", "false"), "expired": ("true", "false")}


class PretixProvider(HttpProvider):
    """pretix: amounts as text with two decimals, absolute expiries, cards of one organizer and of those it accepts."""

    name = "pretix"
    title = "pretix"
    interface_version = 1
    settings_type = PretixSettings
    settings: PretixSettings
    declared = Capabilities(
        operations={
            Operation.FIND: native(note="two requests: the card, and its first transaction"),
            Operation.GET: native(note="two requests: the card, and its first transaction"),
            Operation.BALANCE: native(),
            Operation.VOUCHERS: native(note="oldest first; the face value is not shown"),
            Operation.HISTORY: native(note="without the first transaction, which is the face value"),
        },
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.ABSOLUTE,
        listing=ListingRules(
            page_size=MAX_PAGE_SIZE,
            max_page_size=MAX_PAGE_SIZE,
            filters=frozenset({"code"}),
            native_filters=frozenset(_NATIVE_FILTERS),
        ),
        requests_per_operation={Operation.FIND: 2, Operation.GET: 2},
    )

    def __init__(self, account: str, settings: PretixSettings) -> None:
        """Make the provider; nothing is sent yet."""
        # The vendor's texts follow the language of the request.
        http = HttpClient(account, settings, explain=parse_refusal, headers={"Accept-Language": "en"})
        http.auth = BearerKey(settings.token, scheme="Token")
        super().__init__(account, settings, http)

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
        card, raw = self._card_with_code(Operation.FIND, _require_code(code))
        return self._voucher(Operation.FIND, card, raw)

    @hide_arguments
    def get(
        self,
        id: str,
        *,
        secrets: bool = False,  # noqa: ARG002 - the vendor shows the code in any case
    ) -> Voucher:
        """Return the card with this id. The vendor shows its code in any case."""
        request = Request(method="GET", path=self._path("{id}/", id), query=self._accepted())
        with self.calls.voucher_not_found_on_404():
            card, raw = self.calls.send_read(Operation.GET, request, wire.read_card)
        if str(card.id) != id:
            raise MalformedResponse(
                "the reply is about another gift card", account=self.account, operation=Operation.GET.value
            )
        return self._voucher(Operation.GET, card, raw)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List the cards, oldest first. The list does not show the face value; `get` does.

        `VoucherQuery.native` takes ``testmode`` and ``expired``, each ``true`` or ``false``.
        """
        query = query or VoucherQuery()
        params = [*_filters(query), *self._accepted()]
        size = min(self.settings.page_size, query.limit or self.settings.page_size)

        def fetch(index: int) -> Page[Voucher]:
            page, raws = self._page(Operation.VOUCHERS, index, size, params)
            entries = [
                (card, raw) for card, raw in zip(page.results, raws, strict=True) if query.code in (None, card.secret)
            ]
            with self.calls.error_context(Operation.VOUCHERS):
                items = map_page(
                    self._map_card,
                    [card for card, _ in entries],
                    [raw for _, raw in entries],
                    what="list",
                    at="results",
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

    def history(self, id: str) -> History:
        """Return all transactions of a card but the first, which is its face value."""
        transactions, raws = [], []
        totals, dates, pages, index = set(), [], 1, 0
        request = Request(method="GET", path=self._path("{id}/", id), query=self._accepted())
        with self.calls.voucher_not_found_on_404():
            currency = self.calls.send_read(Operation.HISTORY, request, wire.read_currency)
            while index < pages:
                index += 1
                page, page_raws, date = self._transactions(Operation.HISTORY, id, index, MAX_PAGE_SIZE)
                transactions += page.results
                raws += page_raws
                totals.add(page.count)
                dates.append(date)
                pages = -(-page.count // MAX_PAGE_SIZE)
        first = min(transactions, key=lambda transaction: (transaction.at, transaction.id), default=None)
        with self.calls.error_context(Operation.HISTORY):
            movements = [
                self._movement(id, currency, transaction, raw)
                for transaction, raw in zip(transactions, raws, strict=True)
                if transaction is not first
            ]
        ids = {transaction.id for transaction in transactions}
        return History(
            voucher_id=id,
            movements=tuple({movement.id: movement for movement in movements}.values()),
            complete=totals == {len(ids)} == {len(transactions)},
            as_of=None if None in dates else min(filter(None, dates), default=None),
        )

    # --- parts of calls ---

    def _path(self, rest: str = "", id: str | None = None) -> Path:
        parts = {"organizer": self.settings.organizer, **({} if id is None else {"id": id})}
        return Path.of(_CARDS + rest, **parts)

    def _accepted(self) -> list[Param]:
        return [("include_accepted", "true")] if self.settings.include_accepted else []

    def _page(
        self, operation: Operation, index: int, size: int, params: list[Param]
    ) -> tuple[wire.PretixPage, list[RawObject]]:
        query = [("page", str(index + 1)), ("page_size", str(size)), *params]
        request = Request(method="GET", path=self._path(), query=query, returns_page=True)
        return self.calls.send_read(operation, request, wire.read_cards)

    def _card_with_code(self, operation: Operation, code: Code) -> tuple[wire.PretixCard, RawObject]:
        page, raws = self._page(operation, 0, MAX_PAGE_SIZE, [("secret", code), *self._accepted()])
        cards = [(card, raw) for card, raw in zip(page.results, raws, strict=True) if card.secret == code]
        if len(cards) == 1:
            return cards[0]
        if not cards and page.count <= MAX_PAGE_SIZE:
            raise VoucherNotFound("the vendor knows no such voucher", account=self.account, operation=operation.value)
        raise MalformedResponse(
            "several gift cards have this code, of different issuers: find the one that is meant by its id",
            account=self.account,
            operation=operation.value,
        )

    def _transactions(
        self, operation: Operation, id: str, page: int, size: int
    ) -> tuple[wire.PretixTransactionPage, list[RawObject], datetime | None]:
        query = [("page", str(page)), ("page_size", str(size)), *self._accepted()]
        request = Request(method="GET", path=self._path("{id}/transactions/", id), query=query, returns_page=True)
        return self.calls.send_read(operation, request, wire.read_transactions)

    def _voucher(self, operation: Operation, card: wire.PretixCard, raw: RawObject) -> Voucher:
        """Return a card with its face value, which is the value of its first transaction."""
        with self.calls.voucher_not_found_on_404():
            page, _, _ = self._transactions(operation, str(card.id), 1, 1)
        with self.calls.error_context(operation):
            first = page.results[0] if page.results else None
            initial = None if first is None else money_from(wire.AMOUNT, first.value, card.currency, "value")
            return self._map_card(card, raw, initial)

    def _map_card(self, card: wire.PretixCard, raw: RawObject, initial: Money | None = None) -> Voucher:
        links = {"issuer": card.issuer, "owner_ticket": None if card.owner_ticket is None else str(card.owner_ticket)}
        return Voucher(
            account=self.account,
            id=str(card.id),
            code=card.secret,
            initial=initial,
            remaining=money_from(wire.AMOUNT, card.value, card.currency, "value"),
            valid_until=card.expires,
            links={name: link for name, link in links.items() if link is not None},
            created_at=card.issuance,
            raw=raw,
        )

    def _movement(self, id: str, currency: str, transaction: wire.PretixTransaction, raw: RawObject) -> Movement:
        if transaction.value < 0:
            kind = MovementKind.REDEMPTION
        else:
            # Web-shop refunds name an order. The vendor does not distinguish a refund from a top-up otherwise.
            kind = MovementKind.TOP_UP if transaction.order is None else MovementKind.REFUND
        return Movement(
            account=self.account,
            id=str(transaction.id),
            voucher_id=id,
            kind=kind,
            money=money_from(wire.AMOUNT, abs(transaction.value), currency, "value"),
            reference=wire.reference_of(raw),
            created_at=transaction.at,
            raw=raw,
        )


def _require_code(code: str | Code) -> Code:
    """Return the code, if it is not empty: the vendor ignores an empty filter and lists everything (witness)."""
    code = Code.of(code)
    if not code.reveal():
        raise InvalidRequest("code must not be empty", field="code", rule="not empty")
    return code


def _filters(query: VoucherQuery) -> list[Param]:
    """Return the query's filters as the vendor writes them.

    Raises:
        UnsupportedOperation: if the vendor lacks a common filter, or the query chooses an order.
        InvalidRequest: if the vendor lacks a native filter, or takes other values for it.
    """
    lacking = sorted(query.common().keys() - {"code"})
    if lacking:
        raise UnsupportedOperation(f"pretix cannot filter by {', '.join(lacking)}", operation="vouchers")
    if query.newest_first is not None:
        raise UnsupportedOperation("pretix cannot list in a chosen order", operation="vouchers")
    params: list[Param] = [] if query.code is None else [("secret", _require_code(query.code))]
    for name, value in query.native.items():
        values = _NATIVE_FILTERS.get(name)
        if values is None or value not in values:
            rule = f"{' or '.join(values)}" if values else f"one of {', '.join(_NATIVE_FILTERS)}"
            raise InvalidRequest(
                f"the filter {name!r:.40} of pretix must be {rule}", field=f"native.{name:.40}", rule=rule
            )
        params.append((name, str(value)))
    return params
