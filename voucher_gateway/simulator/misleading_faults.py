"""Faults by which an answer misleads: what is kept, or who answers, is another than the client thinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve

from voucher_gateway.simulator.faults import FaultContext, FaultOption, register_fault
from voucher_gateway.simulator.messages import Reply
from voucher_gateway.simulator.strict_json import InvalidJson, write_json


@register_fault(
    "foreign-404",
    "An API gateway in front of the vendor answers 404 with its own JSON; nothing happened.",
    commits=False,
    code=FaultOption("ROUTE.NOT_FOUND"),
)
def _foreign_404(_: FaultContext, code: str) -> Reply:
    return Reply(404, {"status": 404, "code": code, "message": "no route matched with those values"})


@register_fault(
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
    if not isinstance(body, dict) or member is None or not isinstance(body.get(member), str):
        return exchange.proceed()
    return exchange.proceed_with_body(write_json({**body, member: _REWRITES[how](body[member])}))


_REWRITES: Final[Mapping[str, Callable[[str], str]]] = {
    "cut": lambda reference: reference[:20],
    "upper": str.upper,
    "replace": lambda reference: reference.replace("~", "_").replace("-", "_"),
    "strip": lambda reference: "".join(character for character in reference if character not in "~-."),
}


@register_fault("wrong-voucher", "The vendor does it; the reply names another voucher.", commits=True)
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


@register_fault(
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
