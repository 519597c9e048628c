"""The vendor's error replies: the shape is the only documented one, and no operation of its page refers to it."""

from http.client import responses
from typing import Final, Literal

from voucher_gateway.simulator import Refused, Reply

RefusalBodies = Literal["described", "message", "text", "empty"]

_WITHOUT_A_BODY: Final = frozenset({400, 404})
"""The statuses that the seed documents for refusals, without a body."""


def http_error(status: int, message: str) -> Reply:
    """The vendor's `HttpError`; its `statusCode` is a text (vendor page)."""
    error = responses.get(status, "Error")
    return Reply(status, {"statusCode": str(status), "error": error, "message": message})


def bad_request(message: str) -> Refused:
    """To be raised: 400, with words that the vendor does not document."""
    return Refused(http_error(400, message))


def with_body(reply: Reply, bodies: RefusalBodies) -> Reply:
    """The same reply; a refusal whose body is not documented with the body that the options ask for."""
    if reply.status not in _WITHOUT_A_BODY or bodies == "described":
        return reply
    if bodies == "empty":
        return Reply(reply.status)
    message = responses[reply.status]
    if bodies == "text":
        return Reply(reply.status, message.encode(), (("Content-Type", "text/plain; charset=utf-8"),))
    return Reply(reply.status, {"message": message})
