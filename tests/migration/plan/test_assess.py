"""What becomes of one voucher, between the two vendors that we know."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from tests.migration.plan.assessments import ANY_LOSS, AT, ENDLESS, JTL, TICKETING, assess_voucher, voucher
from voucher_gateway.migration import LOSSES, Action, Kind, Policy, Recode, Retire, load_policy
from voucher_gateway.migration.plan.assess import Target
from voucher_gateway.provider_api import Code, CodeRules, Interval, Medium, Money, Pin, Status, Validity, Voucher
from voucher_gateway_file import FileProvider

# --- what is carried, and what it becomes ---


def test_a_plain_voucher_is_carried_whole() -> None:
    assessment = assess_voucher(voucher(valid_until=AT + timedelta(days=90)), TICKETING)
    assert (assessment.kind, assessment.action, assessment.reasons, assessment.losses) == (
        Kind.UNUSED,
        Action.CARRY,
        (),
        (),
    )
    assert assessment.destination is not None
    assert assessment.destination.value == Money("50.00", "EUR")
    assert assessment.destination.valid_until == AT + timedelta(days=90)


def test_of_a_partly_used_voucher_what_is_left_is_carried() -> None:
    assessment = assess_voucher(voucher(initial=Money("80.00", "EUR")), TICKETING)
    assert (assessment.kind, assessment.losses) == (Kind.PARTLY_USED, ("initial",))
    assert assessment.destination is not None
    assert assessment.destination.value == Money("50.00", "EUR")


def test_a_refilled_voucher_with_more_than_at_first_is_carried_with_all_of_it() -> None:
    assessment = assess_voucher(voucher("120.00", initial=Money("80.00", "EUR")), TICKETING)
    assert assessment.destination is not None
    assert assessment.destination.value == Money("120.00", "EUR")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"remaining": None}, Kind.UNREADABLE),
        ({"code": None}, Kind.UNREADABLE),
        ({"remaining": Money("0.00", "EUR")}, Kind.EMPTY),
        ({"status": Status.USED_UP}, Kind.EMPTY),
        ({"valid_until": AT}, Kind.EXPIRED),
        ({"status": Status.EXPIRED}, Kind.EXPIRED),
        ({"status": Status.DEACTIVATED}, Kind.DEACTIVATED),
        ({"status": Status.DEACTIVATED, "valid_until": AT}, Kind.DEACTIVATED),
        ({"status": Status.BLOCKED}, Kind.BLOCKED),
        ({"status": Status.PENDING}, Kind.INACTIVE),
        ({"status": Status.INACTIVE}, Kind.INACTIVE),
        ({"status": Status.UNKNOWN}, Kind.INACTIVE),
    ],
)
def test_what_the_policy_does_not_name_is_refused_with_a_reason(fields: dict[str, Any], kind: Kind) -> None:
    assessment = assess_voucher(voucher(**fields), TICKETING)
    assert (assessment.kind, assessment.action, assessment.destination) == (kind, Action.REFUSE, None)
    assert assessment.reasons


def test_a_reserved_voucher_is_refused_unless_the_policy_carries_it() -> None:
    assert assess_voucher(voucher(), TICKETING, held=True).kind is Kind.RESERVED
    assert assess_voucher(voucher(), TICKETING, held=True).action is Action.REFUSE
    assert assess_voucher(voucher(), TICKETING, Policy(reserved=Action.CARRY), held=True).action is Action.CARRY


HELD: dict[str, dict[str, Any]] = {
    "active": {},
    "inactive": {"status": Status.INACTIVE},
    "expired": {"valid_until": AT - timedelta(days=1)},
    "empty": {"remaining": Money("0.00", "EUR")},
}
ALL_CARRIED = attrs.evolve(
    ANY_LOSS, inactive=Action.CARRY, expired=Action.CARRY, empty=Action.CARRY, reserved=Action.CARRY
)


@pytest.mark.parametrize("name", HELD)
def test_a_held_voucher_never_moves_whatever_it_is_and_the_policy_says(name: str) -> None:
    one = voucher(**HELD[name])
    assessment = assess_voucher(one, TICKETING, ALL_CARRIED, held=True, retire=Retire.KEEP_FROZEN)
    assert assessment.reasons == ("it has a reservation, and only a copy can carry it",)
    assert assess_voucher(one, TICKETING, ALL_CARRIED, held=True).action is Action.CARRY


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("retire", [Retire.KEEP_FROZEN, Retire.LEAVE])
def test_what_the_policy_says_of_held_vouchers_holds_whatever_else_they_are(name: str, retire: Retire) -> None:
    for wanted in (Action.SKIP, Action.REFUSE):
        policy = attrs.evolve(ALL_CARRIED, reserved=wanted)
        assessment = assess_voucher(voucher(**HELD[name]), TICKETING, policy, held=True, retire=retire)
        assert (assessment.action, assessment.reasons) == (wanted, ("it has a reservation",))


@pytest.mark.parametrize("kind", [Kind.EMPTY, Kind.EXPIRED, Kind.INACTIVE, Kind.UNREADABLE])
def test_a_policy_can_leave_kinds_where_they_are(kind: Kind) -> None:
    one = {
        Kind.EMPTY: voucher("0.00"),
        Kind.EXPIRED: voucher(valid_until=AT - timedelta(days=1)),
        Kind.INACTIVE: voucher(status=Status.INACTIVE),
        Kind.UNREADABLE: voucher(code=None),
    }[kind]
    policy = load_policy({"vouchers": {kind.value: "skip"}})
    assert assess_voucher(one, TICKETING, policy).action is Action.SKIP


# --- expiry ---


def test_jtl_gets_whole_days_rounded_in_the_customers_favour_and_the_drift_is_told() -> None:
    assessment = assess_voucher(voucher(valid_until=AT + timedelta(days=10, seconds=1)), JTL)
    assert assessment.action is Action.CARRY
    assert assessment.losses == ("expiry",)
    assert assessment.destination is not None
    assert assessment.destination.validity_days == 11
    assert assessment.destination.drift == timedelta(days=1) - timedelta(seconds=1)
    assert assessment.destination.valid_until is None


def test_a_voucher_without_end_is_refused_at_jtl_whose_portal_may_set_one() -> None:
    assert assess_voucher(voucher(), JTL).reasons == ("the policy does not accept a loss: no-end",)
    assessment = assess_voucher(voucher(), JTL, Policy(losses={"no-end"}))
    assert assessment.losses == ("no-end",)
    assert assessment.destination is not None
    assert assessment.destination.validity_days is None


def test_an_expired_voucher_keeps_its_end_where_that_can_be_and_is_never_revived() -> None:
    over = voucher(valid_until=AT - timedelta(days=3))
    policy = Policy(expired=Action.CARRY, losses=frozenset(LOSSES))
    kept = assess_voucher(over, TICKETING, policy).destination
    assert kept is not None
    assert kept.valid_until == AT - timedelta(days=3)
    for target in (JTL, ENDLESS):
        assert assess_voucher(over, target, policy).reasons == (
            "it has expired, and the target cannot hold an expired voucher",
        )


def test_an_end_that_the_target_cannot_hold_at_all_is_a_loss_by_name() -> None:
    one = voucher(valid_until=AT + timedelta(days=3))
    assert assess_voucher(one, ENDLESS).reasons == ("the policy does not accept a loss: end",)
    assert assess_voucher(one, ENDLESS, Policy(losses={"end"})).action is Action.CARRY


def test_an_end_finer_than_the_targets_grain_is_rounded_up() -> None:
    until = AT + timedelta(days=3, microseconds=1)
    destination = assess_voucher(voucher(valid_until=until), TICKETING).destination
    assert destination is not None
    assert destination.valid_until == AT + timedelta(days=3, milliseconds=1)


@pytest.mark.parametrize(
    ("until", "target"),
    [
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), JTL),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), TICKETING),
    ],
    ids=["a day more", "a millisecond more"],
)
def test_an_end_that_cannot_be_rounded_up_any_more_is_refused(until: datetime, target: Target) -> None:
    assessment = assess_voucher(voucher(valid_until=until), target, ANY_LOSS)
    assert assessment.reasons == ("its end, rounded up for the target, is after the year 9999",)


def test_the_last_end_that_the_target_can_hold_is_carried() -> None:
    until = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    destination = assess_voucher(voucher(valid_until=until), TICKETING).destination
    assert destination is not None
    assert destination.valid_until == until


@pytest.mark.parametrize("status", [None, Status.ACTIVE])
@pytest.mark.parametrize("target", [JTL, TICKETING])
def test_a_validity_that_may_have_begun_at_any_moment_is_lost_by_name(status: Status | None, target: Target) -> None:
    one = voucher(status=status, validity=Validity(3, Interval.YEARS))
    assert "the policy does not accept a loss: validity" in assess_voucher(one, target).reasons
    assert "validity" in assess_voucher(one, target, ANY_LOSS).losses


@pytest.mark.parametrize("length", [(0, Interval.DAYS), (999_999_999, Interval.YEARS), (8000, Interval.YEARS)])
def test_a_validity_that_is_none_is_refused(length: tuple[int, Interval]) -> None:
    one = voucher(status=Status.INACTIVE, validity=Validity(*length))
    assessment = assess_voucher(one, JTL, ALL_CARRIED)
    assert assessment.reasons == ("its validity is not a length of time, or ends after the year 9999",)


def test_the_validity_of_an_inactive_voucher_goes_to_jtl_and_is_lost_at_ticketing() -> None:
    waiting = voucher(status=Status.INACTIVE, validity=Validity(3, Interval.YEARS))
    to_jtl = assess_voucher(waiting, JTL, Policy(inactive=Action.CARRY))
    assert (to_jtl.action, to_jtl.losses) == (Action.CARRY, ())
    assert to_jtl.destination is not None
    assert to_jtl.destination.active is False
    to_ticketing = assess_voucher(waiting, TICKETING, Policy(inactive=Action.CARRY))
    assert to_ticketing.reasons == (
        "the policy does not accept a loss: status",
        "the policy does not accept a loss: validity",
    )
    accepted = assess_voucher(waiting, TICKETING, Policy(inactive=Action.CARRY, losses={"status", "validity"}))
    assert accepted.action is Action.CARRY


# --- what the target does not take ---


@pytest.mark.parametrize(
    ("one", "target"),
    [
        (voucher("100000.00", valid_until=AT + timedelta(days=1)), JTL),
        (voucher("1.234", "BHD", valid_until=AT + timedelta(days=1)), JTL),
        (voucher("100000000000.00"), TICKETING),
        (voucher("10", "JPY"), TICKETING),
    ],
    ids=["too much for JTL", "three decimals at JTL", "beyond exact floats", "another currency than the seller's"],
)
def test_values_that_the_target_does_not_take_are_refused_whatever_the_policy(one: Voucher, target: Target) -> None:
    assessment = assess_voucher(one, target, ANY_LOSS)
    assert assessment.action is Action.REFUSE
    assert assessment.reasons


def test_a_dinar_amount_with_two_decimals_goes_to_jtl() -> None:
    one = voucher("1.230", "BHD", valid_until=AT + timedelta(days=1))
    assert assess_voucher(one, JTL).action is Action.CARRY


@pytest.mark.parametrize("code", ["abc", "ab;cd", ";;;;;"])
def test_codes_that_ticketing_refuses_are_refused_or_exchanged(code: str) -> None:
    one = voucher(code=Code(code))
    assert assess_voucher(one, TICKETING).action is Action.REFUSE
    assessment = assess_voucher(one, TICKETING, Policy(code_unfit=Recode.NEW_CODE))
    assert (assessment.action, assessment.losses) == (Action.CARRY, ("code",))
    assert assessment.destination is not None
    assert assessment.destination.new_code


def test_a_file_is_given_no_voucher_whose_code_it_cannot_have() -> None:
    target = Target(capabilities=FileProvider.declared, at=AT)
    assert assess_voucher(voucher(), target).action is Action.CARRY
    assessment = assess_voucher(voucher(), target, Policy(code_taken=Recode.NEW_CODE), taken=True)
    assert assessment.reasons == ("the target already has its code, and a file makes no new codes",)


def test_a_code_too_long_for_jtl_is_refused() -> None:
    one = voucher(code=Code("x" * 256), valid_until=AT + timedelta(days=1))
    assert assess_voucher(one, JTL).reasons == ("the target accepts codes with 1 to 255 characters",)


def test_codes_that_do_not_have_the_targets_alphabet_or_pattern_are_refused() -> None:
    letters = CodeRules(choosable=True, readable=True, alphabet=string.ascii_letters + string.digits)
    target = attrs.evolve(TICKETING, capabilities=attrs.evolve(TICKETING.capabilities, codes=letters))
    reasons = assess_voucher(voucher(code=Code("Grüße123")), target).reasons
    assert reasons == ("the target accepts codes with only the characters 0-9 A-Z a-z",)
    assert assess_voucher(voucher(code=Code("Gruesse123")), target).action is Action.CARRY
    pattern = attrs.evolve(letters, pattern="77[0-9]{6}", example="77123456")
    target = attrs.evolve(TICKETING, capabilities=attrs.evolve(TICKETING.capabilities, codes=pattern))
    reasons = assess_voucher(voucher(code=Code("78123456")), target).reasons
    assert reasons == ("the target accepts codes with the pattern 77[0-9]{6}",)


def test_a_code_that_the_target_has_is_refused_or_exchanged() -> None:
    assert assess_voucher(voucher(), TICKETING, taken=True).reasons == ("the target already has its code",)
    assessment = assess_voucher(voucher(), TICKETING, Policy(code_taken=Recode.NEW_CODE), taken=True)
    assert assessment.destination is not None
    assert assessment.destination.new_code


def test_a_used_voucher_is_refused_where_it_would_have_to_be_deleted() -> None:
    used = voucher(initial=Money("80.00", "EUR"))
    assert assess_voucher(used, TICKETING, retire=Retire.DELETE).action is Action.REFUSE
    assert assess_voucher(voucher(), TICKETING, retire=Retire.DELETE).action is Action.CARRY


@pytest.mark.parametrize("name", ["inactive", "expired"])
def test_what_cannot_be_redeemed_is_refused_where_it_would_have_to_be_emptied(name: str) -> None:
    one = voucher(**HELD[name])
    (reason,) = assess_voucher(one, TICKETING, ALL_CARRIED, retire=Retire.EMPTY).reasons
    assert reason.endswith("a voucher that cannot be redeemed cannot be emptied at the source")
    assert assess_voucher(one, TICKETING, ALL_CARRIED, retire=Retire.EXPIRE).action is Action.CARRY


def test_an_empty_voucher_needs_no_emptying() -> None:
    one = voucher("0.00", status=Status.INACTIVE)
    assert assess_voucher(one, TICKETING, ALL_CARRIED, retire=Retire.EMPTY).action is Action.CARRY


# --- losses ---

FIELDS: dict[str, dict[str, Any]] = {
    "pin": {"pin": Pin("4711")},
    "sku": {"sku": "A"},
    "batch": {"batch": "B"},
    "order": {"order": "O-1"},
    "tax": {"taxable": True, "tax_rate": "19"},
    "metadata": {"metadata": {"to": "Anna"}},
    "medium": {"medium": Medium.PRINT},
}


@pytest.mark.parametrize("name", FIELDS)
def test_ticketing_loses_what_it_has_no_field_for_and_only_by_name(name: str) -> None:
    one = voucher(**FIELDS[name])
    assert assess_voucher(one, TICKETING).reasons == (f"the policy does not accept a loss: {name}",)
    others = frozenset(LOSSES) - {name}
    assert assess_voucher(one, TICKETING, Policy(losses=others)).action is Action.REFUSE
    accepted = assess_voucher(one, TICKETING, Policy(losses={name}))
    assert (accepted.action, accepted.losses) == (Action.CARRY, (name,))


@pytest.mark.parametrize("name", FIELDS)
def test_jtl_keeps_them_all(name: str) -> None:
    one = voucher(valid_until=AT + timedelta(days=1), **FIELDS[name])
    assert assess_voucher(one, JTL).losses == ("expiry",)


@pytest.mark.parametrize("name", ["pin", "metadata"])
def test_what_the_source_has_and_cannot_show_is_lost_at_any_target(name: str) -> None:
    one = voucher(valid_until=AT + timedelta(days=1), unread=frozenset({name}))
    for target in (JTL, TICKETING):
        assert assess_voucher(one, target).reasons == (f"the policy does not accept a loss: {name}",)
        assert name in assess_voucher(one, target, Policy(losses={name})).losses


@pytest.mark.parametrize("field", ["sku", "batch", "order", "tax_rate"])
def test_an_empty_text_is_nothing_to_lose(field: str) -> None:
    assert assess_voucher(voucher(**{field: ""}), TICKETING).losses == ()


def test_what_names_things_at_the_old_vendor_is_not_carried_and_is_no_loss() -> None:
    links = {"customer_id": "c-1", "transaction_id": "t-1"}
    one = voucher(valid_until=AT + timedelta(days=90), login="till-7", origin="shop", links=links)
    assert (assess_voucher(one, TICKETING).action, assess_voucher(one, TICKETING).losses) == (Action.CARRY, ())


def test_an_initial_value_that_is_not_known_is_nothing_to_lose() -> None:
    assert assess_voucher(voucher(initial=None), TICKETING).losses == ()


def test_a_batch_too_long_for_jtl_is_a_loss() -> None:
    one = voucher(valid_until=AT + timedelta(days=1), batch="x" * 31)
    assert assess_voucher(one, JTL).reasons == ("the policy does not accept a loss: batch",)


def test_a_medium_that_we_do_not_know_cannot_be_sent() -> None:
    one = voucher(valid_until=AT + timedelta(days=1), medium=Medium.UNKNOWN)
    assert assess_voucher(one, JTL).reasons == ("the policy does not accept a loss: medium",)


def test_no_reason_shows_the_code_or_the_pin() -> None:
    one = voucher(code=Code("SE;RET-CODE-1"), pin=Pin("9876"), remaining=Money("1", "USD"), sku="x")
    told = repr(assess_voucher(one, TICKETING, taken=True))
    assert "RET-CODE" not in told
    assert "9876" not in told
