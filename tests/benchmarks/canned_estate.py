"""Two vendors that only say what a migration needs to hear, from ready text, in a process of their own.

One speaks as JTL does, the other as the ticketing vendor, on one port. What is said of a voucher follows from its id
alone, but for one thing: whether it was frozen. Run by `serving_estate`, or by hand::

    python -m tests.benchmarks.canned_estate --latency-ms 20 --vouchers 20000
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.canned import ON_A_PAGE, voucher
from tests.benchmarks.canned_server import arguments, message, serve, serving_module

VALUE = "39.47"
TARGET_ANSWERS = {
    "/api/keys/": '{"sellerId": "a-seller"}',
    "/api/sellers/": '{"currency": "EUR"}',
    "/api/vouchers?": '{"docs": [], "total": 0}',
}
"""What the target says of its login, and of what it has, by the begin of the path."""


def serving_estate(*, latency_ms: float, vouchers: int) -> AbstractContextManager[str]:
    """Serve from another process, and give the base URL, without a path."""
    given = ("--latency-ms", str(latency_ms), "--vouchers", str(vouchers))
    return serving_module("tests.benchmarks.canned_estate", *given)


def id_of(number: int) -> str:
    """Return the id of the source's voucher of this number, which is one or more."""
    return f"V{number:07d}"


def code_of(id: str) -> str:
    """Return the code of the source's voucher of this id."""
    return f"JTL-{id}"


class Estate:
    """All that both vendors say.

    Args:
        vouchers: how many vouchers the source's list has.
    """

    def __init__(self, vouchers: int) -> None:
        self._vouchers = vouchers
        self._frozen: set[str] = set()
        self._source = json.dumps({**voucher("ID"), "remaining_amount": VALUE, "type": None, "sku": None})
        self._token = json.dumps({"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400})

    def to(self, line: bytes, body: bytes) -> bytes:
        """Return the whole answer to a request."""
        method, target, _ = line.decode("ascii").split(" ")
        parts = target.split("/")
        if target.startswith("/oauth/"):
            return message(self._token)
        if target.startswith(tuple(TARGET_ANSWERS)):
            return message(next(text for start, text in TARGET_ANSWERS.items() if target.startswith(start)))
        if target.startswith("/api/"):
            return message(self._at_target(json.loads(body)["code"] if method == "POST" else parts[3][1:]))
        if len(parts) == 3:
            return message(self._list(int(parse_qs(urlsplit(target).query)["page"][0])))
        id = parts[3]
        if method == "PATCH":
            self._frozen.add(id)
        text = self._voucher(id)
        if parts[-1] == "complete":
            text = text.replace('"sku"', f'"code": "{code_of(id)}", "pin": null, "sku"')
        return message(text)

    def _list(self, page: int) -> str:
        first = (page - 1) * ON_A_PAGE + 1
        numbers = range(first, min(first + ON_A_PAGE, self._vouchers + 1))
        pages = -(-self._vouchers // ON_A_PAGE)
        meta = {"current_page": page, "per_page": ON_A_PAGE, "last_page": pages, "total": self._vouchers}
        entries = ",".join(self._voucher(id_of(number)) for number in numbers)
        return f'{{"data": [{entries}], "meta": {json.dumps(meta)}}}'

    def _voucher(self, id: str) -> str:
        text = self._source.replace('"ID"', f'"{id}"')
        if id in self._frozen:
            text = text.replace('"active"', '"inactive"').replace('"2029-12-31T22:59:59+00:00"', "null")
        return text

    def _at_target(self, code: str) -> str:
        at = "2026-11-20T12:00:00.000Z"
        until = '"validUntil": "2029-12-31T22:59:59.000Z"'
        return (
            f'{{"_id": "t{code}", "code": "{code}", "amount": {VALUE}, {until}, "origin": "default",'
            f' "sellerId": "a-seller", "createdAt": "{at}", "updatedAt": "{at}"}}'
        )


if __name__ == "__main__":
    parser = arguments()
    parser.add_argument("--vouchers", type=int, default=1000)
    given = parser.parse_args()
    serve(Estate(given.vouchers).to, latency_ms=given.latency_ms)
