"""What the provider reads, in the ways that all its calls share."""

from __future__ import annotations

from typing import TypeVar

from voucher_gateway.provider_api import (
    ApiCalls,
    Code,
    HttpClient,
    Listing,
    MalformedResponse,
    Page,
    Path,
    Rejected,
    Request,
    VoucherNotFound,
)
from voucher_gateway_ticketing import mapping, wire
from voucher_gateway_ticketing.filters import Param
from voucher_gateway_ticketing.seller import Seller
from voucher_gateway_ticketing.settings import TicketingSettings

T = TypeVar("T")


class Reads(ApiCalls):
    """The reading calls of one account. `operation` is what an error names."""

    def __init__(self, account: str, settings: TicketingSettings, http: HttpClient) -> None:
        super().__init__(account, http)
        self._settings = settings
        self._seller = Seller(http)

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
