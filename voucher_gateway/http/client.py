"""The HTTP client of the adapters: it repeats reads, and never guesses what a changing request did."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlsplit

import attrs

from voucher_gateway.capabilities import KeyRules
from voucher_gateway.errors import (
    AccessDenied,
    Declined,
    IntegrityMismatch,
    MalformedResponse,
    OutcomePending,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    VoucherGatewayError,
)
from voucher_gateway.http import outcome_table
from voucher_gateway.http.ambiguous_reply import AmbiguousReply
from voucher_gateway.http.auth import Auth, Form, PostForm, TokenTimeout, encode_form
from voucher_gateway.http.breaker import CallLimits
from voucher_gateway.http.call_budget import CallBudget, rate_of
from voucher_gateway.http.headers import HeaderTable, SecretHeaders, check_constant_headers
from voucher_gateway.http.keyed_call import KeyedCall, require_key
from voucher_gateway.http.messages import EncodedRequest, Request, Response
from voucher_gateway.http.outcome_table import TransportFailure
from voucher_gateway.http.refusals import Explain, RefusalReader
from voucher_gateway.http.retry import attempts, retry_after_s
from voucher_gateway.http.settings import HttpSettings
from voucher_gateway.http.transport import USER_AGENT, Transport, TransportError
from voucher_gateway.http.urls import register_base_url
from voucher_gateway.instants import now
from voucher_gateway.limits.call_deadline import moment_within
from voucher_gateway.limits.shared_limits import SharedLimits
from voucher_gateway.limits.work_class import current_work_class
from voucher_gateway.masking import ErrorContext, Secret, drop_frames
from voucher_gateway.outcome import Effect, Intent, require_voucher
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.request_hooks import (
    note_change,
    note_forgotten_key,
    note_read_error,
    notify_before_send,
)
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.telemetry.calls import note_request, note_try
from voucher_gateway.telemetry.tracing import request_span

T = TypeVar("T")

log: Final = get_logger("voucher_gateway.http")

_COMMON: Final = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
_NONE: Final[Mapping[str, Secret]] = {}
_SHORTEST_EVIDENCE_S: Final = 1.0
"""A shorter wait, which a caller's own time-out ended, does not show that the vendor is silent."""


