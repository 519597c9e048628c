"""The replies of the simulated Square: refusals in its words, and what cards and activities look like.

The schema names codes and categories, and no HTTP status. The statuses here are assumptions, except those that HTTP
itself gives: 401, 403, 404, 405, 409, 429 and 5xx.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from voucher_gateway.simulator import Activity, Refused, Reply
from voucher_gateway_square.simulator.ledger import StoredCard

_CATEGORIES: Final[Mapping[str, str]] = {
    "ACCESS_TOKEN_EXPIRED": "AUTHENTICATION_ERROR",
    "ACCESS_TOKEN_REVOKED": "AUTHENTICATION_ERROR",
    "FORBIDDEN": "AUTHENTICATION_ERROR",
    "INSUFFICIENT_SCOPES": "AUTHENTICATION_ERROR",
    "UNAUTHORIZED": "AUTHENTICATION_ERROR",
    "RATE_LIMITED": "RATE_LIMIT_ERROR",
    "INTERNAL_SERVER_ERROR": "API_ERROR",
    "SERVICE_UNAVAILABLE": "API_ERROR",
    "INSUFFICIENT_FUNDS": "PAYMENT_METHOD_ERROR",
    "TEMPORARY_ERROR": "PAYMENT_METHOD_ERROR",
    "REFUND_AMOUNT_INVALID": "REFUND_ERROR",
}
"""The category of each code that is not an INVALID_REQUEST_ERROR (schema)."""

_CODES_BY_STATUS: Final[Mapping[int, str]] = {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    413: "REQUEST_ENTITY_TOO_LARGE",
    429: "RATE_LIMITED",
    500: "INTERNAL_SERVER_ERROR",
    502: "BAD_GATEWAY",
    503: "SERVICE_UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}


def error_body(code: str, detail: str, field: str | None = None) -> dict[str, object]:
    """Return the body of a reply with one error."""
    error = {"category": _CATEGORIES.get(code, "INVALID_REQUEST_ERROR"), "code": code, "detail": detail}
    return {"errors": [error if field is None else {**error, "field": field}]}


def key_is_busy() -> Reply:
    """Return the reply to a key that belongs to a request that is still carried out."""
    return error_reply(409, "CONFLICT", "A request with this key is carried out.")


def key_is_reused() -> Reply:
    """Return the reply to a key that comes with another request."""
    return error_reply(400, "IDEMPOTENCY_KEY_REUSED", "The key belongs to another request.")


def is_success(reply: Reply) -> bool:
    """Return whether a reply has one of the statuses of success."""
    return 200 <= reply.status < 300


def unauthorized() -> Reply:
    """Return the reply to a request without a good token."""
    return error_reply(401, "UNAUTHORIZED", "The access token is missing or not valid.")


def forbidden(scope: str) -> Reply:
    """Return the reply to a request whose token lacks a scope."""
    return error_reply(403, "INSUFFICIENT_SCOPES", f"The access token lacks {scope}.")


def error_reply(status: int, code: str, detail: str, field: str | None = None) -> Reply:
    """Return a reply with one error."""
    return Reply(status, error_body(code, detail, field))


def refusal(code: str, detail: str, field: str | None = None, status: int = 400) -> Refused:
    """Return the exception that answers with one error."""
    return Refused(error_reply(status, code, detail, field))


def error_for_status(status: int, detail: str) -> Reply:
    """Return the vendor's error for a status that no rule of the API names."""
    code = _CODES_BY_STATUS.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_SERVER_ERROR")
    return error_reply(status, code, detail)


def instant_text(at: datetime) -> str:
    """Return an instant as the vendor writes it: in UTC, with milliseconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def money(amount: int, currency: str) -> dict[str, object]:
    """Return an amount in minor units, with its currency."""
    return {"amount": amount, "currency": currency}


def show_location(location_id: str, currency: str) -> dict[str, object]:
    """Return a location as the API shows it."""
    return {"id": location_id, "name": location_id, "status": "ACTIVE", "currency": currency}


def show_card(card: StoredCard, balance: int) -> dict[str, object]:
    """Return a card as the API shows it."""
    body: dict[str, object] = {
        "id": card.id,
        "type": card.type,
        "gan_source": card.gan_source,
        "state": card.state,
        "balance_money": money(balance, card.currency),
        "gan": card.code,
        "created_at": instant_text(card.created_at),
    }
    return {**body, "customer_ids": list(card.customer_ids)} if card.customer_ids else body


def show_activity(card: StoredCard, activity: Activity) -> dict[str, object]:
    """Return an activity as the API shows it, with the details that belong to its type."""
    shown: dict[str, Any] = dict(activity.details["shown"])
    if activity.kind == "REDEEM":
        shown["status"] = {"pending": "PENDING", "completed": "COMPLETED", "cancelled": "CANCELED"}[activity.state]
    return {
        "id": activity.id,
        "type": activity.kind,
        "location_id": activity.details["location_id"],
        "created_at": instant_text(activity.at),
        "gift_card_id": card.id,
        "gift_card_gan": card.code,
        "gift_card_balance_money": money(activity.details["balance"], card.currency),
        f"{activity.kind.lower()}_activity_details": shown,
    }
