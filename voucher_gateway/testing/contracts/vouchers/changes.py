"""Promises about activate, deactivate, update, top up and delete: changes that spend no value."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    CurrencyMismatch,
    Declined,
    InvalidRequest,
    MalformedResponse,
    Rejected,
    UnsupportedOperation,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.models.requests import VoucherChanges
from voucher_gateway.models.voucher import Interval, Status, Validity
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.harness.calls import expect_error
from voucher_gateway.testing.harness.ledger import GONE, VALUE
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import fail, for_promise, require

_STATUS: Final = frozenset({"status", "valid_until", "movements"})
"""What a change of the status may change: a relative validity begins, and a history may tell of it."""


_VALID: Final = timedelta(days=90)
_ACTIVE: Final = timedelta(days=10)
"""How long a voucher is active before it is stopped and activated again."""


class ChangesContract(SpendContract):
    """Changes of a voucher."""

    @for_promise("V1")
    def test_activate_and_deactivate_do_that_and_nothing_else(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for operation, statuses in (
            (Operation.ACTIVATE, {Status.ACTIVE}),
            (Operation.DEACTIVATE, {Status.INACTIVE, Status.DEACTIVATED}),
        ):
            if not factory.native(operation):
                continue
            subject = factory.inactive_voucher() if operation is Operation.ACTIVATE else factory.spendable_voucher()
            before, state = factory.snapshot(), provider_.get(subject.id).status
            require(state not in statuses, f"a voucher is {state} before {operation.value} is called")
            changed = getattr(provider_, operation.value)(subject.id, reference=factory.reference())
            after, state = factory.snapshot(), provider_.get(subject.id).status
            require(
                after.entries[subject.id]["status"] != before.entries[subject.id]["status"],
                f"{operation.value} changed nothing in the vendor's ledger",
            )
            require(state in statuses, f"after {operation.value}, `get` says {state}")
            require(changed.id == subject.id, f"the result of {operation.value} is another voucher")
            require(changed.status in (None, state), f"the result of {operation.value} says {changed.status}")
            after.require_difference_only(before, operation.value, subject.id, _STATUS)

    @for_promise("V2")
    def test_update_changes_what_it_is_told_and_nothing_else(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject, changes = factory.unspent_voucher(), factory.changes()
        before, was = factory.snapshot(), provider_.get(subject.id)
        result = provider_.update(subject.id, changes, reference=factory.reference())
        after, now = factory.snapshot(), provider_.get(subject.id)
        for name, value in changes.fields_to_change().items():
            require(getattr(now, name) == value, f"{name} was to change, and `get` gives another value afterwards")
            require(getattr(result, name) == value, f"{name} was to change, and the result gives another value")
        for name in ("sku", "batch", "valid_until", "initial", "code", "pin", "status", "metadata"):
            unchanged = name in changes.fields_to_change() or getattr(now, name) == getattr(was, name)
            require(unchanged, f"{name} was not to change, and did")
        after.require_difference_only(before, "update", subject.id, frozenset(changes.fields_to_change()))

    @for_promise("V3")
    def test_an_update_that_the_vendor_lacks_is_refused(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject = factory.unspent_voucher()
        later = factory.vendor_now().replace(year=2040)
        for changes in (
            VoucherChanges(valid_until=later),
            VoucherChanges(sku="SKU-9"),
            VoucherChanges(batch="B-9"),
            VoucherChanges(sku=None),
            VoucherChanges(batch=None),
            VoucherChanges(valid_until=None),
        ):
            before = factory.snapshot()
            ((name, value),) = changes.fields_to_change().items()
            try:
                provider_.update(subject.id, changes, reference=factory.reference())
            except (InvalidRequest, UnsupportedOperation):
                factory.snapshot().require_unchanged(before, f"a change of {name} was refused")
                continue
            except Declined as error:
                fail(f"a change of {name} to {'nothing' if value is None else 'a value'} was sent; the vendor: {error}")
            reading = getattr(provider_.get(subject.id), name)
            require(reading == value, f"a change of {name} was taken, and `get` gives another value")
        before = factory.snapshot()
        with suppress(InvalidRequest):
            provider_.update(subject.id, VoucherChanges(), reference=factory.reference())
        factory.snapshot().require_unchanged(before, "an update of nothing")

    @for_promise("V4")
    def test_top_up_adds_exactly_the_amount(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject = factory.spendable_voucher()
        for minor in (1, 29, 1007, 43_50):
            money = factory.money(minor)
            before = factory.snapshot()
            done = provider_.top_up(subject.id, money, reference=factory.reference(), order="O-1")
            after = factory.snapshot()
            added = after.remaining(subject.id) - before.remaining(subject.id)
            require(added == money, f"{money} was to be added, and {added} was")
            require(done.money == money, f"{money} was added, and the result has {done.money}")
            require(done.voucher_id in (None, subject.id), "the result names another voucher")
            require(
                done.remaining in (None, after.remaining(subject.id)),
                f"the result says that {done.remaining} is left, and {after.remaining(subject.id)} is",
            )
            after.require_difference_only(before, "top_up", subject.id, VALUE | {"initial"})

    @for_promise("V5")
    def test_a_top_up_in_another_currency_is_refused(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject = factory.spendable_voucher()
        before = factory.snapshot()
        with expect_error("a top-up in another currency", CurrencyMismatch, InvalidRequest, Rejected):
            provider_.top_up(subject.id, other_currency(factory), reference=factory.reference())
        factory.snapshot().require_unchanged(before, "a top-up in another currency was refused")

    @for_promise("V6")
    def test_delete_removes_the_voucher_and_nothing_else(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject = factory.unspent_voucher()
        before = factory.snapshot()
        done = provider_.delete(subject.id, "a test of the contract", reference=factory.reference())
        require(
            factory.snapshot().differences(before) == {subject.id: {GONE}}, "delete did not remove the voucher alone"
        )
        require(done.voucher_id == subject.id, "the result names another voucher")
        for call in (provider_.get, partial(provider_.delete, reason="again", reference=factory.reference())):
            with expect_error("a call about a deleted voucher", VoucherNotFound):
                call(subject.id)

    @for_promise("V9")
    def test_one_wrong_reading_is_never_written_back(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject = factory.spendable_voucher()
        start = len(vendor.request_lines)
        value = provider_.read_value(id=subject.id)
        for at in range(len(vendor.request_lines) - start):
            vendor.inject_fault("wrong-reading", at)
            with suppress(MalformedResponse):
                read = provider_.read_value(id=subject.id)
                require(read == value, f"`read_value` by id believed a wrong reading (its request {at})")
            vendor.clear_faults()
        if not factory.native(Operation.UPDATE):
            return
        start = len(vendor.request_lines)
        provider_.update(subject.id, factory.changes(), reference=factory.reference())
        for at in range(len(vendor.request_lines) - start):
            before = factory.snapshot()
            vendor.inject_fault("wrong-reading", at)
            with suppress(VoucherGatewayError):
                provider_.update(subject.id, factory.changes(), reference=factory.reference())
            vendor.clear_faults()
            for part in ("initial", "remaining"):
                was, now = before.part(subject.id, part), factory.snapshot().part(subject.id, part)
                require(was == now, f"`update` wrote {now} over {was} after a wrong reading (its request {at})")

    @for_promise("V10")
    def test_the_validity_begins_again_as_declared(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        declared = provider_.declared
        restarts = []
        for ends in _ends(factory):
            subject = factory.spendable_voucher(**ends)
            before = factory.snapshot().valid_until(subject.id)
            vendor.advance(int(_ACTIVE.total_seconds()))
            provider_.deactivate(subject.id, reference=factory.reference())
            provider_.activate(subject.id, reference=factory.reference())
            after = factory.snapshot().valid_until(subject.id)
            require(before is not None and after is not None, "an active voucher has no end of validity")
            assert before is not None
            assert after is not None
            restarts.append(after - before >= _ACTIVE / 2)
            require(
                declared.restarts_validity or not restarts[-1],
                f"`restarts_validity` is not declared, and a voucher that was valid until {before} was stopped"
                f" and activated again, and is valid until {after}",
            )
        require(
            any(restarts) or not declared.restarts_validity,
            "`restarts_validity` is declared, and the end of validity stayed when a voucher was stopped and activated"
            " again",
        )

    @for_promise("V7")
    def test_a_change_of_a_voucher_that_is_not_there_is_declined(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        calls = _calls_by_id(provider_, factory)
        before = factory.snapshot()
        for operation, call in calls.items():
            if factory.native(operation):
                with expect_error(f"{operation.value} of an unknown voucher", VoucherNotFound):
                    call()
        factory.snapshot().require_unchanged(before, "calls about an unknown voucher")


def _ends(factory: VoucherFactory) -> list[dict[str, Any]]:
    """Return the fields of new vouchers with an end of validity, in each way in which it can be set."""
    ends: list[dict[str, Any]] = []
    if factory.declared.expiry.takes_lengths:
        ends.append({"validity": Validity(_VALID.days, Interval.DAYS)})
    if factory.declared.expiry.takes_instants:
        ends.append({"valid_until": factory.vendor_now() + _VALID})
    return ends


def other_currency(factory: VoucherFactory, minor: int = 100) -> Money:
    """Return an amount in another currency than that of the factory's vouchers."""
    return Money.from_minor(minor, "CHF" if factory.currency != "CHF" else "EUR")


def _calls_by_id(provider: VoucherProvider, factory: VoucherFactory) -> dict[Operation, Any]:
    unknown, kwargs = "no-such-voucher", {"reference": factory.reference()}
    calls: dict[Operation, Any] = {
        Operation.ACTIVATE: partial(provider.activate, unknown, **kwargs),
        Operation.DEACTIVATE: partial(provider.deactivate, unknown, **kwargs),
        Operation.TOP_UP: partial(provider.top_up, unknown, factory.money(100), **kwargs),
        Operation.DELETE: partial(provider.delete, unknown, "a test", **kwargs),
    }
    if factory.native(Operation.UPDATE):
        changes = factory.changes()
        calls[Operation.UPDATE] = partial(provider.update, unknown, changes, **kwargs)
    return calls
