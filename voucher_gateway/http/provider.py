"""What every provider that speaks HTTP has in common."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from voucher_gateway.http.api_calls import ApiCalls
from voucher_gateway.http.client import HttpClient
from voucher_gateway.http.settings import HttpSettings
from voucher_gateway.instants import now
from voucher_gateway.provider import VoucherProvider


class HttpProvider(VoucherProvider):
    """A provider whose vendor is asked over HTTP, with everything that follows from its client.

    Attributes:
        http: the account's client.
        calls: reading calls through it, whose errors name the account and the operation.
    """

    settings: HttpSettings

    def __init__(self, account: str, settings: HttpSettings, http: HttpClient) -> None:
        """Make the provider; nothing is sent yet.

        Args:
            account: the account's name in the config.
            settings: an instance of `settings_type`.
            http: the client, credentials included.
        """
        super().__init__(account, settings)
        self.http = http
        self.calls = ApiCalls(account, http)

    @property
    def host(self) -> str:
        """The host of the base URL."""
        return urlsplit(self.settings.base_url).netloc

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def vendor_now(self) -> datetime:
        """Return the time by the vendor's clock, as its last answer told it; ours before the first one."""
        return now() + (self.http.clock_skew or timedelta())
