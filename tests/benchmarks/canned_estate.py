"""Two vendors that only say what a migration needs to hear, from ready text, in a process of their own.

One speaks as JTL does, the other as the ticketing vendor, on one port. What is said of a voucher follows from its id
alone, but for one thing: whether it was frozen. Run by `serving_estate`, or by hand::

    python -m tests.benchmarks.canned_estate --latency-ms 20
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager

from tests.benchmarks.canned import voucher
from tests.benchmarks.canned_server import arguments, message, serve, serving_module

VALUE = "39.47"


def serving_estate(*, latency_ms: float) -> AbstractContextManager[str]:
    """Serve from another process, and give the base URL, without a path."""
    return serving_module("tests.benchmarks.canned_estate", "--latency-ms", str(latency_ms))


def code_of(id: str) -> str:
    """Return the code of the source's voucher of this id."""
    return f"JTL-{id}"


class Estate:
    """All that both vendors say."""

    def __init__(self) -> None:
        self._frozen: set[str] = set()
        self._source = json.dumps({**voucher("ID"), "remaining_amount": VALUE, "type": None, "sku": None})
        self._token = json.dumps({"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400})

    def to(self, line: bytes, body: bytes) -> bytes:
        """Return the whole answer to a request."""
        method, target, _ = line.decode("ascii").split(" ")
        parts = target.split("/")
        if target.startswith("/oauth/"):
            return message(self._token)
        if target.startswith("/api/"):
            return message(self._at_target(json.loads(body)["code"] if method == "POST" else parts[3][1:]))
        id = parts[3]
        if method == "PATCH":
            self._frozen.add(id)
        text = self._source.replace('"ID"', f'"{id}"')
        if id in self._frozen:
            text = text.replace('"active"', '"inactive"').replace('"2029-12-31T22:59:59+00:00"', "null")
        if parts[-1] == "complete":
            text = text.replace('"sku"', f'"code": "{code_of(id)}", "pin": null, "sku"')
        return message(text)

    def _at_target(self, code: str) -> str:
        at = "2026-11-20T12:00:00.000Z"
        until = '"validUntil": "2029-12-31T22:59:59.000Z"'
        return (
            f'{{"_id": "t{code}", "code": "{code}", "amount": {VALUE}, {until}, "origin": "default",'
            f' "sellerId": "a-seller", "createdAt": "{at}", "updatedAt": "{at}"}}'
        )


if __name__ == "__main__":
    serve(Estate().to, latency_ms=arguments().parse_args().latency_ms)
