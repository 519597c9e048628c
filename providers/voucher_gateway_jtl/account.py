"""Whether JTL's answer is about the voucher that was asked for, as far as it can be told: lists show no codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from voucher_gateway.provider_api import (
    AccountCheck,
    ClientCredentials,
    Code,
    HttpClient,
    HttpSettings,
    IntegrityMismatch,
    Intent,
    Path,
    Pin,
    Request,
    Secret,
    Voucher,
)
from voucher_gateway_jtl import wire
from voucher_gateway_jtl.errors import parse_refusal
from voucher_gateway_jtl.mapping import validate_pin
from voucher_gateway_jtl.settings import SCOPES
from voucher_gateway_jtl.wire import JtlVoucher

V = TypeVar("V", Voucher, JtlVoucher)


def require_id(id: str, answer: V) -> V:
    """Return the voucher of an answer, if it has the id that was asked for.

    Raises:
        IntegrityMismatch: if it has another one.
    """
    if answer.id != id:
        raise IntegrityMismatch("the answer tells of another voucher")
    return answer


def require_code(code: Code, answer: JtlVoucher) -> JtlVoucher:
    """Return the voucher that the code filter gave, unless the vendor shows another code.

    Raises:
        IntegrityMismatch: if it does.
    """
    if answer.code not in (None, code):
        raise IntegrityMismatch("the answer tells of another code than the one asked for")
    return answer


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


def connect(base_url: str, pin: Pin) -> dict[str, str | Secret]:
    """Return ``client_id`` and ``client_secret`` for a PIN, which lasts 30 minutes and, as far as is known, works once.

    If the answer is lost, so is the login: get another PIN.

    Raises:
        OutcomeUnknown: if the PIN may be used up.
        Declined: if the vendor does not take it.
        InvalidRequest: if it can be no PIN.
    """
    request = Request(method="POST", path=Path.of("/clients/connect"), json={"pin": validate_pin(pin)}, anonymous=True)
    settings = HttpSettings(base_url=base_url)
    http = HttpClient("connect", settings, explain=parse_refusal)
    intent = Intent(account="connect", provider="jtl", host=urlsplit(settings.base_url).netloc, verb="connect")
    try:
        client = http.change(request, intent, wire.read_client)
    finally:
        http.close()
    # The vendor's page calls the pair id and secret, its quickstart client_id and client_secret.
    return {"client_id": client.id, "client_secret": client.secret}
