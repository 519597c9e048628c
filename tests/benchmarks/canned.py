"""A vendor that only repeats itself: JTL's answers from ready bytes, in a separate process.

So what a benchmark measures is the client, and not a simulator that thinks. Run by `serving`, or by hand::

    python -m tests.benchmarks.canned --latency-ms 30 --pages 200
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.canned_server import arguments, message, serve, serving_module

ON_A_PAGE: Final = 100


@contextmanager
def serving(*, latency_ms: float = 0, pages: int = 1) -> Iterator[str]:
    """Serve from another process, and give the base URL.

    Args:
        latency_ms: how long each answer waits, in milliseconds.
        pages: how many pages of `ON_A_PAGE` vouchers the list has.
    """
    given = ("--latency-ms", str(latency_ms), "--pages", str(pages))
    with serving_module("tests.benchmarks.canned", *given) as base_url:
        yield f"{base_url}/v1"


def voucher(id: str) -> dict[str, object]:
    """Return a voucher with every field that the seed shows in a list."""
    return {
        "id": id,
        "client_id": "8f14e45fceea167a5a36dedd4bea2543",
        "sku": "GIFT-50",
        "batch": "christmas",
        "amount": "50.00",
        "currency": "EUR",
        "valid_until": "2029-12-31T22:59:59+00:00",
        "validity_value": 3,
        "validity_interval": "years",
        "status": "active",
        "type": "digital",
        "taxable": False,
        "tax_rate": None,
        "order_number": "1001",
        "data": None,
        "created_at": "2026-11-20T12:00:00+00:00",
        "updated_at": "2026-11-20T12:00:00+00:00",
        "remaining_amount": "39.47",
        "deletable": False,
    }


class Answers:
    """All that the vendor ever says. What it said lately it has at hand, so that it does not slow the client down.

    Args:
        pages: how many pages its list has.
    """

    def __init__(self, pages: int) -> None:
        self._ready = lru_cache(maxsize=256)(self._made)
        self._pages = pages
        self._entries = ",".join(json.dumps(voucher(f"voucher-PAGE-{number}")) for number in range(ON_A_PAGE))
        self._token = json.dumps({"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400})
        self._one = json.dumps(voucher("one"))

    def to(self, line: bytes, _: bytes) -> bytes:
        """Return the whole answer to a request with this first line."""
        return self._ready(line)

    def _made(self, line: bytes) -> bytes:
        method, target, _ = line.decode("ascii").split(" ")
        parts = urlsplit(target)
        if method == "POST":
            return message(self._token)
        if not parts.path.endswith("/vouchers"):
            return message(self._one)
        number = int(parse_qs(parts.query)["page"][0])
        meta = json.dumps(
            {
                "current_page": number,
                "per_page": ON_A_PAGE,
                "last_page": self._pages,
                "total": self._pages * ON_A_PAGE,
            }
        )
        return message(f'{{"data": [{self._entries.replace("PAGE", str(number))}], "meta": {meta}}}')


if __name__ == "__main__":
    parser = arguments()
    parser.add_argument("--pages", type=int, default=1)
    given = parser.parse_args()
    serve(Answers(given.pages).to, latency_ms=given.latency_ms)
