"""A vendor in memory, whose list, balances, histories and clock a test arranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
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
    """Nothing to be set."""


class Shelf(VoucherProvider):
    """The vendor.

    Attributes:
        vouchers_there: what it has, in the order of its list.
        silent: ids whose list entry does not say what is left.
        mute: ids of which nothing says what is left.
        movements: by voucher.
        clock: what time it is there.
        total: what it says of its size; None for nothing.
        turning: called with each page's index before it is given.
    """

    name = "shelf"
    title = "Shelf"
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
        self.vouchers_there: Sequence[Voucher] = []
        self.silent: set[str] = set()
        self.mute: set[str] = set()
        self.movements: dict[str, tuple[Movement, ...]] = {}
        self.clock = NOON
        self.total: Callable[[int], int | None] = lambda _: len(self.vouchers_there)
        self.turning: Callable[[int], object] = lambda _: None
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return "shelf.example"

    def vendor_now(self) -> datetime:
        return self.clock

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        found = [one for one in self.vouchers_there if one.code == Code.of(code)]
        if not found:
            raise VoucherNotFound("there is none")
        return found[0]

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        self.asked.append(id)
        found = [one for one in self.vouchers_there if one.id == id]
        if not found:
            raise VoucherNotFound("there is none")
        return attrs.evolve(found[0], remaining=None) if id in self.mute else found[0]

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        size = 500

        def fetch(index: int) -> Page[Voucher]:
            self.turning(index)
            shown = self.vouchers_there[index * size : (index + 1) * size]
            quiet = self.silent | self.mute
            items = [attrs.evolve(one, remaining=None) if one.id in quiet else one for one in shown]
            return Page(items=items, total=self.total(index), size=size)

        return Listing(fetch, key=lambda one: one.id, workers=1)

    def history(self, id: str) -> History:
        self.asked.append(id)
        return History(voucher_id=id, movements=self.movements.get(id, ()), complete=True)

    # --- arranging ---

    def put(self, id: str, remaining: str = "50.00", currency: str = "EUR", **more: Any) -> None:
        """Put a voucher there, in the place of the one with this id if there is one."""
        given = {"initial": Money(remaining, currency), "status": Status.ACTIVE, "created_at": NOON, **more}
        made = Voucher(account=self.account, id=id, remaining=Money(remaining, currency), **given)
        self.vouchers_there = [*(one for one in self.vouchers_there if one.id != id), made]

    def take_away(self, id: str) -> None:
        """Remove a voucher."""
        self.vouchers_there = [one for one in self.vouchers_there if one.id != id]

    def move(self, id: str, kind: MovementKind, amount: str, at: datetime) -> None:
        """Write a movement down."""
        made = Movement(account=self.account, voucher_id=id, kind=kind, money=Money(amount, "EUR"), created_at=at)
        self.movements[id] = (*self.movements.get(id, ()), made)
