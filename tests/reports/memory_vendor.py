"""A vendor in memory, whose list, balances, histories and clock a test arranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    Capabilities,
    Code,
    CodeRules,
    Expiry,
    History,
    Listing,
    ListingRules,
    Money,
    Movement,
    MovementKind,
    Operation,
    Page,
    Pin,
    Status,
    Voucher,
    VoucherNotFound,
    VoucherProvider,
    VoucherQuery,
    native,
)

NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


@attrs.frozen
class Settings:
    """No settings."""


class MemoryVendor(VoucherProvider):
    """The vendor.

    Attributes:
        listed_vouchers: its vouchers, in the order of its list.
        silent: ids whose list entry does not say what is left.
        mute: ids of which nothing says what is left.
        movements: by voucher.
        clock: the vendor's time.
        total: returns the total of the list; None for none.
        turning: called with each page's index before the page is returned.
    """

    name = "memory"
    title = "Memory"
    settings_type = Settings
    declared = Capabilities(
        operations={
            each: native()
            for each in (Operation.FIND, Operation.GET, Operation.BALANCE, Operation.VOUCHERS, Operation.HISTORY)
        },
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.ABSOLUTE,
        listing=ListingRules(page_size=500),
    )

    def __init__(self, account: str = "shop") -> None:
        super().__init__(account, Settings())
        self.listed_vouchers: Sequence[Voucher] = []
        self.silent: set[str] = set()
        self.mute: set[str] = set()
        self.movements: dict[str, tuple[Movement, ...]] = {}
        self.clock = NOON
        self.total: Callable[[int], int | None] = lambda _: len(self.listed_vouchers)
        self.turning: Callable[[int], object] = lambda _: None
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return "memory.example"

    def vendor_now(self) -> datetime:
        return self.clock

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        for voucher in self.listed_vouchers:
            if voucher.code == Code.of(code):
                return voucher
        raise VoucherNotFound("there is none")

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        self.asked.append(id)
        for voucher in self.listed_vouchers:
            if voucher.id == id:
                return attrs.evolve(voucher, remaining=None) if id in self.mute else voucher
        raise VoucherNotFound("there is none")

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        size = 500

        def fetch(index: int) -> Page[Voucher]:
            self.turning(index)
            hidden = self.silent | self.mute
            items = [
                attrs.evolve(voucher, remaining=None) if voucher.id in hidden else voucher
                for voucher in self.listed_vouchers[index * size : (index + 1) * size]
            ]
            return Page(items=items, total=self.total(index), size=size)

        return Listing(fetch, key=attrgetter("id"), workers=1)

    def history(self, id: str) -> History:
        self.asked.append(id)
        return History(voucher_id=id, movements=self.movements.get(id, ()), complete=True)

    # --- arranging ---

    def put(self, id: str, remaining: str = "50.00", currency: str = "EUR", **fields: Any) -> None:
        """Add a voucher, or replace the one with this id."""
        given = {"initial": Money(remaining, currency), "status": Status.ACTIVE, "created_at": NOON, **fields}
        voucher = Voucher(account=self.account, id=id, remaining=Money(remaining, currency), **given)
        self.listed_vouchers = [*(other for other in self.listed_vouchers if other.id != id), voucher]

    def take_away(self, id: str) -> None:
        """Remove a voucher."""
        self.listed_vouchers = [voucher for voucher in self.listed_vouchers if voucher.id != id]

    def move(self, id: str, kind: MovementKind, amount: str, at: datetime, **fields: Any) -> None:
        """Add a movement to a voucher's history."""
        given = {"account": self.account, "voucher_id": id, "created_at": at, **fields}
        movement = Movement(kind=kind, money=Money(amount, "EUR"), **given)
        self.movements[id] = (*self.movements.get(id, ()), movement)
