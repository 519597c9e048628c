"""The ticketing vendor's refusals. The vendor documents their statuses, but no body.

It documents 400 and 404 (seed). These are refusals, whether the body is empty, text or JSON. A page of HTML or XML is
from a proxy, and proves nothing about a request that may have reached the vendor. The same holds for a body that has
another status than the reply, and for a 404 in JSON of another shape than the one below: API gateways answer like this.

The vendor's description of its API defines one shape of a body, ``{statusCode, error, message}``, but no call that uses
it. The status in it is a string; a number is accepted as well (vendor page). A status that is not documented, such as
403 or 422, is a refusal in this shape only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from voucher_gateway.provider_api import AccessDenied, MalformedResponse, Rejected, Response, VoucherGatewayError

DOCUMENTED_STATUSES: Final = frozenset({400, 404})
"""The statuses of refusals that the vendor documents, without a body."""

# Only names of several words are quoted, such as VOUCHER_INVALID. Another text could be a voucher's code. The message
# is never quoted.
_QUOTABLE: Final = re.compile(r"(?=.{3,80}\Z)[A-Za-z]+(?:[._][A-Za-z]+)+")


def parse_refusal(reply: Response) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if the reply is not the vendor's."""
    if _is_markup(reply):
        return None
    body = _json(reply)
    status = body.get("statusCode") if isinstance(body, Mapping) else None
    if status is None and reply.status not in DOCUMENTED_STATUSES:
        return None
    if status is None and reply.status == 404 and isinstance(body, Mapping):
        return None
    if status is not None and str(status) != str(reply.status):
        return None
    name = _quotable_name(body.get("error")) if isinstance(body, Mapping) else None
    message = f"HTTP {reply.status}" if name is None else f"HTTP {reply.status}, {name}"
    if reply.status == 403:
        return AccessDenied(
            f"the vendor forbids the call ({message}): the key may lack the permission", vendor_code=name
        )
    return Rejected(f"the vendor refused the call ({message}) for a reason that it does not document", vendor_code=name)


def _is_markup(reply: Response) -> bool:
    """Return whether the body is HTML or XML, by its content type or its first character."""
    content_type = str(reply.headers.get("content-type", "")).lower()
    return "html" in content_type or "xml" in content_type or reply.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _json(reply: Response) -> Any:
    """Return the JSON body; None for any other."""
    try:
        return reply.json()
    except MalformedResponse:
        return None


def _quotable_name(value: object) -> str | None:
    return value if isinstance(value, str) and _QUOTABLE.fullmatch(value) else None