class HttpClient:
    """One account's connection to its vendor, for all threads. A forked child makes its own connections.

    Args:
        account: the account's name, for messages.
        settings: the address, the time-outs and the limits.
        explain: reads the vendor's error bodies.
        explain_success: where the vendor refuses with a success status, as in GraphQL: returns the error for such a
            reply, which must be `Declined`, `AccessDenied` or `NotExecuted`; None for every other reply.
        refusals: the statuses that the vendor documents for refusals.
        headers: constant headers of every request, such as the version of the vendor's API.
        secret_headers: the sources of secret headers, by name. They are not sent with an anonymous request.
        keys: the rules of the vendor's idempotency keys; None where it has none.

    Attributes:
        auth: the credentials; None for none.
        limits: the circuit breaker and the limit of calls of the account.
    """

    def __init__(
        self,
        account: str,
        settings: HttpSettings,
        *,
        explain: Explain,
        explain_success: Explain | None = None,
        refusals: frozenset[int] = outcome_table.REFUSALS,
        headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, SecretSource] | None = None,
        keys: KeyRules | None = None,
    ) -> None:
        self.account = account
        self.settings = settings
        self.auth: Auth | None = None
        constant = check_constant_headers(headers or {})
        self._headers = HeaderTable(_COMMON, constant)
        self._headers_of_content = HeaderTable({"Content-Type": "application/json"}, _COMMON, constant)
        self._secret_headers = SecretHeaders(secret_headers or {})
        self._keys = keys
        self._refusals = RefusalReader(explain, explain_success, refusals)
        self._transport = Transport(settings)
        register_base_url(settings.base_url)
        self._host = urlsplit(settings.base_url).netloc
        self.limits = CallLimits(
            account,
            timeouts=settings.breaker_timeouts,
            pause_s=settings.breaker_pause_s,
            calls=settings.calls_at_once,
        )
        timeouts = (settings.connect_timeout_s, settings.read_timeout_s, settings.total_timeout_s)
        self._shortest_evidence_s = min(*timeouts, _SHORTEST_EVIDENCE_S) * 0.9  # a wait may end a little early
        self._rate = rate_of(account, settings)
        self._clocks: tuple[datetime, datetime] | None = None

    def use_shared_limits(self, limits: SharedLimits) -> None:
        """Obey the pauses and the rate that all processes with one journal share."""
        self.limits.pauses = limits.pauses
        if self._rate is not None:
            self._rate.store = limits.permits

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def log_in(self) -> None:
        """Read the secrets, and get a token where the credentials need one: does the vendor accept them?

        Raises:
            AuthenticationFailed: if the vendor does not accept them.
            ProviderUnavailable: if the vendor could not be asked in time.
        """
        with ErrorContext(account=self.account):
            self._read_credentials(moment_within(self.settings.total_s(current_work_class())))

    @property
    def clock_skew(self) -> timedelta | None:
        """How far the vendor's clock was ahead of ours at its last reply, to about a second; None if not known."""
        return None if self._clocks is None else self._clocks[0] - self._clocks[1]

    def post_form(self, url: str) -> PostForm:
        """Return the function by which `ClientCredentials` posts its form to a token URL."""
        register_base_url(url)
        return partial(self._post_form, url)

    def read(self, request: Request, read: Callable[[Response], T]) -> T:
        """Send a request that changes nothing, repeat it while that may help, and return the result of `read`.

        Args:
            request: the request.
            read: makes the result of a successful reply.

        Raises:
            ProviderUnavailable: if no usable reply came in time.
            RateLimited: if the vendor asks for a longer wait than the deadline allows.
            MalformedResponse: if the reply breaks the vendor's contract.
            Declined, AccessDenied: the error that `explain` returned.
        """
        # The frames in this block, and those below it, hold codes and secrets in plain text.
        with ErrorContext(account=self.account):
            budget = self._open_budget()
            with self.limits.limit_call(None):
                try:
                    for attempt in attempts(self.settings.tries, deadline=budget.deadline):
                        with attempt:
                            return self._read_once(request, read, budget)
                except VoucherGatewayError as error:
                    note_read_error(error)
                    raise
        raise AssertionError("the last attempt returns or raises")

    def change(self, request: Request, intent: Intent, read: Callable[[Response], T], *, key: str | None = None) -> T:
        """Send a request that changes something, and return the result of `read`.

        Without a key it is repeated only while it certainly was not executed. If `read` raises, the outcome is unknown,
        except for `Declined` and `AccessDenied`, which it may raise for a vendor that reports a refusal with a 2xx
        status, and for `OutcomePending`, which `Intent.pending` makes for a vendor that will complete the call later.
        The outcome is also unknown if the result names another voucher than the intent.

        With a key it is sent again, within the same number of attempts and the same deadline, after a lost or
        unreadable answer as well. From the first such answer on, the outcome is unknown whatever comes next, except for
        a success and for a refusal that the vendor keeps under the key (`KeyRules.kept_refusals`).

        Args:
            request: the request. A key must stand in it, where the vendor wants it.
            intent: what it is to do, for the journal and for the ticket of an unknown outcome.
            read: makes the result of a successful reply.
            key: the vendor's idempotency key, made by `VoucherProvider.make_key`.

        Raises:
            OutcomeUnknown: if it may have been executed.
            OutcomePending: if `read` says that the vendor has accepted it and will tell later.
            NotExecuted: if it certainly was not.
            Declined, AccessDenied: the error that `explain` or `read` gave.
            ValueError: if the key breaks the rules, or does not stand in the request. Nothing is sent then.
        """
        if key is not None:
            require_key(key, request, self._keys)
            intent = attrs.evolve(intent, key=key)
        note_change(intent, Effect.NOT_EXECUTED)
        # See `read`.
        with ErrorContext(account=self.account, operation=intent.verb):
            budget = self._open_budget()
            with self.limits.limit_call(intent.verb):
                if key is not None:
                    return self._change_under_key(request, intent, read, budget)
                for attempt in attempts(self.settings.tries, deadline=budget.deadline):
                    with attempt:
                        return self._change_once(request, intent, read, budget)
        raise AssertionError("the last attempt returns or raises")

    def _open_budget(self) -> CallBudget:
        """Return the time and the permits of a call."""
        budget = CallBudget.open(self.account, self.settings, self._rate)
        note_request()
        return budget

    def _change_under_key(
        self, request: Request, intent: Intent, read: Callable[[Response], T], budget: CallBudget
    ) -> T:
        call = KeyedCall(self._keys or KeyRules())
        failure: Exception
        try:
            for attempt in attempts(
                self.settings.tries,
                deadline=budget.deadline,
                may_repeat=call.may_repeat,
                retry_after_seconds=call.retry_after_seconds,
            ):
                with attempt:
                    return self._change_once(request, intent, read, budget, call)
            raise AssertionError("the last attempt returns or raises")
        except Exception as error:  # noqa: BLE001 - it is raised again below, or the doubt instead
            failure = drop_frames(error) if isinstance(error, VoucherGatewayError) else error
        doubt = call.doubt_about(failure, request, intent)
        if doubt is not None:
            note_change(intent, Effect.UNKNOWN)
            raise doubt
        if call.is_kept_refusal(failure):
            note_change(intent, Effect.DECLINED)
        raise failure

    def _read_once(self, request: Request, read: Callable[[Response], T], budget: CallBudget) -> T:
        try:
            return read(self._request_with_auth(request, budget))
        except AmbiguousReply as ambiguous:
            error = ambiguous.as_read_error(request)
        raise error

    def _change_once(
        self,
        request: Request,
        intent: Intent,
        read: Callable[[Response], T],
        budget: CallBudget,
        call: KeyedCall | None = None,
    ) -> T:
        reply = None
        try:
            reply = self._request_with_auth(request, budget, intent, call)
            result = read(reply)
            require_voucher(intent.voucher_id, result)
            note_change(intent, Effect.SUCCEEDED, result)
            return result
        except AmbiguousReply as ambiguous:
            reason = ambiguous
        except Exception as error:
            # Without a reply it comes from the token endpoint, or it is a 401, a 429 or a refusal: nothing was done.
            if reply is not None and isinstance(error, OutcomePending):
                note_change(intent, Effect.PENDING)
                error.with_context(http_status=reply.status, request_id=reply.request_id)
                raise
            if reply is None or isinstance(error, Declined | AccessDenied | OutcomeUnknown):
                raise
            reason = AmbiguousReply(_unreadable_reason(error), reply)
            reason.contradicts = isinstance(error, IntegrityMismatch)
        note_change(intent, Effect.UNKNOWN)
        error_ = reason.as_unknown_outcome(request, intent)
        if call is not None:
            call.note_doubt(reason, error_)
            if call.is_forgotten:
                note_forgotten_key(intent)
        raise error_

    def _request_with_auth(
        self, request: Request, budget: CallBudget, intent: Intent | None = None, call: KeyedCall | None = None
    ) -> Response:
        """Send a request and return a successful reply. Renews the credentials once if the vendor refuses them.

        The before-send hook is called with the intent right before each sending.

        Raises:
            AmbiguousReply: if it is not known what the request did.
        """
        # Encoded before a token is fetched: a request that cannot be encoded fails before anything is sent.
        encoded = request.encode(self.settings.base_url)
        credentials = _NONE if request.anonymous else self._read_credentials(budget.deadline)
        reply = self._send_once(request, encoded, credentials, budget, intent, call)
        if reply.status == 401 and credentials and self._renew_credentials(credentials, budget.deadline):
            log.debug("%s: %s: HTTP 401, so it is sent again with other credentials", self.account, request.safe_text)
            reply = self._send_once(request, encoded, self._read_credentials(budget.deadline), budget, intent, call)
        if not reply.ok:
            raise self._refusals.error(request, reply)
        refusal = self._refusals.refusal_of_success(reply)
        if refusal is None:
            return reply
        raise refusal.with_context(http_status=reply.status, request_id=reply.request_id)

    def _read_credentials(self, deadline: float) -> Mapping[str, Secret]:
        """Return the headers that are the credentials, in the form in which they are sent."""
        if self.auth is None:
            return self._secret_headers.values()
        begin = time.monotonic()
        try:
            return {**self._secret_headers.values(), "Authorization": self.auth.header(deadline)}
        except TokenTimeout:
            pass
        raise self._no_token(begin)

    def _renew_credentials(self, refused: Mapping[str, Secret], deadline: float) -> bool:
        """Read the credentials again after a 401; return whether there are others now."""
        values = dict(refused)
        header = values.pop("Authorization", None)
        has_changed = bool(values) and self._secret_headers.renew(values)
        if header is None or self.auth is None:
            return has_changed
        begin = time.monotonic()
        try:
            return self.auth.renew(header, deadline) or has_changed
        except TokenTimeout:
            pass
        raise self._no_token(begin)

    def _no_token(self, begin: float) -> ProviderUnavailable:
        """Return the error of a call for which another thread got no token in time. The vendor is silent to it, too."""
        self._note_failure(TransportFailure.TIMED_OUT, begin)
        return ProviderUnavailable("no access token within the time allowed")

    def _note_failure(self, failure: TransportFailure, begin: float) -> None:
        """Count a time-out, unless the call has waited too shortly to show that the vendor is silent."""
        if time.monotonic() - begin >= self._shortest_evidence_s:
            self.limits.note_failure(failure)

    def _send_once(
        self,
        request: Request,
        encoded: EncodedRequest,
        credentials: Mapping[str, Secret],
        budget: CallBudget,
        intent: Intent | None,
        call: KeyedCall | None = None,
    ) -> Response:
        if intent is not None and call is not None:
            intent = attrs.evolve(intent, key_credentials=call.admit_credentials(intent.key, credentials))
        budget.take_permit()  # before the request is recorded, so that no record waits
        if intent is not None:
            notify_before_send(intent)
        headed = self._with_headers(encoded, credentials)
        begin = time.monotonic()
        try:
            reply = self._send_observed(
                headed, request.path.template, deadline=budget.deadline, returns_page=request.returns_page
            )
        except TransportError as lost:
            failure = lost
            self._note_failure(lost.failure, begin)
            log.debug("%s: %s: %s", self.account, request.safe_text, lost.failure.value)
        else:
            self.limits.note_reply()
            log.debug("%s: %s: HTTP %d", self.account, request.safe_text, reply.status)
            if (vendor_time := reply.date) is not None:
                self._clocks = (vendor_time, now())
            return reply
        if outcome_table.effect_of_failure(failure.failure, sent=failure.sent) is Effect.NOT_EXECUTED:
            raise ProviderUnavailable(f"{request.safe_text}: {failure.failure}")
        raise AmbiguousReply(failure.failure.value, transient=failure.failure is not TransportFailure.TOO_LARGE)

    def _send_observed(
        self, request: EncodedRequest, template: str, *, deadline: float, returns_page: bool = False
    ) -> Response:
        note_try()
        with request_span(self.account, request.method, template, self._host) as span:
            try:
                reply = self._transport.send(request, deadline=deadline, returns_page=returns_page)
            except TransportError as lost:
                span.set_failure(lost.failure.value)
                raise
            span.set_status(reply.status)
            return reply

    def _with_headers(self, request: EncodedRequest, credentials: Mapping[str, Secret]) -> EncodedRequest:
        common = self._headers if request.body is None else self._headers_of_content
        secrets = {name: value.reveal() for name, value in credentials.items()}
        headers = common.merge(request.headers, secrets)
        return EncodedRequest(request.method, url=request.url, body=request.body, headers=headers)

    def _post_form(self, url: str, form: Form, deadline: float) -> Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **_COMMON}
        request = EncodedRequest("POST", url=url, body=encode_form(form), headers=headers)
        note_request()
        for attempt in attempts(self.settings.tries, deadline=deadline):
            with attempt:
                return self._token_reply(request, deadline)
        raise AssertionError("the last attempt returns or raises")

    def _token_reply(self, request: EncodedRequest, deadline: float) -> Response:
        if self._rate is not None:
            self._rate.wait(current_work_class(), until=deadline)
        begin = time.monotonic()
        try:
            reply = self._send_observed(request, "(token)", deadline=deadline)
        except TransportError as lost:
            self._note_failure(lost.failure, begin)
            failure = lost.failure.value
        else:
            if reply.ok or 400 <= reply.status <= 403:
                return reply
            failure = f"answered with HTTP {reply.status}"
            wait = retry_after_s(reply.headers.get("retry-after"))
            if reply.status == 429 or (reply.status >= 500 and wait is not None):
                raise RateLimited(f"the token endpoint: {failure}", retry_after=wait, http_status=reply.status)
        raise ProviderUnavailable(f"the token endpoint: {failure}")


def _unreadable_reason(error: Exception) -> str:
    if isinstance(error, MalformedResponse):
        return f"the answer cannot be trusted: {error.message}"
    return f"the answer could not be read ({type(error).__name__})"  # the error's text may quote the reply
