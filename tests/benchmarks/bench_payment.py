"""What the payment of an order costs, compared with its bare requests.

JTL takes 30 ms for each answer. A payment of two vouchers is authorized and captured: two reservations side by side,
then two captures side by side. Beside it, two threads send the same requests without a journal.

What is compared are medians of rounds that take turns. Run by ``make bench``, or alone by
``python -m tests.benchmarks.bench_payment``.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import requests

from tests.benchmarks.bench_journal import KEYS, LATENCY_MS, create_voucher, make_provider, simulated_vendor
from tests.benchmarks.ratio import Ratio, print_table
from tests.benchmarks.taking_turns import compared
from voucher_gateway import Gateway, Payment
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Money

TO_BARE: Final = 1.15
PAYMENTS: Final = 10
ROUNDS: Final = 6
CENT: Final = Money("0.01", "EUR")
TOTAL: Final = Money("0.02", "EUR")


def ratios() -> Iterator[Ratio]:
    """Measure."""
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-bench-"))
    try:
        yield _payment(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _payment(folder: Path) -> Ratio:
    with simulated_vendor() as announcement, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {announcement['token']}"
        codes = [create_voucher(session, announcement["base_url"]) for _ in range(2)]
        journal = open_journal(f"sqlite:///{folder / 'payments.db'}", KEYS)
        with (
            Gateway({"shop": make_provider(announcement)}, journal=journal) as gateway,
            make_provider(announcement) as bare,
            ThreadPoolExecutor(max_workers=2) as pool,
        ):
            payments = [_open_payment(gateway, codes) for _ in range(PAYMENTS * (ROUNDS + 1))]

            def ours() -> None:
                payment = payments.pop()
                payment.authorize()
                payment.capture()

            def without() -> None:
                reservations = pool.map(lambda code: bare.reserve(code, CENT, reference="r"), codes)
                list(pool.map(lambda reservation: bare.capture(reservation, reference="r"), list(reservations)))

            took = compared({"ours": ours, "bare": without}, calls=PAYMENTS, rounds=ROUNDS)
    name = (
        f"authorize and capture of two vouchers at {LATENCY_MS} ms latency ({took['ours'] / 1000:.1f} ms)"
        f" to their bare requests ({took['bare'] / 1000:.1f} ms)"
    )
    return Ratio(name, took["ours"] / took["bare"], TO_BARE)


def _open_payment(gateway: Gateway, codes: list[str]) -> Payment:
    payment = gateway.payment(secrets.token_hex(8), total=TOTAL)
    for code in codes:
        payment.add(code, limit=CENT, account="shop")
    return payment


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
