"""The calls of one account to JTL. Each checks the scopes first, and its errors name the operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from voucher_gateway.provider_api import (
    ApiCalls,
    ClientCredentials,
    HttpClient,
    HttpSettings,
    Intent,
    MalformedResponse,
    MissingScope,
    Operation,
    Path,
    Pin,
    Rejected,
    Request,
    Response,
    Secret,
    VoucherGatewayError,
    VoucherNotFoundOn404,
)
from voucher_gateway_jtl import wire
from voucher_gateway_jtl.capabilities import SCOPES_OF
from voucher_gateway_jtl.errors import parse_refusal
from voucher_gateway_jtl.request_bodies import validate_pin
from voucher_gateway_jtl.settings import JtlSettings

T = TypeVar("T")


class _VoucherNotFoundByCode(VoucherNotFoundOn404):
    def replace_error(self, error: Rejected) -> VoucherGatewayError:
        if error.operation and Operation(error.operation).changes:
            return error
        return MalformedResponse(
            f"answered with HTTP 404 and a code that is not documented for a voucher ({error.vendor_code})",
            account=error.account,
            operation=error.operation,
            http_status=404,
            vendor_code=error.vendor_code,
            request_id=error.request_id,
        )


class JtlCalls(ApiCalls):
    """The calls of one account.

    Attributes:
        credentials: the login of the calls.
    """

    def __init__(self, account: str, settings: JtlSettings) -> None:
        super().__init__(account, HttpClient(account, settings, explain=parse_refusal))
        self.credentials = self.http.auth = ClientCredentials(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            post=self.http.post_form(settings.token_endpoint),
            scopes=settings.scopes,
            extra={} if settings.client_type is None else {"client_type": settings.client_type},
        )
        self._requested_scopes = frozenset(settings.scopes) or None

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that the vendor granted, or else those that the settings request; None if neither is known yet."""
        return self.credentials.granted or self._requested_scopes

    def read(self, operation: Operation, request: Request, read: Callable[[Response], T]) -> T:
        """Make a reading call. The scopes must allow the operation."""
        self.require(operation)
        return self.send_read(operation, request, read)

    def voucher_not_found_on_404(self) -> VoucherNotFoundOn404:
        """Return a context manager for calls whose path names a voucher.

        Only a 404 with the documented code means that the voucher does not exist, and `parse_refusal` knows it. A read
        that is answered 404 with another code raises `MalformedResponse`.
        """
        return _VoucherNotFoundByCode()

    def change(self, request: Request, intent: Intent, read: Callable[[Response], T]) -> T:
        """Make a changing call. The scopes must allow the operation."""
        self.require(Operation(intent.verb))
        return self.http.change(request, intent, read)

    def require(self, operation: Operation) -> None:
        """Check, before anything is sent, that the scopes allow an operation. Unknown scopes pass.

        Raises:
            MissingScope: if they do not.
        """
        scopes = self.scopes
        if scopes is None or scopes.issuperset(SCOPES_OF[operation]):
            return
        for scope in SCOPES_OF[operation]:
            self.require_scope(operation, scope)

    def require_scope(self, operation: Operation, scope: str) -> None:
        """Check that the login has one scope, for an operation.

        Raises:
            MissingScope: if the login lacks it.
        """
        if self.scopes is not None and scope not in self.scopes:
            raise MissingScope(
                f"this login lacks the scope {scope}", scope=scope, account=self._account, operation=operation.value
            )


def connect(base_url: str, pin: Pin) -> dict[str, str | Secret]:
    """Return ``client_id`` and ``client_secret`` for a PIN. A PIN is valid for 30 minutes, and probably works once.

    If the reply is lost, the login is lost as well: get another PIN.

    Raises:
        OutcomeUnknown: if the PIN may be used.
        Declined: if the vendor refuses it.
        InvalidRequest: if it cannot be a PIN.
    """
    request = Request(method="POST", path=Path.of("/clients/connect"), json={"pin": validate_pin(pin)}, anonymous=True)
    settings = HttpSettings(base_url=base_url)
    http = HttpClient("connect", settings, explain=parse_refusal)
    intent = Intent(account="connect", provider="jtl", host=urlsplit(settings.base_url).netloc, verb="connect")
    try:
        client = http.change(request, intent, wire.read_client)
    finally:
        http.close()
    # The vendor's page names the two id and secret, its quickstart client_id and client_secret.
    return {"client_id": client.id, "client_secret": client.secret}


def whole_reply(reply: Response) -> Response:
    """Return a reply as it is, for a caller that reads it later."""
    return reply
