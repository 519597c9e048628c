"""The links of a page to the other pages of its list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

if TYPE_CHECKING:
    from voucher_gateway.simulator import Request
    from voucher_gateway_jtl.simulator.filters import Page

# Plain http, another host, and a first page whose previous one is the third: the seed's example is like that.
_SEED_HOST: Final = "http://vouchers.internal.example"
_SEED_NUMBERS: Final = {"first": 1, "last": 5, "prev": 3, "next": 2}


def links(request: Request, page: Page) -> tuple[str, dict[str, str | None]]:
    """The address of the list as the client reached it, and the links; None where there is no such page."""
    target = f"http://{request.headers.get('Host', 'localhost')}{request.raw_path}"
    kept = [(name, value) for name, value in request.query.items(multi=True) if name != "page"]
    before, after = page.number - 1, page.number + 1
    numbers = {
        "first": 1,
        "last": page.last_number,
        "prev": min(before, page.last_number) if before else None,
        "next": after if after <= page.last_number else None,
    }
    return target, {
        name: None if number is None else f"{target}?{urlencode([*kept, ('page', number)])}"
        for name, number in numbers.items()
    }


def seed_links(request: Request) -> tuple[str, dict[str, str | None]]:
    """The address and the links of the seed's example, which are the same on every page."""
    target = f"{_SEED_HOST}{request.raw_path}"
    return target, {name: f"{target}?page={number}" for name, number in _SEED_NUMBERS.items()}
