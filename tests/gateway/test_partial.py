"""Redemptions at a vendor that takes what is left where that is less than the amount."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.deferring import CODE, DeferringProvider, DeferringSettings, DeferringSimulator, PartialProvider
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.gateway.partial import reference_of_return
from voucher_gateway.journal.backup import import_missing_movements, mark_restored
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider_api import (
    InsufficientValue,
    Money,
    Operation,
    OutcomeUnknown,
    PartlyRedeemed,
    Redemption,
    ReferenceConflict,
    SecretSource,
    UnsupportedOperation,
    VoucherProvider,
)
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.simulator import start

DUE = Money("130.00", "EUR")
LEFT = Money("100.00", "EUR")
PAY = "POST /payments"


class PartialShop:
    """A shop at a vendor whose card of 100.00 EUR is taken in part."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.running = stack.enter_context(start(DeferringSimulator))
        assert isinstance(self.running.simulator, DeferringSimulator)
        self.vendor = self.running.simulator
        self.vendor.defers = False
        self.vendor.takes_what_is_left = True
        self.url = url
        self._stack = stack
        self.gateway = self.another_gateway()

    def provider(self, kind: type[DeferringProvider] = PartialProvider) -> DeferringProvider:
        token = SecretSource.of("t")
        return kind("shop", DeferringSettings(base_url=self.running.announcement["base_url"], token=token, tries=1))

    def another_gateway(self, kind: type[DeferringProvider] = PartialProvider, *, journal: bool = True) -> Gateway:
        opened = open_journal(self.url, make_journal_keys()) if journal else None
        return self._stack.enter_context(Gateway({"shop": self.provider(kind)}, journal=opened))

    def redeem(self, *, gateway: Gateway | None = None, partial: bool = False, money: Money = DUE) -> Redemption:
        return (gateway or self.gateway).redeem("shop", CODE, money, reference="1001", partial=partial)

    def kinds(self) -> list[str]:
        """The kinds of the payments that the vendor has carried out."""
        return [activity.kind for activity in self.vendor.activities]

    def states(self) -> dict[str, OperationState]:
        return {str(record.key.verb): record.state for record in self.gateway.operations()}


@pytest.fixture
def partial_shop(either_url: str) -> Iterator[PartialShop]:
    with ExitStack() as stack:
        yield PartialShop(either_url, stack)


def test_a_part_is_accepted_where_the_caller_asks_for_that(partial_shop: PartialShop) -> None:
    taken = partial_shop.redeem(partial=True)
    assert (taken.money, taken.replayed) == (LEFT, False)
    again = partial_shop.redeem(partial=True)
    assert (again.money, again.replayed) == (LEFT, True)
    assert (partial_shop.kinds(), partial_shop.vendor.cents) == (["redeem"], 0)
    assert partial_shop.gateway.refundable(taken) == LEFT
    assert reconcile(partial_shop.gateway, "shop").findings == ()
    assert partial_shop.gateway.journal is not None
    assert partial_shop.gateway.journal.value_change("shop", "c1", "EUR") == -LEFT


def test_nothing_is_sent_where_the_balance_shows_too_little(partial_shop: PartialShop) -> None:
    with pytest.raises(InsufficientValue, match="nothing was sent"):
        partial_shop.redeem()
    assert partial_shop.kinds() == []
    assert partial_shop.gateway.operation("shop", Operation.REDEEM, "1001") is None


def test_enough_value_is_taken_whole(partial_shop: PartialShop) -> None:
    assert partial_shop.redeem(money=LEFT).money == LEFT
    assert partial_shop.redeem(money=LEFT).replayed  # although nothing is left now
    assert partial_shop.kinds() == ["redeem"]


@pytest.mark.parametrize("journal", [True, False])
def test_a_part_that_was_taken_nevertheless_is_given_back(partial_shop: PartialShop, journal: bool) -> None:
    partial_shop.vendor.shown_cents = 20_000  # somebody spends between the look at the balance and the redemption
    with pytest.raises(InsufficientValue, match=r"took 100\.00 EUR.*in place of 130\.00 EUR, and it was given back"):
        partial_shop.redeem(gateway=partial_shop.another_gateway(journal=journal))
    assert (partial_shop.kinds(), partial_shop.vendor.cents) == (["redeem", "refund"], 10_000)


def test_a_repeat_gives_nothing_back_twice(partial_shop: PartialShop) -> None:
    partial_shop.vendor.shown_cents = 20_000
    for gateway in (partial_shop.gateway, partial_shop.gateway, partial_shop.another_gateway()):
        with pytest.raises(InsufficientValue):
            partial_shop.redeem(gateway=gateway)
    assert partial_shop.kinds() == ["redeem", "refund"]
    assert partial_shop.states() == {"redeem": OperationState.SUCCEEDED, "refund": OperationState.SUCCEEDED}
    assert partial_shop.gateway.refundable(partial_shop.gateway.redemption("shop", "1001")) == Money("0.00", "EUR")
    assert reconcile(partial_shop.gateway, "shop").findings == ()


