"""Square for tests: a client of its simulator, and the vendor's own document that all exchanges must obey."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import attrs
import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_square.simulator import SquareSimulator

DOCUMENT: Final = Path(__file__).parents[1] / "providers" / "square" / "openapi.json"

_ERRORS = {
    "description": "the vendor's document names no status of errors",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["errors"],
                "additionalProperties": False,
                "properties": {
                    "errors": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Error"}}
                },
            }
        }
    },
}


@attrs.frozen
class VendorDocument:
    """The vendor's document of gift cards, made stricter: objects have no members that it does not name."""

    openapi: OpenAPI

    def check_request(self, request: requests.PreparedRequest) -> None:
        """Raise an error if the document does not allow this request, the simulator's or an adapter's alike."""
        self.openapi.validate_request(RequestsOpenAPIRequest(request))

    def check_response(self, response: requests.Response) -> None:
        """Raise an error if the document does not allow this answer to its request."""
        self.openapi.validate_response(RequestsOpenAPIRequest(response.request), RequestsOpenAPIResponse(response))

    def check(self, response: requests.Response) -> None:
        """Raise an error if the document forbids the answer or the request that led to it."""
        self.check_request(response.request)
        self.check_response(response)


def read_document() -> dict[str, Any]:
    """Return the vendor's document, with the errors, whose statuses it does not name."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    # How its tokens are sent.
    document["components"]["securitySchemes"]["oauth2"] = {"type": "http", "scheme": "bearer"}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = _ERRORS
    return document


def load_document() -> VendorDocument:
    """Return the document, ready to check exchanges."""
    return VendorDocument(OpenAPI.from_dict(read_document()))


@attrs.frozen
class VendorClient:
    """Speaks HTTP to a running simulator with a token that it announced."""

    running: RunningSimulator
    session: requests.Session = attrs.field(factory=requests.Session)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    @property
    def simulator(self) -> SquareSimulator:
        """The vendor itself, for what happens outside of its API."""
        assert isinstance(self.running.simulator, SquareSimulator)
        return self.running.simulator

    @property
    def location(self) -> str:
        """The main location."""
        return self.running.announcement["location_id"]

    def call(self, method: str, path: str, *, token: str | None = "", **more: Any) -> requests.Response:
        """Send one request; `token=None` sends no token, "" the announced one."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.running.announcement['access_token']}")
        url = self.running.announcement["base_url"] + path
        return self.session.request(method, url, headers=headers, timeout=10, **more)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the body of a successful reading."""
        response = self.call("GET", path, params=query)
        assert response.status_code == 200, response.text
        return cast("dict[str, Any]", response.json())

    def create(self, *, key: str | None = None, location: str | None = None, **fields: Any) -> requests.Response:
        """Create a card without value."""
        body = {
            "idempotency_key": key or f"create-{next(self._numbers)}",
            "location_id": location or self.location,
            "gift_card": {"type": "DIGITAL", **fields},
        }
        return self.call("POST", "/v2/gift-cards", json=body)

    def act(
        self, kind: str, card: Mapping[str, Any], *, key: str | None = None, location: str | None = None, **details: Any
    ) -> requests.Response:
        """Create an activity of a card."""
        activity = {
            "type": kind,
            "location_id": location or self.location,
            "gift_card_id": card["id"],
            f"{kind.lower()}_activity_details": details,
        }
        body = {"idempotency_key": key or f"act-{next(self._numbers)}", "gift_card_activity": activity}
        return self.call("POST", "/v2/gift-cards/activities", json=body)

    def sell(self, amount: int = 5000, currency: str = "EUR", **fields: Any) -> dict[str, Any]:
        """Return a card that is worth something and can be spent."""
        created = self.create(**fields).json()["gift_card"]
        value = {"amount": amount, "currency": currency}
        activated = self.act("ACTIVATE", created, amount_money=value, buyer_payment_instrument_ids=["cash"])
        assert activated.status_code == 200, activated.text
        return self.card(created)

    def card(self, card: Mapping[str, Any]) -> dict[str, Any]:
        """Return a card as it is now."""
        return cast("dict[str, Any]", self.get(f"/v2/gift-cards/{card['id']}")["gift_card"])


def code_of(response: requests.Response) -> str:
    """Return the code of the only error of a response."""
    (error,) = response.json()["errors"]
    return cast("str", error["code"])
