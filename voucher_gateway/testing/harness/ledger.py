"""The vendor's ledger at one moment, and the differences to another moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.instants import parse_instant
from voucher_gateway.masking import Code
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promises.checks import require


@attrs.frozen(kw_only=True)
class ExpectedVoucher:
    """One voucher as the ledger of a vendor has it.

    Attributes:
        id: the vendor's id.
        code: in plain text.
        pin: in plain text; None if the ledger has none.
        initial: the face value.
        remaining: the value that is left.
        status: the vendor's word.
        valid_until: the end of validity.
        movements: the changes of its value, oldest first: id, kind, amount, reference and at.
    """

    id: str
    code: str = attrs.field(repr=False)
    pin: str | None = attrs.field(default=None, repr=False)
    initial: Money
    remaining: Money
    status: str | None
    valid_until: datetime | None
    movements: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> ExpectedVoucher:
        """Read one entry of a ledger."""
        until = entry["valid_until"]
        return cls(
            id=entry["id"],
            code=entry["code"],
            pin=entry.get("pin"),
            initial=Money(entry["initial"], entry["currency"]),
            remaining=Money(entry["remaining"], entry["currency"]),
            status=entry["status"],
            valid_until=None if until is None else parse_instant(until),
            movements=tuple(entry["movements"]),
        )


def ledger_vouchers(vendor: VendorUnderTest) -> list[ExpectedVoucher]:
    """Return the true state of all vouchers. A vendor without vouchers would prove nothing, and fails the test."""
    vouchers = [ExpectedVoucher.of(entry) for entry in vendor.ledger()]
    assert vouchers, "the vendor has no vouchers: seed some (a simulator's `seed`), or the contract proves nothing"
    return vouchers


def can(provider: VoucherProvider | type[VoucherProvider], operation: Operation) -> bool:
    """Whether the provider declares an operation as the vendor's own."""
    return provider.declared.of(operation).support is Support.NATIVE


def check_voucher(voucher: Voucher, true: ExpectedVoucher, by: str) -> None:
    """Compare the value and the validity of a voucher with the ledger.

    A field of None passes here; single promises require more.
    """
    __tracebackhide__ = True
    require(voucher.id == true.id, f"{by} gave the voucher {voucher.id!r} where {true.id!r} was asked for")
    require(voucher.code in (None, Code(true.code)), f"{by} gave another code than the voucher {true.id!r} has")
    for name, amount, expected in (
        ("initial", voucher.initial, true.initial),
        ("remaining", voucher.remaining, true.remaining),
    ):
        check_money(amount, expected, f"{name} of {true.id!r} by {by}")
    require(
        voucher.valid_until in (None, true.valid_until),
        f"{by} says that {true.id!r} is valid until {voucher.valid_until}; the vendor says {true.valid_until}",
    )


def check_money(money: Money | None, true: Money, what: str) -> None:
    """Compare an amount; None passes."""
    __tracebackhide__ = True
    if money is None:
        return
    require(isinstance(money, Money), f"{what} is a {type(money).__name__}, not a Money")
    require(isinstance(money.amount, Decimal), f"{what} holds a {type(money.amount).__name__}, not a Decimal")
    require(money == true, f"{what} is {money}, and {true} at the vendor")


def readings(provider: VoucherProvider, true: ExpectedVoucher) -> Iterator[tuple[str, Voucher]]:
    """Yield one voucher as `find` and `get` return it."""
    yield "find", provider.find(true.code)
    yield "get", provider.get(true.id)


def by_id(vouchers: Iterable[Voucher]) -> dict[str, Voucher]:
    """Return vouchers by their ids."""
    return {voucher.id: voucher for voucher in vouchers}


_TOLERANCE: Final = timedelta(seconds=2)


def is_near(instant: datetime, true: datetime, within: timedelta = _TOLERANCE) -> bool:
    """Whether two instants differ only by a vendor's rounding and the duration of a call."""
    return abs(instant - true) <= within


def richest(everything: list[ExpectedVoucher]) -> ExpectedVoucher:
    """Return the voucher with the most data: remaining value, an end of validity, and many movements."""
    return max(
        everything,
        key=lambda voucher: (bool(voucher.remaining), voucher.valid_until is not None, len(voucher.movements)),
    )


NEW: Final = "(new)"
GONE: Final = "(gone)"

VALUE: Final = frozenset({"remaining", "reserved", "movements", "status"})
"""The fields that may change when value moves; an empty voucher may get another status."""


@attrs.frozen
class LedgerSnapshot:
    """A snapshot of the ledger.

    Attributes:
        entries: the entries of the ledger by voucher id.
    """

    entries: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, vendor: VendorUnderTest) -> LedgerSnapshot:
        """Read the ledger."""
        return cls({str(voucher["id"]): dict(voucher) for voucher in vendor.ledger()})

    def part(self, id: str, part: str) -> Money:
        """Return one part of a voucher's value: initial, remaining or reserved."""
        require(id in self.entries, "the voucher is not in the vendor's ledger")
        entry = self.entries[id]
        return Money(str(entry[part]), str(entry["currency"]))

    def remaining(self, id: str) -> Money:
        """Return the remaining value of a voucher."""
        return self.part(id, "remaining")

    def reserved_amount(self, id: str) -> Money:
        """Return the reserved value."""
        return self.part(id, "reserved")

    def available(self, id: str) -> Money:
        """Return the value that can be spent now."""
        return self.remaining(id) - self.reserved_amount(id)

    def valid_until(self, id: str) -> datetime | None:
        """Return the end of a voucher's validity."""
        text = self.entries[id]["valid_until"]
        return None if text is None else parse_instant(str(text)).astimezone(UTC)

    def movements(self, id: str) -> list[Mapping[str, Any]]:
        """Return the vendor's own entries about a voucher."""
        return list(self.entries[id]["movements"])

    def new_movements(self, id: str, before: LedgerSnapshot) -> list[Mapping[str, Any]]:
        """Return the entries about a voucher that are new since an earlier snapshot."""
        known = {movement["id"] for movement in before.movements(id)}
        return [movement for movement in self.movements(id) if movement["id"] not in known]

    def differences(self, before: LedgerSnapshot) -> dict[str, set[str]]:
        """Return the fields that differ from an earlier snapshot, by voucher id."""
        differences: dict[str, set[str]] = {}
        for id in self.entries.keys() | before.entries.keys():
            now, then = self.entries.get(id), before.entries.get(id)
            if then is None or now is None:
                differences[id] = {NEW if then is None else GONE}
            elif now != then:
                differences[id] = {key for key in now.keys() | then.keys() if now.get(key) != then.get(key)}
        return differences

    def require_unchanged(self, before: LedgerSnapshot, after: str) -> None:
        """Check that nothing is different from before.

        Args:
            before: the earlier snapshot.
            after: what was done since then, for the message.
        """
        self.require_difference_only(before, after)

    def require_difference_only(
        self, before: LedgerSnapshot, after: str, id: str | None = None, parts: frozenset[str] = frozenset()
    ) -> None:
        """Check that nothing but some parts of one voucher is different from before."""
        for item, fields in self.differences(before).items():
            unwanted = fields - parts if item == id else fields
            which = "the voucher's" if item == id else "another voucher's"
            require(
                not unwanted, f"after {after}, {which} {', '.join(sorted(unwanted))} changed in the vendor's ledger"
            )


def times_moved(moved: Money, amount: Money) -> Decimal:
    """Return how often an amount moved; not a whole number if another amount moved."""
    return moved.amount / amount.amount + 0  # a zero without a sign
