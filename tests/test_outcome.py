"""Intents become tickets, and tickets intents again, without losing what a look-up needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import InvalidRequest, Ticket
from voucher_gateway.models.results import Movement, Redemption
from voucher_gateway.models.voucher import MovementKind, MovementState
from voucher_gateway.money import Money
from voucher_gateway.outcome import Effect, Intent, Outcome, resolve_by_reference

words = st.text(min_size=1)
moneys = st.integers(-(10**9), 10**9).flatmap(
    lambda units: st.sampled_from(["EUR", "JPY", "BHD"]).map(lambda currency: Money.from_minor(units, currency))
)
intents = st.builds(
    Intent,
    account=words,
    provider=words,
    host=words,
    login=st.none() | words,
    verb=words,
    reference=st.none() | words,
    order=st.none() | words,
    voucher_id=st.none() | words,
    subject=st.none() | words,
    money=st.none() | moneys,
    sent_at=st.datetimes(timezones=st.just(UTC)),
    notes=st.dictionaries(words, words),
)


@given(intent=intents, reason=st.text())
def test_an_intent_comes_back_from_its_ticket_even_through_json(intent: Intent, reason: str) -> None:
    ticket = Ticket.from_json(intent.ticket(reason).to_json())
    assert Intent.from_ticket(ticket) == intent
    assert ticket.reason == reason
    assert intent.to_json() == intent.ticket("").to_json()


def test_a_ticket_writes_amount_and_time_out() -> None:
    intent = Intent(
        account="shop",
        provider="jtl",
        host="vouchers.example",
        verb="redeem",
        money=Money("10", "EUR"),
        sent_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
    )
    ticket = intent.ticket("time-out")
    assert (ticket.amount, ticket.currency, ticket.sent_at) == ("10.00", "EUR", "2026-01-31T12:00:00Z")
    assert ticket.reason == "time-out"


def test_an_intent_is_looked_up_under_the_name_that_the_vendor_knows() -> None:
    ticket = Ticket(
        account="shop", provider="jtl", host="h", verb="redeem", reference="1001-a", wire_reference="1001.7f"
    )
    assert Intent.from_ticket(ticket).reference == "1001.7f"
    assert Intent.from_ticket(attrs.evolve(ticket, wire_reference=None)).reference == "1001-a"


def test_a_ticket_about_one_request_of_an_emulation_is_about_that_request() -> None:
    ticket = Ticket(account="shop", provider="jtl", host="h", verb="redeem", step="capture")
    assert Intent.from_ticket(ticket).verb == "capture"


def test_a_ticket_with_a_wrong_amount_or_time_is_refused() -> None:
    ticket = Ticket(account="shop", provider="jtl", host="h", verb="redeem", amount="10.5e1", currency="EUR")
    with pytest.raises(InvalidRequest):
        Intent.from_ticket(ticket)
    with pytest.raises(ValueError, match="RFC 3339"):
        Intent.from_ticket(attrs.evolve(ticket, amount=None, sent_at="yesterday"))


def test_the_ticket_keeps_the_notes_of_its_moment() -> None:
    notes = {"seen": "m-1"}
    intent = Intent(account="shop", provider="jtl", host="h", verb="refund", notes=notes)
    ticket = intent.ticket("time-out")
    notes["seen"] = "m-2"
    assert ticket.notes == {"seen": "m-1"}


def test_an_intent_without_a_time_is_about_to_be_sent_now() -> None:
    before = datetime.now(UTC)
    intent = Intent(account="shop", provider="jtl", host="h", verb="redeem")
    assert before <= intent.sent_at <= datetime.now(UTC) + timedelta(seconds=1)


def test_the_words_of_effects_are_those_of_errors() -> None:
    assert [str(effect) for effect in Effect] == ["succeeded", "declined", "not_executed", "unknown", "pending"]


def test_an_outcome_is_not_repeatable_unless_somebody_says_so() -> None:
    assert Outcome(effect=Effect.UNKNOWN).repeatable is False
    assert Outcome(effect=Effect.UNKNOWN).result is None


# --- resolve_by_reference ---

SENT_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
CALL = Intent(
    account="shop",
    provider="acme",
    host="vouchers.example",
    login="till-1",
    verb="redeem",
    reference="1001~7f.1.1",
    voucher_id="v1",
    money=Money("10", "EUR"),
    sent_at=SENT_AT,
)
TAKEN = Movement(
    account="shop",
    id="m1",
    voucher_id="v1",
    kind=MovementKind.REDEMPTION,
    money=Money("10", "EUR"),
    reference="1001~7f.1.1",
    login="till-1",
    created_at=SENT_AT,
)


def look_up(*movements: Movement, absence_proves: str | None = None) -> Outcome:
    return resolve_by_reference(
        CALL, movements, MovementKind.REDEMPTION, Redemption.from_movement, absence_proves=absence_proves
    )


def test_a_movement_with_the_reference_proves_the_call_wherever_it_stands() -> None:
    others = [attrs.evolve(TAKEN, id=f"m{number}", reference=f"1001~7f.1.1{number}") for number in range(2, 5)]
    outcome = look_up(*others, TAKEN)
    assert outcome.effect is Effect.SUCCEEDED
    assert outcome.result == Redemption.from_movement(TAKEN)


@pytest.mark.parametrize("reference", ["1001~7f.1.10", "1001~7f.1", "1001~7F.1.1", None])
def test_a_reference_is_compared_whole(reference: str | None) -> None:
    assert look_up(attrs.evolve(TAKEN, reference=reference)).effect is Effect.UNKNOWN


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("money", Money("10.01", "EUR"), "amount"),
        ("money", Money("10", "USD"), "amount"),
        ("kind", MovementKind.TOP_UP, "kind"),
        ("voucher_id", "v2", "voucher"),
        ("login", "till-2", "login"),
    ],
)
def test_a_movement_that_differs_from_the_call_proves_nothing(name: str, value: Any, word: str) -> None:
    outcome = look_up(attrs.evolve(TAKEN, **{name: value}), absence_proves="the list is complete")
    assert outcome.effect is Effect.UNKNOWN
    assert outcome.reason.endswith(f"but another {word}")


@pytest.mark.parametrize(
    ("state", "effect"), [(MovementState.PENDING, Effect.PENDING), (MovementState.CANCELLED, Effect.DECLINED)]
)
def test_a_movement_that_is_not_completed_says_what_became_of_the_call(state: MovementState, effect: Effect) -> None:
    outcome = look_up(attrs.evolve(TAKEN, state=state), absence_proves="the list is complete")
    assert (outcome.effect, outcome.result) == (effect, None)
    assert state.value in outcome.reason


def test_a_cancelled_movement_is_no_candidate_for_the_call() -> None:
    other = attrs.evolve(TAKEN, reference="changed", state=MovementState.CANCELLED)
    assert look_up(other, absence_proves="the list is complete").effect is Effect.NOT_EXECUTED
    waiting = attrs.evolve(other, state=MovementState.PENDING)
    assert look_up(waiting, absence_proves="the list is complete").candidates == (waiting,)


@pytest.mark.parametrize(
    ("amount", "effect"), [("3.00", Effect.SUCCEEDED), ("10.00", Effect.SUCCEEDED), ("10.01", Effect.UNKNOWN)]
)
def test_a_vendor_that_takes_what_is_left_may_have_taken_less(amount: str, effect: Effect) -> None:
    movement = attrs.evolve(TAKEN, money=Money(amount, "EUR"))
    outcome = resolve_by_reference(CALL, [movement], MovementKind.REDEMPTION, Redemption.from_movement, partial=True)
    assert outcome.effect is effect
    if effect is Effect.SUCCEEDED:
        assert outcome.result == Redemption.from_movement(movement)


def test_two_movements_with_the_reference_are_for_a_person() -> None:
    outcome = look_up(TAKEN, attrs.evolve(TAKEN, id="m2"))
    assert (outcome.effect, outcome.result) == (Effect.UNKNOWN, None)
    assert "a person must decide" in outcome.reason


def test_a_missing_movement_proves_nothing_unless_the_provider_says_why() -> None:
    assert look_up().effect is Effect.UNKNOWN
    outcome = look_up(absence_proves="the vendor executes nothing after its time limit")
    assert (outcome.effect, outcome.reason) == (
        Effect.NOT_EXECUTED,
        "the vendor executes nothing after its time limit",
    )


def test_a_movement_that_could_be_the_call_under_a_changed_reference_is_a_candidate() -> None:
    changed = attrs.evolve(TAKEN, reference="1001-7f-1-1")
    earlier = attrs.evolve(changed, created_at=SENT_AT - timedelta(hours=1))
    outcome = look_up(changed, earlier, absence_proves="the list is complete")
    assert (outcome.effect, outcome.candidates) == (Effect.UNKNOWN, (changed,))


def test_a_call_without_a_reference_cannot_be_found() -> None:
    unnamed = attrs.evolve(CALL, reference=None)
    movements = [attrs.evolve(TAKEN, reference=None)]
    outcome = resolve_by_reference(unnamed, movements, MovementKind.REDEMPTION, Redemption.from_movement)
    assert outcome.effect is Effect.UNKNOWN
