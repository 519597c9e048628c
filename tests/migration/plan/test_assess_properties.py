"""What holds for whatever voucher, target and policy."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.migration.plan.assessments import AT, ENDLESS, JTL, TICKETING, assess_voucher, voucher
from voucher_gateway.migration import LOSSES, Action, Kind, Policy, Recode
from voucher_gateway.migration.plan.assess import Target
from voucher_gateway.provider_api import Code, Medium, Money, Pin, Status, Voucher

moments = st.timedeltas(timedelta(days=-900), timedelta(days=12_000)).map(AT.__add__)
monies = st.builds(Money.from_minor, st.integers(0, 20_000_000), st.sampled_from(["EUR", "EUR", "USD", "JPY", "BHD"]))
texts = st.none() | st.text("abc;", min_size=1, max_size=40)
vouchers = st.builds(
    lambda remaining, initial, code, pin, **rest: Voucher(
        account="from",
        id="v1",
        remaining=remaining,
        initial=None if initial is None or remaining is None else Money.from_minor(initial, remaining.currency),
        code=None if code is None else Code(code),
        pin=None if pin is None else Pin(pin),
        **rest,
    ),
    remaining=st.one_of(monies, monies, monies, st.none()),
    initial=st.none() | st.integers(0, 20_000_000),
    code=st.just("GIFT-7K2M") | texts,
    pin=texts,
    status=st.sampled_from([None, Status.ACTIVE, *Status]),
    medium=st.none() | st.sampled_from(Medium),
    valid_until=st.none() | moments,
    sku=texts,
    batch=texts,
    order=texts,
    tax_rate=texts,
    taxable=st.none() | st.booleans(),
    metadata=st.none() | st.just({"a": 1}),
)
# Most of those above are refused for something; these have nothing against them but their texts.
moving = st.builds(
    lambda cents, initial, until, texts: voucher(
        f"{cents // 100}.{cents % 100:02}", initial=Money.from_minor(initial, "EUR"), valid_until=until, **texts
    ),
    cents=st.integers(1, 9_999_999),
    initial=st.integers(1, 9_999_999),
    until=st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=12_000)).map(AT.__add__),
    texts=st.fixed_dictionaries({}, optional={"sku": texts, "batch": texts, "pin": texts.map(Pin.of_given)}),
)
vouchers = vouchers | moving
actions = st.sampled_from([Action.CARRY, *Action])
policies = st.builds(
    Policy,
    inactive=actions,
    expired=actions,
    empty=actions,
    partly_used=actions,
    reserved=actions,
    unreadable=st.sampled_from([Action.SKIP, Action.REFUSE]),
    code_taken=st.sampled_from(Recode),
    code_unfit=st.sampled_from(Recode),
    losses=st.just(frozenset(LOSSES)) | st.frozensets(st.sampled_from(sorted(LOSSES))),
)
targets = st.sampled_from([JTL, TICKETING, ENDLESS])


@given(vouchers, targets, policies, st.booleans(), st.booleans())
def test_what_is_carried_keeps_its_value_to_the_last_digit(
    one: Voucher, target: Target, policy: Policy, held: bool, taken: bool
) -> None:
    assessment = assess_voucher(one, target, policy, held=held, taken=taken)
    assert (assessment.destination is not None) is (assessment.action is Action.CARRY)
    if assessment.destination is not None:
        assert assessment.destination.value == one.remaining


@given(vouchers, targets, policies, st.booleans(), st.booleans())
def test_nothing_is_carried_that_the_policy_does_not_name(
    one: Voucher, target: Target, policy: Policy, held: bool, taken: bool
) -> None:
    assessment = assess_voucher(one, target, policy, held=held, taken=taken)
    if assessment.action is Action.CARRY:
        assert assessment.kind is Kind.UNUSED or policy.action(assessment.kind) is Action.CARRY
        assert set(assessment.losses) <= policy.losses | {"code", "expiry", "initial"}
        assert "code" not in assessment.losses or Recode.NEW_CODE in (policy.code_taken, policy.code_unfit)
        assert one.code is not None
    else:
        assert assessment.reasons


@given(vouchers, targets, policies)
def test_no_end_is_brought_forward_and_no_expired_voucher_is_revived(
    one: Voucher, target: Target, policy: Policy
) -> None:
    there = assess_voucher(one, target, policy).destination
    if there is None or one.valid_until is None:
        return
    if there.validity_days is not None:
        assert there.validity_days >= 1
        assert target.at + timedelta(days=there.validity_days) >= one.valid_until
        assert target.at + timedelta(days=there.validity_days) - one.valid_until < timedelta(days=1)
    elif there.valid_until is not None:
        assert timedelta() <= there.valid_until - one.valid_until < timedelta(milliseconds=1)
    else:
        assert one.valid_until > AT


@given(vouchers, targets)
def test_the_strictest_policy_carries_only_what_anybody_would_carry(one: Voucher, target: Target) -> None:
    if assess_voucher(one, target).action is Action.CARRY:
        assert one.remaining
        assert one.code is not None
        assert one.status in (None, Status.ACTIVE)
        assert one.valid_until is None or one.valid_until > AT
        assert one.pin is None or target is JTL
