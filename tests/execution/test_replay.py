"""What happens when a reference comes again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.support.simulators import SimulatorAccount, make_gateway
from voucher_gateway.errors import ReferenceConflict
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider_api import (
    InsufficientValue,
    Money,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    ProviderUnavailable,
    VoucherChanges,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")


def test_a_success_is_replayed_without_a_request(either_shop: Shop) -> None:
    _, code = either_shop.voucher()
    first = either_shop.redeem(code)
    before = len(either_shop.running.requests)
    again = either_shop.redeem(code)
    assert (first.replayed, again.replayed) == (False, True)
    assert again == first
    assert len(either_shop.running.requests) == before


def test_another_process_replays_it_too(either_shop: Shop) -> None:
    _, code = either_shop.voucher()
    first = either_shop.redeem(code)
    again = either_shop.another_gateway().redeem("shop", code, TEN, reference="1001-a")
    assert again.replayed
    assert again == first
    assert either_shop.charges() == 1


def test_a_reserve_and_its_capture_share_a_reference(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    reservation = shop.gateway.reserve("shop", code, TEN, reference="1001-a")
    redemption = shop.gateway.capture("shop", reservation, reference="1001-a")
    assert redemption.reference == "1001-a"
    assert shop.remaining(voucher_id) == "40.00"
    assert {entry.key.verb for entry in shop.gateway.operations()} == {Operation.RESERVE, Operation.CAPTURE}


def test_the_same_reference_of_another_account_is_another_operation(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.redeem(code)
    with make_gateway((SimulatorAccount("branch", shop.running.announcement),), shop.url) as other:
        other.redeem("branch", code, TEN, reference="1001-a")
    assert shop.remaining(voucher_id) == "30.00"


@pytest.mark.parametrize("outcome", ["succeeded", "declined", "unknown"])
def test_another_intent_under_a_reference_is_a_conflict_always(shop: Shop, outcome: str) -> None:
    _, code = shop.voucher("10.00" if outcome != "declined" else "5.00")
    _, other_code = shop.voucher("9.00")
    if outcome == "unknown":
        shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
        shop.running.inject("error-before", "GET *", times=0)
    with suppress(InsufficientValue, OutcomeUnknown):
        shop.redeem(code)
    assert [entry.state for entry in shop.gateway.operations()] == [OperationState(outcome)]
    before = len(shop.running.requests)
    with pytest.raises(ReferenceConflict, match="another code"):
        shop.redeem(other_code)
    with pytest.raises(ReferenceConflict, match="another amount"):
        shop.redeem(code, "9.99")
    assert len(shop.running.requests) == before


def test_the_same_reference_at_another_host_is_a_conflict(shop: Shop, make_shop: Callable[..., Shop]) -> None:
    _, code = shop.voucher(code="THE-SAME-CODE")
    shop.redeem(code)
    other = make_shop(shop.url)
    other.voucher(code="THE-SAME-CODE")
    with pytest.raises(ReferenceConflict, match="host"):
        other.redeem(code)
    assert other.changes() == ["POST /v1/vouchers"]


def test_the_same_reference_of_another_login_is_a_conflict(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code)
    stranger = shop.another_gateway(client_id="somebody-else")
    with pytest.raises(ReferenceConflict, match="another login"):
        stranger.redeem("shop", code, TEN, reference="1001-a")


def test_what_was_declined_runs_again_under_a_new_wire_reference(shop: Shop) -> None:
    voucher_id, code = shop.voucher("5.00")
    with pytest.raises(InsufficientValue):
        shop.redeem(code)
    shop.request(
        "POST", "/vouchers/recharge", {"id": voucher_id, "amount": "5.00", "currency": "EUR", "order_number": "x"}
    )
    assert not shop.redeem(code).replayed
    entry = shop.gateway.operation("shop", "redeem", "1001-a")
    assert entry is not None
    assert (entry.state, entry.attempt) == (OperationState.SUCCEEDED, 2)
    names = [one.intent.reference for one in shop.journal.requests_of(entry.id)]
    assert len(names) == len(set(names)) == 3
    assert shop.remaining(voucher_id) == "0.00"


def test_what_was_not_executed_runs_again(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.running.inject("rate-limit", "POST /v1/reservations", retry_after_s=600)
    with pytest.raises(Exception, match="too many requests"):
        shop.redeem(code)
    assert shop.redeem(code).money == TEN
    assert shop.remaining(voucher_id) == "40.00"


def test_an_unknown_reservation_within_a_redemption_took_nothing(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/reservations")
    with pytest.raises(ProviderUnavailable) as unavailable:
        shop.redeem(code)
    assert unavailable.value.message == (
        "nothing was taken: the outcome of the reserve before it is not known"
        " (the connection broke before a complete answer)"
    )
    assert shop.redeem(code).money == TEN
    assert shop.remaining(voucher_id) == "40.00"


def test_an_unknown_call_is_resolved_by_reading_and_not_sent_again(either_shop: Shop) -> None:
    voucher_id, code = either_shop.voucher()
    either_shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        either_shop.redeem(code)
    found = either_shop.redeem(code)
    assert found.money == TEN
    assert found.reference == "1001-a"
    assert either_shop.charges() == 1
    assert either_shop.remaining(voucher_id) == "40.00"
    assert either_shop.redeem(code).replayed


def test_what_stays_unknown_raises_the_same_and_sends_nothing(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.running.inject("drop-before", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown) as first:
        shop.redeem(code, order="1001")
    before = shop.changes()
    with pytest.raises(OutcomeUnknown) as again:
        shop.redeem(code, order="1001")
    assert shop.changes() == before
    ours, theirs = first.value.ticket, again.value.ticket
    assert (ours.operation_id, ours.reference, ours.wire_reference) == (
        theirs.operation_id,
        theirs.reference,
        theirs.wire_reference,
    )
    assert ours.verb == theirs.verb == "redeem"
    assert ours.step == theirs.step == "capture"


def test_a_replayed_issue_has_its_code_again_although_the_journal_never_held_it(shop: Shop) -> None:
    first = shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    again = shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    assert again.replayed
    assert first.code is not None
    assert again.code == first.code
    assert shop.changes() == ["POST /v1/vouchers"]


def test_an_issue_in_doubt_is_found_by_its_own_id_with_its_code(shop: Shop) -> None:
    shop.running.inject("commit-then-drop", "POST /v1/vouchers")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    voucher = shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    assert voucher.code is not None
    assert voucher.code.reveal() == shop.running.ledger()[0]["code"]
    assert len(shop.running.ledger()) == 1


def test_an_issue_that_did_not_arrive_is_sent_again_under_the_same_id(shop: Shop) -> None:
    shop.running.inject("drop-before", "POST /v1/vouchers")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    voucher = shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    sent = [one.body for one in shop.running.requests if one.path == "/v1/vouchers" and one.method == "POST"]
    assert sent[0] == sent[1]
    assert str(voucher.id) in str(sent[0])
    assert len(shop.running.ledger()) == 1


def test_a_repeat_that_is_refused_says_nothing_of_the_attempt_before(shop: Shop) -> None:
    shop.running.inject("drop-before", "POST /v1/vouchers")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    shop.running.inject("rate-limit", "POST /v1/vouchers", retry_after_s=600)
    with pytest.raises(OutcomeUnknown, match="the outcome of an earlier attempt is unknown"):
        shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    entry = shop.gateway.operation("shop", "issue", "sale-1")
    assert entry is not None
    assert entry.state is OperationState.UNKNOWN


def test_a_repeat_that_is_refused_because_the_first_attempt_succeeded_is_a_success(shop: Shop) -> None:
    voucher_id, _ = shop.voucher(status="inactive")
    shop.running.inject("commit-then-drop", "DELETE *")
    shop.running.inject("error-before", f"GET /v1/vouchers/{voucher_id}")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.delete("shop", voucher_id, "misprint", reference="d-1")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.delete("shop", voucher_id, "misprint", reference="d-1")
    assert shop.gateway.delete("shop", voucher_id, "misprint", reference="d-1").voucher_id == voucher_id
    assert shop.running.ledger() == []


def test_a_reference_does_not_come_to_stand_for_another_change(shop: Shop) -> None:
    id, _ = shop.voucher(status="inactive")
    shop.gateway.update("shop", id, VoucherChanges(sku="GIFT-50"), reference="u1")
    again = shop.gateway.update("shop", id, VoucherChanges(sku="GIFT-50"), reference="u1")
    assert again.replayed
    with pytest.raises(ReferenceConflict, match="another content"):
        shop.gateway.update("shop", id, VoucherChanges(sku="GIFT-51"), reference="u1")


def test_a_reference_does_not_come_to_stand_for_another_new_voucher(shop: Shop) -> None:
    new = NewVoucher(initial=Money(50, "EUR"), batch="B-1")
    shop.gateway.issue("shop", new, reference="i1")
    with pytest.raises(ReferenceConflict, match="another content"):
        shop.gateway.issue("shop", attrs.evolve(new, batch="B-2"), reference="i1")
