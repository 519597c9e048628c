"""The control API: clock, faults, record and ledger over HTTP, for tests in any language.

A web page in a browser of the same machine can send requests to it too, from its own host or after it has let its name
point to 127.0.0.1. Such a request names the page's host, or has a type of content that a page may send without asking.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from flask import Flask, Response
from flask import request as flask_request
from werkzeug.exceptions import HTTPException

from voucher_gateway.simulator.faults.queue import Fault
from voucher_gateway.simulator.http.messages import RecordedRequest, Reply
from voucher_gateway.simulator.http.strict_json import read_json, write_json

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from voucher_gateway.simulator.application import Application


_OWN_HOST: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.ASCII | re.IGNORECASE)


def control_refusal(status: int, message: str) -> Reply:
    """Return the answer of the control API to a request that it cannot carry out."""
    return Reply(status, {"error": message})


class ControlApi:
    """The control API. It shows codes and secrets as they are: it listens on loopback only.

    Its Flask application is built for the first request: most tests in the simulator's process make none, and the rules
    of its paths take half of the time in which a simulator starts.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    def respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, as a WSGI application."""
        return self._flask.wsgi_app(environ, start_response)

    @cached_property
    def _flask(self) -> Flask:
        flask = Flask("voucher_gateway.simulator.control", static_folder=None)
        rules: list[tuple[str, str, Callable[[], object]]] = [
            ("GET", "/clock", self._show_clock),
            ("POST", "/clock", self._advance_clock),
            ("GET", "/faults", self._show_faults),
            ("POST", "/faults", self._inject),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/requests", self._requests),
            ("GET", "/ledger", self._ledger),
        ]
        for method, path, view in rules:
            flask.add_url_rule(
                path,
                f"{method} {path}",
                partial(_show, view),
                methods=[method],
                provide_automatic_options=False,
            )
        flask.before_request(_refuse_web_pages)
        flask.register_error_handler(ValueError, _wrong_value)
        flask.register_error_handler(HTTPException, _http_error)
        return flask

    def _show_clock(self) -> object:
        return {"now": self._application.simulator.clock.now().isoformat()}

    def _advance_clock(self) -> object:
        step = _body({"advance_s"}).get("advance_s")
        if isinstance(step, bool) or not isinstance(step, int | float):
            raise ValueError("advance_s is a number of seconds")
        self._application.simulator.clock.advance(step)
        return self._show_clock()

    def _show_faults(self) -> object:
        """Return the faults that can happen at this vendor, the vendor's own among them."""
        return [
            {
                "name": kind.name,
                "sentence": kind.sentence,
                "commits": kind.commits,
                "options": {
                    name: {"default": option.default, "values": str(option)} for name, option in kind.options.items()
                },
            }
            for kind in self._application.simulator.fault_kinds().values()
        ]

    def _inject(self) -> object:
        body = _body()
        name, match, times = body.pop("name", None), body.pop("match", "* *"), body.pop("times", 1)
        after: object = body.pop("after", 0)
        if not isinstance(name, str) or not isinstance(match, str):
            raise ValueError("name and match are texts")
        if times is None:
            times = 0
        if isinstance(times, bool) or not isinstance(times, int):
            raise ValueError("times is an integer; 0 or null stands for always")
        if isinstance(after, bool) or not isinstance(after, int):
            raise ValueError("after is an integer: how many matching requests pass first")
        options = {}
        for option, value in body.items():
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError(f"the option {option} is a number or a text")
            options[option] = value
        self._application.inject(Fault(name, match, times, options, after, kinds=self._application.fault_kinds))
        return {"name": name, "match": match, "times": times, "after": after, **options}

    def _clear_faults(self) -> object:
        return {"cleared": self._application.clear_faults()}

    def _requests(self) -> object:
        """Return the requests that arrived, in order. Nothing is masked: codes, secrets and tokens show."""
        return [_as_json(record) for record in self._application.requests()]

    def _ledger(self) -> object:
        """Return every voucher with its true value and movements. Nothing is masked."""
        with self._application.simulator.lock:
            return self._application.simulator.ledger()


def _refuse_web_pages() -> Response | None:
    """Return the refusal of a request that a web page of another host could have sent; None for every other one."""
    host, origin = flask_request.headers.get("Host", ""), flask_request.headers.get("Origin")
    if not _OWN_HOST.fullmatch(host):
        return _response(403, {"error": "the Host header must be 127.0.0.1, localhost or [::1], with or without port"})
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return _response(403, {"error": "web pages of other hosts are not served: the request has their Origin header"})
    if flask_request.method == "POST" and flask_request.mimetype != "application/json":
        return _response(415, {"error": "the body must come with Content-Type: application/json"})
    return None


def _body(known: set[str] | None = None) -> dict[str, float | str | bool | None]:
    value = read_json(flask_request.get_data())
    if not isinstance(value, dict):
        raise ValueError("the body is a JSON object")
    if known is not None and not set(value) <= known:
        raise ValueError(f"the body has the members {sorted(known)}")
    # the control API takes plain numbers of seconds, so that Decimals for fractions would only be in the way
    return {key: item if isinstance(item, str | bool | int | None) else _number(item) for key, item in value.items()}


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise ValueError("the members are numbers, texts or null") from None


def _as_json(record: RecordedRequest) -> dict[str, object]:
    return {
        "at": record.at.isoformat(),
        "method": record.method,
        "path": record.path,
        "query": record.query,
        "headers": [list(pair) for pair in record.headers],
        "body": record.body.decode("utf-8", "replace"),
        "status": record.status,
        "faults": list(record.faults),
    }


def _response(status: int, value: object) -> Response:
    return Response(write_json(value), status, content_type="application/json")


def _show(view: Callable[[], object]) -> Response:
    return _response(200, view())


def _wrong_value(error: ValueError) -> Response:
    return _response(400, {"error": str(error)})


def _http_error(error: HTTPException) -> Response:
    return _response(error.code or 400, {"error": error.description or error.name})
