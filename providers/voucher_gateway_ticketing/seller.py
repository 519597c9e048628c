"""The seller whose key it is: vouchers have no currency of their own, their seller has one for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from voucher_gateway.provider_api import ConfigurationError, HttpClient, Path, ProviderUnavailable, Request, fork_safety
from voucher_gateway_ticketing import wire


class Seller:
    """The seller whose key an account has. The vendor is asked once for all threads, and not before it is needed."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._answers: dict[str, str] = {}
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make a new lock: one that another thread of the parent held would stay locked for ever."""
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
