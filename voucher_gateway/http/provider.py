"""The base of every provider that uses HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

from voucher_gateway.errors import Rejected, VoucherGatewayError, VoucherNotFound
from voucher_gateway.http.client import HttpClient
from voucher_gateway.http.messages import Request, Response
from voucher_gateway.http.settings import HttpSettings
from voucher_gateway.instants import now
from voucher_gateway.limits.shared_limits import SharedLimits
from voucher_gateway.masking import ErrorContext, drop_frames
from voucher_gateway.provider.provider import VoucherProvider

T = TypeVar("T")


class VoucherNotFoundOn404:
    """A `with` block around calls whose path names a voucher; see `ApiCalls.voucher_not_found_on_404`."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Rejected) and error.http_status == 404:
            raise self.replace_error(drop_frames(error)) from None

    def replace_error(self, error: Rejected) -> VoucherGatewayError:
        """Return the error for a 404 in the vendor's shape."""
        return VoucherNotFound(
            "the vendor knows no such voucher",
            account=error.account,
            operation=error.operation,
            http_status=404,
            vendor_code=error.vendor_code,
            request_id=error.request_id,
        )


class ApiCalls:
    """One account's calls to its vendor; adapters derive their own from it.

    Attributes:
        http: the client that sends them.
    """

    def __init__(self, account: str, http: HttpClient) -> None:
        self.http = http
        self._account = account

    def send_read(self, operation: str, request: Request, read: Callable[[Response], T]) -> T:
        """Send a reading request that belongs to an operation, and return the result of `read`."""
        with self.error_context(operation):
            return self.http.read(request, read)

    def error_context(self, operation: str) -> ErrorContext:
        """Return a context manager whose errors name the account and the operation.

        They come without the frames of the block, which may hold a code in plain text.
        """
        return ErrorContext(account=self._account, operation=str(operation))

    def voucher_not_found_on_404(self) -> VoucherNotFoundOn404:
        """Return a context manager for calls whose path names a voucher.

        Inside of it, a 404 in the vendor's shape raises `VoucherNotFound`.
        """
        return VoucherNotFoundOn404()


class HttpProvider(VoucherProvider):
    """A provider whose vendor has an HTTP API.

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
        self._host = urlsplit(settings.base_url).netloc
        self.http = http
        self.calls = ApiCalls(account, http)

    @property
    def host(self) -> str:
        """The host of the base URL."""
        return self._host

    def use_shared_limits(self, limits: SharedLimits) -> None:
        """Obey the limits that hold in all processes with one journal."""
        self.http.use_shared_limits(limits)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def vendor_now(self) -> datetime:
        """Return the time by the vendor's clock, from its last reply; by ours before the first reply."""
        return now() + (self.http.clock_skew or timedelta())
