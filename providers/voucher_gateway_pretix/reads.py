"""The reading calls of pretix: cards by code and id, pages, and all transactions of a card."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.provider_api import (
    ApiCalls,
    Code,
    HttpClient,
    MalformedResponse,
    Masked,
    Operation,
    Path,
    RawObject,
    Request,
    VoucherNotFound,
)
from voucher_gateway_pretix import wire
from voucher_gateway_pretix.settings import MAX_PAGE_SIZE, PretixSettings

Param = tuple[str, str | Masked]
Card = tuple[wire.PretixCard, RawObject]

_ID: Final = re.compile("[1-9][0-9]{0,18}")
_CARDS: Final = "/organizers/{organizer}/giftcards/"


@attrs.frozen
class Transactions:
    """The transactions of a card, of every page.

    Attributes:
        entries: each with the vendor's own object, in the order in which the card was changed.
        complete: whether the pages fit together.
        as_of: the vendor's time of the earliest page, where every page has one.
    """

    entries: tuple[tuple[wire.PretixTransaction, RawObject], ...]
    complete: bool
    as_of: datetime | None


class PretixReads(ApiCalls):
    """The reading calls of an account."""

    def __init__(self, account: str, settings: PretixSettings, http: HttpClient) -> None:
        super().__init__(account, http)
        self._settings = settings

    def path(self, rest: str = "", id: str | None = None) -> Path:
        """Return a path below the cards of the organizer. All end with a slash."""
        parts = {"organizer": self._settings.organizer, **({} if id is None else {"id": id})}
        return Path.of(_CARDS + rest, **parts)

    def issuer_params(self) -> list[Param]:
        """Return the parameter with which cards of other issuers are shown, if the settings have it."""
        return [("include_accepted", "true")] if self._settings.include_accepted else []

    def require_id(self, operation: Operation, id: str) -> str:
        """Return an id, if a card can have it: an integer. For a slash in it, the program has a page (witness).

        Raises:
            VoucherNotFound: if no card can have it.
        """
        if not _ID.fullmatch(id):
            raise VoucherNotFound(
                "no gift card of pretix has such an id", account=self._account, operation=operation.value
            )
        return id

    def card(self, operation: Operation, id: str) -> Card:
        """Return the card with an id."""
        self.require_id(operation, id)
        request = Request(method="GET", path=self.path("{id}/", id), query=self.issuer_params())
        with self.voucher_not_found_on_404():
            card, raw = self.send_read(operation, request, wire.read_card)
        if str(card.id) != id:
            raise MalformedResponse(
                "the reply is about another gift card", account=self._account, operation=operation.value
            )
        return card, raw

    def card_with_code(self, operation: Operation, code: Code, *, every_issuer: bool = False) -> Card:
        """Return the card with exactly this code. The vendor's filter ignores case.

        Args:
            operation: for errors.
            code: the code.
            every_issuer: whether cards of accepted issuers count, whatever the settings say.

        Raises:
            VoucherNotFound: if no card has the code.
            MalformedResponse: if cards of two issuers have this code.
        """
        issuers: list[Param] = [("include_accepted", "true")] if every_issuer else self.issuer_params()
        page, raws = self.page(operation, 0, MAX_PAGE_SIZE, [("secret", code), *issuers])
        cards = [(card, raw) for card, raw in zip(page.results, raws, strict=True) if card.secret == code]
        if len(cards) == 1:
            return cards[0]
        if not cards and page.count <= MAX_PAGE_SIZE:
            raise VoucherNotFound("the vendor knows no such voucher", account=self._account, operation=operation.value)
        raise MalformedResponse(
            "several gift cards have this code, of different issuers: find the one that is meant by its id",
            account=self._account,
            operation=operation.value,
        )

    def page(
        self, operation: Operation, index: int, size: int, params: list[Param]
    ) -> tuple[wire.PretixPage, list[RawObject]]:
        """Return a page of cards, all of which must be readable."""
        return self.send_read(operation, self._page_request(index, size, params), wire.read_cards)

    def entries(self, operation: Operation, index: int, size: int, params: list[Param]) -> wire.PretixEntries:
        """Return a page of the list of cards, some of which may not be readable."""
        return self.send_read(operation, self._page_request(index, size, params), wire.read_entries)

    def _page_request(self, index: int, size: int, params: list[Param]) -> Request:
        query = [("page", str(index + 1)), ("page_size", str(size)), *params]
        return Request(method="GET", path=self.path(), query=query, returns_page=True)

    def transactions(self, operation: Operation, id: str) -> Transactions:
        """Return all transactions of a card, in the order in which the vendor made them."""
        entries: dict[int, tuple[wire.PretixTransaction, RawObject]] = {}
        totals, dates, seen, pages, index = set(), [], 0, 1, 0
        with self.voucher_not_found_on_404():
            while index < pages:
                index += 1
                page, raws, date = self._transaction_page(operation, id, index, MAX_PAGE_SIZE)
                entries |= {
                    transaction.id: (transaction, raw) for transaction, raw in zip(page.results, raws, strict=True)
                }
                totals.add(page.count)
                dates.append(date)
                seen += len(page.results)
                pages = -(-page.count // MAX_PAGE_SIZE)
        return Transactions(
            # The vendor sorts by time alone. A card is locked while it is changed, so its ids rise (witness).
            entries=tuple(sorted(entries.values(), key=lambda entry: (entry[0].at, entry[0].id))),
            complete=totals == {len(entries)} == {seen},
            as_of=None if None in dates else min(filter(None, dates), default=None),
        )

    def first_transaction(self, operation: Operation, id: str) -> wire.PretixTransaction | None:
        """Return the first transaction of a card, which is its face value."""
        with self.voucher_not_found_on_404():
            page, _, _ = self._transaction_page(operation, id, 1, 1)
        return page.results[0] if page.results else None

    def _transaction_page(
        self, operation: Operation, id: str, page: int, size: int
    ) -> tuple[wire.PretixTransactionPage, list[RawObject], datetime | None]:
        query = [("page", str(page)), ("page_size", str(size)), *self.issuer_params()]
        request = Request(method="GET", path=self.path("{id}/transactions/", id), query=query, returns_page=True)
        return self.send_read(operation, request, wire.read_transactions)
