"""What a look at an account tells of its login: the granted scopes, and the vendor's clock."""

from __future__ import annotations

from collections.abc import Callable

from voucher_gateway.provider_api import AccountCheck, ClientCredentials, HttpClient
from voucher_gateway_jtl.settings import SCOPES


def checkup(look: Callable[[], AccountCheck], http: HttpClient, credentials: ClientCredentials) -> AccountCheck:
    """Log in, make a look if the scopes allow it, and return what is known then.

    Args:
        look: makes a read that needs the scope read-lists.
        http: the client that `look` goes through.
        credentials: those of `http`.

    Raises:
        AuthenticationFailed: if the vendor does not accept them.
        VoucherGatewayError: what `look` raised.
    """
    http.log_in()
    granted = credentials.granted
    if granted is None or "read-lists" in granted:
        look()
    return AccountCheck(
        scopes=granted,
        missing=frozenset() if granted is None else frozenset(SCOPES) - granted,
        clock_skew=http.clock_skew,
    )
