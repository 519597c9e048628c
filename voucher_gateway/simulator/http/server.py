"""A small threaded HTTP/1.1 server: it keeps raw paths, logs nothing, and closes all connections when it closes."""

from __future__ import annotations

import io
import logging
import re
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from voucher_gateway.simulator.http.socket_writer import ConnectionGone, ReplySent, encode_head

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from voucher_gateway.simulator.http.messages import Reply

Refusal = Callable[[int, str], "Reply"]
"""Makes the reply to a malformed HTTP request, from a status and a sentence."""

TARGET_KEY: Final = "voucher_gateway.target"
"""In the WSGI environment: the request target without scheme and host, exactly as sent."""
HEADERS_KEY: Final = "voucher_gateway.headers"
"""In the WSGI environment: the header pairs, exactly as sent, in their order."""

BODY_LIMIT: Final = 1 << 20
_DISCARD_LIMIT: Final = 64 << 20
_POLL_S: Final = 0.01
_JOIN_S: Final = 5.0
_LOG: Final = logging.getLogger("voucher_gateway.simulator")


class _BadBody(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Server(ThreadedWSGIServer):
    """Serves one WSGI application from its own thread until it is closed.

    Args:
        host: the interface to listen on.
        port: 0 picks a free one.
        application: receives `TARGET_KEY` and `HEADERS_KEY`, and may raise ConnectionError to end the
            connection without an answer.
        refusal: answers a malformed HTTP request.

    Raises:
        OSError: when the port is taken or the host unknown.
    """

    application: WSGIApplication

    def __init__(self, host: str, port: int, application: WSGIApplication, refusal: Refusal) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Bound here because werkzeug prints to stderr and exits the process when the port is taken.
        with socket.create_server((host, port), family=family, backlog=128) as listener:
            super().__init__(host, port, application, handler=_RequestHandler, fd=listener.fileno())
        self.refusal = refusal
        self._live: dict[threading.Thread, socket.socket] = {}
        self._live_lock = threading.Lock()
        self._acceptor = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True)
        self._acceptor.start()

    @property
    def base(self) -> str:
        """Where a client on this machine reaches it, such as "http://127.0.0.1:8101"."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        with self._live_lock:
            return len(self._live)

    def close(self) -> None:
        """Stop listening, break open connections and wait for their threads."""
        self.shutdown()
        self._acceptor.join(_JOIN_S)
        with self._live_lock:
            live = dict(self._live)
        for connection in live.values():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client has closed it already, or a fault has
        for thread in live:
            thread.join(_JOIN_S)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection and keep both."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._live_lock:
            self._live[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._live_lock:
                del self._live[threading.current_thread()]

    def handle_error(self, *_: Any) -> None:
        """Ignore clients that leave."""
        if not isinstance(sys.exception(), OSError):
            _LOG.exception("the simulator's server raised an exception")


class _RequestHandler(WSGIRequestHandler):
    """One connection. Unlike werkzeug's own it keeps connections alive and bodies within a limit."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        try:
            body = self._read_body()
        except _BadBody as bad:
            self.send_error(bad.status, bad.sentence)
            self._discard_input()
            return
        except ConnectionError:
            self.close_connection = True
            return
        try:
            self._send(*self._call(body))
        except ReplySent:  # by a fault
            return
        except ConnectionError:  # the client left, or a fault has dealt with the connection
            self.close_connection = True
        except Exception:  # noqa: BLE001 - the server must outlive its own mistakes
            _LOG.exception("the simulator's application raised an exception")
            self.send_error(500, "The simulator made a mistake.")

    def send_error(self, code: int, message: str | None = None, *_: Any) -> None:
        """Answer a malformed HTTP request with the vendor's own body, and close."""
        self.close_connection = True
        reply = self.server.refusal(code, message or "This is not a proper HTTP request.")
        body = reply.payload()
        date = dict(reply.headers).get("Date", self.date_time_string())
        self._send(reply.status, [*reply.all_headers(date), ("Content-Length", str(len(body)))], body)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing: paths hold codes."""

    def _call(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Run the application and return status, headers and body."""
        target = re.sub("^[hH][tT][tT][pP][sS]?://[^/?]*", "", self.requestline.split()[1])
        self.path = "/"  # the target goes its own way: werkzeug would decode it and merge its slashes
        environ = self.make_environ()
        for name in ("HTTP_TRANSFER_ENCODING", "wsgi.input_terminated"):
            environ.pop(name, None)
        pairs = [(name, re.sub("[\r\n]+", "", value)) for name, value in self.headers.items()]
        environ |= {
            "PATH_INFO": target.partition("?")[0],
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            TARGET_KEY: target,
            HEADERS_KEY: pairs,
        }
        started: list[tuple[int, list[tuple[str, str]]]] = []
        late: list[bytes] = []  # what WSGI's old `write` would take; Flask never uses it

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
            started.append((int(status.split()[0]), headers))
            return late.append

        chunks = self.server.app(environ, start_response)
        try:
            payload = b"".join(chunks)
        finally:
            getattr(chunks, "close", lambda: None)()
        status, headers = started[-1]
        return status, headers, payload

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if self.close_connection:
            headers = [*headers, ("Connection", "close")]
        try:
            self.wfile.write(encode_head(status, headers) + body)  # at once, so that no packet waits
        except OSError:
            self.close_connection = True

    def _read_body(self) -> bytes:
        coding = self.headers.get("Transfer-Encoding")
        lengths = set(self.headers.get_all("Content-Length", []))
        if coding is not None:
            if lengths or coding.strip().lower() != "chunked":
                raise _BadBody(400, "Only chunked bodies without a Content-Length are understood.")
            return self._read_chunks()
        if not lengths:
            return b""
        length = lengths.pop().strip()
        if lengths or not re.fullmatch("[0-9]{1,18}", length):
            raise _BadBody(400, "The Content-Length is not a number.")
        if int(length) > BODY_LIMIT:
            raise _BadBody(413, "The body is too large.")
        return self._read_exactly(int(length))

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            size_text = self.rfile.readline(1000).partition(b";")[0].strip()
            if not re.fullmatch(b"[0-9a-fA-F]{1,8}", size_text):
                raise _BadBody(400, "A chunk has no size.")
            size = int(size_text, 16)
            if len(body) + size > BODY_LIMIT:
                raise _BadBody(413, "The body is too large.")
            if size == 0:
                break
            body += self._read_exactly(size)
            if self.rfile.readline(3) not in {b"\r\n", b"\n"}:
                raise _BadBody(400, "A chunk is longer than its size.")
        for _ in range(100):  # trailers are not used
            if self.rfile.readline(1000) in {b"\r\n", b"\n", b""}:
                return body
        raise _BadBody(400, "There are too many trailers.")

    def _read_exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionGone  # the client left before its request was complete: nothing happened
        return data

    def _discard_input(self) -> None:
        """Read the rest of the input for a short time; otherwise the client would get a reset instead of the reply."""
        try:
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(0.5)
            discarded = 0
            while discarded < _DISCARD_LIMIT and (data := self.connection.recv(65536)):
                discarded += len(data)
        except OSError:
            return
