"""Sends one request once: the session, its proxies and certificates, size limit, and what went wrong.

`requests` is used below its convenience layer. Its `Session.request` looks the environment up for every call, which
is the largest part of its cost, and rewrites percent-encoded paths; the environment is honoured here too, but read once
for each session and host.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import requests
import urllib3.exceptions as broken
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy
from urllib3.util import Retry, parse_url

from voucher_gateway import fork_safety
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.http.deadlines import DeadlineAdapter, DeadlineExceeded, RequestDeadline, request_deadline
from voucher_gateway.http.messages import EncodedRequest, Response
from voucher_gateway.http.outcome_table import TransportFailure
from voucher_gateway.http.settings import HttpSettings, ReplyLimits
from voucher_gateway.setting_types import is_this_machine
from voucher_gateway.tracebacks import drop_frames

USER_AGENT: Final = "voucher-gateway"


class TransportError(Exception):
    """No complete answer came.

    Attributes:
        failure: what was seen.
        sent: whether a byte of the request may have left; None if we cannot tell.
    """

    def __init__(self, failure: TransportFailure, *, sent: bool | None) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.sent = sent


@attrs.frozen
class _Route:
    """How a host is reached: what requests would look up in the environment for every single call."""

    proxies: Mapping[str, str]
    verify: bool | str | None
    cert: Any


class Transport:
    """One session with a vendor, for all threads of one process."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make connections of this process's own: two processes on one would read each other's answers."""
        self._session = requests.Session()
        # With no retry at all, urllib3 raises the failure itself. With none left, it raises a `MaxRetryError`, whose
        # message holds path and query, and a tracing library that wraps urllib3 records it.
        adapter = DeadlineAdapter(
            pool_connections=4, pool_maxsize=max(self._settings.workers, 1), max_retries=Retry(total=False)
        )
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._routes: dict[str, _Route] = {}

    def close(self) -> None:
        """Close all connections."""
        fork_safety.renew_if_forked()
        self._session.close()

    def send(self, request: EncodedRequest, *, deadline: float, returns_page: bool = False) -> Response:
        """Send one request once and read the whole answer.

        Args:
            request: what to send.
            deadline: the moment of ``time.monotonic`` when it must be over.
            returns_page: whether the reply is a page of a list, which may be larger.

        Raises:
            TransportError: if no complete answer came.
            ConfigurationError: if the environment's proxy, or the file of trusted certificates, cannot be used.
        """
        fork_safety.renew_if_forked()
        route = self._route(request)
        limits = self._settings.reply_limits(page=returns_page)
        exchange = RequestDeadline(deadline, self._settings.connect_timeout_s, self._settings.read_timeout_s)
        callers = sys.exception()  # what our caller is handling just now says nothing about us
        # Raised outside of the handlers: even as a hidden context, the library's own error would carry URL and token.
        # The frames of an interruption would carry them, too, and the connection.
        interruption: BaseException | None = None
        try:
            with request_deadline(exchange):
                return self._send(_prepare_request(request), route, exchange, limits)
        except _TooLarge:
            failure = TransportFailure.TOO_LARGE
        except Exception as error:  # noqa: BLE001 - whatever it is, the request may have left
            failure = _failure(error, besides=callers)
        except BaseException as error:  # noqa: BLE001 - raised again right below
            interruption = drop_frames(error)
        if interruption is not None:
            raise interruption
        raise TransportError(_name_failure(failure, exchange.sent), sent=exchange.sent)

    def _send(
        self, request: requests.PreparedRequest, route: _Route, exchange: RequestDeadline, limits: ReplyLimits
    ) -> Response:
        response = self._session.get_adapter(request.url or "").send(
            request,
            stream=True,
            timeout=(exchange.wait(exchange.connect_s), exchange.read_s),
            verify=route.verify if route.verify is not None else True,
            cert=route.cert,
            proxies=route.proxies,
        )
        try:
            body = _read_body(response.raw, exchange, limits.max_bytes)
        except BaseException:
            response.close()
            raise
        return Response(status=response.status_code, headers=response.headers, body=body, max_values=limits.max_values)

    def _route(self, request: EncodedRequest) -> _Route:
        host = urlsplit(request.url).netloc
        route = self._routes.get(host)
        if route is None:
            found = self._session.merge_environment_settings(request.url, {}, True, self._settings.ca_bundle, None)
            # A proxy would see the token in plain http, and the proxy's own loopback is another machine's.
            proxies = {} if is_this_machine(urlsplit(request.url).hostname or "") else found["proxies"]
            _check_proxy(select_proxy(request.url, proxies))
            if request.url.startswith("https:"):
                _check_certificates(found["verify"])
            route = self._routes[host] = _Route(proxies, found["verify"], found["cert"])
        return route


