"""Promises about the idempotency keys of vendors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from voucher_gateway.capabilities import Operation, RepeatSafety
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway.testing.contracts.effects.outcomes import EffectsContract
from voucher_gateway.testing.contracts.effects.references import MONEY
from voucher_gateway.testing.harness.calls import BeforeSendRecorder, RefusingRecorder, native_changes
from voucher_gateway.testing.harness.cases import OperationCase, make_case
from voucher_gateway.testing.harness.fault_injection import LOST, inject_lasting
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import fail, for_promise, not_tried, require

_FOR_EVER: Final = timedelta(days=800)
"""After this time, a key must still be known that is declared to live for ever."""


class KeysContract(EffectsContract):
    """The vendor's keys: one for each request, the same at each sending."""

    @for_promise("K1")
    def test_two_operations_under_one_reference_are_both_carried_out(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        operations = list(_operations_with_key(provider_))
        if len(operations) < 2:
            not_tried(f"only {operations[0].value} has a key, so no other operation can have the same one")
        for first, second in itertools.pairwise([*operations, operations[0]]):
            reference = factory.reference()
            _carry_out(make_case(first, factory), provider_, reference, "under a new reference")
            _carry_out(make_case(second, factory), provider_, reference, f"under the reference of a {first.value}")

    @for_promise("K2")
    def test_references_that_differ_anywhere_are_different_calls(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        longest = provider_.declared.max_reference_length
        for operation in _operations_with_key(provider_):
            middle = f"{factory.reference()}-{'x' * longest}"[: longest - 2]
            for begin, end in (("a", "a"), ("a", "b"), ("b", "a")):
                what = f"under a reference of {longest} characters that differs in one character from an earlier one"
                _carry_out(make_case(operation, factory), provider_, f"{begin}{middle}{end}", what)

    @for_promise("K3")
    def test_a_request_has_the_same_key_each_time(
        self, matrix: Callable[[], FaultMatrix], vendor: VendorUnderTest, factory: VoucherFactory
    ) -> None:
        for operation in _operations_with_key(factory.provider):
            dry_run, case, reference = matrix().dry_runs[operation], make_case(operation, factory), factory.reference()
            name, recorder, refusing = operation.value, BeforeSendRecorder(vendor), RefusingRecorder()
            with vendor.provider() as provider:
                inject_lasting(vendor, LOST, dry_run.changing[-1])
                with recorder.watching(), suppress(VoucherGatewayError):
                    case.call(provider, reference)
                vendor.clear_faults()
                keys = [intent.key for intent in recorder.intents]
                require(None not in keys, f"{name} is declared to have a vendor's key, and announced none")
                require(
                    len(set(keys)) == len({intent.key for intent in dry_run.intents}),
                    f"the answer to {name} was lost, and it was sent again with another key",
                )
                with vendor.provider() as other, use_before_send_hook(refusing), suppress(Exception):
                    case.call(other, reference)
                other_keys = {intent.key for intent in refusing.intents}
                require(other_keys <= set(keys), f"another instance of the provider gave {name} another key")
                try:
                    case.call(provider, reference)
                except VoucherGatewayError as error:
                    fail(f"a repeat of {name} after a lost answer raised {type(error).__name__}: {error.message}")
            require(case.times() == 1, f"{name} and its repeat after a lost answer happened {case.times()} times")

    @for_promise("K4")
    def test_an_error_in_answer_to_a_repeat_says_nothing_of_the_first_request(
        self, matrix: Callable[[], FaultMatrix]
    ) -> None:
        repeated = [result for result in matrix().in_doubt if result.repeats]
        for result in repeated:
            require(
                result.error is None or result.unknown,
                f"{result.where}: it happened {result.times} times, and {result.reply_text}",
            )
        if not repeated:
            not_tried("nothing is sent again within a call after a lost answer")

    @for_promise("K5")
    def test_a_key_lives_as_long_as_declared(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        rules = provider_.declared.keys
        assert rules is not None
        untried = set()
        for operation in _operations_with_key(provider_):
            if operation not in (*MONEY, Operation.ISSUE):
                continue  # a repeat of any other operation moves no value
            case, recorder, reference = make_case(operation, factory), BeforeSendRecorder(vendor), factory.reference()
            with recorder.watching():
                case.call(provider_, reference)
                first = {intent.key_credentials for intent in recorder.intents}
                vendor.advance((_FOR_EVER if rules.usable_for is None else rules.usable_for).total_seconds())
                # The vendor may refuse for another reason by now. Only what moves counts.
                with suppress(VoucherGatewayError):
                    case.call(provider_, reference)
            if {intent.key_credentials for intent in recorder.intents} != first:
                untried.add(operation.value)
                continue
            what = f"{operation.value} and its repeat right before the declared end of its key"
            require(case.times() == 1, f"{what} happened {case.times()} times")
        if untried:
            not_tried(f"the credentials had changed before the end of the key of {', '.join(sorted(untried))}")


def _operations_with_key(provider: VoucherProvider) -> Iterator[Operation]:
    """Yield the operations that are declared to have a vendor's key."""
    for operation in native_changes(provider):
        if provider.declared.of(operation).repeat is RepeatSafety.VENDOR_KEY:
            yield operation


def _carry_out(case: OperationCase, provider: VoucherProvider, reference: str, what: str) -> None:
    """Make a call that must be carried out once."""
    name = case.operation.value
    try:
        case.call(provider, reference)
    except VoucherGatewayError as error:
        fail(f"{name} {what} raised {type(error).__name__}: {error.message}")
    require(case.times() == 1, f"{name} {what} succeeded, and happened {case.times()} times")
