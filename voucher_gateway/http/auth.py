"""How an account proves who it is: a static bearer key, or OAuth2 client credentials (RFC 6749, 4.4).

The OAuth2 part was weighed against oauthlib, requests-oauthlib and Authlib. What they would take over of this grant is
four form fields and the reading of a flat JSON object. What makes it hard stays ours in any case: one refresh at a
time for all threads within the caller's deadline, renewal before expiry, the total deadline, size limit and strict JSON
of our own transport (they bring a session of their own), secrets that are read again when they rotate, error texts
without the vendor's words, and a clean start after a fork. Authlib also pulls in cryptography.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlencode

import attrs

from voucher_gateway import fork_safety
from voucher_gateway.errors import AuthenticationFailed, ConfigurationError, MalformedResponse, ProviderUnavailable
from voucher_gateway.http.messages import Response
from voucher_gateway.masking import Masked, Secret
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.tracebacks import hide_frames

# RFC 6750 calls it b64token; keys of other makers have other visible characters. A line break would forge a header.
_TOKEN: Final = re.compile(r"[!-~]+")

LONGEST_MARGIN_S: Final = 60.0
"""A token is renewed that long before it expires, or a tenth of its life before, if that is shorter."""

_LONGEST_LIFE_S: Final = 10**9
"""Some vendors mean "for ever" by a number that no clock can count to."""

Form = Mapping[str, str | Masked]
"""Fields of a form; values that are masked are revealed only when sent."""

PostForm = Callable[[Form, float], Response]
"""Posts a form to the token URL before a deadline; raises `NotExecuted` if there is no usable answer."""


def encode_form(form: Form) -> bytes:
    """Return the body of a form as it is sent."""
    fields = {name: value.reveal() if isinstance(value, Masked) else value for name, value in form.items()}
    return urlencode(fields).encode("ascii")


class Auth(Protocol):
    """Gives the Authorization header."""

    def header(self, deadline: float) -> Secret:
        """Return the header's value, getting a token first where one is needed."""
        ...

    def renew(self, refused: Secret, deadline: float) -> bool:
        """Take a 401 with this header into account; return whether another header is to be had now."""
        ...


class BearerKey:
    """A static key, read from its source again when the vendor refuses it."""

    def __init__(self, source: SecretSource) -> None:
        self._source = source
        self._header: Secret | None = None

    def header(self, deadline: float) -> Secret:  # noqa: ARG002 - reading a key takes no time
        """Return ``Bearer`` and the key."""
        if self._header is None:
            self._header = _bearer(self._source.get())
        return self._header

    def renew(self, refused: Secret, deadline: float) -> bool:  # noqa: ARG002 - see above
        """Read the key again; return whether it has changed."""
        self._header = _bearer(self._source.get())
        return self._header != refused


@attrs.frozen
class _Token:
    header: Secret
    renew_at: float


class ClientCredentials:
    """OAuth2 client credentials: a token for all threads, fetched by one of them while the others wait.

    Attributes:
        granted: the scopes that the vendor granted with the last token, where it said so.
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: SecretSource,
        post: PostForm,
        scopes: tuple[str, ...] = (),
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Make it; nothing is fetched before a header is needed.

        Args:
            client_id: the client's id.
            client_secret: read anew for every token.
            post: sends the form to the token URL.
            scopes: the scopes to ask for; none asks for all that the client has.
            extra: further form fields that a vendor wants.
        """
        self.granted: frozenset[str] | None = None
        self._client_id = client_id
        self._secret = client_secret
        self._post = post
        self._scopes = scopes
        self._extra = dict(extra or {})
        self._token: _Token | None = None
        self.renew_after_fork()
        fork_safety.register(self)

    def header(self, deadline: float) -> Secret:
        """Return a header whose token will not expire within the next moments."""
        token = self._token
        if token is None or time.monotonic() >= token.renew_at:
            token = self._renew_token(unlike=token, deadline=deadline)
        return token.header

    def renew(self, refused: Secret, deadline: float) -> bool:
        """Get another token, unless another thread has already done so."""
        token = self._token
        if token is None or token.header == refused:
            self._renew_token(unlike=token, deadline=deadline)
        return True

    def renew_after_fork(self) -> None:
        """Make a new lock: one that another thread of the parent held would stay locked for ever."""
        self._lock = threading.Lock()

    def _renew_token(self, *, unlike: _Token | None, deadline: float) -> _Token:
        fork_safety.renew_if_forked()
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise ProviderUnavailable("no access token within the time allowed")
        try:
            token = self._token
            if token is None or token is unlike:
                with hide_frames():
                    token = self._token = self._fetch(deadline)
            return token
        finally:
            self._lock.release()

    def _fetch(self, deadline: float) -> _Token:
        form: dict[str, str | Masked] = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            **self._extra,
        }
        if self._scopes:
            form["scope"] = " ".join(self._scopes)
        form["client_secret"] = self._secret.get()
        asked_at = time.monotonic()
        reply = self._post(form, deadline)
        if not reply.ok:
            raise _authentication_error(reply)
        return self._read(reply, asked_at)

    def _read(self, reply: Response, asked_at: float) -> _Token:
        answer = reply.json()
        fields = answer if isinstance(answer, dict) else {}
        token, lifetime, scope = fields.get("access_token"), fields.get("expires_in"), fields.get("scope")
        kind = fields.get("token_type", "bearer")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _malformed_token_reply("access_token", "visible ASCII text is due")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise _malformed_token_reply("token_type", "'bearer' is due")
        if lifetime is not None and (isinstance(lifetime, bool) or not isinstance(lifetime, int) or lifetime < 0):
            raise _malformed_token_reply("expires_in", "a whole number of seconds is due")
        if isinstance(scope, str):
            self.granted = frozenset(scope.split())
        elif self._scopes:
            # RFC 6749, 5.1: an answer without a scope grants what was asked for.
            self.granted = frozenset(self._scopes)
        renew_at = float("inf")
        if lifetime is not None:
            lifetime = min(lifetime, _LONGEST_LIFE_S)
            renew_at = asked_at + lifetime - min(LONGEST_MARGIN_S, lifetime / 10)
        return _Token(Secret(f"Bearer {token}"), renew_at)


def _bearer(key: Secret) -> Secret:
    if not _TOKEN.fullmatch(key.reveal()):
        raise ConfigurationError("the key must be visible ASCII text without spaces")
    return Secret(f"Bearer {key.reveal()}")


def _malformed_token_reply(field: str, rule: str) -> MalformedResponse:
    return MalformedResponse(f"the token endpoint's {field}: {rule}", problems=(f"{field}: {rule}",))


def _authentication_error(reply: Response) -> AuthenticationFailed:
    """Read RFC 6749, 5.2: the error's name is one of a few words, its description could say anything."""
    try:
        answer = reply.json()
    except MalformedResponse:
        answer = None
    name = answer.get("error") if isinstance(answer, dict) else None
    code = name if isinstance(name, str) and re.fullmatch(r"[a-z_]{1,40}", name) else None
    return AuthenticationFailed(
        f"the vendor gave no access token ({code or f'HTTP {reply.status}'}): check client id, secret and scopes",
        http_status=reply.status,
        vendor_code=code,
        request_id=reply.request_id,
    )