class _TooLarge(Exception):
    pass


# urllib3 takes quadratic time to unpack a piece that consists of many small gzip members, so a piece is small.
_PIECE_BYTES: Final = 64 * 1024


def _read_body(raw: Any, exchange: RequestDeadline, max_bytes: int) -> bytes:
    """Read and decompress a body, piece by piece, so that neither its size nor its time is without a limit."""
    pieces: list[bytes] = []
    size = 0
    while piece := raw.read(min(_PIECE_BYTES, max_bytes + 1 - size), decode_content=True):
        size += len(piece)
        if size > max_bytes:
            raise _TooLarge
        pieces.append(piece)
        exchange.wait(exchange.read_s)  # raises DeadlineExceeded if the total is used up
    return b"".join(pieces)


# Found out late, in requests, these two would be failures that we do not know, and leave a change's outcome open.


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
        raise ConfigurationError(f"there is no such file of trusted certificates: {where}")


def _prepare_request(request: EncodedRequest) -> requests.PreparedRequest:
    """Fill a prepared request by hand: requests' own preparation would decode and re-encode parts of the path."""
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    prepared.headers = CaseInsensitiveDict(request.headers)
    prepared.body = request.body
    if request.body is not None:
        prepared.headers["Content-Length"] = str(len(request.body))
    return prepared


def _failure(error: BaseException, *, besides: BaseException | None) -> TransportFailure:
    """Name what went wrong. requests wraps urllib3's errors, urllib3 wraps the system's: look at all of them."""
    causes = _causes(error, besides)
    for kinds, failure in _FAILURES:
        if any(isinstance(cause, kinds) for cause in causes):
            return failure
    return TransportFailure.NOT_RECOGNISED


def _causes(error: BaseException, besides: BaseException | None) -> list[BaseException]:
    """Return the error and all that it wraps, but what was being handled `besides` before."""
    causes: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(causes) < 16:
        cause = queue.pop()
        if isinstance(cause, BaseException) and cause is not besides and cause not in causes:
            causes.append(cause)
            queue += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
    return causes


# The first that fits counts: a connect time-out wraps a plain TimeoutError, a failed look-up is a NewConnectionError,
# and that in turn is a ConnectTimeoutError in urllib3.
_FAILURES: Final[tuple[tuple[tuple[type[BaseException], ...], TransportFailure], ...]] = (
    ((DeadlineExceeded,), TransportFailure.OUT_OF_TIME),
    ((broken.NameResolutionError,), TransportFailure.NAME_NOT_RESOLVED),
    ((broken.ProxyError, requests.exceptions.ProxyError), TransportFailure.PROXY_REFUSED),
    ((broken.NewConnectionError, ConnectionRefusedError), TransportFailure.REFUSED),
    ((broken.ConnectTimeoutError, requests.ConnectTimeout), TransportFailure.CONNECT_TIMED_OUT),
    ((broken.SSLError, requests.exceptions.SSLError), TransportFailure.HANDSHAKE_FAILED),
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

# The same error tells of something else before the request left than after it.
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
    """Return the failure by the name that fits the moment."""
    if sent is None:
        return failure
    return (_AFTER_SENDING if sent else _WHILE_CONNECTING).get(failure, failure)


def deadline_in(seconds: float) -> float:
    """Return the moment of ``time.monotonic`` that many seconds from now."""
    return time.monotonic() + seconds
