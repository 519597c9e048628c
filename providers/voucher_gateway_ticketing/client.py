"""The reading calls of one account, and the look-up of the seller that its key belongs to.

Vouchers have no currency of their own: their seller has one for all of them.
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
    Rejected,
    Request,
    VoucherNotFound,
    fork_safety,
)
from voucher_gateway_ticketing import mapping, wire
from voucher_gateway_ticketing.filters import Param
from voucher_gateway_ticketing.settings import TicketingSettings

T = TypeVar("T")


class SellerLookup:
    """The seller whose key an account has. The vendor is asked once for all threads, and not before it is needed."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._answers: dict[str, str] = {}
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make a new lock: one that a thread of the parent held would stay locked."""
        self._lock = threading.RLock()

    def id(self) -> str:
        """Return the seller's id.

        Raises:
            ConfigurationError: if the key belongs to no seller.
        """
        return self._once("id", self._ask_id)

    def currency(self) -> str:
        """Return the ISO 4217 code of the seller's currency."""
        return self._once("currency", self._ask_currency)

    def _once(self, what: str, ask: Callable[[], str]) -> str:
        if what not in self._answers:
            fork_safety.renew_if_forked()
            lock = self._lock
            if not lock.acquire(timeout=self._http.settings.total_timeout_s):
                raise ProviderUnavailable("the vendor did not say within the time allowed whose key this is")
            try:
                if what not in self._answers:
                    self._answers[what] = ask()
            finally:
                lock.release()
        return self._answers[what]

    def _ask_id(self) -> str:
        key = self._http.read(Request(method="GET", path=Path.of("/api/keys/info")), wire.read_key)
        if not key.seller_id:
            raise ConfigurationError(
                "the vendor names no seller for this key: vouchers need the key of a seller, not of an organisation"
            )
        return key.seller_id

    def _ask_currency(self) -> str:
        # A public call, so the key is not sent.
        request = Request(method="GET", path=Path.of("/api/sellers/info/{id}", id=self.id()), anonymous=True)
        return self._http.read(request, wire.read_seller).currency


class Reads(ApiCalls):
    """The reading calls of one account. `operation` is what an error names."""

    def __init__(self, account: str, settings: TicketingSettings, http: HttpClient) -> None:
        super().__init__(account, http)
        self._settings = settings
        self._seller = SellerLookup(http)

    def currency(self, operation: str) -> str:
        """Return the currency of all vouchers: the config's, or else the seller's."""
        if self._settings.currency:
            return self._settings.currency
        with self.error_context(operation):
            return self._seller.currency()

    def seller_currency(self) -> str:
        """Return the seller's currency, whatever the config says."""
        with self.error_context("seller_currency"):
            return self._seller.currency()

    def get(self, operation: str, id: str) -> wire.Shown:
        """Return the voucher with this id."""
        request = Request(method="GET", path=Path.of("/api/vouchers/{id}", id=id))
        with self.voucher_not_found_on_404():
            voucher, raw = self.send_read(operation, request, wire.read_voucher)
        return mapping.with_id(voucher, id), raw

    def list_slice(self, operation: str, first: int, size: int, params: list[Param]) -> wire.TicketingPage:
        """Return so many vouchers of the list.

        It takes several requests if the vendor gives fewer at a time than were asked for: its pages name 1000 and 100
        as the most, and an answer does not say how many it allows.
        """
        whole = wire.TicketingPage(docs=[], raw=[], total=0)
        while True:
            had = len(whole.docs)
            query = [("top", str(size - had)), ("skip", str(first + had)), *params]
            request = Request(method="GET", path=Path.of("/api/vouchers"), query=query, returns_page=True)
            page = self.send_read(operation, request, wire.read_vouchers)
            whole.docs += page.docs
            whole.raw += page.raw
            whole.total = page.total
            due = min(size, page.total - first)
            if not page.docs or len(whole.docs) >= due:
                return whole

    def with_code(self, operation: str, code: Code) -> list[wire.Shown]:
        """Return all vouchers with exactly this code. How the vendor's filter compares is not documented."""
        size = self._settings.page_size

        def fetch(index: int) -> Page[wire.Shown]:
            page = self.list_slice(operation, index * size, size, [("code", code)])
            return Page(items=page.shown, total=page.total, size=size)

        with Listing(fetch, key=lambda shown: shown[0].identity, workers=1) as listed:
            return [(entry, raw) for entry, raw in listed if entry.code == code]

    def require_one(self, operation: str, vouchers: list[wire.Shown]) -> wire.Shown:
        """Return the one voucher that was found.

        Raises:
            VoucherNotFound: if there is none.
            MalformedResponse: if there are several.
        """
        if not vouchers:
            raise VoucherNotFound("the vendor knows no such voucher", account=self._account, operation=operation)
        if len(vouchers) > 1:
            raise MalformedResponse("several vouchers have this code", account=self._account, operation=operation)
        return vouchers[0]

    def with_id(self, operation: str, voucher: wire.TicketingVoucher) -> wire.TicketingVoucher:
        """Return the voucher with its id, looked up by its code if the vendor did not send it along.

        Raises:
            MalformedResponse: if the look-up does not show it, either.
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
                "the vendor shows the voucher without an id, and its look-up of codes shows none, either",
                problems=("_id: is missing",),
                account=self._account,
                operation=operation,
            )
        return mapping.with_id(voucher, code.voucher.id)
