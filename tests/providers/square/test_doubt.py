"""Calls in doubt: repeated under their keys, taken up again after a crash, and looked up. Value moves once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway, Money, NewVoucher, Status
from voucher_gateway.errors import DuplicateCode, OutcomeUnknown
from voucher_gateway.instants import format_micros
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.journal.schema import requests
from voucher_gateway.provider_api import Code, Effect, Intent, Operation, SecretSource, parse_instant
from voucher_gateway_square import PRODUCTION, SquareProvider, SquareSettings

if TYPE_CHECKING:
    import responses

    from tests.support.square import VendorClient

CREATE = "POST /v2/gift-cards"
ACT = "POST /v2/gift-cards/activities"
EUR = Money("10.53", "EUR")
VALUE = Money(50, "EUR")
CODE = "SOLDCARD12"


class SquareShop:
    """A shop with a journal and one account at the simulator. A call tries once, unless a test says otherwise."""

    def __init__(self, client: VendorClient, journal: Path, stack: ExitStack) -> None:
        self.client = client
        self.running = client.running
        self.url = f"sqlite:///{journal}"
        self._stack = stack
        self.gateway = self.another_gateway()

    def another_gateway(self, **settings: Any) -> Gateway:
        """Return the gateway of another process."""
        at = SquareSettings(
            base_url=self.running.announcement["base_url"],
            access_token=SecretSource.of(self.running.announcement["access_token"]),
            location_id=self.client.location,
            **{"tries": 1, **settings},
        )
        journal = open_journal(self.url, make_journal_keys())
        return self._stack.enter_context(Gateway({"cafe": SquareProvider("cafe", at)}, journal=journal))

    def issue(self, gateway: Gateway | None = None, code: str | None = CODE) -> Any:
        return (gateway or self.gateway).issue(
            "cafe", NewVoucher(initial=VALUE, code=code), reference="sale-1", order="7"
        )

    def sent(self) -> list[str]:
        """Return the verb and key of each changing request that arrived."""
        bodies = [json.loads(r.body) for r in self.running.requests if r.method == "POST" and b"idempotency" in r.body]
        return [
            f"{body.get('gift_card_activity', {}).get('type', 'CREATE')} {body['idempotency_key']}" for body in bodies
        ]

    def values(self) -> list[tuple[object, object]]:
        """Return status and value of each card in the vendor's books."""
        return [(entry["status"], entry["remaining"]) for entry in self.running.ledger()]

    def pass_time(self, time: timedelta) -> None:
        """Let time pass at the vendor, and in the journal's rows."""
        self.running.clock.advance(time.total_seconds())
        assert self.gateway.journal is not None
        with self.gateway.journal.database.write() as connection:
            for row in connection.execute(sa.select(requests.c.id, requests.c.sent_at)).all():
                earlier = format_micros(parse_instant(row.sent_at) - time)
                connection.execute(sa.update(requests).where(requests.c.id == row.id).values(sent_at=earlier))


@pytest.fixture
def shop(square: VendorClient, tmp_path: Path) -> Iterator[SquareShop]:
    with ExitStack() as stack:
        yield SquareShop(square, tmp_path / "journal.db", stack)


# --- the two requests of a new card ---


@pytest.mark.parametrize("lost", [CREATE, ACT])
@pytest.mark.parametrize("fault", ["commit-then-drop", "drop-before", "late-temporary-error", "temporary-error"])
def test_a_new_card_whose_answer_is_lost_is_made_once_under_the_same_keys(
    shop: SquareShop, lost: str, fault: str
) -> None:
    shop.running.inject(fault, lost)
    with pytest.raises(OutcomeUnknown):
        shop.issue()
    issued = shop.issue(shop.another_gateway())
    assert (issued.status, issued.initial) == (Status.ACTIVE, VALUE)
    assert shop.values() == [("active", "50.00")]
    assert len(set(shop.sent())) == 2
    assert shop.issue().replayed


def test_a_lost_answer_is_asked_for_again_within_the_call(shop: SquareShop) -> None:
    gateway = shop.another_gateway(tries=3)
    for path in (CREATE, ACT):
        shop.running.inject("commit-then-drop", path)
    assert shop.issue(gateway).initial == VALUE
    assert shop.values() == [("active", "50.00")]
    assert (len(shop.sent()), len(set(shop.sent()))) == (4, 2)


