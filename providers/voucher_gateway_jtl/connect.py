"""Swapping a PIN of the Admin UI for the login of a client."""

from __future__ import annotations

from urllib.parse import urlsplit

from voucher_gateway.provider_api import HttpClient, HttpSettings, Intent, Path, Pin, Request, Secret
from voucher_gateway_jtl import wire
from voucher_gateway_jtl.errors import parse_refusal
from voucher_gateway_jtl.mapping import validate_pin


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
