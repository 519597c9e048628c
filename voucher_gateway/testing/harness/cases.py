"""Every changing operation as a call that can be made once, and counted in the vendor's ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.results import Redemption, Reservation
from voucher_gateway.money import Money
from voucher_gateway.testing.harness.ledger import times_moved
from voucher_gateway.testing.harness.vouchers import VoucherFactory, VoucherUnderTest

MINOR: Final = 1007
"""How much a call moves, in minor units."""

ORDER: Final = "O-1001"


@attrs.frozen(kw_only=True)
class OperationCase:
    """One call of a changing operation, prepared and not made yet.

    Attributes:
        operation: the operation.
        arguments: the arguments of the call, without the reference and the order.
        count: returns how often it happened by the ledger; not a whole number if another amount moved.
        money: the amount, where there is one.
        voucher: the voucher whose value moves; None if none moves, or the voucher is to be created.
        voucher_id: the voucher's id, if it exists before the call.
        code: the voucher's code, as the caller knows it.
        other_arguments: the arguments of the same call with another amount; None if it has none.
        visible_in_ledger: whether the vendor's ledger shows that it happened.
    """

    operation: Operation
    arguments: tuple[Any, ...]
    count: Callable[[], Decimal]
    money: Money | None = None
    voucher: VoucherUnderTest | None = None
    voucher_id: str | None = None
    code: Code | None = None
    other_arguments: tuple[Any, ...] | None = None
    visible_in_ledger: bool = True

    def call(self, client: Any, reference: str) -> Any:
        """Make the call with a provider or an `AccountClient`, and return its result."""
        return getattr(client, self.operation.value)(*self.arguments, reference=reference, order=ORDER)

    def call_with_other_amount(self, client: Any, reference: str) -> Any:
        """Make the same call with another amount, and return its result."""
        assert self.other_arguments is not None
        return getattr(client, self.operation.value)(*self.other_arguments, reference=reference, order=ORDER)

    def times(self) -> Decimal:
        """Return how often it happened; 0 where the vendor cannot show it."""
        return self.count() if self.visible_in_ledger else Decimal(0)


def similar_references(reference: str) -> list[str]:
    """Return references of other calls that could be taken for this one: longer, shorter, and in another case."""
    other_case = reference.swapcase()
    return [f"{reference}0", reference[:-1], *([other_case] if other_case != reference else [])]


def make_case(operation: Operation, factory: VoucherFactory) -> OperationCase:
    """Create the vouchers that an operation needs, and return its case."""
    if operation in _MONEY_MAKERS:
        return make_money_case(operation, factory)
    return _MAKERS[operation](factory)


def make_money_case(
    operation: Operation, factory: VoucherFactory, minor: int = MINOR, on: VoucherUnderTest | None = None
) -> OperationCase:
    """Create what an operation needs that moves value, and return its case.

    Args:
        operation: capture, redeem, refund or top-up.
        factory: makes the vouchers.
        minor: how much moves, in minor units.
        on: the voucher; None for a new one.
    """
    return _MONEY_MAKERS[operation](factory, minor, on)


def _issue(factory: VoucherFactory) -> OperationCase:
    known = set(factory.snapshot().entries)
    amounts = {str(entry["initial"]) for entry in factory.snapshot().entries.values()}
    first = 7000 + factory.number()  # so that two prepared cases never have the same amount
    minor = next(number for number in range(first, first + 3000) if f"{factory.money(number).amount:f}" not in amounts)
    if factory.through_gateway:  # the gateway chooses an id or a code itself, to find the voucher again
        new = NewVoucher(initial=factory.money(minor))
    elif factory.declared.codes.ids_choosable:
        new = factory.new(minor, id=f"C{factory.reference()}")
    else:
        new = factory.new(minor)

    def count() -> Decimal:
        snapshot = factory.snapshot()
        return Decimal(sum(id not in known and snapshot.part(id, "initial") == new.initial for id in snapshot.entries))

    return OperationCase(
        operation=Operation.ISSUE,
        arguments=(new,),
        count=count,
        money=new.initial,
        code=new.code,
        other_arguments=(attrs.evolve(new, initial=new.initial + factory.money(1)),),
    )


def _activate(factory: VoucherFactory) -> OperationCase:
    return _status_change(Operation.ACTIVATE, factory, factory.inactive_voucher())


def _deactivate(factory: VoucherFactory) -> OperationCase:
    return _status_change(Operation.DEACTIVATE, factory, factory.spendable_voucher())


def _status_change(operation: Operation, factory: VoucherFactory, voucher: VoucherUnderTest) -> OperationCase:
    before = factory.snapshot().entries[voucher.id]["status"]

    def count() -> Decimal:
        return Decimal(int(factory.snapshot().entries[voucher.id]["status"] != before))

    return OperationCase(
        operation=operation, arguments=(voucher.id,), count=count, voucher_id=voucher.id, code=voucher.code
    )


def _update(factory: VoucherFactory) -> OperationCase:
    voucher, changes = factory.unspent_voucher(), factory.changes()

    def count() -> Decimal:
        now = factory.provider.get(voucher.id)
        return Decimal(int(all(getattr(now, name) == value for name, value in changes.fields_to_change().items())))

    return OperationCase(
        operation=Operation.UPDATE,
        arguments=(voucher.id, changes),
        count=count,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _delete(factory: VoucherFactory) -> OperationCase:
    voucher = factory.unspent_voucher()

    def count() -> Decimal:
        return Decimal(int(voucher.id not in factory.snapshot().entries))

    return OperationCase(
        operation=Operation.DELETE,
        arguments=(voucher.id, "a test"),
        count=count,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _top_up(factory: VoucherFactory, minor: int, on: VoucherUnderTest | None) -> OperationCase:
    voucher, money = on or factory.spendable_voucher(), factory.money(minor)
    return OperationCase(
        operation=Operation.TOP_UP,
        arguments=(voucher.id, money),
        count=_count_by_remaining(factory, voucher, money, up=True),
        money=money,
        voucher=voucher,
        voucher_id=voucher.id,
        code=voucher.code,
        other_arguments=(voucher.id, factory.money(minor + 1)),
    )


def _reserve(factory: VoucherFactory) -> OperationCase:
    voucher, money = factory.spendable_voucher(), factory.money(MINOR)
    return OperationCase(
        operation=Operation.RESERVE,
        arguments=(voucher.code, money),
        count=_count_by_available(factory, voucher, -money),  # reserving lowers only the available value
        money=money,
        voucher_id=voucher.id,
        code=voucher.code,
        other_arguments=(voucher.code, factory.money(MINOR + 1)),
    )


def _redeem(factory: VoucherFactory, minor: int, on: VoucherUnderTest | None) -> OperationCase:
    voucher, money = on or factory.spendable_voucher(), factory.money(minor)
    return OperationCase(
        operation=Operation.REDEEM,
        arguments=(voucher.code, money),
        # Not by the available value: a redemption that the gateway makes of a reservation may leave the reservation
        # behind, and has then taken nothing.
        count=_count_by_remaining(factory, voucher, money, up=False),
        money=money,
        voucher=voucher,
        voucher_id=voucher.id,
        code=voucher.code,
        other_arguments=(voucher.code, factory.money(minor + 1)),
    )


def _capture(factory: VoucherFactory, minor: int, on: VoucherUnderTest | None) -> OperationCase:
    voucher = factory.voucher_with_reservation(minor, on)
    reservation = voucher.reservation
    assert isinstance(reservation, Reservation)
    return OperationCase(
        operation=Operation.CAPTURE,
        arguments=(reservation,),
        count=_count_by_remaining(factory, voucher, reservation.money, up=False),
        money=reservation.money,
        voucher=voucher,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _release(factory: VoucherFactory) -> OperationCase:
    voucher = factory.voucher_with_reservation(MINOR)
    reservation = voucher.reservation
    assert isinstance(reservation, Reservation)
    return OperationCase(
        operation=Operation.RELEASE,
        arguments=(reservation,),
        count=_count_by_available(factory, voucher, reservation.money),
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _refund(factory: VoucherFactory, minor: int, on: VoucherUnderTest | None) -> OperationCase:
    voucher = factory.voucher_with_redemption(minor, on)
    redemption = voucher.redemption
    assert isinstance(redemption, Redemption)
    return OperationCase(
        operation=Operation.REFUND,
        arguments=(redemption,),
        count=_count_by_remaining(factory, voucher, redemption.money, up=True),
        money=redemption.money,
        voucher=voucher,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _count_by_remaining(
    factory: VoucherFactory, voucher: VoucherUnderTest, money: Money, *, up: bool
) -> Callable[[], Decimal]:
    start = factory.snapshot().remaining(voucher.id)

    def count() -> Decimal:
        now = factory.snapshot().remaining(voucher.id)
        return times_moved(now - start if up else start - now, money)

    return count


def _count_by_available(factory: VoucherFactory, voucher: VoucherUnderTest, money: Money) -> Callable[[], Decimal]:
    """Count by the available value; a negative amount counts how often the value became less."""
    start = factory.snapshot().available(voucher.id)

    def count() -> Decimal:
        return times_moved(factory.snapshot().available(voucher.id) - start, money)

    return count


_MAKERS: Final[Mapping[Operation, Callable[[VoucherFactory], OperationCase]]] = {
    Operation.ISSUE: _issue,
    Operation.ACTIVATE: _activate,
    Operation.DEACTIVATE: _deactivate,
    Operation.UPDATE: _update,
    Operation.DELETE: _delete,
    Operation.RESERVE: _reserve,
    Operation.RELEASE: _release,
}

_MONEY_MAKERS: Final[Mapping[Operation, Callable[[VoucherFactory, int, VoucherUnderTest | None], OperationCase]]] = {
    Operation.TOP_UP: _top_up,
    Operation.CAPTURE: _capture,
    Operation.REDEEM: _redeem,
    Operation.REFUND: _refund,
}
