"""Sends one request once: session, proxies and certificates, size limit, and the reason of a failure.

The library requests is used below `Session.request`, which reads the environment for every call (the largest part of
its cost) and rewrites percent-encoded paths. Here the environment is read once for each session and host.
"""

from __future__ import annotations

import http.client
import os
import ssl
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import requests
import urllib3.exceptions as broken
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy
from urllib3.util import Retry, parse_url

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.http.deadlines import DeadlineAdapter
from voucher_gateway.http.exchange import (
    TooLarge,
    can_send_directly,
    encode_head,
    exchange,
    host_header,
    read_body,
)
from voucher_gateway.http.messages import EncodedRequest, Response
from voucher_gateway.http.outcome_table import TransportFailure
from voucher_gateway.http.request_deadline import DeadlineExceeded, RequestDeadline
from voucher_gateway.http.settings import HttpSettings, ReplyLimits
from voucher_gateway.limits.work_class import current_work_class
from voucher_gateway.masking import drop_frames
from voucher_gateway.process import fork_safety
from voucher_gateway.setting_types import is_this_machine

USER_AGENT: Final = "voucher-gateway"


class TransportError(Exception):
    """No complete reply came.

    Attributes:
        failure: the reason.
        sent: whether a byte of the request may have left; None if we cannot tell.
    """

    def __init__(self, failure: TransportFailure, *, sent: bool | None) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.sent = sent


@attrs.define
class _Route:
    """How a host is reached: what requests would read from the environment for every call.

    Attributes:
        proxies: as requests wants them.
        verify: whether to check the certificate, or the file of trusted ones.
        cert: our certificate.
        uses_proxy: whether the host is reached through a proxy.
        pool: the connections without a proxy; None before the first request.
        host: the Host header of the requests of that pool; None if they are to be sent by requests.
    """

    proxies: Mapping[str, str]
    verify: bool | str | None
    cert: Any
    uses_proxy: bool
    pool: Any = None
    host: str | None = None


class Transport:
    """One session with a vendor, for all threads of one process."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make new connections: two processes on one connection would read each other's replies."""
        self._session = requests.Session()
        # `total=False`: urllib3 raises the failure itself. With 0 it would raise a `MaxRetryError`, whose message
        # contains path and query, and a tracing library that wraps urllib3 records it.
        adapter = DeadlineAdapter(
            pool_connections=4, pool_maxsize=max(self._settings.workers, 1), max_retries=Retry(total=False)
        )
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._routes: dict[str, _Route] = {}

    def close(self) -> None:
        """Close all connections."""
        fork_safety.renew_if_forked()
        for route in list(self._routes.values()):
            route.pool = None  # a pool closes its connections when it is dropped
        self._session.close()

    def send(self, request: EncodedRequest, *, deadline: float, returns_page: bool = False) -> Response:
        """Send one request once and read the whole answer.

        Args:
            request: the request.
            deadline: the moment of ``time.monotonic`` at which it ends.
            returns_page: whether the reply is a page of a list, which may be larger.

        Raises:
            TransportError: if no complete answer came.
            ConfigurationError: if the environment's proxy, or the file of trusted certificates, cannot be used.
        """
        fork_safety.renew_if_forked()
        route = self._route(request)
        limits = self._settings.reply_limits(page=returns_page)
        read_s = self._settings.read_s(current_work_class())
        timing = RequestDeadline(deadline, self._settings.connect_timeout_s, read_s)
        handled = sys.exception()  # an error that our caller handles is not the reason of ours
        # Raised outside of the handlers: as a context, the library's own error would keep URL and token. The frames of
        # an interruption would keep them too, and the connection.
        interruption: BaseException | None = None
        try:
            with timing:
                return self._send(request, route, timing, limits)
        except TooLarge:
            failure = TransportFailure.TOO_LARGE
        except Exception as error:  # noqa: BLE001 - whatever it is, the request may have left
            failure = _failure(error, besides=handled)
        except BaseException as error:  # noqa: BLE001 - raised again right below
            interruption = drop_frames(error)
        if interruption is not None:
            raise interruption
        raise TransportError(_name_failure(failure, timing.sent), sent=timing.sent)

    def _send(self, request: EncodedRequest, route: _Route, timing: RequestDeadline, limits: ReplyLimits) -> Response:
        adapter = self._session.get_adapter(request.url)
        if not route.uses_proxy and can_send_directly(adapter):
            target = request.url[len(origin_of(request.url)) :]
            host = self._open_route(adapter, request, route)
            head = None if host is None else encode_head(request, target, host)
            if head is not None:
                reply = exchange(route.pool, request.method, head, request.body, timing, max_bytes=limits.max_bytes)
                return Response(
                    status=reply.status, headers=reply.headers, body=reply.body, max_values=limits.max_values
                )
        return self._send_by_requests(adapter, request, route, timing, limits)

    def _open_route(self, adapter: DeadlineAdapter, request: EncodedRequest, route: _Route) -> str | None:
        """Make the pool of a route, unless it has one, and return its Host header."""
        if route.pool is None:
            prepared = _prepare_request(request)
            verify = route.verify if route.verify is not None else True
            pool = adapter.get_connection_with_tls_context(prepared, verify, proxies=route.proxies, cert=route.cert)
            adapter.cert_verify(pool, request.url, verify, route.cert)  # type: ignore[no-untyped-call]
            route.host = host_header(pool)
            route.pool = pool
        return route.host

    def _send_by_requests(
        self, adapter: Any, request: EncodedRequest, route: _Route, timing: RequestDeadline, limits: ReplyLimits
    ) -> Response:
        response = adapter.send(
            _prepare_request(request),
            stream=True,
            timeout=(timing.wait(timing.connect_s), timing.read_s),
            verify=route.verify if route.verify is not None else True,
            cert=route.cert,
            proxies=route.proxies,
        )
        try:
            body = read_body(response.raw, timing, limits.max_bytes)
        except BaseException:
            response.close()
            raise
        return Response(status=response.status_code, headers=response.headers, body=body, max_values=limits.max_values)

    def _route(self, request: EncodedRequest) -> _Route:
        origin = origin_of(request.url)
        route = self._routes.get(origin)
        if route is None:
            environment = self._session.merge_environment_settings(
                request.url, {}, True, self._settings.ca_bundle, None
            )
            # A proxy would see the token in plain http, and the proxy's own loopback is another machine's.
            proxies = {} if is_this_machine(urlsplit(request.url).hostname or "") else environment["proxies"]
            proxy = select_proxy(request.url, proxies)
            _check_proxy(proxy)
            if request.url.startswith("https:"):
                _check_certificates(environment["verify"])
            route = self._routes[origin] = _Route(
                proxies, environment["verify"], environment["cert"], uses_proxy=bool(proxy)
            )
        return route


