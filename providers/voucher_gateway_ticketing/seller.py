"""The seller whose key it is: vouchers have no currency of their own, their seller has one for all of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from voucher_gateway.adapter import ConfigurationError, HttpClient, Path, ProviderUnavailable, Request
from voucher_gateway_ticketing import wire


class Seller:
    """The seller whose key an account has. The vendor is asked once for all threads, and not before it is needed."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._answers: dict[str, str] = {}
        # One for each process: in a child, a lock that a thread of the parent held while it forked would stay locked.
        self._locks: dict[int, threading.RLock] = {}

    def id(self) -> str:
        """Return the seller's id.

        Raises:
            ConfigurationError: if the key belongs to no seller.
        """
        return self._once("id", self._ask_id)

    def currency(self) -> str:
        """Return the ISO 4217 code of the seller's currency."""
        return self._once("currency", lambda: self._ask_currency(self.id()))

    def _once(self, what: str, ask: Callable[[], str]) -> str:
        if what not in self._answers:
            lock = self._locks.setdefault(os.getpid(), threading.RLock())
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

    def _ask_currency(self, id: str) -> str:
        # A public call, so the key stays here.
        request = Request(method="GET", path=Path.of("/api/sellers/info/{id}", id=id), anonymous=True)
        return self._http.read(request, wire.read_seller).currency
