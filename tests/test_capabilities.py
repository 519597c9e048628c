"""Capabilities: data that can be asked before a call is made."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import attrs
import pytest

from voucher_gateway.capabilities import (
    UNSUPPORTED,
    Capabilities,
    Expiry,
    ListingRules,
    Operation,
    OperationSupport,
    OptionRule,
    RepeatSafety,
    Support,
    native,
)
from voucher_gateway.cli.capability_texts import describe_payments
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.rules.codes import CodeRules
from voucher_gateway.rules.payments import RefundLink, ReservationRules, RestAfterCapture

CAPABILITIES = Capabilities(
    operations={Operation.FIND: native(), Operation.CAPTURE: native(partial=False, repeat=RepeatSafety.LOOK_UP)},
    codes=CodeRules(choosable=False, readable=True),
    expiry=Expiry.NONE,
    listing=ListingRules(page_size=10),
)


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_a_method_of_the_provider(operation: Operation) -> None:
    method = getattr(VoucherProvider, operation.value)
    assert inspect.isfunction(method)
    assert operation.value == operation.name.lower()


@pytest.mark.parametrize("operation", Operation)
def test_the_operations_that_change_something_are_those_that_take_a_reference(operation: Operation) -> None:
    takes = inspect.signature(getattr(VoucherProvider, operation.value)).parameters
    assert operation.changes is ("reference" in takes) is ("order" in takes)


def test_an_operation_that_is_not_mentioned_is_unsupported() -> None:
    assert CAPABILITIES.of(Operation.REDEEM) is UNSUPPORTED
    assert not CAPABILITIES.of(Operation.REDEEM).available
    assert CAPABILITIES.of(Operation.FIND) == native()


@pytest.mark.parametrize(
    ("support", "available"),
    [(Support.NATIVE, True), (Support.EMULATED, True), (Support.DENIED, False), (Support.UNSUPPORTED, False)],
)
def test_only_native_and_emulated_operations_are_available(support: Support, available: bool) -> None:
    assert OperationSupport(support=support).available is available


def test_native_carries_what_it_is_told() -> None:
    support = native(partial=True, repeat=RepeatSafety.NATURAL_KEY, note="by id")
    assert support.support is Support.NATIVE
    assert (support.partial, support.repeat, support.note) == (True, RepeatSafety.NATURAL_KEY, "by id")


def test_narrowing_makes_new_capabilities_and_leaves_the_declared_ones_alone() -> None:
    denied = OperationSupport(support=Support.DENIED, note="needs the scope `use`")
    narrowed = CAPABILITIES.with_support({Operation.CAPTURE: denied})
    assert narrowed.of(Operation.CAPTURE) is denied
    assert narrowed.of(Operation.FIND) == native()
    assert CAPABILITIES.of(Operation.CAPTURE).available
    assert attrs.evolve(narrowed, operations=CAPABILITIES.operations) == CAPABILITIES


@pytest.mark.parametrize(
    ("expiry", "instants", "lengths"),
    [
        (Expiry.ABSOLUTE, True, False),
        (Expiry.RELATIVE, False, True),
        (Expiry.BOTH, True, True),
        (Expiry.NONE, False, False),
    ],
)
def test_an_expiry_says_which_ways_of_setting_it_there_are(expiry: Expiry, instants: bool, lengths: bool) -> None:
    assert (expiry.takes_instants, expiry.takes_lengths) == (instants, lengths)


# --- options ---


@pytest.mark.parametrize(
    ("name", "operations", "message"),
    [
        ("location id", {Operation.REDEEM}, "identifier"),
        ("location", set(), "must name changing operations"),
        ("location", {Operation.FIND}, "must name changing operations"),
    ],
)
def test_an_option_has_a_plain_name_and_changing_operations(
    name: str, operations: set[Operation], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        OptionRule(name=name, operations=frozenset(operations))


RESERVATIONS = ReservationRules(
    at_once=3,
    superseded_by_next=False,
    time_to_live=timedelta(minutes=30),
    max_time_to_live=timedelta(days=7),
    partial_capture=True,
    rest_after_capture=RestAfterCapture.HELD,
    captures=None,
    release=True,
)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"at_once": 0}, "at_once must be at least 1"),
        ({"superseded_by_next": True}, "superseded_by_next needs at_once=1"),
        ({"captures": 0}, "captures must be at least 1"),
        ({"rest_after_capture": RestAfterCapture.FREED}, "several captures need"),
        ({"partial_capture": False}, "needs partial_capture"),
        ({"time_to_live": None}, "max_time_to_live must be at least time_to_live"),
        ({"max_time_to_live": timedelta(minutes=29)}, "max_time_to_live must be at least time_to_live"),
    ],
)
def test_rules_of_reservations_that_contradict_each_other_are_refused(rules: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        attrs.evolve(RESERVATIONS, **rules)


def test_the_rest_of_a_reservation_is_free_after_a_capture_unless_the_rules_say_otherwise() -> None:
    assert RESERVATIONS.holds_rest
    assert not attrs.evolve(RESERVATIONS, rest_after_capture=RestAfterCapture.FREED, captures=1).holds_rest


def test_reservations_and_refunds_are_described_in_words() -> None:
    declared = attrs.evolve(CAPABILITIES, reservations=RESERVATIONS, refund_link=RefundLink.UNLINKED)
    assert "; ".join(describe_payments(declared)) == (
        "a voucher can have 3 at once; they last 30 minutes, or up to 10080 minutes if chosen; a part can be captured,"
        " and the rest is held; several captures; refunds are not linked to their redemption; only the journal bounds"
        " them"
    )
    assert list(describe_payments(CAPABILITIES)) == []
