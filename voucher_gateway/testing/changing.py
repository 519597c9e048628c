"""Promises about changes of a voucher that move no value off it: activate, deactivate, update, top up, delete."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, Final

from voucher_gateway.adapter import (
    CurrencyMismatch,
    Declined,
    InvalidRequest,
    MalformedResponse,
    Money,
    Operation,
    Rejected,
    Status,
    UnsupportedOperation,
    VoucherChanges,
    VoucherGatewayError,
    VoucherNotFound,
    VoucherProvider,
)
from voucher_gateway.testing.books import GONE, VALUE
from voucher_gateway.testing.calling import refused
from voucher_gateway.testing.keeping import broke, keeps, must
from voucher_gateway.testing.scenes import Scenes
from voucher_gateway.testing.spendbase import SpendBase
from voucher_gateway.testing.stage import Stage

_STATUS: Final = frozenset({"status", "valid_until"})  # a relative validity begins with the activation


class ChangingContract(SpendBase):
    """Changes of a voucher."""

    @keeps("V1")
    def test_activate_and_deactivate_do_that_and_nothing_else(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        for operation, status in ((Operation.ACTIVATE, Status.ACTIVE), (Operation.DEACTIVATE, Status.INACTIVE)):
            if not scenes.native(operation):
                continue
            subject = scenes.inactive() if status is Status.ACTIVE else scenes.spendable()
            before, told = scenes.books(), provider_.get(subject.id).status
            must(told is not status, f"a voucher is {status.value} before {operation.value} is called")
            changed = getattr(provider_, operation.value)(subject.id, reference=scenes.reference())
            after, told = scenes.books(), provider_.get(subject.id).status
            must(
                after.entries[subject.id]["status"] != before.entries[subject.id]["status"],
                f"{operation.value} changed nothing in the vendor's ledger",
            )
            must(told is status, f"after {operation.value}, `get` says {told}")
            must(changed.id == subject.id, f"the result of {operation.value} is another voucher")
            must(changed.status in (None, status), f"the result of {operation.value} says {changed.status}")
            after.must_differ_only(before, operation.value, subject.id, _STATUS)

    @keeps("V2")
    def test_update_changes_what_it_is_told_and_nothing_else(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        subject, changes = scenes.idle(), scenes.changes()
        before, was = scenes.books(), provider_.get(subject.id)
        result = provider_.update(subject.id, changes, reference=scenes.reference())
        after, now = scenes.books(), provider_.get(subject.id)
        for name, value in changes.changed().items():
            must(getattr(now, name) == value, f"{name} was to change, and `get` gives another value afterwards")
            must(getattr(result, name) == value, f"{name} was to change, and the result gives another value")
        for name in ("sku", "batch", "valid_until", "initial", "code", "pin", "status", "metadata"):
            kept = name in changes.changed() or getattr(now, name) == getattr(was, name)
            must(kept, f"{name} was not to change, and did")
        after.must_differ_only(before, "update", subject.id, frozenset(changes.changed()))

    @keeps("V3")
    def test_an_update_that_the_vendor_lacks_is_refused(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        subject = scenes.idle()
        later = scenes.vendor_now().replace(year=2040)
        for changes in (
            VoucherChanges(valid_until=later),
            VoucherChanges(sku="SKU-9"),
            VoucherChanges(batch="B-9"),
            VoucherChanges(sku=None),
            VoucherChanges(batch=None),
            VoucherChanges(valid_until=None),
        ):
            before = scenes.books()
            ((name, value),) = changes.changed().items()
            try:
                provider_.update(subject.id, changes, reference=scenes.reference())
            except (InvalidRequest, UnsupportedOperation):
                scenes.books().must_be_as(before, f"a change of {name} was refused")
                continue
            except Declined as error:
                broke(
                    f"a change of {name} to {'nothing' if value is None else 'a value'} was sent; the vendor: {error}"
                )
            held = getattr(provider_.get(subject.id), name)
            must(held == value, f"a change of {name} was taken, and `get` gives another value")
        before = scenes.books()
        with suppress(InvalidRequest):
            provider_.update(subject.id, VoucherChanges(), reference=scenes.reference())
        scenes.books().must_be_as(before, "an update of nothing")

    @keeps("V4")
    def test_top_up_adds_exactly_the_amount(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        subject = scenes.spendable()
        for minor in (1, 29, 1007, 43_50):
            money = scenes.money(minor)
            before = scenes.books()
            done = provider_.top_up(subject.id, money, reference=scenes.reference(), order="O-1")
            after = scenes.books()
            added = after.remaining(subject.id) - before.remaining(subject.id)
            must(added == money, f"{money} was to be added, and {added} was")
            must(done.money == money, f"{money} was added, and the result tells of {done.money}")
            must(done.voucher_id in (None, subject.id), "the result names another voucher")
            must(
                done.remaining in (None, after.remaining(subject.id)),
                f"the result says that {done.remaining} is left, and {after.remaining(subject.id)} is",
            )
            after.must_differ_only(before, "top_up", subject.id, VALUE | {"initial"})

    @keeps("V5")
    def test_a_top_up_in_another_currency_is_refused(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        subject = scenes.spendable()
        before = scenes.books()
        refused(
            lambda: provider_.top_up(subject.id, other_currency(scenes), reference=scenes.reference()),
            "a top-up in another currency",
            CurrencyMismatch,
            InvalidRequest,
            Rejected,
        )
        scenes.books().must_be_as(before, "a top-up in another currency was refused")

    @keeps("V6")
    def test_delete_removes_the_voucher_and_nothing_else(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        subject = scenes.idle()
        before = scenes.books()
        done = provider_.delete(subject.id, "a test of the contract", reference=scenes.reference())
        must(scenes.books().differing(before) == {subject.id: {GONE}}, "delete did not remove the voucher alone")
        must(done.voucher_id == subject.id, "the result names another voucher")
        for call in (provider_.get, partial(provider_.delete, reason="again", reference=scenes.reference())):
            refused(partial(call, subject.id), "a call about a deleted voucher", VoucherNotFound)

    @keeps("V9")
    def test_one_wrong_reading_is_never_written_back(
        self, stage: Stage, provider_: VoucherProvider, scenes: Scenes
    ) -> None:
        subject = scenes.spendable()
        start = len(stage.arrivals())
        value = provider_.read_value(id=subject.id)
        for at in range(len(stage.arrivals()) - start):
            stage.strike("wrong-reading", at)
            with suppress(MalformedResponse):
                read = provider_.read_value(id=subject.id)
                must(read == value, f"`read_value` by id believed a wrong reading (its request {at})")
            stage.clear()
        if not scenes.native(Operation.UPDATE):
            return
        start = len(stage.arrivals())
        provider_.update(subject.id, scenes.changes(), reference=scenes.reference())
        for at in range(len(stage.arrivals()) - start):
            before = scenes.books()
            stage.strike("wrong-reading", at)
            with suppress(VoucherGatewayError):
                provider_.update(subject.id, scenes.changes(), reference=scenes.reference())
            stage.clear()
            for part in ("initial", "remaining"):
                was, now = before.part(subject.id, part), scenes.books().part(subject.id, part)
                must(was == now, f"`update` wrote {now} over {was} after a wrong reading (its request {at})")

    @keeps("V7")
    def test_a_change_of_a_voucher_that_is_not_there_is_declined(
        self, provider_: VoucherProvider, scenes: Scenes
    ) -> None:
        calls = _by_id(provider_, scenes)
        before = scenes.books()
        for operation, call in calls.items():
            if scenes.native(operation):
                refused(call, f"{operation.value} of an unknown voucher", VoucherNotFound)
        scenes.books().must_be_as(before, "calls about an unknown voucher")


def other_currency(scenes: Scenes, minor: int = 100) -> Money:
    """Return an amount in a currency that the vouchers of the scenes are not in."""
    return Money.from_minor(minor, "CHF" if scenes.currency != "CHF" else "EUR")


def _by_id(provider: VoucherProvider, scenes: Scenes) -> dict[Operation, Any]:
    unknown, named = "no-such-voucher", {"reference": scenes.reference()}
    found: dict[Operation, Any] = {
        Operation.ACTIVATE: lambda: provider.activate(unknown, **named),
        Operation.DEACTIVATE: lambda: provider.deactivate(unknown, **named),
        Operation.TOP_UP: lambda: provider.top_up(unknown, scenes.money(100), **named),
        Operation.DELETE: lambda: provider.delete(unknown, "a test", **named),
    }
    if scenes.native(Operation.UPDATE):
        changes = scenes.changes()
        found[Operation.UPDATE] = lambda: provider.update(unknown, changes, **named)
    return found
