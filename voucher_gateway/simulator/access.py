"""The check of the token that a request bears, for vendors whose tokens are not fetched but handed out."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from voucher_gateway.simulator.http.messages import Refused, Reply, Request
from voucher_gateway.simulator.oauth import Token
from voucher_gateway.simulator.state_file import from_records, to_records

Handler = Callable[[Request], Reply]


class AccessTokens:
    """The tokens that a vendor has handed out, such as those of its console. Use it under the simulator's lock.

    Args:
        now: the simulator's clock, for tokens that end.
        scheme: the word before the token, in any case; empty for a header that holds nothing but the token.
        header: the header that bears the token.
    """

    def __init__(self, now: Callable[[], datetime], *, scheme: str = "Bearer", header: str = "Authorization") -> None:
        self._now = now
        self._scheme = scheme
        self._header = header
        self._tokens: dict[str, Token] = {}

    def add(self, text: str, client_id: str = "", scopes: Iterable[str] = (), until: datetime | None = None) -> str:
        """Let a token be good, and return its text.

        Args:
            text: the token.
            client_id: whose it is.
            scopes: what it allows.
            until: its end; None for a token that time does not end.
        """
        self._tokens[text] = Token(client_id, frozenset(scopes), until)
        return text

    def of(self, request: Request) -> Token | None:
        """Return the token that a request bears, if it is good now."""
        value = request.headers.get(self._header, "")
        scheme, _, text = value.partition(" ") if self._scheme else ("", "", value)
        if scheme.lower() != self._scheme.lower():
            return None
        sent = text.strip().encode()
        for known, token in self._tokens.items():
            if hmac.compare_digest(known.encode(), sent):
                return token if token.until is None or self._now() < token.until else None
        return None

    def expire(self) -> None:
        """Make every token invalid: what `Simulator.expire_tokens` is for."""
        self._tokens.clear()

    def revoke(self, text: str) -> None:
        """Make one token invalid, if it is good."""
        self._tokens.pop(text, None)

    def dump(self) -> dict[str, Any]:
        """Return every token as fresh JSON values, so that a client's configuration is still valid after a restart."""
        records: dict[str, Any] = to_records(self._tokens)
        return records

    def load(self, state: Any) -> None:
        """Replace all tokens by those that `dump` returned."""
        self._tokens = from_records(dict[str, Token], state)


class AccessGuard:
    """Lets only requests with a good token reach the handlers, and answers the others in the vendor's words.

    Args:
        find: returns the token of a request, such as `AccessTokens.of` or `TokenServer.of`; None if it has none.
        unauthorized: makes the reply to a request without a good token.
        forbidden: makes the reply to a request whose token lacks the scope of that name; by default the one of
            `unauthorized`.
    """

    def __init__(
        self,
        find: Callable[[Request], Token | None],
        unauthorized: Callable[[], Reply],
        forbidden: Callable[[str], Reply] | None = None,
    ) -> None:
        self._find = find
        self._unauthorized = unauthorized
        self._forbidden = forbidden

    def token(self, request: Request, scope: str | None = None) -> Token:
        """Return the token of a request, which allows this scope.

        Raises:
            Refused: without a good token, and without the scope.
        """
        token = self._find(request)
        if token is None:
            raise Refused(self._unauthorized())
        if scope is not None and scope not in token.scopes:
            raise Refused(self._unauthorized() if self._forbidden is None else self._forbidden(scope))
        return token

    def wrap(self, handler: Handler, scope: str | None = None) -> Handler:
        """Return the handler behind the check, for a route."""

        def check(request: Request) -> Reply:
            self.token(request, scope)
            return handler(request)

        return check