class RefusesRefunds(PartialProvider):
    """A vendor that has no refund."""

    declared = PartialProvider.declared.with_support(
        {Operation.REFUND: DeferringProvider.declared.of(Operation.DELETE)}
    )
    refund = VoucherProvider.refund


def test_a_part_that_cannot_be_given_back_is_told(partial_shop: PartialShop) -> None:
    partial_shop.vendor.shown_cents = 20_000
    gateway = partial_shop.another_gateway(RefusesRefunds)
    with pytest.raises(PartlyRedeemed, match="could not be given back") as partly:
        partial_shop.redeem(gateway=gateway)
    error = pickle.loads(pickle.dumps(partly.value))
    assert (error.taken, error.redemption_id, error.voucher_id) == ("100.00 EUR", "p1", "c1")
    assert (error.outcome, error.retry_safe) == ("succeeded", False)
    assert gateway.redemption("shop", "1001").money == LEFT


def test_a_lost_refund_of_the_part_goes_on_with_the_repeat(partial_shop: PartialShop) -> None:
    partial_shop.vendor.shown_cents = 20_000
    partial_shop.running.inject("commit-then-drop", PAY, after=1)
    with pytest.raises(PartlyRedeemed, match="it is not known yet whether it was given back"):
        partial_shop.redeem()
    assert partial_shop.states() == {"redeem": OperationState.SUCCEEDED, "refund": OperationState.UNKNOWN}
    with pytest.raises(InsufficientValue, match="it was given back"):
        partial_shop.redeem(gateway=partial_shop.another_gateway())
    assert (partial_shop.kinds(), partial_shop.vendor.cents) == (["redeem", "refund"], 10_000)


def test_a_crash_before_the_part_is_given_back_loses_nothing(partial_shop: PartialShop) -> None:
    """The process dies after the redemption: the repeat replays it, and gives the part back."""
    partial_shop.vendor.shown_cents = 20_000
    gateway = partial_shop.another_gateway()
    gateway._give_back = _die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        partial_shop.redeem(gateway=gateway)
    assert partial_shop.kinds() == ["redeem"]
    with pytest.raises(InsufficientValue):
        partial_shop.redeem()
    assert (partial_shop.kinds(), partial_shop.vendor.cents) == (["redeem", "refund"], 10_000)


def _die(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("partial", [True, False])
def test_a_lost_answer_is_looked_up_with_the_amount_that_was_taken(partial_shop: PartialShop, partial: bool) -> None:
    partial_shop.vendor.shown_cents = 20_000
    partial_shop.running.inject("commit-then-drop", PAY)
    with pytest.raises(OutcomeUnknown):
        partial_shop.redeem(partial=partial)
    if partial:
        assert partial_shop.redeem(partial=True).money == LEFT
        return
    with pytest.raises(InsufficientValue):
        partial_shop.redeem()
    assert partial_shop.vendor.cents == 10_000


def test_a_restored_journal_learns_of_a_part_that_was_taken(partial_shop: PartialShop, tmp_path: Path) -> None:
    partial_shop.vendor.shown_cents = 20_000
    partial_shop.redeem(partial=True)
    partial_shop.url = f"sqlite:///{tmp_path / 'restored.db'}"
    restored = partial_shop.another_gateway()
    assert restored.journal is not None
    mark_restored(restored.journal)
    import_missing_movements(restored.journal, [restored.provider("shop")])
    taken = partial_shop.redeem(gateway=restored, partial=True)
    assert (taken.money, taken.replayed, partial_shop.kinds()) == (LEFT, True, ["redeem"])


@pytest.mark.parametrize("partial", [True, False])
def test_nothing_left_is_too_little_in_any_case(partial_shop: PartialShop, partial: bool) -> None:
    partial_shop.redeem(money=LEFT)
    partial_shop.vendor.shown_cents = 20_000
    with pytest.raises(InsufficientValue, match="nothing was left"):
        partial_shop.gateway.redeem("shop", CODE, DUE, reference="1002", partial=partial)
    assert partial_shop.kinds() == ["redeem", "redeem"]


def test_a_reference_stands_for_the_whole_or_for_a_part(partial_shop: PartialShop) -> None:
    partial_shop.redeem(partial=True)
    with pytest.raises(ReferenceConflict):
        partial_shop.redeem()


def test_a_vendor_that_takes_all_or_nothing_has_no_part(partial_shop: PartialShop) -> None:
    gateway = partial_shop.another_gateway(DeferringProvider)
    with pytest.raises(UnsupportedOperation, match="takes the whole amount or nothing: leave partial out"):
        partial_shop.redeem(gateway=gateway, partial=True)
    assert partial_shop.kinds() == []


def test_the_reference_of_the_refund_is_short_enough() -> None:
    assert reference_of_return("1001") == "1001/given-back"
    longest = "x" * 200
    assert len(reference_of_return(longest)) <= 200
    assert reference_of_return(longest) != reference_of_return("x" * 199 + "y")
