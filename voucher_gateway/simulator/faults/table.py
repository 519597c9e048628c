"""Every fault: its name, one sentence, whether the vendor commits, its options and what it does."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Final

from attrs import evolve

from voucher_gateway.simulator.faults.kinds import Action, FaultContext, FaultKind, FaultOption
from voucher_gateway.simulator.http import socket_writer
from voucher_gateway.simulator.http.messages import Reply
from voucher_gateway.simulator.http.strict_json import InvalidJson, write_json

FAULTS: Final[dict[str, FaultKind]] = {}

_ERROR_500: Final = FaultOption(500, 400, 599)

_HTML: Final = b"<!DOCTYPE html><html><head><title>Please wait</title></head><body><h1>Please wait</h1></body></html>"


def _fault(
    name: str, sentence: str, *, commits: bool | None, stacks: bool = False, **options: FaultOption
) -> Callable[[Action], Action]:
    def register(action: Action) -> Action:
        FAULTS[name] = FaultKind(name, sentence, commits, options, stacks, action=action)
        return action

    return register


@_fault("drop-before", "The connection closes without an answer; nothing happened.", commits=False)
def _drop_before(_: FaultContext) -> Reply:
    return Reply(0, delivery=socket_writer.drop)


@_fault("reset-before", "The connection is reset (TCP RST); nothing happened.", commits=False)
def _reset_before(_: FaultContext) -> Reply:
    return Reply(0, delivery=socket_writer.reset)


@_fault(
    "deliver-late",
    "The connection closes without an answer; the vendor does it later, once after_requests further changing requests"
    " were answered.",
    commits=True,
    after_requests=FaultOption(3, 1),
)
def _deliver_late(exchange: FaultContext, after_requests: float) -> Reply:
    exchange.proceed_later(int(after_requests))
    return Reply(0, delivery=socket_writer.drop)


@_fault("commit-then-drop", "The vendor does it and closes the connection without a byte.", commits=True)
def _commit_then_drop(exchange: FaultContext) -> Reply:
    return evolve(exchange.proceed(), status=0, delivery=socket_writer.drop)


@_fault("commit-then-reset", "The vendor does it and resets the connection (TCP RST).", commits=True)
def _commit_then_reset(exchange: FaultContext) -> Reply:
    return evolve(exchange.proceed(), status=0, delivery=socket_writer.reset)


@_fault("error-before", "An error status; nothing happened.", commits=False, status=_ERROR_500)
def _error_before(exchange: FaultContext, status: float) -> Reply:
    return exchange.simulator.error_reply(int(status), "The server could not answer.")


@_fault("error-after-commit", "The vendor does it and answers with an error status.", commits=True, status=_ERROR_500)
def _error_after_commit(exchange: FaultContext, status: float) -> Reply:
    exchange.proceed()
    return exchange.simulator.error_reply(int(status), "The server could not answer.")


@_fault("rate-limit", "429 with Retry-After; nothing happened.", commits=False, retry_after_s=FaultOption(1))
def _rate_limit(exchange: FaultContext, retry_after_s: float) -> Reply:
    reply = exchange.simulator.error_reply(429, "Too many requests.")
    return reply.with_header("Retry-After", f"{retry_after_s:g}")


@_fault("unauthorized", "401, although the token is good; nothing happened.", commits=False)
def _reply_unauthorized(exchange: FaultContext) -> Reply:
    return exchange.simulator.error_reply(401, "Unauthorized.")


@_fault("slow", "The vendor does it and answers late.", commits=True, delay_s=FaultOption(1.0))
def _slow(exchange: FaultContext, delay_s: float) -> Reply:
    reply = exchange.proceed()
    exchange.pause(delay_s)
    return reply


@_fault(
    "slow-before", "Waits, then closes without an answer; nothing happened.", commits=False, delay_s=FaultOption(1.0)
)
def _slow_before(exchange: FaultContext, delay_s: float) -> Reply:
    exchange.pause(delay_s)
    return Reply(0, delivery=socket_writer.drop)


@_fault("hang", "Never answers; nothing happened.", commits=False)
def _hang(_: FaultContext) -> Reply:
    return Reply(0, delivery=socket_writer.hang)


@_fault("commit-then-hang", "The vendor does it and never answers.", commits=True)
def _commit_then_hang(exchange: FaultContext) -> Reply:
    return evolve(exchange.proceed(), status=0, delivery=socket_writer.hang)


@_fault("drip", "The vendor does it; the body arrives a byte at a time.", commits=True, interval_s=FaultOption(0.2))
def _drip(exchange: FaultContext, interval_s: float) -> Reply:
    return evolve(exchange.proceed(), delivery=socket_writer.Drip(interval_s))


@_fault("drip-headers", "The vendor does it; all arrives a byte at a time.", commits=True, interval_s=FaultOption(0.2))
def _drip_headers(exchange: FaultContext, interval_s: float) -> Reply:
    return evolve(exchange.proceed(), delivery=socket_writer.Drip(interval_s, head_too=True))


@_fault("truncate", "The vendor does it; the body ends before Content-Length is reached.", commits=True)
def _truncate(exchange: FaultContext) -> Reply:
    return evolve(exchange.proceed(), delivery=socket_writer.truncate)


@_fault("html", "The vendor does it and answers 200 with an HTML page.", commits=True)
def _html(exchange: FaultContext) -> Reply:
    exchange.proceed()
    return Reply(200, _HTML, (("Content-Type", "text/html; charset=utf-8"),))


@_fault(
    "html-error",
    "An error status with an HTML page; nothing happened.",
    commits=False,
    status=FaultOption(502, 400, 599),
)
def _html_error(_: FaultContext, status: float) -> Reply:
    return Reply(int(status), _HTML, (("Content-Type", "text/html; charset=utf-8"),))


@_fault(
    "html-after-commit",
    "The vendor does it and an HTML page with an error status comes back, as from a proxy.",
    commits=True,
    status=FaultOption(404, 400, 599),
)
def _html_after_commit(exchange: FaultContext, status: float) -> Reply:
    exchange.proceed()
    return Reply(int(status), _HTML, (("Content-Type", "text/html; charset=utf-8"),))


@_fault("not-json", "The vendor does it; the body is called JSON and breaks off in its middle.", commits=True)
def _not_json(exchange: FaultContext) -> Reply:
    reply = exchange.proceed()
    return _json_bytes(reply, (reply.payload() or b"{}")[:-1] + b",")


@_fault("nan", "The vendor does it; a NaN literal stands where a value is due.", commits=True)
def _nan(exchange: FaultContext) -> Reply:
    reply = exchange.proceed()
    if not isinstance(reply.body, dict):
        return _json_bytes(reply, b"NaN")
    members = (write_json(key) + b":NaN" for key in reply.body)
    return _json_bytes(reply, b"{" + b",".join(members) + b"}")


@_fault("empty", "The vendor does it and answers 200 with an empty body.", commits=True)
def _empty(exchange: FaultContext) -> Reply:
    exchange.proceed()
    return Reply(200, b"", (("Content-Type", "application/json"),))


@_fault("huge", "The vendor does it; the body goes on and on.", commits=True, bytes=FaultOption(200_000_000))
def _huge(exchange: FaultContext, bytes: float) -> Reply:
    return evolve(exchange.proceed(), delivery=socket_writer.Flood(int(bytes)))


@_fault(
    "huge-reply",
    "The vendor does it; a small compressed body unpacks to millions of empty lists.",
    commits=True,
    bytes=FaultOption(32_000_000, 6),
)
def _huge_reply(exchange: FaultContext, bytes: float) -> Reply:
    exchange.proceed()
    headers = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    return Reply(200, _gzip_empty_lists(int(bytes) // 3), headers)


@_fault(
    "interim",
    "The vendor does it; an interim reply comes at once and the answer later, on a connection that stays open.",
    commits=True,
    status=FaultOption(103, 102, 199),
    delay_s=FaultOption(0.2),
)
def _interim(exchange: FaultContext, status: float, delay_s: float) -> Reply:
    return evolve(exchange.proceed(), delivery=socket_writer.Interim(int(status), delay_s))


@_fault(
    "no-content-with-body",
    "The vendor does it and answers 204, yet with a length and, a little later, a body; the connection stays open.",
    commits=True,
    delay_s=FaultOption(0.05),
)
def _no_content_with_body(exchange: FaultContext, delay_s: float) -> Reply:
    reply = exchange.proceed()
    if not 200 <= reply.status <= 299:
        return reply
    return Reply(204, b'"No Content"', delivery=socket_writer.LateBody(delay_s))


@_fault(
    "answer-twice",
    "The vendor does it and sends its whole answer twice, on a connection that stays open.",
    commits=True,
)
def _answer_twice(exchange: FaultContext) -> Reply:
    return evolve(exchange.proceed(), delivery=socket_writer.send_twice)


@_fault("wrong-echo", "The vendor does it; the reply shows another amount.", commits=True)
def _wrong_echo(exchange: FaultContext) -> Reply:
    return exchange.simulator.distort(exchange.proceed())


@_fault(
    "redirect", "302 to another host; nothing happened.", commits=False, location=FaultOption("http://127.0.0.1:9/")
)
def _redirect(_: FaultContext, location: str) -> Reply:
    return Reply(302, b"", (("Location", location),))


@_fault("expire-token", "All access tokens become invalid just before.", commits=None, stacks=True)
def _expire_token(exchange: FaultContext) -> Reply:
    with exchange.simulator.lock:
        exchange.simulator.expire_tokens()
    return exchange.proceed()


@_fault("replace-reservation", "Another caller reserves the voucher just before.", commits=None, stacks=True)
def _replace_reservation(exchange: FaultContext) -> Reply:
    with exchange.simulator.lock:
        exchange.simulator.replace_reservation(exchange.request)
    return exchange.proceed()


@_fault(
    "lagging-lookups",
    "Look-ups answer from an older snapshot of the ledger: lag_s virtual seconds old, or lag_requests changing"
    " requests old where that is given; nothing older than the fault itself.",
    commits=None,
    stacks=True,
    lag_s=FaultOption(5.0),
    lag_requests=FaultOption(None),
)
def _lagging_lookups(exchange: FaultContext, lag_s: float, lag_requests: float | None) -> Reply:
    return exchange.proceed_from_snapshot(lag_s, None if lag_requests is None else int(lag_requests))


@_fault("insert-while-paging", "A new voucher appears right after the answer.", commits=None, stacks=True)
def _insert_while_paging(exchange: FaultContext) -> Reply:
    reply = exchange.proceed()
    with exchange.simulator.lock:
        exchange.simulator.insert_voucher()
    return reply


@_fault(
    "clock-skew",
    "The Date header is wrong by that many seconds.",
    commits=None,
    stacks=True,
    seconds=FaultOption(3600, -1e9),
)
def _clock_skew(exchange: FaultContext, seconds: float) -> Reply:
    return exchange.proceed().with_header("Date", exchange.simulator.clock.http_date(seconds))


@_fault(
    "foreign-404",
    "An API gateway in front of the vendor answers 404 with its own JSON (code, message) or a page (html); nothing"
    " happened.",
    commits=False,
    code=FaultOption("ROUTE.NOT_FOUND"),
    body=FaultOption("code", choices=("code", "message", "html")),
)
def _foreign_404(_: FaultContext, code: str, body: str) -> Reply:
    if body == "html":
        return Reply(404, _HTML, (("Content-Type", "text/html; charset=utf-8"),))
    message = {"message": "no route matched with those values"}
    return Reply(404, message if body == "message" else {"status": 404, "code": code, **message})


@_fault(
    "rewrite-reference",
    "The vendor keeps another reference than it was sent: cut at 20 characters (cut), in capitals (upper), with ~ and -"
    " replaced by _ (replace), or without ~, - and . (strip).",
    commits=None,
    stacks=True,
    how=FaultOption("upper", choices=("cut", "upper", "replace", "strip")),
)
def _rewrite_reference(exchange: FaultContext, how: str) -> Reply:
    member = exchange.simulator.reference_member
    try:
        body = exchange.request.json()
    except InvalidJson:
        return exchange.proceed()
    changed = _change_member(body, member, _REWRITES[how])
    return exchange.proceed() if changed == body else exchange.proceed_with_body(write_json(changed))


def _change_member(value: object, name: str | None, change: Callable[[str], str]) -> object:
    """Return a JSON value in which the texts of a member are changed, at any depth."""
    if isinstance(value, list):
        return [_change_member(element, name, change) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        key: change(member) if key == name and isinstance(member, str) else _change_member(member, name, change)
        for key, member in value.items()
    }


def _cut_reference(reference: str) -> str:
    return reference[:20]


def _replace_signs(reference: str) -> str:
    return reference.replace("~", "_").replace("-", "_")


def _strip_signs(reference: str) -> str:
    return "".join(character for character in reference if character not in "~-.")


_REWRITES: Final[Mapping[str, Callable[[str], str]]] = {
    "cut": _cut_reference,
    "upper": str.upper,
    "replace": _replace_signs,
    "strip": _strip_signs,
}


@_fault("wrong-voucher", "The vendor does it; the reply names another voucher.", commits=True)
def _wrong_voucher(exchange: FaultContext) -> Reply:
    reply = exchange.proceed()
    with exchange.simulator.lock:
        ids = [str(voucher["id"]) for voucher in exchange.simulator.ledger()]
    if isinstance(reply.body, bytes) or not 200 <= reply.status < 300:
        return reply
    others = {id: next((other for other in ids if other != id), f"not-{id}") for id in ids}
    return evolve(reply, body=_rename_ids(reply.body, others))


def _rename_ids(document: object, names: Mapping[str, str]) -> object:
    if isinstance(document, dict):
        return {key: _rename_ids(value, names) for key, value in document.items()}
    if isinstance(document, list):
        return [_rename_ids(value, names) for value in document]
    return names.get(document, document) if isinstance(document, str) else document


@_fault(
    "wrong-reading",
    "The reply to a reading request shows another amount; others are answered as usual.",
    commits=None,
    stacks=True,
)
def _wrong_reading(exchange: FaultContext) -> Reply:
    reply = exchange.proceed()
    if exchange.request.method != "GET" or not isinstance(reply.body, dict):
        return reply
    distort = exchange.simulator.distort

    def distort_part(part: object) -> object:
        return distort(evolve(reply, body=part)).body if isinstance(part, dict) else part

    lists = {
        name: [distort_part(part) for part in value] for name, value in reply.body.items() if isinstance(value, list)
    }
    return distort(evolve(reply, body={**reply.body, **lists}))


@lru_cache(maxsize=4)
def _gzip_empty_lists(count: int) -> bytes:
    """Return a gzipped list of so many empty lists, made without the whole of it in memory."""
    packing = zlib.compressobj(wbits=31)
    lists = (b"[]," * min(20_000, count - 1 - start) for start in range(0, count - 1, 20_000))
    return b"".join([*map(packing.compress, chain([b"["], lists, [b"[]]"])), packing.flush()])


def _json_bytes(reply: Reply, body: bytes) -> Reply:
    return evolve(reply.with_header("Content-Type", "application/json"), body=body)
