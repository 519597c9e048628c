"""The control door: clock, faults, record and ledger over HTTP, for tests in any language."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask, Response
from flask import request as flask_request
from werkzeug.exceptions import HTTPException

from .exchange import RecordedRequest, Reply
from .faults import Fault
from .jsontext import read_json, write_json

if TYPE_CHECKING:
    from .application import Application


def control_refusal(status: int, message: str) -> Reply:
    """The door's answer to what it cannot do."""
    return Reply(status, {"error": message})


class ControlDoor:
    """The door's Flask application. It shows codes and secrets as they are: it listens on loopback only."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.flask = Flask("voucher_gateway.simulator.control", static_folder=None)
        rules: list[tuple[str, str, Callable[[], object]]] = [
            ("GET", "/clock", self._show_clock),
            ("POST", "/clock", self._advance_clock),
            ("POST", "/faults", self._inject),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/requests", self._requests),
            ("GET", "/ledger", self._ledger),
        ]
        for method, path, view in rules:
            self.flask.add_url_rule(
                path,
                f"{method} {path}",
                lambda view=view: _response(200, view()),
                methods=[method],
                provide_automatic_options=False,
            )
        self.flask.register_error_handler(ValueError, lambda error: _response(400, {"error": str(error)}))
        self.flask.register_error_handler(HTTPException, _http_error)

    def _show_clock(self) -> object:
        return {"now": self._application.simulator.clock.now().isoformat()}

    def _advance_clock(self) -> object:
        step = _body({"advance_s"}).get("advance_s")
        if isinstance(step, bool) or not isinstance(step, int | float):
            raise ValueError("advance_s is a number of seconds")
        self._application.simulator.clock.advance(step)
        return self._show_clock()

    def _inject(self) -> object:
        given = _body()
        name, match, times = given.pop("name", None), given.pop("match", "* *"), given.pop("times", 1)
        after: object = given.pop("after", 0)
        if not isinstance(name, str) or not isinstance(match, str):
            raise ValueError("name and match are texts")
        if times is None:
            times = 0
        if isinstance(times, bool) or not isinstance(times, int):
            raise ValueError("times is an integer; 0 or null stands for always")
        if isinstance(after, bool) or not isinstance(after, int):
            raise ValueError("after is an integer: how many matching requests pass first")
        options = {}
        for option, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError(f"the option {option} is a number or a text")
            options[option] = value
        self._application.inject(Fault(name, match, times, options, after))
        return {"name": name, "match": match, "times": times, "after": after, **options}

    def _clear_faults(self) -> object:
        return {"cleared": self._application.clear_faults()}

    def _requests(self) -> object:
        """What arrived, in order. Nothing is masked: codes, secrets and tokens show."""
        return [_as_json(record) for record in self._application.requests()]

    def _ledger(self) -> object:
        """Every voucher with its true value and movements. Nothing is masked."""
        with self._application.simulator.lock:
            return self._application.simulator.ledger()


def _body(known: set[str] | None = None) -> dict[str, float | str | bool | None]:
    value = read_json(flask_request.get_data())
    if not isinstance(value, dict):
        raise ValueError("the body is a JSON object")
    if known is not None and not set(value) <= known:
        raise ValueError(f"the body has the members {sorted(known)}")
    # the door takes plain numbers of seconds, so that Decimals for fractions would only be in the way
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


def _http_error(error: HTTPException) -> Response:
    return _response(error.code or 400, {"error": error.description or error.name})
