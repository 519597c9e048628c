"""Why a voucher does not work, in one sentence, and its story."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.shop import Shop
from tests.support.simulators import make_provider
from voucher_gateway import Account, Code, ExplanationReason, Gateway, Money, NewVoucher, OutcomeUnknown
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.gateway.explanation.text import day_text
from voucher_gateway.journal.moves import claim_moves, complete_moves
from voucher_gateway.serialization import to_json
from voucher_gateway.simulator import RunningSimulator

CHARGE = "POST /v1/reservations/*/charge"


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A shop whose account is asked for every code."""
    account = shop.gateway.account("shop")
    shop.set_account(Account(name="shop", provider=account.provider, code_pattern=re.compile("^(?!EVENT-)")))
    return shop


def today() -> str:
    return day_text(datetime.now(UTC))


def test_a_voucher_that_can_be_spent(shop: Shop) -> None:
    _, code = shop.voucher()
    explanation = shop.gateway.explain(code)
    assert explanation.vouchers[0].valid_until is not None
    assert (explanation.reason, explanation.sentence) == (
        ExplanationReason.USABLE,
        f"It can be spent until {day_text(explanation.vouchers[0].valid_until)}: 50.00 EUR are left.",
    )
    assert [event.what for event in explanation.events] == []


def test_a_voucher_that_our_order_used_up(shop: Shop) -> None:
    voucher_id, code = shop.voucher("20.00")
    shop.redeem(code, "15.00", reference="a", order="1000")
    shop.redeem(code, "5.00", reference="b", order="1001")
    explanation = shop.gateway.explain(code)
    assert explanation.reason is ExplanationReason.USED_UP
    assert explanation.sentence == f"Used up on {today()} by order 1001."
    (voucher,) = explanation.vouchers
    assert (voucher.account, voucher.id, voucher.remaining) == ("shop", voucher_id, Money("0.00", "EUR"))
    assert [(event.source, event.what, str(event.money), event.state, event.order) for event in explanation.events] == [
        ("both", "redeem", "15.00 EUR", "succeeded", "1000"),
        ("both", "redeem", "5.00 EUR", "succeeded", "1001"),
    ]


def test_a_voucher_that_another_channel_used_up(shop: Shop) -> None:
    _, code = shop.voucher("20.00")
    shop.redeem(code, "15.00", order="1000")
    shop.running.clock.advance(2)
    with Gateway({"till": make_provider(shop.running.announcement, "till", tries=1)}) as till:
        till.redeem("till", code, Money("5.00", "EUR"), reference="till-7")
    explanation = shop.gateway.explain(code)
    assert explanation.sentence == f"Used up on {today()} by a redemption of another channel (reference 'till-7')."
    assert [event.source for event in explanation.events] == ["both", "vendor"]


def test_a_voucher_that_another_order_holds(shop: Shop) -> None:
    _, code = shop.voucher("50.00")
    reservation = shop.gateway.reserve("shop", code, Money("30.00", "EUR"), reference="r", order="1002")
    assert reservation.valid_until is not None
    explanation = shop.gateway.explain(code)
    until = f"{reservation.valid_until:%H:%M} UTC"
    assert explanation.reason is ExplanationReason.HELD
    assert re.fullmatch(
        rf"Held by order 1002 until (.*, )?{until} \(30\.00 EUR\); 20\.00 EUR of it are free\.", explanation.sentence
    )
    assert explanation.vouchers[0].held == Money("30.00", "EUR")
    (event,) = explanation.events
    assert (event.what, event.state, event.detail[:6]) == ("reserve", "held", "until ")
    shop.running.clock.advance(1900)
    shop.gateway.balance("shop", code)  # the vendor shows its clock
    explanation = shop.gateway.explain(code)
    assert (explanation.reason, explanation.events[0].state) == (ExplanationReason.USABLE, "expired")


def test_a_voucher_whose_validity_has_ended(shop: Shop) -> None:
    _, code = shop.voucher("20.00")
    shop.running.clock.advance(3 * 366 * 86_400)
    explanation = shop.gateway.explain(code)
    until = explanation.vouchers[0].valid_until
    assert until is not None
    assert explanation.reason is ExplanationReason.EXPIRED
    assert explanation.sentence == f"Expired on {day_text(until)}; 20.00 EUR were left on it."


def test_a_voucher_that_was_never_activated_or_is_deactivated(shop: Shop) -> None:
    new = NewVoucher(initial=Money("5.00", "EUR"), code="JTL-0001-0002-0003", active=False)
    voucher = shop.gateway.issue("shop", new, reference="i", order="77")
    explanation = shop.gateway.explain("JTL-0001-0002-0003")
    assert explanation.reason is ExplanationReason.INACTIVE
    assert explanation.sentence == f"Inactive: order 77 issued it on {today()}, and it was never activated."
    shop.gateway.activate("shop", voucher.id, reference="a")
    assert shop.gateway.explain("JTL-0001-0002-0003").reason is ExplanationReason.USABLE
    shop.gateway.deactivate("shop", voucher.id, reference="d")
    explanation = shop.gateway.explain("JTL-0001-0002-0003")
    assert explanation.sentence == f"Inactive: the deactivate 'd' deactivated it on {today()}."


