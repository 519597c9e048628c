"""Every changing verb as something that can be done once, and counted in the vendor's ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.adapter import Code, Money, NewVoucher, Operation, Redemption, Reservation
from voucher_gateway.testing.books import times
from voucher_gateway.testing.scenes import Scenes, Subject

MINOR: Final = 1007
"""How much a deed moves, in minor units."""

ORDER: Final = "O-1001"


@attrs.frozen(kw_only=True)
class Deed:
    """One call of a changing verb, prepared and not made yet.

    Attributes:
        operation: the verb.
        call: makes it, with a provider or a `Till`, under a reference.
        count: how often it happened, by the truth; no whole number if another amount moved.
        money: the amount, where there is one.
        voucher_id: the voucher, where it is there before.
        code: the voucher's code, as the caller knows it.
        other: makes the same call about another amount; None where it has none.
        shows: whether the vendor's ledger shows that it happened.
    """

    operation: Operation
    call: Callable[[Any, str], Any]
    count: Callable[[], Decimal]
    money: Money | None = None
    voucher_id: str | None = None
    code: Code | None = None
    other: Callable[[Any, str], Any] | None = None
    shows: bool = True

    def times(self) -> Decimal:
        """Return how often it happened; 0 where the vendor cannot show it."""
        return self.count() if self.shows else Decimal(0)


def prepare(operation: Operation, scenes: Scenes) -> Deed:
    """Make what a verb needs, and return the call."""
    return _MAKERS[operation](scenes)


def _issue(scenes: Scenes) -> Deed:
    known = set(scenes.books().entries)
    taken = {str(one["initial"]) for one in scenes.books().entries.values()}
    first = 7000 + scenes.number()  # two that are prepared before either is carried out must not be mistaken
    minor = next(number for number in range(first, first + 3000) if f"{scenes.money(number).amount:f}" not in taken)
    if scenes.through_gateway:  # which chooses an id or a code itself, so that it finds the voucher again
        new = NewVoucher(initial=scenes.money(minor))
    elif scenes.declared.codes.ids_choosable:
        new = scenes.new(minor, id=f"C{scenes.reference()}")
    else:
        new = scenes.new(minor)

    def call(verbs: Any, reference: str, new: NewVoucher = new) -> Any:
        return verbs.issue(new, reference=reference, order=ORDER)

    def count() -> Decimal:
        books = scenes.books()
        return Decimal(sum(id not in known and books.part(id, "initial") == new.initial for id in books.entries))

    other = attrs.evolve(new, initial=new.initial + scenes.money(1))
    return Deed(
        operation=Operation.ISSUE,
        call=call,
        count=count,
        money=new.initial,
        code=new.code,
        other=lambda verbs, reference: call(verbs, reference, other),
    )


def _status(operation: Operation, subject: Callable[[Scenes], Subject]) -> Callable[[Scenes], Deed]:
    def make(scenes: Scenes) -> Deed:
        voucher = subject(scenes)
        before = scenes.books().entries[voucher.id]["status"]
        return Deed(
            operation=operation,
            call=lambda verbs, reference: getattr(verbs, operation.value)(voucher.id, reference=reference, order=ORDER),
            count=lambda: Decimal(int(scenes.books().entries[voucher.id]["status"] != before)),
            voucher_id=voucher.id,
            code=voucher.code,
        )

    return make


def _update(scenes: Scenes) -> Deed:
    voucher, changes = scenes.idle(), scenes.changes()

    def count() -> Decimal:
        now = scenes.provider.get(voucher.id)
        return Decimal(int(all(getattr(now, name) == value for name, value in changes.changed().items())))

    return Deed(
        operation=Operation.UPDATE,
        call=lambda verbs, reference: verbs.update(voucher.id, changes, reference=reference, order=ORDER),
        count=count,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _delete(scenes: Scenes) -> Deed:
    voucher = scenes.idle()
    return Deed(
        operation=Operation.DELETE,
        call=lambda verbs, reference: verbs.delete(voucher.id, "a test", reference=reference, order=ORDER),
        count=lambda: Decimal(int(voucher.id not in scenes.books().entries)),
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _top_up(scenes: Scenes) -> Deed:
    voucher, money, more = scenes.spendable(), scenes.money(MINOR), scenes.money(MINOR + 1)

    def call(verbs: Any, reference: str, money: Money = money) -> Any:
        return verbs.top_up(voucher.id, money, reference=reference, order=ORDER)

    return Deed(
        operation=Operation.TOP_UP,
        call=call,
        count=_moved(scenes, voucher, money, up=True),
        money=money,
        voucher_id=voucher.id,
        code=voucher.code,
        other=lambda verbs, reference: call(verbs, reference, more),
    )


def _spend(operation: Operation) -> Callable[[Scenes], Deed]:
    def make(scenes: Scenes) -> Deed:
        voucher, money, more = scenes.spendable(), scenes.money(MINOR), scenes.money(MINOR + 1)

        def call(verbs: Any, reference: str, money: Money = money) -> Any:
            return getattr(verbs, operation.value)(voucher.code, money, reference=reference, order=ORDER)

        # Reserving lowers only what is available. A redemption is counted by what is left: one that the gateway makes
        # of a reservation may leave that behind, and has taken nothing.
        taken = _moved(scenes, voucher, money, up=False)
        return Deed(
            operation=operation,
            call=call,
            count=taken if operation is Operation.REDEEM else _freed(scenes, voucher, -money),
            money=money,
            voucher_id=voucher.id,
            code=voucher.code,
            other=lambda verbs, reference: call(verbs, reference, more),
        )

    return make


def _capture(scenes: Scenes) -> Deed:
    voucher = scenes.reserved(MINOR)
    hold = voucher.reservation
    assert isinstance(hold, Reservation)
    return Deed(
        operation=Operation.CAPTURE,
        call=lambda verbs, reference: verbs.capture(hold, reference=reference, order=ORDER),
        count=_moved(scenes, voucher, hold.money, up=False),
        money=hold.money,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _release(scenes: Scenes) -> Deed:
    voucher = scenes.reserved(MINOR)
    hold = voucher.reservation
    assert isinstance(hold, Reservation)
    return Deed(
        operation=Operation.RELEASE,
        call=lambda verbs, reference: verbs.release(hold, reference=reference, order=ORDER),
        count=_freed(scenes, voucher, hold.money),
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _refund(scenes: Scenes) -> Deed:
    voucher = scenes.redeemed(MINOR)
    taken = voucher.redemption
    assert isinstance(taken, Redemption)
    return Deed(
        operation=Operation.REFUND,
        call=lambda verbs, reference: verbs.refund(taken, reference=reference, order=ORDER),
        count=_moved(scenes, voucher, taken.money, up=True),
        money=taken.money,
        voucher_id=voucher.id,
        code=voucher.code,
    )


def _moved(scenes: Scenes, voucher: Subject, money: Money, *, up: bool) -> Callable[[], Decimal]:
    start = scenes.books().remaining(voucher.id)

    def count() -> Decimal:
        now = scenes.books().remaining(voucher.id)
        return times(now - start if up else start - now, money)

    return count


def _freed(scenes: Scenes, voucher: Subject, money: Money) -> Callable[[], Decimal]:
    """Count by what is available; a negative amount counts how often it became less."""
    start = scenes.books().available(voucher.id)
    return lambda: times(scenes.books().available(voucher.id) - start, money)


_MAKERS: Final[Mapping[Operation, Callable[[Scenes], Deed]]] = {
    Operation.ISSUE: _issue,
    Operation.ACTIVATE: _status(Operation.ACTIVATE, Scenes.inactive),
    Operation.DEACTIVATE: _status(Operation.DEACTIVATE, Scenes.spendable),
    Operation.UPDATE: _update,
    Operation.TOP_UP: _top_up,
    Operation.DELETE: _delete,
    Operation.RESERVE: _spend(Operation.RESERVE),
    Operation.CAPTURE: _capture,
    Operation.RELEASE: _release,
    Operation.REDEEM: _spend(Operation.REDEEM),
    Operation.REFUND: _refund,
}
