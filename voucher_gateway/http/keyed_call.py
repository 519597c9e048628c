"""A changing call under the vendor's idempotency key: which answers end it, and which leave it in doubt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from voucher_gateway.capabilities import MIN_KEY_LENGTH, KeyRules, KeyScope
from voucher_gateway.errors import (
    AccessDenied,
    AuthenticationFailed,
    Declined,
    OutcomePending,
    OutcomeUnknown,
    VoucherGatewayError,
)
from voucher_gateway.http.ambiguous_reply import AmbiguousReply
from voucher_gateway.http.messages import Request
from voucher_gateway.http.retry import retry_after_seconds, was_not_executed
from voucher_gateway.masking import Secret
from voucher_gateway.outcome import Intent


class KeyedCall:
    """One call of `HttpClient.change` under a key, over all of its attempts.

    Attributes:
        is_forgotten: whether the vendor has forgotten the key with its last answer.
    """

    def __init__(self, rules: KeyRules) -> None:
        self.is_forgotten = False
        self._rules = rules
        self._doubt: OutcomeUnknown | None = None
        self._repeatable: OutcomeUnknown | None = None
        self._wait_s: float | None = None
        self._credentials: str | None = None

    def note_doubt(self, reason: AmbiguousReply, error: OutcomeUnknown) -> None:
        """Note that an attempt may have been executed.

        It is not asked for again after a reply that contradicts the call, or that lets the vendor forget the key.
        """
        if self._doubt is None:
            self._doubt = error
        self.is_forgotten = reason.status in self._rules.forgotten_after
        self._repeatable = None if reason.contradicts or self.is_forgotten else error
        self._wait_s = reason.retry_after

    def may_repeat(self, error: object) -> bool:
        """Whether another attempt may follow an error: it was certainly not executed, or the key makes it safe."""
        return was_not_executed(error) or (error is not None and error is self._repeatable)

    def retry_after_seconds(self, error: object) -> float | None:
        """Return the seconds that the vendor asks us to wait after an error; None if it asks for none."""
        return self._wait_s if error is self._repeatable else retry_after_seconds(error)

    def is_kept_refusal(self, error: Exception) -> bool:
        """Whether an error is a refusal that the vendor keeps under the key."""
        return isinstance(error, Declined | AccessDenied) and error.http_status in self._rules.kept_refusals

    def admit_credentials(self, key: str | None, credentials: Mapping[str, Secret]) -> str | None:
        """Return the digest of the credentials and the key; None where other credentials do not matter.

        Raises:
            AuthenticationFailed: if the credentials have changed after a doubt: the vendor does not know the key then.
        """
        if self._rules.scope is not KeyScope.TOKEN:
            return None
        digest = digest_credentials(key or "", credentials)
        if self._doubt is not None and self._credentials != digest:
            raise AuthenticationFailed("the credentials have changed, and with them the vendor forgets its keys")
        self._credentials = digest
        return digest

    def doubt_about(self, error: Exception, request: Request, intent: Intent) -> OutcomeUnknown | None:
        """Return the error of the whole call, where an attempt is in doubt; None where `error` itself says it all."""
        doubt = self._doubt
        if doubt is None or error is doubt:
            return None
        if self.is_kept_refusal(error) or isinstance(error, OutcomePending):
            return None  # under its key, the vendor has answered for the request in doubt as well
        reason = f"{doubt.ticket.reason}; asked again under the same key: {_reason_of(error)}"
        return OutcomeUnknown(
            f"{request.safe_text}: {reason}; it may have been carried out",
            ticket=intent.ticket(reason),
            http_status=doubt.http_status,
            request_id=doubt.request_id,
        )


def _reason_of(error: Exception) -> str:
    if isinstance(error, OutcomeUnknown):
        return error.ticket.reason
    return error.message if isinstance(error, VoucherGatewayError) else type(error).__name__


def require_key(key: str, request: Request, rules: KeyRules | None) -> None:
    """Check that a key can be sent whole, and that it stands in the request.

    Raises:
        ValueError: if not. The message does not quote the request.
    """
    if rules is None:
        raise ValueError("a request has a key, but HttpClient(keys=...) was not given the vendor's KeyRules")
    if not MIN_KEY_LENGTH <= len(key) <= rules.max_length or not key.isascii() or not key.isprintable():
        raise ValueError(
            f"a key must have {MIN_KEY_LENGTH} to {rules.max_length} characters of ASCII, and this one has {len(key)}:"
            " make it with `VoucherProvider.make_key`"
        )
    values = [value for _, value in request.query if isinstance(value, str)]
    values += [value for value in request.headers.values() if isinstance(value, str)]
    if key not in request.path.encoded.split("/") and key not in values and not _holds(request.json, key):
        raise ValueError(f"{request.safe_text}: the key stands neither in a header, nor in the body, path or query")


def digest_credentials(key: str, credentials: Mapping[str, Secret]) -> str:
    """Return a digest that shows whether the credentials of a key have changed. It does not reveal them."""
    digest = hashlib.sha256(key.encode())
    for name, value in sorted(credentials.items()):
        digest.update(f"\0{name.lower()}\0{value.reveal()}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def _holds(value: object, key: str) -> bool:
    if isinstance(value, Mapping):
        return any(_holds(member, key) for member in value.values())
    if isinstance(value, list | tuple):
        return any(_holds(member, key) for member in value)
    return isinstance(value, str) and value == key
