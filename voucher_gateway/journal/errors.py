"""What the journal keeps of an error."""

from __future__ import annotations

import json

from voucher_gateway.errors import VoucherGatewayError


def error_json(error: VoucherGatewayError) -> str:
    """Return what the journal keeps of an error; no payload and no code is in it."""
    ticket = getattr(error, "ticket", None)
    kept = {
        "error": type(error).__name__,
        "message": error.message,
        "http_status": error.http_status,
        "vendor_code": error.vendor_code,
        "ticket": None if ticket is None else json.loads(ticket.to_json()),
    }
    return json.dumps({name: value for name, value in kept.items() if value is not None}, ensure_ascii=False)