def test_a_code_that_nobody_knows_says_who_was_asked(shop: Shop, start_vendor: Callable[..., RunningSimulator]) -> None:
    events = make_provider(start_vendor("ticketing").announcement, "events", tries=1)
    shop.set_account(Account(name="events", provider=events, code_pattern=re.compile("^EVENT-")))
    explanation = shop.gateway.explain("JTL-NOT-THERE")
    assert explanation.reason is ExplanationReason.NOT_FOUND
    assert explanation.sentence == (
        "Not known at any account: asked shop; not asked events (the code_pattern does not match)."
    )
    shop.running.inject("error-before", "GET *", times=0)
    explanation = shop.gateway.explain("JTL-NOT-THERE")
    assert explanation.reason is ExplanationReason.NOT_ASKED
    assert explanation.sentence.startswith("Not found, and not every account could be asked: asked none; not asked ev")
    assert explanation.missing[0].startswith("shop could not be asked: ")
    events.close()


def test_a_deleted_voucher_is_not_known_but_the_journal_tells(shop: Shop) -> None:
    new = NewVoucher(initial=Money("5.00", "EUR"), code="JTL-0001-0002-0003", active=False)
    voucher = shop.gateway.issue("shop", new, reference="i", order="77")
    shop.gateway.delete("shop", voucher.id, "sold by mistake", reference="gone", order="78")
    explanation = shop.gateway.explain("JTL-0001-0002-0003")
    assert (explanation.reason, explanation.sentence) == (
        ExplanationReason.DELETED,
        f"Order 78 deleted it on {today()}.",
    )
    assert [event.what for event in explanation.events] == ["issue", "delete"]


def test_a_voucher_that_was_moved_to_another_account(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    with shop.journal.database.write() as connection:
        claim_moves(connection, shop.journal.keys, "shop", [voucher_id], "plan-1")
    assert shop.gateway.explain(code).sentence == f"Being moved to another account since {today()}."
    with shop.journal.database.write() as connection:
        complete_moves(connection, shop.journal.keys, "shop", "events", [(voucher_id, "4711")], "plan-1")
    explanation = shop.gateway.explain(code)
    assert explanation.reason is ExplanationReason.MOVED
    assert explanation.sentence == f"Moved to the account events on {today()}, where its id is 4711."
    assert [event.what for event in explanation.events] == ["move"]


def test_an_operation_in_doubt_is_the_reason_if_there_is_no_better_one(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/vouchers/*/recharge")
    shop.running.inject("commit-then-drop", "POST /v1/vouchers/recharge")
    voucher = shop.gateway.find(code).voucher
    assert voucher is not None
    with pytest.raises(OutcomeUnknown):
        shop.gateway.top_up("shop", voucher.id, Money("2.00", "EUR"), reference="t", order="9")
    explanation = shop.gateway.explain(code)
    assert explanation.reason is ExplanationReason.IN_DOUBT
    assert re.fullmatch(r"The top up of 2\.00 EUR of order 9 is in doubt since [0-9:]{5} UTC\.", explanation.sentence)


def test_the_vendors_history_shows_what_is_in_doubt(shop: Shop) -> None:
    _, code = shop.voucher("10.00")
    shop.running.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, order="1001")
    explanation = shop.gateway.explain(code)
    assert explanation.sentence == f"Used up on {today()} by order 1001."
    (event,) = explanation.events
    assert (event.source, event.state) == ("both", "unknown")
    assert event.detail == "the vendor's history shows it: `voucher-gateway recover` records that"


def test_a_history_that_cannot_be_read_is_said_to_be_missing(shop: Shop) -> None:
    _, code = shop.voucher("10.00")
    shop.redeem(code, order="1001")
    shop.running.inject("error-before", "GET /v1/vouchers/*/*", times=0)
    explanation = shop.gateway.explain(code)
    assert explanation.sentence == f"Used up on {today()} by order 1001."
    assert [line.partition(":")[0] for line in explanation.missing] == ["shop shows no history"]
    assert [event.source for event in explanation.events] == ["journal"]


def test_without_a_journal_the_vendor_tells_alone(shop: Shop) -> None:
    _, code = shop.voucher("10.00")
    shop.redeem(code, order="1001")
    account = Account(name="shop", provider=shop.provider(), code_pattern=re.compile(""))
    explanation = Gateway([account]).explain(code)
    assert explanation.sentence.startswith(f"Used up on {today()} by a redemption of another channel (reference '1001~")
    assert [event.source for event in explanation.events] == ["vendor"]


def test_two_accounts_with_one_code_are_both_named(shop: Shop) -> None:
    _, code = shop.voucher()
    account = shop.gateway.account("shop")
    shop.set_account(Account(name="till", provider=shop.provider(), code_pattern=account.code_pattern))
    explanation = shop.gateway.explain(code)
    assert explanation.reason is ExplanationReason.SEVERAL
    assert explanation.sentence.startswith("Several accounts have a voucher with this code: shop, ")


def test_no_code_shows_in_an_explanation(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, order="1001")
    explanation = shop.gateway.explain(Code(code))
    assert code not in f"{explanation!r} {to_json(explanation)}"
    assert code[-4:] in repr(explanation)


@pytest.mark.parametrize("wrong", [{}, {"code": "X", "order": "1"}])
def test_either_a_code_or_an_order_is_explained(shop: Shop, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="either a code or an order"):
        shop.gateway.explain(**wrong)
