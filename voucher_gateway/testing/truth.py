"""The truth behind a stage, in the words of the domain, and what a provider's answers are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.adapter import Code, Money, Operation, Support, Voucher, VoucherProvider, parse_instant
from voucher_gateway.testing.keeping import must
from voucher_gateway.testing.stage import Stage


@attrs.frozen(kw_only=True)
class Truth:
    """One voucher as the ledger of a stage has it.

    Attributes:
        id: the vendor's id.
        code: in plain text.
        pin: in plain text; None for none, and where the ledger does not say.
        initial: the face value.
        remaining: what is left of it.
        status: the vendor's word.
        valid_until: the end of validity.
        movements: what happened, oldest first: id, kind, amount, reference and at.
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
    def of(cls, entry: Mapping[str, Any]) -> Truth:
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


def truths(stage: Stage) -> list[Truth]:
    """Return all vouchers as they truly are. A stage without any proves nothing, and is refused."""
    found = [Truth.of(entry) for entry in stage.ledger()]
    assert found, "the stage has no vouchers: seed some (a simulator's `seed`), or the contract proves nothing"
    return found


def can(provider: VoucherProvider | type[VoucherProvider], operation: Operation) -> bool:
    """Whether the provider declares an operation as the vendor's own."""
    return provider.declared.of(operation).support is Support.NATIVE


def check_voucher(said: Voucher, true: Truth, by: str) -> None:
    """Compare all that a provider says of a voucher's value and validity with the truth.

    What it does not say is None and passes here; single promises insist on more.
    """
    __tracebackhide__ = True
    must(said.id == true.id, f"{by} gave the voucher {said.id!r} where {true.id!r} was asked for")
    must(said.code in (None, Code(true.code)), f"{by} gave another code than the voucher {true.id!r} has")
    for name, told, held in (("initial", said.initial, true.initial), ("remaining", said.remaining, true.remaining)):
        check_money(told, held, f"{name} of {true.id!r} by {by}")
    must(
        said.valid_until in (None, true.valid_until),
        f"{by} says that {true.id!r} is valid until {said.valid_until}; the vendor says {true.valid_until}",
    )


def check_money(said: Money | None, true: Money, what: str) -> None:
    """Compare an amount; None passes."""
    __tracebackhide__ = True
    if said is None:
        return
    must(isinstance(said, Money), f"{what} is a {type(said).__name__}, not a Money")
    must(isinstance(said.amount, Decimal), f"{what} holds a {type(said.amount).__name__}, not a Decimal")
    must(said == true, f"{what} is {said}, and {true} at the vendor")


def readings(provider: VoucherProvider, true: Truth) -> Iterator[tuple[str, Voucher]]:
    """Yield what each way of reading one voucher says of it."""
    yield "find", provider.find(true.code)
    yield "get", provider.get(true.id)


def by_id(vouchers: Iterable[Voucher]) -> dict[str, Voucher]:
    """Return vouchers by their ids."""
    return {one.id: one for one in vouchers}


_SHOWN: Final = timedelta(seconds=2)


def is_near(said: datetime, true: datetime, within: timedelta = _SHOWN) -> bool:
    """Whether two instants are the same but for a vendor's rounding and the time that a call takes."""
    return abs(said - true) <= within


def most_telling(everything: list[Truth]) -> Truth:
    """Return the voucher with the most to tell: value left, an end, and as many movements as possible."""
    return max(everything, key=lambda one: (bool(one.remaining), one.valid_until is not None, len(one.movements)))
