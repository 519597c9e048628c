"""How long a page of 1000 vouchers takes from bytes to domain objects, compared with two other ways.

All three decode the same bytes with the same strict JSON, check the same rules and make equal `Voucher` objects with
the vendor's own object in ``raw``:

* ours: the providers' wire classes on the strict converter, and their mapping;
* by hand: the fastest careful code, see `structure_by_hand`;
* pydantic: validated models, see `structure_pydantic`.

What is compared is the median of rounds that take turns. Run by ``make bench``, or alone by
``python -m tests.benchmarks.bench_structure``.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import voucher_gateway_jtl.mapping as jtl_mapping
import voucher_gateway_jtl.wire as jtl_wire
import voucher_gateway_square.mapping as square_mapping
import voucher_gateway_square.wire as square_wire
import voucher_gateway_ticketing.mapping as ticketing_mapping
import voucher_gateway_ticketing.wire as ticketing_wire
from tests.benchmarks.ratio import Ratio, print_table
from tests.benchmarks.structure_by_hand import jtl_by_hand, square_by_hand, ticketing_by_hand
from tests.benchmarks.structure_pages import VOUCHERS, jtl_page, square_page, ticketing_page
from tests.benchmarks.structure_pydantic import jtl_pydantic, ticketing_pydantic
from voucher_gateway.http.messages import Response
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.wire.validation import map_page

ROUNDS: Final = 41
TO_HAND: Final = {"Square": 1.1}
TO_PYDANTIC: Final = 1.0

Way = Callable[[bytes], list[Voucher]]


def jtl_ours(body: bytes) -> list[Voucher]:
    page = jtl_wire.read_vouchers(Response(status=200, headers={}, body=body))
    make = partial(jtl_mapping.voucher, "shop", None)
    return map_page(make, page.data, page.raw, what="voucher list", at="data")


def ticketing_ours(body: bytes) -> list[Voucher]:
    page = ticketing_wire.read_vouchers(Response(status=200, headers={}, body=body))
    make = partial(ticketing_mapping.voucher, "events", "EUR")
    return map_page(make, page.docs, page.raw, what="voucher list", at="docs")


def square_ours(body: bytes) -> list[Voucher]:
    cards, raws, _ = square_wire.read_cards(Response(status=200, headers={}, body=body))
    make = partial(square_mapping.voucher_of, "cafe")
    return map_page(make, cards, raws, what="list of gift cards", at="gift_cards")


PAGES: Final[dict[str, tuple[bytes, dict[str, Way]]]] = {
    "JTL": (jtl_page(), {"ours": jtl_ours, "hand": jtl_by_hand, "pydantic": jtl_pydantic}),
    "ticketing": (
        ticketing_page(),
        {"ours": ticketing_ours, "hand": ticketing_by_hand, "pydantic": ticketing_pydantic},
    ),
    "Square": (square_page(), {"ours": square_ours, "hand": square_by_hand}),
}


def ratios() -> Iterator[Ratio]:
    """Measure."""
    for vendor, (body, ways) in PAGES.items():
        took = _compared(body, ways)
        ours = f"a {vendor} voucher from bytes to domain ({took['ours']:.1f} us)"
        target = TO_HAND.get(vendor, 1.35)
        yield Ratio(f"{ours} to hand-written code ({took['hand']:.1f} us)", took["ours"] / took["hand"], target)
        if "pydantic" not in ways:
            continue
        yield Ratio(f"{ours} to pydantic ({took['pydantic']:.1f} us)", took["ours"] / took["pydantic"], TO_PYDANTIC)


def _compared(body: bytes, ways: dict[str, Way]) -> dict[str, float]:
    """Return the median microseconds a voucher of each way, by rounds that take turns."""
    expected = ways["hand"](body)
    for way in ways.values():
        made = way(body)
        assert made == expected
        assert [voucher.raw for voucher in made] == [voucher.raw for voucher in expected]
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(_seconds(way, body))
    return {name: statistics.median(taken) / VOUCHERS * 1e6 for name, taken in times.items()}


def _seconds(way: Way, body: bytes) -> float:
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    way(body)
    took = time.perf_counter() - start
    gc.enable()
    return took


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
