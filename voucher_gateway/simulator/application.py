"""The web application around a simulator: record, latency, faults, routing, reply."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen
from flask import Flask, Response
from flask import request as flask_request
from werkzeug.datastructures import Headers

from voucher_gateway.simulator.faults.queue import ArmedFaults, Fault
from voucher_gateway.simulator.faults.table import FAULTS
from voucher_gateway.simulator.http.messages import RecordedRequest, Refused, Reply, Request
from voucher_gateway.simulator.http.routes import BadPath, Match, find_route
from voucher_gateway.simulator.http.server import HEADERS_KEY, TARGET_KEY
from voucher_gateway.simulator.http.socket_writer import ConnectionGone, Outgoing
from voucher_gateway.simulator.ledger_view import LedgerSnapshots

if TYPE_CHECKING:
    from voucher_gateway.simulator.simulator import Simulator

_RECORD_LIMIT: Final = 100_000
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOG: Final = logging.getLogger("voucher_gateway.simulator")


@frozen
class RequestContext:
    """One request, the faults that it still meets, and the way to the vendor's handler.

    Attributes:
        application: the application that received the request.
        request: the request, with the parts of its path if a route fits.
        match: the route of its path; None if the path is malformed.
        faults: the faults that are not applied yet.
        snapshot: the ledger to answer from; None for the current one.
    """

    application: Application
    request: Request
    match: Match | None
    faults: tuple[Fault, ...] = ()
    snapshot: dict[str, object] | None = None

    @property
    def simulator(self) -> Simulator:
        """The vendor."""
        return self.application.simulator

    def pause(self, seconds: float) -> None:
        """Wait in real time.

        Raises:
            ConnectionGone: if the simulator closes during the wait.
        """
        if self.application.closing.wait(seconds):
            raise ConnectionGone

    def proceed(self) -> Reply:
        """Apply the next fault, or let the vendor carry the request out if none is left."""
        if not self.faults:
            with self.simulator.lock:
                return self._perform()
        fault, *rest = self.faults
        options = {name: fault.options.get(name, option.default) for name, option in fault.kind.options.items()}
        return fault.kind.action(evolve(self, faults=tuple(rest)), **options)

    def proceed_later(self, after_requests: int) -> None:
        """Let the vendor carry the request out after this number of further changing requests."""
        with self.simulator.lock:
            self.application.late.append((after_requests, self))

    def proceed_from_snapshot(self, lag_s: float, lag_requests: int | None) -> Reply:
        """Proceed, and answer a look-up from an older snapshot of the ledger."""
        if self.match is None or self.match.route is None or not self.match.route.look_up:
            return self.proceed()
        with self.simulator.lock:
            snapshot = self.application.snapshots.older(lag_s, lag_requests)
        return evolve(self, snapshot=snapshot).proceed()

    def proceed_with_body(self, body: bytes) -> Reply:
        """Proceed as if this body had arrived."""
        return evolve(self, request=evolve(self.request, body=body)).proceed()

    def _perform(self) -> Reply:
        if self.match is None:
            return self.simulator.bad_path(self.request)
        if self.match.route is None:
            if self.match.allowed:
                return self.simulator.method_not_allowed(self.request, self.match.allowed)
            return self._call_safely(self.simulator.not_found)
        try:
            _ = self.request.query
        except ValueError:
            return self.simulator.bad_query(self.request)
        if self.snapshot is None:
            return self._call_handler()
        present = self.simulator.dump()
        self.simulator.load(self.snapshot)
        try:
            return self._call_handler()
        finally:
            self.simulator.load(present)

    def _call_handler(self) -> Reply:
        assert self.match is not None
        assert self.match.route is not None
        try:
            return self._call_safely(self.match.route.handler)
        finally:
            if self.request.method not in _READING:
                self.application.note_change()
                self.application.deliver_due()

    def _call_safely(self, handler: Callable[[Request], Reply]) -> Reply:
        try:
            return handler(self.request)
        except Refused as refused:
            return refused.reply
        except Exception:  # noqa: BLE001 - a handler's mistake must reach the client as a reply and the tests as a crash
            self.application.note_crash()
            return self.simulator.crash_reply(self.request)


class Application:
    """A simulator behind Flask.

    Attributes:
        simulator: the vendor.
        closing: set when the simulator closes.
        fault_kinds: every fault of the kit, and the vendor's own, by name.
        faults: the faults that are injected and not used up.
        snapshots: snapshots of the ledger.
        late: requests that a fault holds back, each with the number of changing requests that it still waits for.
        crashes: the tracebacks of exceptions in handlers; a test can require that the list is empty.
        flask: the WSGI application.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.closing = threading.Event()
        self.fault_kinds = {**FAULTS, **simulator.fault_kinds()}
        self.faults = ArmedFaults(simulator.faults_without_meaning)
        self.snapshots = LedgerSnapshots(simulator)
        self.late: list[tuple[int, RequestContext]] = []
        self.crashes: list[str] = []
        self._routes = tuple(simulator.routes())
        self._records: dict[int, RecordedRequest] = {}
        self._arrivals = 0
        self._record_lock = threading.Lock()
        self.flask = Flask("voucher_gateway.simulator", static_folder=None)
        self.flask.config["PROPAGATE_EXCEPTIONS"] = True  # ConnectionGone is for the server
        # Before any routing of Flask's, which would decode the path and merge its slashes.
        self.flask.before_request(self._answer)

    def inject(self, fault: Fault) -> None:
        """Inject a fault.

        Raises:
            ValueError: if the fault cannot happen at this vendor.
        """
        self.faults.arm(fault)
        if fault.name == "lagging-lookups":
            with self.simulator.lock:
                self.snapshots.begin()

    def clear_faults(self) -> int:
        """Remove the injected faults and return how many there were."""
        with self.simulator.lock:
            self.snapshots.forget()
            self.late.clear()
        return self.faults.clear()

    def note_change(self) -> None:
        """Take a snapshot of the ledger if an injected fault may need it. Call it under the simulator's lock."""
        if self.faults.waiting("lagging-lookups"):
            self.snapshots.note_change()
        else:
            self.snapshots.forget()

    def deliver_due(self) -> None:
        """Count an answered changing request, and carry out the late requests that are due. Call it under the lock."""
        waiting = [(count - 1, exchange) for count, exchange in self.late]
        self.late = [(count, exchange) for count, exchange in waiting if count > 0]
        for count, exchange in waiting:
            if count <= 0:
                exchange.proceed()

    def requests(self) -> list[RecordedRequest]:
        """Return the latest 100,000 requests in the order of their arrival."""
        with self._record_lock:
            return list(self._records.values())

    def note_crash(self) -> None:
        """Keep and log the exception that is being handled."""
        self.crashes.append(traceback.format_exc())
        _LOG.error("a handler of the simulator %s raised an exception", self.simulator.name, exc_info=True)

    def refusal(self, status: int, message: str) -> Reply:
        """Return the vendor's answer to a malformed HTTP request."""
        return self.simulator.error_reply(status, message).with_header("Date", self.simulator.clock.http_date())

    def _answer(self) -> Response:
        request = self._parse_request()
        try:
            match = find_route(self._routes, request.method, request.raw_path)
            request = evolve(request, parts=match.parts)
        except BadPath:
            match = None
        faults = self.faults.take(request.method, request.raw_path)
        number = self._record(request, faults)
        self._wait_for_latency()
        ordered = sorted(faults, key=lambda fault: not fault.kind.stacks)
        reply = RequestContext(self, request, match, tuple(ordered)).proceed()
        self._record_status(number, reply.status or None)
        headers = reply.all_headers(self.simulator.clock.http_date())
        body = reply.payload()
        if reply.delivery is not None:
            connection = flask_request.environ["werkzeug.socket"]
            reply.delivery(Outgoing(connection, self.closing, reply.status, headers, body))
        response = Response(body, reply.status, headers)
        if not body:
            response.headers.pop("Content-Type", None)  # Flask adds its default even to an empty body
            response.headers.extend(item for item in headers if item[0].lower() == "content-type")
        return response

    def _parse_request(self) -> Request:
        environ = flask_request.environ
        path, _, query = environ[TARGET_KEY].partition("?")
        headers = Headers(environ[HEADERS_KEY])
        return Request(flask_request.method, path, query, headers, flask_request.get_data())

    def _wait_for_latency(self) -> None:
        latency_s = self.simulator.options.latency_ms / 1000
        if latency_s and self.closing.wait(latency_s):
            raise ConnectionGone

    def _record(self, request: Request, faults: list[Fault]) -> int:
        record = RecordedRequest(
            self.simulator.clock.now(),
            request.method,
            request.raw_path,
            request.raw_query,
            tuple(request.headers.items()),
            request.body,
            faults=tuple(fault.name for fault in faults),
        )
        with self._record_lock:
            self._arrivals += 1
            self._records[self._arrivals] = record
            if len(self._records) > _RECORD_LIMIT:
                del self._records[next(iter(self._records))]
            return self._arrivals

    def _record_status(self, number: int, status: int | None) -> None:
        with self._record_lock:
            if number in self._records:
                self._records[number] = evolve(self._records[number], status=status)
