"""The refusals of pretix. Their texts follow the language of the request, and may quote what was sent.

So they are neither matched nor shown. A refusal is a JSON object or, from ``transact``, a bare array of texts
(witness). A general error is ``{"detail": text}``. Errors of fields are arrays of texts by the name of the field.

A 409 has two meanings, told apart by the names of its members: ``value`` is a card with too little value, and nothing
moved; ``detail`` is a key whose first request has not ended, or never will, so that the outcome is unknown (witness).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from voucher_gateway.provider_api import (
    AccessDenied,
    AuthenticationFailed,
    FieldError,
    InsufficientValue,
    MalformedResponse,
    Rejected,
    Response,
    VoucherGatewayError,
)

REFUSALS: Final = frozenset({400, 403, 404, 405, 409})
"""The statuses of refusals; `parse_refusal` tells which 409 is one."""

_FIELD: Final = re.compile(r"[a-z_]{1,40}")


def parse_refusal(reply: Response) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if the reply is not in the vendor's shape."""
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    general = is_general(body)
    if reply.status == 401:
        return AuthenticationFailed("the vendor does not know the token") if general else None
    if reply.status == 403:
        return AccessDenied("the token's team may not do that, or the organizer does not exist") if general else None
    if reply.status in (404, 405):
        return Rejected(f"the vendor refused the call (HTTP {reply.status})") if general else None
    fields = error_fields(body)
    if reply.status == 409 and fields == ("value",):
        return InsufficientValue("less is left on the gift card than the requested amount")
    if reply.status != 400:
        return None
    if fields is None and not general and not _is_texts(body):
        return None
    names = ", ".join(fields or ()) or "no field named"
    return Rejected(
        f"the vendor refused the call (HTTP 400, {names})",
        fields=tuple(FieldError(name, "refused") for name in fields or ()),
    )


def is_general(body: Any) -> bool:
    """Return whether a body is the vendor's general error, and nothing else."""
    return isinstance(body, Mapping) and body.keys() == {"detail"} and isinstance(body["detail"], str)


def error_fields(body: Any) -> tuple[str, ...] | None:
    """Return the names of the fields that a body finds fault with; None if it is of another shape."""
    if not isinstance(body, Mapping) or not body or is_general(body):
        return None
    if all(_FIELD.fullmatch(name) and _is_texts(texts) for name, texts in body.items()):
        return tuple(sorted(body))
    return None


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
