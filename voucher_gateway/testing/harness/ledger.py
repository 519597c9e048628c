"""The vendor's ledger at one moment, and what is different at another."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.money import Money
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promise_checks import require

NEW: Final = "(new)"
GONE: Final = "(gone)"

VALUE: Final = frozenset({"remaining", "reserved", "movements", "status"})
"""What may be different of a voucher whose value moved: a vendor may call one that is used up by another status."""


@attrs.frozen
class LedgerSnapshot:
    """A snapshot of the ledger.

    Attributes:
        entries: what the vendor truly has, by voucher id.
    """

    entries: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, stage: VendorUnderTest) -> LedgerSnapshot:
        """Read the ledger."""
        return cls({str(voucher["id"]): dict(voucher) for voucher in stage.ledger()})

    def part(self, id: str, part: str) -> Money:
        """Return one part of a voucher's value: initial, remaining or reserved."""
        require(id in self.entries, "the voucher is not in the vendor's ledger")
        entry = self.entries[id]
        return Money(str(entry[part]), str(entry["currency"]))

    def remaining(self, id: str) -> Money:
        """Return what is left on a voucher."""
        return self.part(id, "remaining")

    def reserved_amount(self, id: str) -> Money:
        """Return what is set aside."""
        return self.part(id, "reserved")

    def available(self, id: str) -> Money:
        """Return what could be spent now."""
        return self.remaining(id) - self.reserved_amount(id)

    def movements(self, id: str) -> list[Mapping[str, Any]]:
        """Return the vendor's own entries about a voucher."""
        return list(self.entries[id]["movements"])

    def new_movements(self, id: str, before: LedgerSnapshot) -> list[Mapping[str, Any]]:
        """Return those that were not there before."""
        known = {movement["id"] for movement in before.movements(id)}
        return [movement for movement in self.movements(id) if movement["id"] not in known]

    def differing(self, before: LedgerSnapshot) -> dict[str, set[str]]:
        """Return by voucher which parts are different from before."""
        differences: dict[str, set[str]] = {}
        for id in self.entries.keys() | before.entries.keys():
            now, then = self.entries.get(id), before.entries.get(id)
            if then is None or now is None:
                differences[id] = {NEW if then is None else GONE}
            elif now != then:
                differences[id] = {key for key in now.keys() | then.keys() if now.get(key) != then.get(key)}
        return differences

    def require_unchanged(self, before: LedgerSnapshot, after: str) -> None:
        """Make sure that nothing is different from before.

        Args:
            before: the ledger then.
            after: what was done since, for the message.
        """
        self.must_differ_only(before, after)

    def must_differ_only(
        self, before: LedgerSnapshot, after: str, id: str | None = None, parts: frozenset[str] = frozenset()
    ) -> None:
        """Make sure that nothing but some parts of one voucher is different from before."""
        for item, differing in self.differing(before).items():
            unwanted = differing - parts if item == id else differing
            which = "the voucher's" if item == id else "another voucher's"
            require(
                not unwanted, f"after {after}, {which} {', '.join(sorted(unwanted))} changed in the vendor's ledger"
            )


def times_moved(moved: Money, amount: Money) -> Decimal:
    """Return how often an amount moved; no whole number if something else did."""
    return moved.amount / amount.amount + 0  # a zero without a sign
