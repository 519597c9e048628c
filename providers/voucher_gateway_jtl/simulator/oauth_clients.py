"""The OAuth clients of the voucher cloud, their scopes and their access tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from attrs import define

from voucher_gateway.simulator import AccessGuard, Login, Reply, Request, TokenServer, from_records, to_records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from voucher_gateway_jtl.simulator.errors import Errors

SCOPES: Final = ("read", "read-lists", "read-secrets", "use", "manage", "update", "recharge")
"""Seed: the seven scopes of the security scheme."""
CONNECT_PIN_LIFETIME: Final = timedelta(minutes=30)
"""Vendor page: how long a PIN of the Admin UI can be exchanged for credentials."""


@define(kw_only=True)
class Client:
    """The login of a shop or till. A client without a secret is not connected."""

    id: str
    client_group_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    secret: str | None = None
    connected_at: datetime | None = None
    pin: str | None = None
    pin_until: datetime | None = None


class Clients:
    """All clients, and the server that issues their tokens.

    Args:
        errors: makes the refusals.
        now: returns the virtual time.
        new_secret: makes secrets and tokens.
        token_lifetime_s: how long a token is valid; the vendor does not document it.
    """

    def __init__(
        self, errors: Errors, now: Callable[[], datetime], new_secret: Callable[[], str], token_lifetime_s: int
    ) -> None:
        self._errors = errors
        self._now = now
        self._new_secret = new_secret
        self.by_id: dict[str, Client] = {}
        self.tokens = TokenServer(
            now, self._login, lifetime_s=token_lifetime_s, draw=new_secret, form_rule=_has_valid_client_type
        )
        self.guard = AccessGuard(self.tokens.of, errors.unauthorized, errors.forbidden)

    def dump(self) -> list[dict[str, Any]]:
        """Return every client with its secret as new JSON values."""
        records: list[dict[str, Any]] = to_records(list(self.by_id.values()))
        return records

    def load(self, state: list[dict[str, Any]]) -> None:
        """Replace every client by what `dump` returned."""
        self.by_id = {client.id: client for client in from_records(list[Client], state)}

    def add(self, client: Client) -> Client:
        """Add a client, as the Admin UI does."""
        self.by_id[client.id] = client
        return client

    def group_of(self, client_id: str) -> str | None:
        """Return the group of a client; None if the client does not exist."""
        client = self.by_id.get(client_id)
        return None if client is None else client.client_group_id

    def permanent_token(self, client: Client) -> str:
        """Return a token with every scope of the client, for programs that cannot fetch one. Time does not end it."""
        return self.tokens.long_lived_token(client.id, client.scopes)

    def issue_token(self, request: Request) -> Reply:
        """`POST /oauth/token`: client credentials in a form; replies and errors are those of RFC 6749."""
        return self.tokens.grant(request)

    def connect(self, pin: str) -> Client:
        """Exchange a PIN for credentials. A PIN works once.

        Raises:
            Refused: 422 if the PIN is unknown, used or older than 30 minutes.
        """
        now = self._now()
        for client in self.by_id.values():
            if client.pin == pin and client.pin_until is not None and now < client.pin_until:
                client.pin = client.pin_until = None
                client.secret = self._new_secret()
                client.connected_at = client.updated_at = now.replace(microsecond=0)
                return client
        raise self._errors.against_rules("bad-connect-pin")

    def disconnect(self, client_id: str) -> None:
        """Delete the credentials and tokens of a client.

        Raises:
            Refused: 404 if the client does not exist or is not connected.
        """
        client = self.by_id.get(client_id)
        if client is None or client.secret is None:
            raise self._errors.absent("no-client")
        client.secret = client.connected_at = None
        client.updated_at = self._now().replace(microsecond=0)
        self.tokens.revoke(client_id)

    def _login(self, client_id: str) -> Login | None:
        client = self.by_id.get(client_id)
        return None if client is None or client.secret is None else Login(client.secret, client.scopes)


def _has_valid_client_type(form: Mapping[str, str]) -> bool:
    return len(form.get("client_type", "")) <= 32  # seed: 32 characters at most
