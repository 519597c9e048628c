"""The order of the steps, by what the two ends can do."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from voucher_gateway.emulation.registry import with_emulations
from voucher_gateway.migration import Retire, Step
from voucher_gateway.migration.plan.route import choose_route, retire_options
from voucher_gateway.provider_api import (
    Capabilities,
    CodeRules,
    Expiry,
    InvalidRequest,
    ListingRules,
    Operation,
    UnsupportedOperation,
    native,
)
from voucher_gateway_file import FileProvider
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

JTL = with_emulations(JtlProvider.declared, ())
TICKETING = with_emulations(TicketingProvider.declared, ())
FILE = FileProvider.declared
READ = (Operation.FIND, Operation.GET, Operation.VOUCHERS)


def able(*operations: Operation, **more: Any) -> Capabilities:
    named: dict[str, Any] = {
        "operations": {one: native() for one in (*READ, *operations)},
        "codes": CodeRules(choosable=True, readable=True),
        "expiry": Expiry.NONE,
        "listing": ListingRules(page_size=10),
        **more,
    }
    return Capabilities(**named)


def test_a_source_that_can_be_frozen_is_frozen_before_anything_is_created() -> None:
    way = choose_route(JTL, TICKETING)
    assert way.steps == (Step.FREEZE, Step.REREAD, Step.CREATE, Step.CONFIRM)
    assert (way.retire, way.double_spendable) == (Retire.KEEP_FROZEN, False)


def test_between_two_that_have_a_status_the_target_is_activated_last() -> None:
    way = choose_route(JTL, JTL)
    assert way.steps == (Step.FREEZE, Step.REREAD, Step.CREATE, Step.CONFIRM, Step.ACTIVATE)
    assert not way.double_spendable


def test_a_source_without_status_is_retired_before_the_target_is_activated() -> None:
    way = choose_route(TICKETING, JTL)
    assert way.steps == (Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE, Step.ACTIVATE)
    assert (way.retire, way.double_spendable) == (Retire.EXPIRE, False)


def test_where_neither_has_a_status_a_voucher_can_be_spent_twice_for_a_while() -> None:
    way = choose_route(TICKETING, TICKETING)
    assert way.steps == (Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE)
    assert (way.double_spendable, way.permanently) == (True, False)


def test_a_voucher_that_is_to_be_emptied_is_not_frozen_as_it_could_not_be_redeemed_then() -> None:
    way = choose_route(JTL, JTL, retire=Retire.EMPTY)
    assert way.steps == (Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE, Step.ACTIVATE)
    assert choose_route(JTL, TICKETING, retire=Retire.EMPTY).double_spendable


@pytest.mark.parametrize(
    ("capabilities", "ways"),
    [
        (JTL, (Retire.KEEP_FROZEN, Retire.EMPTY, Retire.DELETE)),
        (TICKETING, (Retire.EXPIRE,)),
        (with_emulations(TicketingProvider.declared, {"redeem-by-update"}), (Retire.EXPIRE, Retire.EMPTY)),
        (FILE, (Retire.LEAVE,)),
        (able(), ()),
    ],
    ids=["JTL", "ticketing", "ticketing with redeem-by-update", "a file", "a vendor that only shows"],
)
def test_how_vouchers_can_end_follows_from_capabilities(capabilities: Capabilities, ways: tuple[Retire, ...]) -> None:
    assert retire_options(capabilities) == ways


def test_a_policy_chooses_among_them_and_nothing_else() -> None:
    assert choose_route(JTL, TICKETING, retire=Retire.DELETE).steps[-1] is Step.RETIRE
    with pytest.raises(UnsupportedOperation, match="keep-frozen, empty, delete"):
        choose_route(JTL, TICKETING, retire=Retire.EXPIRE)
    with pytest.raises(UnsupportedOperation, match="its options"):
        choose_route(JTL, TICKETING, retire=Retire.LEAVE)


def test_a_source_whose_vouchers_cannot_be_stopped_is_refused() -> None:
    with pytest.raises(UnsupportedOperation, match="spent twice for good"):
        choose_route(able(), JTL)


def test_a_source_without_list_and_a_target_without_issuing_are_refused() -> None:
    blind = attrs.evolve(JTL, operations={one: it for one, it in JTL.operations.items() if one != Operation.VOUCHERS})
    with pytest.raises(UnsupportedOperation, match="cannot be listed"):
        choose_route(blind, TICKETING)
    with pytest.raises(UnsupportedOperation, match="no voucher can be issued"):
        choose_route(JTL, able())


def test_a_file_is_copied_and_its_vouchers_are_activated_at_the_end() -> None:
    way = choose_route(FILE, JTL)
    assert way.steps == (Step.REREAD, Step.CREATE, Step.CONFIRM, Step.ACTIVATE)
    assert (way.retire, way.double_spendable) == (Retire.LEAVE, False)


def test_a_copy_to_a_file_leaves_the_source_alone() -> None:
    way = choose_route(JTL, FILE, copy=True)
    assert way.steps == (Step.REREAD, Step.CREATE, Step.CONFIRM)
    assert not way.double_spendable


def test_a_copy_between_two_vendors_doubles_the_money_for_good() -> None:
    way = choose_route(JTL, TICKETING, copy=True)
    assert (way.double_spendable, way.permanently) == (True, True)


def test_a_copy_is_not_retired() -> None:
    with pytest.raises(InvalidRequest):
        choose_route(JTL, FILE, copy=True, retire=Retire.DELETE)