def origin_of(url: str) -> str:
    """Return a URL without its path and query: scheme, host and port."""
    end = url.find("/", len("https://"))
    return url if end < 0 else url[:end]


# Checked early: if requests reported these two, the outcome of a changing request would be unknown.


def _check_proxy(proxy: str | None) -> None:
    if not proxy:
        return
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        usable = parts.scheme in ("http", "https") and bool(parts.host)
    except ValueError:
        usable = False
    if not usable:  # not quoted: it may hold a password
        raise ConfigurationError("the proxy in the environment must be an http:// or https:// URL")


def _check_certificates(verify: bool | str | None) -> None:
    if isinstance(verify, str) and not os.path.exists(verify):
        where = "ca_bundle, or REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment"
        raise ConfigurationError(f"the file of trusted certificates does not exist: {where}")


def _prepare_request(request: EncodedRequest) -> requests.PreparedRequest:
    """Return a prepared request. requests' own preparation would decode and re-encode parts of the path."""
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    prepared.headers = CaseInsensitiveDict(request.headers)
    prepared.body = request.body
    if request.body is not None:
        prepared.headers["Content-Length"] = str(len(request.body))
    return prepared


def _failure(error: BaseException, *, besides: BaseException | None) -> TransportFailure:
    """Return the reason of an error. requests wraps urllib3's errors, and urllib3 those of the system."""
    causes = _causes(error, besides)
    for kinds, failure in _FAILURES:
        if any(isinstance(cause, kinds) for cause in causes):
            return failure
    return TransportFailure.NOT_RECOGNISED


def _causes(error: BaseException, besides: BaseException | None) -> list[BaseException]:
    """Return the error and all errors that it wraps, without the one that was handled before (`besides`)."""
    causes: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(causes) < 16:
        cause = queue.pop()
        if isinstance(cause, BaseException) and cause is not besides and cause not in causes:
            causes.append(cause)
            queue += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
    return causes


# The first match counts: a connect time-out wraps a TimeoutError, and a failed look-up of a name is a
# NewConnectionError, which is a ConnectTimeoutError in urllib3.
_FAILURES: Final[tuple[tuple[tuple[type[BaseException], ...], TransportFailure], ...]] = (
    ((DeadlineExceeded,), TransportFailure.OUT_OF_TIME),
    ((broken.NameResolutionError,), TransportFailure.NAME_NOT_RESOLVED),
    ((broken.ProxyError, requests.exceptions.ProxyError), TransportFailure.PROXY_REFUSED),
    ((broken.NewConnectionError, ConnectionRefusedError), TransportFailure.REFUSED),
    ((broken.ConnectTimeoutError, requests.ConnectTimeout), TransportFailure.CONNECT_TIMED_OUT),
    ((broken.SSLError, requests.exceptions.SSLError, ssl.SSLError), TransportFailure.HANDSHAKE_FAILED),
    ((broken.TimeoutError, requests.Timeout, TimeoutError), TransportFailure.TIMED_OUT),
    (
        (
            broken.ProtocolError,
            broken.DecodeError,
            http.client.HTTPException,
            ConnectionError,
        ),
        TransportFailure.BROKE_OFF,
    ),
)

# The same error has another meaning before the request left than after it.
_WHILE_CONNECTING: Final = {
    TransportFailure.TIMED_OUT: TransportFailure.CONNECT_TIMED_OUT,
    TransportFailure.BROKE_OFF: TransportFailure.REFUSED,
}
_AFTER_SENDING: Final = {
    TransportFailure.OUT_OF_TIME: TransportFailure.TIMED_OUT,
    TransportFailure.HANDSHAKE_FAILED: TransportFailure.BROKE_OFF,
    TransportFailure.PROXY_REFUSED: TransportFailure.BROKE_OFF,
}


def _name_failure(failure: TransportFailure, sent: bool | None) -> TransportFailure:
    """Return the failure that fits the moment at which it was seen."""
    if sent is None:
        return failure
    return (_AFTER_SENDING if sent else _WHILE_CONNECTING).get(failure, failure)
