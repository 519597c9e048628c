"""The ticketing vendor's error bodies. It documents none for voucher calls, so nothing is told but the status.

One shape is defined in its description of the API, ``{statusCode, error, message}``, without a call that uses it; the
status in it is a text there, and a number is taken too (vendor page).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from voucher_gateway.adapter import AccessDenied, MalformedResponse, Rejected, Reply, VoucherGatewayError

# What may be quoted of an error: names of several words, such as VOUCHER_INVALID. Anything else could be a voucher's
# code, and the message is never quoted at all.
_NAME: Final = re.compile(r"(?=.{3,80}\Z)[A-Za-z]+(?:[._][A-Za-z]+)+")


def explain(reply: Reply) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if the body is not in the vendor's shape."""
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    if not isinstance(body, Mapping) or str(body.get("statusCode")) != str(reply.status):
        return None
    name = _name(body.get("error"))
    said = f"HTTP {reply.status}" if name is None else f"HTTP {reply.status}, {name}"
    if reply.status == 403:
        return AccessDenied(f"the vendor forbids this ({said}): the key may lack the permission", vendor_code=name)
    return Rejected(f"the vendor refuses ({said}) for a reason that it does not document", vendor_code=name)


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None
