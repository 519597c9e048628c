"""The credentials of an account: a static bearer key, or OAuth2 client credentials (RFC 6749, 4.4).

Why not oauthlib, requests-oauthlib or Authlib: of this grant, they would do four form fields and the reading of a flat
JSON object. The difficult parts would remain: one refresh at a time for all threads within the caller's deadline,
renewal before expiry, the total deadline, size limit and strict JSON of our transport (they bring their own session),
secrets that are read again when they rotate, error texts without the vendor's words, and safety after a fork. Authlib
also requires cryptography.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlencode

import attrs

from voucher_gateway.errors import AuthenticationFailed, ConfigurationError, MalformedResponse
from voucher_gateway.http.messages import Response
from voucher_gateway.masking import Masked, Secret, hide_frames
from voucher_gateway.process import fork_safety
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.setting_types import SecretSource

log: Final = get_logger("voucher_gateway.http")

# RFC 6750 calls it b64token; keys of other vendors have other visible characters. A line break would add a header.
_TOKEN: Final = re.compile(r"[!-~]+")

LONGEST_MARGIN_S: Final = 60.0
"""A token is renewed this long before it expires, or a tenth of its lifetime before, if that is shorter."""

_LONGEST_LIFE_S: Final = 10**9
"""Some vendors write "for ever" as a number that no clock can reach."""

Form = Mapping[str, str | Masked]
"""Fields of a form; masked values are revealed only when sent."""

PostForm = Callable[[Form, float], Response]
"""Posts a form to the token URL before a deadline; raises `NotExecuted` if no usable reply comes."""


def encode_form(form: Form) -> bytes:
    """Return the body of a form as it is sent."""
    fields = {name: value.reveal() if isinstance(value, Masked) else value for name, value in form.items()}
    return urlencode(fields).encode("ascii")


class Auth(Protocol):
    """The source of the Authorization header."""

    def header(self, deadline: float) -> Secret:
        """Return the header's value; get a token first where one is needed.

        Raises:
            TokenTimeout: if another thread gets the token, and does not in time.
        """
        ...

    def renew(self, refused: Secret, deadline: float) -> bool:
        """Handle a 401 with this header; return whether there is another header now; as `header`."""
        ...


class TokenTimeout(Exception):
    """The thread that gets an access token for all has not got it before the deadline of a call."""


class BearerKey:
    """A static key, read from its source again when the vendor refuses it.

    Where the source has several keys, during a rotation, the next one follows a key that is refused. So the new key can
    be configured before the vendor accepts it, and the old one stays until it does not.
    """

    def __init__(self, source: SecretSource, *, scheme: str = "Bearer") -> None:
        """Make it; nothing is read yet.

        Args:
            source: where the key comes from.
            scheme: the word before the key, where the vendor wants another one than ``Bearer``.
        """
        self._source = source
        self._scheme = scheme
        self._header: Secret | None = None

    def header(self, deadline: float) -> Secret:  # noqa: ARG002 - reading a key takes no time
        """Return the scheme and the key."""
        if self._header is None:
            self._header = _with_scheme(self._scheme, self._source.get())
        return self._header

    def renew(self, refused: Secret, deadline: float) -> bool:  # noqa: ARG002 - see above
        """Read the key again, and take the one after it if it is still the refused one; return whether it differs."""
        headers = [_with_scheme(self._scheme, key) for key in self._source.candidates()]
        place = headers.index(refused) + 1 if refused in headers else 0
        self._header = headers[place % len(headers)]
        has_changed = self._header != refused
        log.debug("read the refused key again: it has %s", "changed" if has_changed else "not changed")
        return has_changed


@attrs.frozen
class _Token:
    header: Secret
    renew_at: float


class ClientCredentials:
    """OAuth2 client credentials: a token for all threads, fetched by one of them while the others wait.

    Attributes:
        granted: the scopes that the vendor granted with the last token; None if it does not say them.
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
        """Make it; no token is requested before a header is needed.

        Args:
            client_id: the client's id.
            client_secret: read for every token.
            post: sends the form to the token URL.
            scopes: the scopes to request; none requests all scopes of the client.
            extra: further form fields that a vendor needs.
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
        """Return a header whose token does not expire soon."""
        token = self._token
        if token is None or time.monotonic() >= token.renew_at:
            token = self._renew_token(unlike=token, deadline=deadline)
        return token.header

    def renew(self, refused: Secret, deadline: float) -> bool:
        """Get another token, unless another thread has done so."""
        token = self._token
        if token is None or token.header == refused:
            self._renew_token(unlike=token, deadline=deadline)
        return True

    def renew_after_fork(self) -> None:
        """Make a new lock: one that a thread of the parent held would stay locked."""
        self._lock = threading.Lock()

    def _renew_token(self, *, unlike: _Token | None, deadline: float) -> _Token:
        fork_safety.renew_if_forked()
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TokenTimeout
        try:
            token = self._token
            if token is None or token is unlike:
                with hide_frames():
                    token = self._token = self._fetch(deadline)
                log.debug("got an access token, to be renewed in %.0f s", token.renew_at - time.monotonic())
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
        for secret in self._secret.candidates():  # the new one and the old one, during a rotation
            requested_at = time.monotonic()
            reply = self._post({**form, "client_secret": secret}, deadline)
            if reply.ok:
                return self._read(reply, requested_at)
        raise _authentication_error(reply)

    def _read(self, reply: Response, requested_at: float) -> _Token:
        body = reply.json()
        fields = body if isinstance(body, dict) else {}
        token, lifetime, scope = fields.get("access_token"), fields.get("expires_in"), fields.get("scope")
        kind = fields.get("token_type", "bearer")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _token_reply_error("access_token", "expected visible ASCII text")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise _token_reply_error("token_type", "expected 'bearer'")
        if lifetime is not None and (isinstance(lifetime, bool) or not isinstance(lifetime, int) or lifetime < 0):
            raise _token_reply_error("expires_in", "expected an integer of seconds")
        if isinstance(scope, str):
            self.granted = frozenset(scope.split())
        elif self._scopes:
            # RFC 6749, 5.1: a reply without a scope grants the requested scopes.
            self.granted = frozenset(self._scopes)
        renew_at = float("inf")
        if lifetime is not None:
            lifetime = min(lifetime, _LONGEST_LIFE_S)
            renew_at = requested_at + lifetime - min(LONGEST_MARGIN_S, lifetime / 10)
        return _Token(Secret(f"Bearer {token}"), renew_at)


def _with_scheme(scheme: str, key: Secret) -> Secret:
    if not _TOKEN.fullmatch(key.reveal()):
        raise ConfigurationError("the key must be visible ASCII text without spaces")
    return Secret(f"{scheme} {key.reveal()}")


def _token_reply_error(field: str, rule: str) -> MalformedResponse:
    return MalformedResponse(f"the token endpoint's {field}: {rule}", problems=(f"{field}: {rule}",))


def _authentication_error(reply: Response) -> AuthenticationFailed:
    """Return the error of a refused token request. Only its name is quoted (RFC 6749, 5.2), never its description."""
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
