"""A token server for vendors whose clients log in with OAuth 2 client credentials (RFC 6749, section 4.4)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from attrs import field, frozen

from voucher_gateway.simulator.http.messages import Refused, Reply, Request

FormRule = Callable[[Mapping[str, str]], bool]
"""Whether a vendor accepts the form of a token request, beyond the rules of the standard."""


def _draw_token() -> str:
    return secrets.token_hex(20)


def _accept_every_form(_: Mapping[str, str]) -> bool:
    return True


@frozen
class Login:
    """The secret with which a client gets a token, and the largest scope of that token."""

    secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()


@frozen
class Token:
    """The client and the scopes of an access token, and its end; None for the whole run."""

    client_id: str
    scopes: frozenset[str]
    until: datetime | None = None


class TokenServer:
    """Issues access tokens and checks them. Use it under the simulator's lock, as in handlers.

    Args:
        now: the simulator's clock.
        login: finds a client's login by its id; None if it has none.
        lifetime_s: how many virtual seconds a token is good for.
        draw: makes the texts of tokens, which must differ.
        form_rule: what the vendor asks of a token request's form beyond the standard.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        login: Callable[[str], Login | None],
        *,
        lifetime_s: int = 3600,
        draw: Callable[[], str] = _draw_token,
        form_rule: FormRule = _accept_every_form,
    ) -> None:
        self._now = now
        self._login = login
        self._lifetime_s = lifetime_s
        self._draw = draw
        self._form_rule = form_rule
        self._tokens: dict[str, Token] = {}

    def grant(self, request: Request) -> Reply:
        """Answer a token request: the handler of the vendor's token route.

        Raises:
            Refused: as the standard says, with ``error`` in a JSON object.
        """
        form = self._form(request)
        login = self._login(form["client_id"])
        if login is None or not hmac.compare_digest(login.secret.encode(), form["client_secret"].encode()):
            raise _refusal(401, "invalid_client")
        scopes = form.get("scope", "").split()
        if not set(scopes) <= set(login.scopes):
            raise _refusal(400, "invalid_scope")
        until = self._now() + timedelta(seconds=self._lifetime_s)
        text = self._keep(Token(form["client_id"], frozenset(scopes or login.scopes), until))
        body: dict[str, object] = {"access_token": text, "token_type": "Bearer", "expires_in": self._lifetime_s}
        if scopes:
            body["scope"] = " ".join(scopes)
        return Reply(200, body, (("Cache-Control", "no-store"),))

    def long_lived_token(self, client_id: str, scopes: Iterable[str] = ()) -> str:
        """Return a token that time does not end, for the announcement: not every HTTP client can fetch one."""
        return self._keep(Token(client_id, frozenset(scopes)))

    def of(self, request: Request) -> Token | None:
        """Return the token that a request bears, if it is good now."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        token = self._tokens.get(text.strip()) if scheme.lower() == "bearer" else None
        return None if token is None or (token.until is not None and self._now() >= token.until) else token

    def expire(self) -> None:
        """Make every token invalid: what `Simulator.expire_tokens` is for."""
        self._tokens.clear()

    def revoke(self, client_id: str) -> None:
        """Make the tokens of one client invalid."""
        self._tokens = {text: token for text, token in self._tokens.items() if token.client_id != client_id}

    def _keep(self, token: Token) -> str:
        text = self._draw()
        self._tokens[text] = token
        return text

    def _form(self, request: Request) -> dict[str, str]:
        if request.content_type != "application/x-www-form-urlencoded":
            raise _refusal(400, "invalid_request")
        try:
            fields = request.form()
        except ValueError:
            raise _refusal(400, "invalid_request") from None
        form = fields.to_dict()
        repeated = len(form) != sum(1 for _ in fields.items(multi=True))
        if repeated or not {"grant_type", "client_id", "client_secret"} <= form.keys() or not self._form_rule(form):
            raise _refusal(400, "invalid_request")
        if form["grant_type"] != "client_credentials":
            raise _refusal(400, "unsupported_grant_type")
        return form


def _refusal(status: int, error: str) -> Refused:
    return Refused(Reply(status, {"error": error}, (("Cache-Control", "no-store"),)))
