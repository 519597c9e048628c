"""The client that adapters speak through: reads that are repeated, changes whose effect is never guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import attrs

from voucher_gateway.errors import (
    AccessDenied,
    AuthenticationFailed,
    Declined,
    MalformedResponse,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    VoucherGatewayError,
)
from voucher_gateway.http import outcome_table
from voucher_gateway.http.auth import Auth, Form, PostForm, encode_form
from voucher_gateway.http.messages import EncodedRequest, Request, Response
from voucher_gateway.http.outcome_table import TransportFailure
from voucher_gateway.http.retry import retry, retry_after_s
from voucher_gateway.http.settings import HttpSettings
from voucher_gateway.http.transport import USER_AGENT, Transport, TransportError, deadline_in
from voucher_gateway.http.urls import register_base_url
from voucher_gateway.instants import now
from voucher_gateway.integrity import require_voucher
from voucher_gateway.masking import Secret
from voucher_gateway.outcome import Effect, Intent
from voucher_gateway.request_hooks import notify_before_send, wait_for_rate_limit
from voucher_gateway.tracebacks import drop_frames

T = TypeVar("T")

Explain = Callable[[Response], VoucherGatewayError | None]
"""Turns a vendor's refusal into an error; None if the body is not in the vendor's own shape."""

_TRANSIENT: Final = frozenset({408, 425})


class _Puzzle(Exception):
    """An answer, or its absence, that leaves open what the request did; `reason` says why, for people."""

    def __init__(self, reason: str, reply: Response | None = None, *, transient: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = None if reply is None else reply.status
        self.request_id = None if reply is None else reply.request_id
        self.retry_after = None if reply is None else retry_after_s(reply.headers.get("retry-after"))
        self.transient = transient and (self.status is None or self.status >= 500 or self.status in _TRANSIENT)

    def of_read(self, shown: str) -> VoucherGatewayError:
        """Return the error that it is for a read, which could not do anything."""
        message = f"{shown}: {self.reason}"
        context: dict[str, Any] = {"http_status": self.status, "request_id": self.request_id}
        if not self.transient:
            return MalformedResponse(message, **context)
        if self.retry_after is not None:
            return RateLimited(message, retry_after=self.retry_after, **context)
        return ProviderUnavailable(message, **context)


class HttpClient:
    """One account's connection to its vendor, for all threads; it starts anew by itself after a fork.

    Args:
        account: the account's name, for messages.
        settings: where and how patiently.
        explain: reads the vendor's error bodies.
        refusals: the statuses that the vendor documents for refusals.

    Attributes:
        auth: the credentials; None for none.
    """

    def __init__(
        self,
        account: str,
        settings: HttpSettings,
        *,
        explain: Explain,
        refusals: frozenset[int] = outcome_table.REFUSALS,
    ) -> None:
        self.account = account
        self.settings = settings
        self.auth: Auth | None = None
        self._refusals = refusals
        self._explain = explain
        self._transport = Transport(settings)
        register_base_url(settings.base_url)
        self._clocks: tuple[datetime, datetime] | None = None

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def log_in(self) -> None:
        """Get the credentials ready, so that it shows whether the vendor accepts them, where that takes a call.

        Raises:
            AuthenticationFailed: if it does not.
            ProviderUnavailable: if it could not be asked in time.
        """
        if self.auth is not None:
            auth, deadline = self.auth, deadline_in(self.settings.total_timeout_s)
            self._about(lambda: auth.header(deadline))

    @property
    def clock_skew(self) -> timedelta | None:
        """How far the vendor's clock was ahead of ours at its last answer, to about a second; None if none told."""
        return None if self._clocks is None else self._clocks[0] - self._clocks[1]

    def post_form(self, url: str) -> PostForm:
        """Return what `ClientCredentials` posts its form with."""
        register_base_url(url)

        def post(form: Form, deadline: float) -> Response:
            request = EncodedRequest(
                "POST",
                url=url,
                body=encode_form(form),
                headers={"Content-Type": "application/x-www-form-urlencoded", **_COMMON},
            )
            return retry(
                lambda: self._token_reply(request, deadline),
                tries=self.settings.tries,
                deadline=deadline,
            )

        return post

    def read(self, request: Request, read: Callable[[Response], T]) -> T:
        """Send a request that changes nothing, repeating it while it may help, and return what `read` makes of it.

        Raises:
            ProviderUnavailable: if no usable answer came in time.
            RateLimited: if the vendor asks for more patience than the deadline allows.
            MalformedResponse: if the answer is outside of the vendor's contract.
            Declined, AccessDenied: as `explain` says.
        """
        wait_for_rate_limit(self.account)
        deadline = deadline_in(self.settings.total_timeout_s)

        def once() -> T:
            try:
                return read(self._request_with_auth(request, deadline))
            except _Puzzle as puzzle:
                error = puzzle.of_read(request.safe_text)
            raise error

        return self._about(lambda: retry(once, tries=self.settings.tries, deadline=deadline))

    def change(self, request: Request, intent: Intent, read: Callable[[Response], T]) -> T:
        """Send a request that changes something, and return what `read` makes of the answer.

        It is repeated only while it surely was not executed. The outcome stays unknown where `read` stumbles, whatever
        it raises, or finds another amount than the intent's, and where the result names another voucher than the
        intent. `read` may say `Declined` or `AccessDenied` of a vendor that refuses with a success.

        Raises:
            OutcomeUnknown: if it may have run.
            NotExecuted: if it surely has not.
            Declined, AccessDenied: as `explain` says.
        """
        wait_for_rate_limit(self.account)
        deadline = deadline_in(self.settings.total_timeout_s)

        def once() -> T:
            reply = None
            try:
                reply = self._request_with_auth(request, deadline, partial(notify_before_send, intent))
                result = read(reply)
                require_voucher(intent.voucher_id, result)
                return result
            except _Puzzle as puzzle:
                reason = puzzle
            except Exception as stumbled:
                # Without a reply it is the token endpoint's, or a 401 or 429, or a refusal: our request did nothing.
                if reply is None or isinstance(stumbled, Declined | AccessDenied | OutcomeUnknown):
                    raise
                reason = _Puzzle(_distrust(stumbled), reply)
            raise OutcomeUnknown(
                f"{request.safe_text}: {reason.reason}; it may have been carried out",
                ticket=intent.ticket(reason.reason),
                http_status=reason.status,
                request_id=reason.request_id,
            )

        return self._about(lambda: retry(once, tries=self.settings.tries, deadline=deadline), intent.verb)

    def _about(self, call: Callable[[], T], operation: str | None = None) -> T:
        # What is below here reads and writes codes and secrets in plain text, so its frames do not leave with an error.
        try:
            return call()
        except VoucherGatewayError as error:
            failure = drop_frames(error).with_context(account=self.account, operation=operation)
        raise failure

    def _request_with_auth(
        self, request: Request, deadline: float, announce: Callable[[], None] = lambda: None
    ) -> Response:
        """Return a successful reply, renewing the credentials once. Each sending is announced right before.

        Raises:
            _Puzzle: if it is open what the request did.
        """
        # Made before a token is fetched: what cannot be encoded fails before anything is sent.
        encoded = request.encode(self.settings.base_url)
        header = None if self.auth is None or request.anonymous else self.auth.header(deadline)
        announce()
        reply = self._send_once(request, encoded, header, deadline)
        if reply.status == 401 and header is not None and self.auth is not None and self.auth.renew(header, deadline):
            header = self.auth.header(deadline)
            announce()
            reply = self._send_once(request, encoded, header, deadline)
        if reply.ok:
            return reply
        raise self._refusal(request, reply)

    def _send_once(self, request: Request, encoded: EncodedRequest, header: Secret | None, deadline: float) -> Response:
        try:
            reply = self._transport.send(
                _with_headers(encoded, header), deadline=deadline, returns_page=request.returns_page
            )
        except TransportError as lost:
            failure = lost
        else:
            if (theirs := reply.date) is not None:
                self._clocks = (theirs, now())
            return reply
        if outcome_table.effect_of_failure(failure.failure, sent=failure.sent) is Effect.NOT_EXECUTED:
            raise ProviderUnavailable(f"{request.safe_text}: {failure.failure}")
        raise _Puzzle(failure.failure.value, transient=failure.failure is not TransportFailure.TOO_LARGE)

    def _refusal(self, request: Request, reply: Response) -> Exception:
        """Return the error that an answer other than a success stands for."""
        context: dict[str, Any] = {"http_status": reply.status, "request_id": reply.request_id}
        if reply.status == 401:
            return AuthenticationFailed(f"{request.safe_text}: the vendor does not accept the credentials", **context)
        if reply.status == 429:
            wait = retry_after_s(reply.headers.get("retry-after"))
            return RateLimited(f"{request.safe_text}: too many requests", retry_after=wait, **context)
        explained = self._parse_refusal(reply)
        effect = outcome_table.effect_of_status(reply.status, in_shape=explained is not None, refusals=self._refusals)
        if explained is not None and effect is Effect.DECLINED:
            return explained.with_context(**context)
        if 300 <= reply.status <= 399:
            return _Puzzle("answered with a redirect, which is never followed", reply)
        return _Puzzle(f"answered with HTTP {reply.status}", reply)

    def _parse_refusal(self, reply: Response) -> VoucherGatewayError | None:
        try:
            return self._explain(reply)
        except Exception:  # noqa: BLE001 - a body that `explain` stumbles over is not in the shape that it knows
            return None

    def _token_reply(self, request: EncodedRequest, deadline: float) -> Response:
        try:
            reply = self._transport.send(request, deadline=deadline)
        except TransportError as lost:
            failure = lost.failure.value
        else:
            if reply.ok or 400 <= reply.status <= 403:
                return reply
            failure = f"answered with HTTP {reply.status}"
            wait = retry_after_s(reply.headers.get("retry-after"))
            if reply.status == 429 or (reply.status >= 500 and wait is not None):
                raise RateLimited(f"the token endpoint: {failure}", retry_after=wait, http_status=reply.status)
        raise ProviderUnavailable(f"the token endpoint: {failure}")


def _with_headers(request: EncodedRequest, header: Secret | None) -> EncodedRequest:
    headers = dict(_COMMON)
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    if header is not None:
        headers["Authorization"] = header.reveal()
    return attrs.evolve(request, headers=headers)


def _distrust(stumbled: Exception) -> str:
    if isinstance(stumbled, MalformedResponse):
        return f"the answer cannot be trusted: {stumbled.message}"
    return f"the answer could not be read ({type(stumbled).__name__})"  # not its text, which may quote the answer


_COMMON: Final = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
