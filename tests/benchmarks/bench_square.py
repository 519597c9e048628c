"""What a redemption at Square costs through a gateway with a journal, compared with its two bare requests.

The vendor takes 30 ms for an answer. The bare requests are those of `requests` on one kept connection: the card by its
code, and the redemption under a key of its own. What is compared are medians of rounds that take turns. Run by
``make bench``, or alone by ``python -m tests.benchmarks.bench_square``.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from tests.benchmarks.ratio import Ratio, print_table
from tests.benchmarks.taking_turns import compared
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Money, NewVoucher, SecretSource
from voucher_gateway_square import SquareProvider, SquareSettings

LATENCY_MS: Final = 30
REDEMPTIONS: Final = 12
TO_BARE: Final = 1.1
CODE: Final = "BENCHMARK1"
CENT: Final = Money("0.01", "EUR")
KEYS: Final = {"1": SecretSource.of("a-key-for-the-benchmark")}


def ratios() -> Iterator[Ratio]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-bench-") as folder, _simulated() as announcement:
        settings = SquareSettings(
            base_url=announcement["base_url"],
            access_token=SecretSource.of(announcement["access_token"]),
            location_id=announcement["location_id"],
        )
        journal = open_journal(f"sqlite:///{Path(folder) / 'redemptions.db'}", KEYS)
        accounts = {"cafe": SquareProvider("cafe", settings)}
        with Gateway(accounts, journal=journal) as gateway, requests.Session() as session:
            gateway.issue("cafe", NewVoucher(initial=Money(500, "EUR"), code=CODE), reference="sale")
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {announcement['access_token']}"

            def redeem() -> None:
                gateway.redeem("cafe", CODE, CENT, reference=secrets.token_hex(8))

            def send_bare_requests() -> None:
                _redeem_by_hand(session, announcement)

            took = compared({"ours": redeem, "bare": send_bare_requests}, calls=REDEMPTIONS, rounds=5)
    name = (
        f"a redemption under a key at {LATENCY_MS} ms latency ({took['ours'] / 1000:.1f} ms)"
        f" to its bare requests ({took['bare'] / 1000:.1f} ms)"
    )
    yield Ratio(name, took["ours"] / took["bare"], TO_BARE)


def _redeem_by_hand(session: requests.Session, announcement: dict[str, str]) -> None:
    cards = f"{announcement['base_url']}/v2/gift-cards"
    card = session.post(f"{cards}/from-gan", json={"gan": CODE}, timeout=10).json()["gift_card"]
    details: dict[str, Any] = {"amount_money": {"amount": 1, "currency": "EUR"}, "reference_id": secrets.token_hex(8)}
    activity = {
        "type": "REDEEM",
        "location_id": announcement["location_id"],
        "gift_card_id": card["id"],
        "redeem_activity_details": details,
    }
    body = {"idempotency_key": secrets.token_hex(16), "gift_card_activity": activity}
    assert session.post(f"{cards}/activities", json=body, timeout=10).status_code == 200


@contextmanager
def _simulated() -> Iterator[dict[str, str]]:
    """Run the vendor in another process, so that it does not share our interpreter; give what it announces."""
    command = [sys.executable, "-m", "voucher_gateway.simulator", "square", "--latency-ms", str(LATENCY_MS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