def test_a_process_that_dies_between_the_two_requests_leaves_a_card_that_its_successor_activates(
    shop: SquareShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(SquareProvider, "_act", _die)
        with pytest.raises(SystemExit):
            shop.issue()
    assert shop.values() == [("pending", "0.00")]
    issued = shop.issue(shop.another_gateway())
    assert shop.values() == [("active", "50.00")]
    create, again, activate = shop.sent()
    assert create == again
    assert activate.startswith("ACTIVATE")
    assert issued.id == shop.running.ledger()[0]["id"]


def test_a_card_that_was_left_behind_is_named_and_taken_up_again_after_the_keys_have_ended(
    shop: SquareShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(SquareProvider, "_act", _die)
        with pytest.raises(SystemExit):
            shop.issue(code=None)
    (entry,) = shop.running.ledger()
    gateway = shop.another_gateway()
    resolution = gateway.resolve(OperationKey("cafe", Operation.ISSUE, "sale-1"))
    assert resolution.state == "not_executed"
    assert str(resolution.left_behind[0]) == "a gift card without value was left behind at the vendor"
    shop.pass_time(timedelta(days=2))
    issued = shop.issue(gateway, code=None)
    assert (issued.id, issued.initial) == (entry["id"], VALUE)
    assert shop.values() == [("active", "50.00")]


def test_an_activation_in_doubt_after_the_keys_have_ended_is_looked_up_and_not_sent(shop: SquareShop) -> None:
    shop.running.inject("commit-then-drop", ACT)
    with pytest.raises(OutcomeUnknown):
        shop.issue()
    shop.pass_time(timedelta(days=2))
    sent = len(shop.sent())
    issued = shop.issue(shop.another_gateway())
    assert (issued.status, len(shop.sent())) == (Status.ACTIVE, sent)
    assert shop.values() == [("active", "50.00")]


def test_an_activation_that_never_arrived_is_not_sent_after_the_keys_have_ended(shop: SquareShop) -> None:
    """The look-up proves nothing then: the first request may still arrive."""
    shop.running.inject("drop-before", ACT)
    with pytest.raises(OutcomeUnknown):
        shop.issue()
    shop.pass_time(timedelta(days=2))
    sent = len(shop.sent())
    with pytest.raises(OutcomeUnknown):
        shop.issue(shop.another_gateway())
    assert len(shop.sent()) == sent
    assert shop.values() == [("pending", "0.00")]


def test_a_pending_card_with_the_chosen_code_is_activated(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    card = square.create(gan_source="OTHER", gan=CODE).json()["gift_card"]
    voucher = make_adapter(square).issue(NewVoucher(initial=VALUE, code=CODE), reference="sale-1")
    assert (voucher.id, square.card(card)["balance_money"]["amount"]) == (card["id"], 5000)


def test_a_pending_card_that_the_vendor_printed_is_not_taken_up(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    card = square.create(type="PHYSICAL", gan="PRINTED12").json()["gift_card"]
    with pytest.raises(DuplicateCode):
        make_adapter(square).issue(NewVoucher(initial=VALUE, code="PRINTED12"), reference="sale-1")
    assert square.card(card)["state"] == "PENDING"


def test_of_two_sales_of_one_code_one_succeeds(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    adapter = make_adapter(square)
    adapter.issue(NewVoucher(initial=VALUE, code=CODE), reference="sale-1")
    with pytest.raises(DuplicateCode):
        adapter.issue(NewVoucher(initial=VALUE, code=CODE), reference="sale-2")
    assert [entry["remaining"] for entry in square.running.ledger()] == ["50.00"]


# --- redemptions, refunds and top-ups ---


@pytest.mark.parametrize("fault", ["commit-then-drop", "drop-before", "late-server-error", "conflict"])
@pytest.mark.parametrize("verb", ["redeem", "top_up", "refund", "deactivate"])
def test_a_call_whose_answer_is_lost_happens_once(shop: SquareShop, verb: str, fault: str) -> None:
    card = shop.client.sell(5000)
    taken = shop.gateway.redeem("cafe", card["gan"], EUR, reference="r-0")

    def call(gateway: Gateway) -> Any:
        match verb:
            case "redeem":
                return gateway.redeem("cafe", card["gan"], EUR, reference="r-1")
            case "top_up":
                return gateway.top_up("cafe", card["id"], EUR, reference="r-1")
            case "refund":
                return gateway.refund("cafe", taken, reference="r-1")
            case _:
                return gateway.deactivate("cafe", card["id"], reference="r-1")

    before = len(shop.sent())
    shop.running.inject(fault, ACT)
    with pytest.raises(OutcomeUnknown):
        call(shop.gateway)
    call(shop.another_gateway())
    assert len(set(shop.sent()[before:])) == 1
    left = {"redeem": "28.94", "top_up": "50.00", "refund": "50.00", "deactivate": "39.47"}[verb]
    assert shop.values() == [("deactivated" if verb == "deactivate" else "active", left)]


def test_ten_are_taken_once_although_the_look_up_lags_and_the_keys_have_ended(shop: SquareShop) -> None:
    card = shop.client.sell(5000)
    shop.running.inject("lagging-lookups", "GET /v2/gift-cards/activities", times=1, lag_s=10**6)
    shop.running.inject("commit-then-drop", ACT)
    with pytest.raises(OutcomeUnknown):
        shop.gateway.redeem("cafe", card["gan"], EUR, reference="r-1")
    shop.pass_time(timedelta(days=2))
    gateway = shop.another_gateway()
    with pytest.raises(OutcomeUnknown):
        gateway.redeem("cafe", card["gan"], EUR, reference="r-1")
    assert gateway.redeem("cafe", card["gan"], EUR, reference="r-1").money == EUR
    assert shop.values() == [("active", "39.47")]


def test_recover_finds_what_happened_and_sends_nothing(shop: SquareShop) -> None:
    card = shop.client.sell(5000)
    shop.running.inject("commit-then-drop", ACT)
    with pytest.raises(OutcomeUnknown):
        shop.gateway.top_up("cafe", card["id"], EUR, reference="r-1")
    sent = len(shop.sent())
    (resolution,) = shop.another_gateway().recover(everything=True)
    assert (resolution.state, len(shop.sent())) == ("succeeded", sent)


# --- the rules of the look-up ---


def test_only_the_whole_reference_proves_a_redemption(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    adapter = make_adapter(square)
    card = square.sell(5000)
    intent = adapter.intent(Operation.REDEEM, reference="r-1", voucher_id=card["id"], subject=card["id"], money=EUR)
    adapter.redeem(card["gan"], EUR, reference="r-11")
    assert adapter.resolve(intent).effect is Effect.UNKNOWN
    redemption = adapter.redeem(card["gan"], EUR, reference="r-1")
    outcome = adapter.resolve(intent)
    assert (outcome.effect, outcome.result) == (Effect.SUCCEEDED, attrs.evolve(redemption, remaining=None))
    other_amount = attrs.evolve(intent, money=VALUE)
    assert adapter.resolve(other_amount).effect is Effect.UNKNOWN


@pytest.mark.parametrize("verb", ["redeem", "issue"])
def test_a_call_is_found_by_its_code_if_a_reply_named_another_card_before(
    square: VendorClient, make_adapter: Callable[..., SquareProvider], verb: str
) -> None:
    adapter = make_adapter(square)
    square.sell(5000)
    if verb == "redeem":
        square.sell(5000, gan_source="OTHER", gan=CODE)
    square.running.inject("wrong-voucher", f"{CREATE}/from-gan" if verb == "redeem" else CREATE)
    calls: dict[str, Callable[[], object]] = {
        "redeem": lambda: adapter.redeem(CODE, EUR, reference="r-1"),
        "issue": lambda: adapter.issue(NewVoucher(initial=VALUE, code=CODE), reference="r-1"),
    }
    with pytest.raises(OutcomeUnknown) as doubt:
        calls[verb]()
    intent = Intent.from_ticket(doubt.value.ticket)
    assert adapter.resolve(intent).effect is Effect.UNKNOWN
    assert adapter.resolve(intent, Code(CODE)).effect is Effect.SUCCEEDED


def test_a_look_up_begins_before_the_call_and_needs_no_history_of_years(
    start_square: Callable[..., VendorClient], make_adapter: Callable[..., SquareProvider]
) -> None:
    client = start_square(history=250)
    adapter = make_adapter(client)
    (entry,) = client.running.ledger()
    id, code = str(entry["id"]), str(entry["code"])
    adapter.redeem(code, Money("0.01", "EUR"), reference="r-1")
    intent = adapter.intent(Operation.REDEEM, reference="r-1", voucher_id=id, subject=id, money=Money("0.01", "EUR"))
    before = len(client.running.requests)
    assert adapter.resolve(intent).effect is Effect.SUCCEEDED
    assert len(client.running.requests) - before == 1


@pytest.mark.parametrize(
    ("status", "effect"), [("COMPLETED", "succeeded"), ("PENDING", "unknown"), ("CANCELED", "unknown")]
)
def test_only_a_completed_redemption_proves_that_it_happened(
    vendor: responses.RequestsMock, lone_adapter: SquareProvider, status: str, effect: str
) -> None:
    activity = {
        "id": "gcact_1",
        "type": "REDEEM",
        "created_at": "2030-01-01T00:00:00.000Z",
        "gift_card_id": "gftc:1",
        "redeem_activity_details": {
            "amount_money": {"amount": 1053, "currency": "EUR"},
            "reference_id": "r-1",
            "status": status,
        },
    }
    vendor.get(f"{PRODUCTION}/v2/gift-cards/activities", json={"gift_card_activities": [activity]})
    intent = lone_adapter.intent(Operation.REDEEM, reference="r-1", voucher_id="gftc:1", subject="gftc:1", money=EUR)
    assert lone_adapter.resolve(intent).effect == effect


def test_a_deactivation_is_proved_by_the_state_of_the_card(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    adapter = make_adapter(square)
    card = square.sell(5000)
    intent = adapter.intent(Operation.DEACTIVATE, reference="off", voucher_id=card["id"], subject=card["id"])
    assert adapter.resolve(intent).effect is Effect.UNKNOWN
    adapter.deactivate(card["id"], reference="off")
    assert adapter.resolve(intent).effect is Effect.SUCCEEDED


def test_the_creation_of_a_card_moves_no_value_so_that_no_value_proves_that_nothing_was_issued(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    adapter = make_adapter(square)
    intent = adapter.intent(Operation.ISSUE, reference="sale-1", money=VALUE)
    assert adapter.resolve(intent).effect is Effect.UNKNOWN
    assert adapter.resolve(intent, Code(CODE)).effect is Effect.UNKNOWN
    square.running.clock.advance(90_000)
    assert adapter.resolve(intent, Code(CODE)).effect is Effect.NOT_EXECUTED
    square.create(gan_source="OTHER", gan=CODE)
    assert adapter.resolve(intent, Code(CODE)).effect is Effect.NOT_EXECUTED
    voucher = adapter.issue(NewVoucher(initial=VALUE, code=CODE), reference="sale-1")
    outcome = adapter.resolve(intent, Code(CODE))
    assert outcome.effect is Effect.SUCCEEDED
    assert getattr(outcome.result, "id", None) == voucher.id


def test_a_card_that_was_sold_under_another_reference_proves_nothing(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    adapter = make_adapter(square)
    square.sell(5000, gan_source="OTHER", gan=CODE)
    intent = adapter.intent(Operation.ISSUE, reference="sale-1", money=VALUE)
    assert adapter.resolve(intent, Code(CODE)).effect is Effect.UNKNOWN


# --- options of a call ---


def test_location_and_payment_instruments_can_be_given_for_one_call(shop: SquareShop) -> None:
    options: dict[str, Any] = {"location": "L8ZURICH0001", "payment_instruments": ["card-1", "card-2"]}
    francs = NewVoucher(initial=Money(20, "CHF"), code="ZURICH1234")
    shop.gateway.issue("cafe", francs, reference="sale-2", options=options)
    create, activate = [json.loads(r.body) for r in shop.running.requests if b"idempotency" in r.body]
    assert create["location_id"] == activate["gift_card_activity"]["location_id"] == "L8ZURICH0001"
    details = activate["gift_card_activity"]["activate_activity_details"]
    assert details["buyer_payment_instrument_ids"] == ["card-1", "card-2"]


def _die(*_: object, **__: object) -> None:
    raise SystemExit(9)
