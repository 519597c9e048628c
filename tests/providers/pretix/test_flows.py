"""Every call of the adapter, and what becomes of lost answers. The witness runs the same tests on the real program."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from tests.providers.pretix.vendor import TRANSACT, Pretix, eur, redeem
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.provider_api import (
    AlreadyRefunded,
    CurrencyMismatch,
    DuplicateCode,
    Effect,
    InsufficientValue,
    InvalidRequest,
    MalformedResponse,
    Money,
    MovementKind,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    ReferenceConflict,
    VoucherChanges,
    VoucherExpired,
    VoucherInactive,
    VoucherNotFound,
)

REDEEM = OperationKey("till", Operation.REDEEM, "1001")
LATER = datetime(2040, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class TestCalls:
    def test_a_card_is_issued_spent_refunded_and_topped_up(self, pretix: Pretix) -> None:
        till = pretix.provider()
        card = pretix.issue(valid_until=LATER)
        assert (card.initial, card.remaining, card.valid_until) == (eur("50.00"), eur("50.00"), LATER)
        taken = till.redeem("CARD-1", eur("10.53"), reference="1001-a", order="order 7")
        back = till.refund(taken, eur("3.00"), reference="1001-b")
        more = till.top_up(card.id, eur("5.00"), reference="1001-c")
        assert [taken.remaining, back.remaining, more.remaining] == [eur("39.47"), eur("42.47"), eur("47.47")]
        assert (taken.voucher_id, back.redemption_id) == (card.id, taken.id)
        assert till.find("CARD-1").remaining == eur("47.47")
        movements = list(till.history(card.id))[-3:]
        assert [(movement.kind, movement.money, movement.reference) for movement in movements] == [
            (MovementKind.REDEMPTION, eur("10.53"), "1001-a"),
            (MovementKind.REFUND, eur("3.00"), "1001-b"),
            (MovementKind.TOP_UP, eur("5.00"), "1001-c"),
        ]

    def test_amounts_of_other_currencies_keep_their_decimals(self, pretix: Pretix) -> None:
        till = pretix.provider()
        for code, face, part, left in (
            ("YEN", Money("500", "JPY"), Money("1", "JPY"), Money("499", "JPY")),
            ("DINAR", Money("10.500", "KWD"), Money("0.010", "KWD"), Money("10.490", "KWD")),
        ):
            till.issue(NewVoucher(initial=face, code=code), reference=f"issue-{code}")
            assert till.redeem(code, part, reference=f"redeem-{code}").remaining == left

    def test_refunds_give_back_no_more_than_was_taken_although_the_vendor_would(self, pretix: Pretix) -> None:
        till = pretix.provider()
        pretix.issue()
        taken = till.redeem("CARD-1", eur("10.00"), reference="1001-a")
        other = till.redeem("CARD-1", eur("20.00"), reference="1002-a")
        till.refund(taken, eur("4.00"), reference="1001-b")
        for part in (None, eur("6.01"), eur("10.00")):
            with pytest.raises(AlreadyRefunded):
                till.refund(taken, part, reference="1001-c")
        till.refund(taken, eur("6.00"), reference="1001-d")
        till.refund(other, reference="1002-b")
        assert pretix.remaining() == "50.00"

    def test_a_redemption_of_the_history_shares_its_refunds(self, pretix: Pretix) -> None:
        till = pretix.provider()
        card = pretix.issue()
        taken = till.redeem("CARD-1", eur("10.00"), reference="1001-a")
        (movement,) = [one for one in till.history(card.id) if one.kind is MovementKind.REDEMPTION]
        till.refund(type(taken).from_movement(movement), eur("7.00"), reference="1001-b")
        with pytest.raises(AlreadyRefunded):
            till.refund(taken, eur("3.01"), reference="1001-c")

    def test_the_end_of_validity_is_set_and_cleared(self, pretix: Pretix) -> None:
        till = pretix.provider()
        card = pretix.issue()
        for until in (LATER, None):
            changed = till.update(card.id, VoucherChanges(valid_until=until), reference="1001")
            assert (changed.valid_until, changed.remaining) == (until, eur("50.00"))
            assert till.get(card.id).valid_until == until
        with pytest.raises(InvalidRequest):
            till.update(card.id, VoucherChanges(), reference="1001")
        with pytest.raises(VoucherNotFound):
            till.update("987654", VoucherChanges(valid_until=None), reference="1001")

    def test_outcomes_are_found_by_reads(self, pretix: Pretix) -> None:
        gateway = pretix.gateway()
        card = pretix.issue()
        taken = redeem(gateway)
        gateway.refund("till", taken, eur("1.00"), reference="1001")
        gateway.top_up("till", card.id, eur("2.00"), reference="1001")
        gateway.update("till", card.id, VoucherChanges(valid_until=LATER), reference="1001")
        journal = gateway.journal
        assert journal is not None
        provider = gateway.provider("till")
        for verb in (Operation.REDEEM, Operation.REFUND, Operation.TOP_UP, Operation.UPDATE):
            record = journal.find(OperationKey("till", verb, "1001"))
            assert record is not None
            (request,) = journal.requests_of(record.id)
            outcome = provider.resolve(request.intent)
            assert outcome.effect is Effect.SUCCEEDED, verb


class TestRefusals:
    def test_too_little_value_is_declined_and_the_key_is_free_again(self, pretix: Pretix) -> None:
        till = pretix.provider()
        card = pretix.issue()
        for _ in range(2):
            with pytest.raises(InsufficientValue):
                till.redeem("CARD-1", eur("50.01"), reference="1001")
        till.top_up(card.id, eur("0.01"), reference="1002")
        assert till.redeem("CARD-1", eur("50.01"), reference="1001").remaining == eur("0.00")

    def test_expired_cards_are_refused_here_because_the_vendor_spends_them(self, pretix: Pretix) -> None:
        pretix.issue(valid_until=datetime(2020, 1, 1, tzinfo=UTC))
        with pytest.raises(VoucherExpired):
            pretix.provider().redeem("CARD-1", eur("1.00"), reference="1001")
        assert pretix.sent() == []

    @pytest.mark.parametrize("testmode", [True, False])
    def test_test_cards_are_for_test_accounts_and_others_are_not(self, pretix: Pretix, testmode: bool) -> None:
        card = pretix.issue(testmode=testmode)
        other = pretix.provider(testmode=not testmode)
        with pytest.raises(VoucherInactive, match="test card"):
            other.redeem("CARD-1", eur("1.00"), reference="1001")
        with pytest.raises(VoucherInactive):
            other.top_up(card.id, eur("1.00"), reference="1001")
        assert pretix.sent() == []
        pretix.provider(testmode=testmode).redeem("CARD-1", eur("1.00"), reference="1001")

    def test_another_currency_is_refused(self, pretix: Pretix) -> None:
        pretix.issue()
        with pytest.raises(CurrencyMismatch):
            pretix.provider().redeem("CARD-1", Money("1.00", "USD"), reference="1001")
        assert pretix.sent() == []

    def test_a_code_that_is_taken_is_found_and_not_guessed_from_a_text(self, pretix: Pretix) -> None:
        till = pretix.provider()
        pretix.issue()
        pretix.issue("card-1")  # another case is another code
        pretix.issue_elsewhere("SISTER-1")
        for code in ("CARD-1", "SISTER-1"):
            with pytest.raises(DuplicateCode):
                till.issue(NewVoucher(initial=eur("1.00"), code=code), reference="1001")

    @pytest.mark.parametrize("code", ["A", " AB1", "AB1\n", "-AB", "A B", "ÄÖ", "A/B", "x" * 191, "AB\u0660"])
    def test_a_code_that_the_vendor_would_cut_or_refuse_is_not_sent(self, pretix: Pretix, code: str) -> None:
        with pytest.raises(InvalidRequest, match="code must have"):
            pretix.issue(code)
        assert [request for request in pretix.running.requests if request.method == "POST"] == []

    @pytest.mark.parametrize("id", ["a/b", " 1", "01", "1.0", "-1", "", "1?x=1"])
    def test_an_id_that_no_card_can_have_is_not_sent(self, pretix: Pretix, id: str) -> None:
        pretix.issue()
        till, before = pretix.provider(), len(pretix.running.requests)
        for call in (
            lambda: till.get(id),
            lambda: till.history(id),
            lambda: till.top_up(id, eur("1.00"), reference="1001"),
            lambda: till.update(id, VoucherChanges(valid_until=None), reference="1001"),
        ):
            with pytest.raises(VoucherNotFound):
                call()
        assert len(pretix.running.requests) == before

    def test_a_code_of_two_issuers_is_refused_and_said(self, pretix: Pretix) -> None:
        pretix.issue("SHARED-1")
        pretix.issue_elsewhere("SHARED-1")
        both = pretix.provider(include_accepted=True)
        for call in (lambda: both.find("SHARED-1"), lambda: both.redeem("SHARED-1", eur("1.00"), reference="1001")):
            with pytest.raises(MalformedResponse, match="of different issuers"):
                call()
        assert pretix.sent() == []
        assert pretix.provider().redeem("SHARED-1", eur("1.00"), reference="1001").remaining == eur("49.00")

    def test_a_card_of_an_accepted_issuer_is_spent_with_the_setting_only(self, pretix: Pretix) -> None:
        id = pretix.issue_elsewhere("SISTER-1")
        with pytest.raises(VoucherNotFound):
            pretix.provider().redeem("SISTER-1", eur("1.00"), reference="1001")
        both = pretix.provider(include_accepted=True)
        taken = both.redeem("SISTER-1", eur("5.00"), reference="1001")
        assert (taken.voucher_id, taken.remaining) == (id, eur("15.00"))
        assert both.refund(taken, reference="1002").remaining == eur("20.00")
        with pytest.raises(VoucherNotFound):  # the vendor lets nobody but the issuer change a card
            both.update(id, VoucherChanges(valid_until=LATER), reference="1003")


class TestLostAnswers:
    def test_a_lost_answer_is_asked_for_again_under_the_key(self, pretix: Pretix) -> None:
        pretix.issue()
        till = pretix.provider(tries=3)
        pretix.running.inject("commit-then-drop", TRANSACT)
        assert till.redeem("CARD-1", eur("10.00"), reference="1001").remaining == eur("40.00")
        assert (pretix.remaining(), len(pretix.sent()), len(pretix.keys())) == ("40.00", 2, 1)

    @pytest.mark.parametrize("fault", ["drop-before", "commit-then-drop"])
    def test_a_call_in_doubt_goes_on_under_its_key(self, pretix: Pretix, fault: str) -> None:
        pretix.issue()
        gateway = pretix.gateway()
        pretix.running.inject(fault, TRANSACT)
        with pytest.raises(OutcomeUnknown):
            redeem(gateway)
        assert redeem(gateway).money == eur("10.00")
        assert (pretix.remaining(), len(pretix.keys()), len(pretix.references())) == ("40.00", 1, 1)

    def test_after_a_change_of_the_token_nothing_is_sent_under_the_old_key(self, pretix: Pretix) -> None:
        """The vendor would carry the call out under the new token, even if the first request arrives later."""
        pretix.issue()
        pretix.running.inject("drop-before", TRANSACT)
        with pytest.raises(OutcomeUnknown):
            redeem(pretix.gateway())
        with pytest.raises(OutcomeUnknown, match="the credentials have changed"):
            redeem(pretix.gateway(token=pretix.new_token()))
        assert (pretix.remaining(), len(pretix.sent())) == ("50.00", 1)
        redeem(pretix.gateway())  # with the old token again
        assert (pretix.remaining(), len(pretix.keys())) == ("40.00", 1)

    def test_after_a_change_of_the_token_a_look_up_still_finds_the_call(self, pretix: Pretix) -> None:
        pretix.issue()
        pretix.running.inject("commit-then-drop", TRANSACT)
        with pytest.raises(OutcomeUnknown):
            redeem(pretix.gateway())
        assert redeem(pretix.gateway(token=pretix.new_token())).money == eur("10.00")
        assert (pretix.remaining(), len(pretix.sent())) == ("40.00", 1)

    @pytest.mark.parametrize(("fault", "remaining"), [("drop-before", "50.00"), ("commit-then-drop", "40.00")])
    def test_25_hours_later_it_is_looked_up_and_not_sent(self, pretix: Pretix, fault: str, remaining: str) -> None:
        pretix.issue()
        gateway = pretix.gateway()
        pretix.running.inject(fault, TRANSACT)
        with pytest.raises(OutcomeUnknown):
            redeem(gateway)
        pretix.age(gateway, hours=25)
        if fault == "drop-before":
            with pytest.raises(OutcomeUnknown):
                redeem(gateway)
        else:
            assert redeem(gateway).money == eur("10.00")
        assert (pretix.remaining(), len(pretix.sent())) == (remaining, 1)

    def test_a_refund_in_doubt_counts_and_is_made_once(self, pretix: Pretix) -> None:
        pretix.issue()
        gateway = pretix.gateway()
        taken = redeem(gateway)
        pretix.running.inject("commit-then-drop", TRANSACT)
        with pytest.raises(OutcomeUnknown):
            gateway.refund("till", taken, eur("6.00"), reference="1002")
        with pytest.raises(AlreadyRefunded):
            gateway.provider("till").refund(taken, eur("4.01"), reference="1003")
        assert gateway.refund("till", taken, eur("6.00"), reference="1002").money == eur("6.00")
        assert (pretix.remaining(), len(pretix.references())) == ("46.00", 2)

    def test_a_lost_issue_is_found_by_its_code(self, pretix: Pretix) -> None:
        gateway = pretix.gateway()
        pretix.running.inject("commit-then-drop", "POST *giftcards/")
        new = NewVoucher(initial=eur("25.00"))
        with pytest.raises(OutcomeUnknown):
            gateway.issue("till", new, reference="1001")
        (resolution,) = gateway.recover(everything=True)
        assert resolution.state is OperationState.SUCCEEDED
        card = gateway.issue("till", new, reference="1001")
        assert card.code is not None
        assert pretix.remaining(card.code.reveal()) == "25.00"
        assert len(pretix.running.ledger()) == 1

    def test_an_older_card_with_the_code_is_no_proof_of_a_lost_issue(self, pretix: Pretix) -> None:
        pretix.issue("OLD-1", "25.00")
        provider = pretix.provider()
        intent = provider.intent(Operation.ISSUE, reference="1001", money=eur("25.00"))
        assert provider.resolve(intent, code=provider.find("OLD-1").code).effect is Effect.SUCCEEDED
        later = provider.intent(Operation.ISSUE, reference="1001", money=eur("25.00"))
        later = attrs.evolve(later, sent_at=later.sent_at + timedelta(minutes=2))
        assert provider.resolve(later, code=provider.find("OLD-1").code).effect is Effect.UNKNOWN


class TestValueAfterwards:
    def test_another_till_at_the_same_moment_changes_nothing_but_the_rest(
        self, pretix: Pretix, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        card = pretix.issue()
        till = pretix.provider()
        change = till.http.change

        def spend_and_change(*args: object, **more: object) -> object:
            pretix.spend_elsewhere(card.id, "7.00")
            return change(*args, **more)  # type: ignore[arg-type]  # passed on

        monkeypatch.setattr(till.http, "change", spend_and_change)
        taken = till.redeem("CARD-1", eur("10.00"), reference="1001")
        assert (taken.money, taken.remaining, pretix.remaining()) == (eur("10.00"), eur("33.00"), "33.00")

    def test_a_value_that_does_not_follow_is_unknown(self, pretix: Pretix) -> None:
        pretix.issue()
        pretix.running.inject("wrong-echo", TRANSACT)
        with pytest.raises(OutcomeUnknown, match="does not follow"):
            pretix.provider().redeem("CARD-1", eur("10.00"), reference="1001")

    def test_a_reference_of_another_amount_is_a_conflict_although_the_vendor_repeats_its_answer(
        self, pretix: Pretix
    ) -> None:
        pretix.issue()
        till = pretix.provider()
        till.redeem("CARD-1", eur("10.00"), reference="1001")
        with pytest.raises(ReferenceConflict):
            till.redeem("CARD-1", eur("12.00"), reference="1001")
        assert pretix.remaining() == "40.00"
