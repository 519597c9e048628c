"""The reading calls of one account, and the look-up of the seller that its key belongs to.

A voucher has no currency: its seller has one for all vouchers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from voucher_gateway.provider_api import (
    ApiCalls,
    Code,
    ConfigurationError,
    HttpClient,
    Listing,
    MalformedResponse,
    Page,
    Path,
    ProviderUnavailable,
    RawObject,
    Rejected,
    Request,
    Response,
    UnreadableEntry,
    VoucherNotFound,
    fork_safety,
)
from voucher_gateway_ticketing import mapping, wire
from voucher_gateway_ticketing.filters import Param
from voucher_gateway_ticketing.settings import TicketingSettings

T = TypeVar("T")


class SellerLookup:
    """The seller that the key of an account belongs to. The vendor is asked once for all threads, when it is needed."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._answers: dict[str, str] = {}
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make a new lock: a thread of the parent may have held the old one."""
        self._lock = threading.RLock()

    def id(self) -> str:
        """Return the seller's id.

        Raises:
            ConfigurationError: if the key does not belong to a seller.
        """
        return self._once("id", self._ask_id)

    def currency(self) -> str:
        """Return the ISO 4217 code of the seller's currency."""
        return self._once("currency", self._ask_currency)

    def _once(self, name: str, ask: Callable[[], str]) -> str:
        if name not in self._answers:
            fork_safety.renew_if_forked()
            lock = self._lock
            if not lock.acquire(timeout=self._http.settings.total_timeout_s):
                raise ProviderUnavailable("the vendor did not tell in time which seller the key belongs to")
            try:
                if name not in self._answers:
                    self._answers[name] = ask()
            finally:
                lock.release()
        return self._answers[name]

    def _ask_id(self) -> str:
        key = self._http.read(Request(method="GET", path=Path.of("/api/keys/info")), wire.read_key)
        if not key.seller_id:
            raise ConfigurationError(
                "the vendor names no seller for this key: use the key of a seller, not of an organisation"
            )
        return key.seller_id

    def _ask_currency(self) -> str:
        # The call is public, so the key is not sent.
        request = Request(method="GET", path=Path.of("/api/sellers/info/{id}", id=self.id()), anonymous=True)
        return self._http.read(request, wire.read_seller).currency


class TicketingReads(ApiCalls):
    """The reading calls of one account. Errors name `operation`."""

    def __init__(self, account: str, settings: TicketingSettings, http: HttpClient) -> None:
        super().__init__(account, http)
        self._settings = settings
        self._seller = SellerLookup(http)

    def currency(self, operation: str) -> str:
        """Return the currency of all vouchers: that of the settings, or else the seller's."""
        if self._settings.currency:
            return self._settings.currency
        with self.error_context(operation):
            return self._seller.currency()

    def seller_currency(self) -> str:
        """Return the seller's currency, whatever the settings say."""
        with self.error_context("seller_currency"):
            return self._seller.currency()

    def get(self, operation: str, id: str) -> wire.VoucherEntry:
        """Return the voucher with this id."""
        request = Request(method="GET", path=Path.of("/api/vouchers/{id}", id=id))
        with self.voucher_not_found_on_404():
            voucher, raw = self.send_read(operation, request, wire.read_voucher)
        return mapping.with_id(voucher, id), raw

    def list_slice(
        self,
        operation: str,
        first: int,
        size: int,
        params: list[Param],
        read: Callable[[Response], wire.TicketingPage] = wire.read_vouchers,
    ) -> wire.TicketingPage:
        """Return a slice of the list.

        It takes several requests if the vendor returns fewer vouchers than requested: its pages name 1000 and 100 as
        the maximum, and a reply does not tell the limit.

        Args:
            operation: for errors.
            first: the number of the first voucher, from 0.
            size: the number of vouchers.
            params: the filters.
            read: reads a reply; by default all of its vouchers must be readable.
        """
        slice_ = wire.TicketingPage(docs=[], raw=[], total=0)
        while True:
            count = len(slice_.docs)
            query = [("top", str(size - count)), ("skip", str(first + count)), *params]
            request = Request(method="GET", path=Path.of("/api/vouchers"), query=query, returns_page=True)
            page = self.send_read(operation, request, read)
            slice_.docs += page.docs
            slice_.raw += page.raw
            slice_.total = page.total
            if not page.docs or len(slice_.docs) >= min(size, page.total - first):
                return slice_

    def with_code(self, operation: str, code: Code) -> list[wire.VoucherEntry]:
        """Return all vouchers with exactly this code. It is not documented how the vendor's filter compares codes."""
        size = self._settings.page_size

        def fetch(index: int) -> Page[wire.VoucherEntry]:
            page = self.list_slice(operation, index * size, size, [("code", code)])
            return Page(items=page.entries, total=page.total, size=size)

        with Listing(fetch, key=_identity, workers=1) as listing:
            return [(voucher, raw) for voucher, raw in listing if voucher.code == code]

    def require_one(self, operation: str, vouchers: list[wire.VoucherEntry]) -> wire.VoucherEntry:
        """Return the only voucher of a result.

        Raises:
            VoucherNotFound: if no voucher has it.
            MalformedResponse: if there are several.
        """
        if not vouchers:
            raise VoucherNotFound("the vendor knows no such voucher", account=self._account, operation=operation)
        if len(vouchers) > 1:
            raise MalformedResponse("several vouchers have this code", account=self._account, operation=operation)
        return vouchers[0]

    def entry_with_id(
        self, operation: str, entry: wire.TicketingVoucher | UnreadableEntry, raw: RawObject
    ) -> wire.TicketingVoucher | UnreadableEntry:
        """Return an entry of a list with its id. If the vendor does not show the id, the entry is unreadable."""
        if isinstance(entry, UnreadableEntry):
            return entry
        try:
            return self.with_id(operation, entry)
        except MalformedResponse as error:
            return UnreadableEntry.of(raw, error.problems or (error.message,))

    def with_id(self, operation: str, voucher: wire.TicketingVoucher) -> wire.TicketingVoucher:
        """Return the voucher with its id. If the vendor did not send it, it is looked up by the code.

        Raises:
            MalformedResponse: if the look-up does not show it.
        """
        if voucher.own_id:
            return voucher
        with self.error_context(operation):
            query = [("sellerId", voucher.seller_id or self._seller.id())]
        path = Path.of("/api/coupon/{code}/info", code=voucher.code)
        request = Request(method="GET", path=path, query=query, anonymous=True)
        try:
            code = self.send_read(operation, request, wire.read_code)
        except Rejected:
            code = wire.TicketingCode()
        if code.type == "coupon" or code.voucher is None or code.voucher.code != voucher.code:
            raise MalformedResponse(
                "the vendor shows the voucher without an id, and its look-up by code shows none",
                problems=("_id: is missing",),
                account=self._account,
                operation=operation,
            )
        return mapping.with_id(voucher, code.voucher.id)


def _identity(entry: wire.VoucherEntry) -> str:
    voucher, _ = entry
    return voucher.identity
