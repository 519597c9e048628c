"""Which emulations a vendor's own operations allow, and in which order they are preferred."""

from __future__ import annotations

from datetime import timedelta

import pytest

from voucher_gateway import Operation, Support
from voucher_gateway.emulation.registry import EMULATIONS, RISKS, with_emulations
from voucher_gateway.provider_api import (
    Capabilities,
    CodeRules,
    Expiry,
    ListingRules,
    OperationSupport,
    ReservationRules,
    native,
)

DENIED = OperationSupport(support=Support.DENIED, note="this login lacks the scope use")
SPENDING = (Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE, Operation.REDEEM, Operation.REFUND)


def vendor(
    *own: Operation,
    denied: tuple[Operation, ...] = (),
    writes_value: bool = False,
    expiry: Expiry = Expiry.NONE,
    reservations: ReservationRules | None = None,
) -> Capabilities:
    return Capabilities(
        operations={**{one: native() for one in own}, **dict.fromkeys(denied, DENIED)},
        codes=CodeRules(choosable=False, readable=False),
        expiry=expiry,
        listing=ListingRules(page_size=1),
        can_overwrite_value=writes_value,
        reservations=reservations,
    )


def rules(*, time_to_live: timedelta | None = timedelta(minutes=30), release: bool = False) -> ReservationRules:
    return ReservationRules(
        at_once=1, superseded_by_next=True, time_to_live=time_to_live, partial_capture=False, release=release
    )


def by(capabilities: Capabilities, *accepted: str) -> dict[Operation, str | None]:
    """Return the emulations that are in use."""
    found = with_emulations(capabilities, accepted)
    return {one: found.of(one).emulation for one in Operation if found.of(one).support is Support.EMULATED}


def test_what_has_nothing_to_be_made_of_stays_as_it_is() -> None:
    bare = vendor()
    assert with_emulations(bare, RISKS) == bare


def test_what_is_native_is_never_emulated() -> None:
    everything = vendor(*Operation, writes_value=True, reservations=rules())
    assert with_emulations(everything, RISKS) == everything


def test_safe_emulations_need_no_acceptance() -> None:
    like_jtl = vendor(Operation.RESERVE, Operation.CAPTURE, Operation.REFUND, reservations=rules())
    assert by(like_jtl) == {Operation.REDEEM: "redeem-by-capture", Operation.RELEASE: "release-by-expiry"}


def test_both_a_reservation_and_its_capture_are_needed_to_redeem() -> None:
    assert by(vendor(Operation.RESERVE)) == {}
    assert by(vendor(Operation.CAPTURE)) == {}


@pytest.mark.parametrize("one", [rules(time_to_live=None), rules(release=True), None])
def test_only_a_reservation_that_ends_by_itself_can_be_released_by_waiting(one: ReservationRules | None) -> None:
    assert Operation.RELEASE not in by(vendor(Operation.RESERVE, Operation.CAPTURE, reservations=one), *RISKS)


def test_a_safe_emulation_comes_before_a_risky_one() -> None:
    both = vendor(Operation.RESERVE, Operation.CAPTURE, writes_value=True)
    assert by(both, *RISKS)[Operation.REDEEM] == "redeem-by-capture"


def test_reserving_by_redeeming_stands_for_all_three_operations() -> None:
    like_a_till = vendor(Operation.REDEEM, Operation.REFUND)
    assert by(like_a_till) == {}
    assert by(like_a_till, "reserve-by-redeem") == dict.fromkeys(
        (Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE), "reserve-by-redeem"
    )


@pytest.mark.parametrize("own", [Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE])
def test_it_is_not_mixed_with_reservations_of_the_vendors_own(own: Operation) -> None:
    mixed = vendor(Operation.REDEEM, Operation.REFUND, own)
    assert "reserve-by-redeem" not in by(mixed, *RISKS).values()


@pytest.mark.parametrize("denied", [Operation.RESERVE, Operation.CAPTURE])
def test_what_is_made_of_a_denied_operation_is_denied_for_the_same_reason(denied: Operation) -> None:
    own = tuple({Operation.RESERVE, Operation.CAPTURE} - {denied})
    support = with_emulations(vendor(*own, denied=(denied,)), ()).of(Operation.REDEEM)
    assert (support.support, support.note) == (Support.DENIED, DENIED.note)


def test_what_is_denied_is_not_emulated_behind_the_vendors_back() -> None:
    denied = vendor(denied=SPENDING, writes_value=True, reservations=rules())
    assert Operation.REDEEM not in by(denied, *RISKS)
    assert Operation.REFUND not in by(denied, *RISKS)


def test_accepting_one_risk_accepts_no_other() -> None:
    writable = vendor(writes_value=True)
    assert by(writable, "refund-by-update") == {Operation.REFUND: "refund-by-update"}
    assert by(writable, *RISKS) == {
        Operation.TOP_UP: "top-up-by-update",
        Operation.REDEEM: "redeem-by-update",
        Operation.REFUND: "refund-by-update",
    }


@pytest.mark.parametrize("expiry", [Expiry.ABSOLUTE, Expiry.BOTH])
def test_a_voucher_is_deactivated_by_an_end_of_validity_where_an_update_takes_one(expiry: Expiry) -> None:
    dated = vendor(Operation.UPDATE, expiry=expiry)
    assert by(dated) == {}
    assert by(dated, "deactivate-by-expiry") == {Operation.DEACTIVATE: "deactivate-by-expiry"}


@pytest.mark.parametrize("expiry", [Expiry.RELATIVE, Expiry.NONE])
def test_a_validity_that_cannot_be_set_to_a_date_deactivates_nothing(expiry: Expiry) -> None:
    assert by(vendor(Operation.UPDATE, expiry=expiry), *RISKS) == {}
    assert by(vendor(expiry=Expiry.ABSOLUTE), *RISKS) == {}


def test_every_risk_can_be_met() -> None:
    found = {*by(vendor(writes_value=True), *RISKS).values()}
    found |= {*by(vendor(Operation.UPDATE, expiry=Expiry.ABSOLUTE), *RISKS).values()}
    found |= {*by(vendor(Operation.REDEEM, Operation.REFUND), *RISKS).values()}
    assert found == set(RISKS)


def test_a_vendors_own_note_on_the_operation_is_kept() -> None:
    noted = vendor(Operation.RESERVE, Operation.CAPTURE).with_support(
        {Operation.REDEEM: OperationSupport(support=Support.UNSUPPORTED, note="made out of two")}
    )
    assert with_emulations(noted, ()).of(Operation.REDEEM).note == "made out of two"


def test_every_emulation_is_one_row_with_all_its_facts() -> None:
    for name, emulation in EMULATIONS.items():
        assert name == emulation.name
        assert name.replace("-", "").isalpha()
        assert emulation.stands_for
        assert emulation.risk is None or len(emulation.risk) > 40
        for emulated in emulation.stands_for.values():
            assert emulated.decided_by is not None or emulated.requests == 0


def test_what_is_used_only_after_a_move_is_offered_to_no_account() -> None:
    like_a_till = vendor(Operation.TOP_UP)
    assert by(like_a_till, *RISKS) == {}
    assert EMULATIONS["refund-by-top-up"].only_after_move
