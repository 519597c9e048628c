"""The ticketing vendor's refusals. It documents statuses for them, and no body.

Documented are 400 and 404 (seed). With one of these the vendor refused, whether the body is empty, text or JSON. A page
of HTML or XML is not the vendor's but a proxy's, and proves nothing about a request that may have reached the vendor.
Neither does a body that tells of another status than its own, nor a 404 in JSON of another shape than the one below: so
API gateways answer what they do not pass on.

One shape of a body is defined in the vendor's description of its API, ``{statusCode, error, message}``, without a call
that uses it; the status in it is a text there, and a number is taken too (vendor page). Statuses that are not
documented, such as 403 and 422, are a refusal in this shape only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from voucher_gateway.provider_api import AccessDenied, MalformedResponse, Rejected, Response, VoucherGatewayError

DOCUMENTED: Final = frozenset({400, 404})
"""The statuses that the vendor documents for refusals, without a body."""

# What may be quoted of an error: names of several words, such as VOUCHER_INVALID. Anything else could be a voucher's
# code, and the message is never quoted at all.
_NAME: Final = re.compile(r"(?=.{3,80}\Z)[A-Za-z]+(?:[._][A-Za-z]+)+")


def explain(reply: Response) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if the reply is not the vendor's."""
    if _is_markup(reply):
        return None
    body = _json(reply)
    status = body.get("statusCode") if isinstance(body, Mapping) else None
    if status is None and reply.status not in DOCUMENTED:
        return None
    if status is None and reply.status == 404 and isinstance(body, Mapping):
        return None
    if status is not None and str(status) != str(reply.status):
        return None
    name = _name(body.get("error")) if isinstance(body, Mapping) else None
    message = f"HTTP {reply.status}" if name is None else f"HTTP {reply.status}, {name}"
    if reply.status == 403:
        return AccessDenied(f"the vendor forbids this ({message}): the key may lack the permission", vendor_code=name)
    return Rejected(f"the vendor refuses ({message}) for a reason that it does not document", vendor_code=name)


def _is_markup(reply: Response) -> bool:
    """Whether the body is a page of HTML or XML, by what it is called or by how it begins."""
    called = str(reply.headers.get("content-type", "")).lower()
    return "html" in called or "xml" in called or reply.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _json(reply: Response) -> Any:
    """Return the JSON body; None for any other."""
    try:
        return reply.json()
    except MalformedResponse:
        return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None
