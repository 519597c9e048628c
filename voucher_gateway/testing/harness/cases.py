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
        call: makes it, with a provider or an `AccountClient`, under a reference.
        count: returns how often it happened, by the ledger; not a whole number if another amount moved.
        money: the amount, where there is one.
        voucher_id: the voucher, where it is there before.
        code: the voucher's code, as the caller knows it.
        with_other_amount: makes the same call with another amount; None if it has none.
        visible_in_ledger: whether the vendor's ledger shows that it happened.
    """

    operation: Operation
    call: Callable[[Any, str], Any]
    count: Callable[[], Decimal]
    money: Money | None = None
    voucher_id: str | None = None
    code: Code | None = None
    with_other_amount: Callable[[Any, str], Any] | None = None
    visible_in_ledger: bool = True

    def times(self) -> Decimal:
        """Return how often it happened; 0 where the vendor cannot show it."""
        return self.count() if self.visible_in_ledger else Decimal(0)


def make_case(operation: Operation, factory: VoucherFactory) -> OperationCase:
    """Create what an operation needs, and return the call."""
    return _MAKERS[operation](factory)


def _issue(factory: VoucherFactory) -> OperationCase:
    known = set(factory.snapshot().entries)
    taken = {str(entry["initial"]) for entry in factory.snapshot().entries.values()}
    first = 7000 + factory.number()  # two that are prepared before either is carried out must not be mistaken
    minor = next(number for number in range(first, first + 3000) if f"{factory.money(number).amount:f}" not in taken)
    if factory.through_gateway:  # which chooses an id or a code itself, so that it finds the voucher again
        new = NewVoucher(initial=factory.money(minor))
    elif factory.declared.codes.ids_choosable:
        new = factory.new(minor, id=f"C{factory.reference()}")
    else:
        new = factory.new(minor)

    def call(client: Any, reference: str, new: NewVoucher = new) -> Any:
        return client.issue(new, reference=reference, order=ORDER)

    def count() -> Decimal:
        snapshot = factory.snapshot()
        return Decimal(sum(id not in known and snapshot.part(id, "initial") == new.initial for id in snapshot.entries))

    other = attrs.evolve(new, initial=new.initial + factory.money(1))
    return OperationCase(
        operation=Operation.ISSUE,
        call=call,
        count=count,
        money=new.initial,
        code=new.code,
        with_other_amount=lambda client, reference: call(client, reference, other),
    )


def _status(
    operation: Operation, subject: Callable[[VoucherFactory], VoucherUnderTest]
) -> Callable[[VoucherFactory], OperationCase]:
    def make(factory: VoucherFactory) -> OperationCase:
        voucher = subject(factory)
        before = factory.snapshot().entries[voucher.id]["status"]
        return OperationCase(
            operation=operation,
            call=lambda client, reference: getattr(client, operation.value)(
                voucher.id, reference=reference, order=ORDER
            ),
            count=lambda: Decimal(int(factory.snapshot().entries[voucher.id]["status"] != before)),
            voucher_id=voucher.id,
            code=voucher.code,
        )

    return make


def _update(factory: VoucherFactory) -> OperationCase:
    voucher, changes = factory.unspent(), factory.changes()

    def count() -> Decimal:
        now = factory.provider.get(voucher.id)
        return Decimal(int(all(getattr(now, name) == value for name, value in changes.fields_to_change().items())))

    return OperationCase(
        operation=Operation.UPDATE,
        call=lambda client, reference: client.update(voucher.id, changes, reference=reference, order=ORDER),
        count=count,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _delete(factory: VoucherFactory) -> OperationCase:
    voucher = factory.unspent()
    return OperationCase(
        operation=Operation.DELETE,
        call=lambda client, reference: client.delete(voucher.id, "a test", reference=reference, order=ORDER),
        count=lambda: Decimal(int(voucher.id not in factory.snapshot().entries)),
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _top_up(factory: VoucherFactory) -> OperationCase:
    voucher, money, amounts = factory.spendable(), factory.money(MINOR), factory.money(MINOR + 1)

    def call(client: Any, reference: str, money: Money = money) -> Any:
        return client.top_up(voucher.id, money, reference=reference, order=ORDER)

    return OperationCase(
        operation=Operation.TOP_UP,
        call=call,
        count=_count_by_remaining(factory, voucher, money, up=True),
        money=money,
        voucher_id=voucher.id,
        code=voucher.code,
        with_other_amount=lambda client, reference: call(client, reference, amounts),
    )


def _spend(operation: Operation) -> Callable[[VoucherFactory], OperationCase]:
    def make(factory: VoucherFactory) -> OperationCase:
        voucher, money, amounts = factory.spendable(), factory.money(MINOR), factory.money(MINOR + 1)

        def call(client: Any, reference: str, money: Money = money) -> Any:
            return getattr(client, operation.value)(voucher.code, money, reference=reference, order=ORDER)

        # Reserving lowers only what is available. A redemption is counted by what is left: one that the gateway makes
        # of a reservation may leave that behind, and has taken nothing.
        taken = _count_by_remaining(factory, voucher, money, up=False)
        return OperationCase(
            operation=operation,
            call=call,
            count=taken if operation is Operation.REDEEM else _count_by_available(factory, voucher, -money),
            money=money,
            voucher_id=voucher.id,
            code=voucher.code,
            with_other_amount=lambda client, reference: call(client, reference, amounts),
        )

    return make


def _capture(factory: VoucherFactory) -> OperationCase:
    voucher = factory.voucher_with_reservation(MINOR)
    hold = voucher.reservation
    assert isinstance(hold, Reservation)
    return OperationCase(
        operation=Operation.CAPTURE,
        call=lambda client, reference: client.capture(hold, reference=reference, order=ORDER),
        count=_count_by_remaining(factory, voucher, hold.money, up=False),
        money=hold.money,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _release(factory: VoucherFactory) -> OperationCase:
    voucher = factory.voucher_with_reservation(MINOR)
    hold = voucher.reservation
    assert isinstance(hold, Reservation)
    return OperationCase(
        operation=Operation.RELEASE,
        call=lambda client, reference: client.release(hold, reference=reference, order=ORDER),
        count=_count_by_available(factory, voucher, hold.money),
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _refund(factory: VoucherFactory) -> OperationCase:
    voucher = factory.voucher_with_redemption(MINOR)
    taken = voucher.redemption
    assert isinstance(taken, Redemption)
    return OperationCase(
        operation=Operation.REFUND,
        call=lambda client, reference: client.refund(taken, reference=reference, order=ORDER),
        count=_count_by_remaining(factory, voucher, taken.money, up=True),
        money=taken.money,
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
    """Count by what is available; a negative amount counts how often it became less."""
    start = factory.snapshot().available(voucher.id)
    return lambda: times_moved(factory.snapshot().available(voucher.id) - start, money)


_MAKERS: Final[Mapping[Operation, Callable[[VoucherFactory], OperationCase]]] = {
    Operation.ISSUE: _issue,
    Operation.ACTIVATE: _status(Operation.ACTIVATE, VoucherFactory.inactive),
    Operation.DEACTIVATE: _status(Operation.DEACTIVATE, VoucherFactory.spendable),
    Operation.UPDATE: _update,
    Operation.TOP_UP: _top_up,
    Operation.DELETE: _delete,
    Operation.RESERVE: _spend(Operation.RESERVE),
    Operation.CAPTURE: _capture,
    Operation.RELEASE: _release,
    Operation.REDEEM: _spend(Operation.REDEEM),
    Operation.REFUND: _refund,
}
