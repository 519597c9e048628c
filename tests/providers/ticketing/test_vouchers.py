"""Vouchers from their making on, at a simulated vendor over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import (
    AuthenticationFailed,
    Code,
    DuplicateCode,
    Effect,
    Intent,
    Money,
    MovementKind,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    SecretSource,
    VoucherChanges,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway_ticketing import TicketingProvider

if TYPE_CHECKING:
    from tests.providers.ticketing.conftest import VendorClient
    from voucher_gateway.testing.harness.canary import Canary

MakeAdapter = Callable[..., TicketingProvider]
StartTicketing = Callable[..., "VendorClient"]
EUR = Money("10.53", "EUR")
UNTIL = datetime(2035, 1, 1, 0, 30, 0, 123_456, timezone(timedelta(hours=2)))
UNTIL_KEPT = datetime(2034, 12, 31, 22, 30, 0, 123_000, UTC)
NOBODY = "0" * 24
ODD_CODES = [
    "a/b/c",
    "%2e%2e",
    "....",
    "x?y#z",
    " two  words ",
    "a&b=c+d",
    "🎟🎁🎉🎈",
    "nul\x00l",
    "rich",
    'quo"te\\s',
    "é" * 300,
    "\u2028\u202e\ufeff•",
]


def entry(client: VendorClient, id: str) -> dict[str, Any]:
    """The truth about a voucher."""
    return next(one for one in client.running.ledger() if one["id"] == id)


# --- issuing ---


def test_a_voucher_is_issued_as_asked_for_and_can_be_read_in_every_way(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    voucher = adapter.issue(NewVoucher(initial=EUR, code="Gift-0001", valid_until=UNTIL), reference="r", order="W-1")
    assert (voucher.initial, voucher.code, voucher.valid_until) == (EUR, Code("Gift-0001"), UNTIL_KEPT)
    assert voucher.created_at is not None
    assert voucher == adapter.get(voucher.id) == adapter.presentation("Gift-0001", id=voucher.id).voucher
    voucher = adapter.find("Gift-0001")
    assert (voucher.id, voucher.remaining, adapter.balance("Gift-0001").remaining) == (voucher.id, EUR, EUR)
    truth = entry(ticketing, voucher.id)
    assert (truth["code"], truth["initial"], truth["valid_until"]) == (
        "Gift-0001",
        "10.53",
        "2034-12-31T22:30:00.123Z",
    )


def test_a_voucher_without_a_code_gets_one_that_the_result_shows(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    voucher = adapter.issue(NewVoucher(initial=EUR), reference="r")
    assert voucher.code is not None
    assert entry(ticketing, voucher.id)["code"] == voucher.code.reveal()
    assert adapter.find(voucher.code).id == voucher.id


@pytest.mark.parametrize("code", ODD_CODES)
def test_a_code_may_have_any_characters_the_vendor_allows(
    ticketing: VendorClient, make_adapter: MakeAdapter, code: str
) -> None:
    events = make_adapter(ticketing)
    voucher = events.issue(NewVoucher(initial=EUR, code=code), reference="r")
    assert entry(ticketing, voucher.id)["code"] == code
    assert events.find(code).id == voucher.id
    assert events.read_value(code).voucher_id == voucher.id
    assert events.presentation(code, id=voucher.id).voucher.code == Code(code)
    with pytest.raises(VoucherNotFound):
        events.find(code + " ")


@pytest.mark.parametrize("code", ["abc", "a;b", ";", "no such code"])
def test_a_code_that_nobody_has_is_not_found(ticketing: VendorClient, adapter: TicketingProvider, code: str) -> None:
    ticketing.create(5, code="abcd")
    with pytest.raises(VoucherNotFound):
        adapter.find(code)


def test_a_code_that_is_taken_is_a_duplicate_and_nothing_is_made(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    first = ticketing.create(5, code="taken")
    with pytest.raises(DuplicateCode) as caught:
        adapter.issue(NewVoucher(initial=EUR, code="taken"), reference="r")
    assert (caught.value.outcome, caught.value.operation, caught.value.http_status) == ("declined", "issue", 400)
    assert [one["id"] for one in ticketing.running.ledger()] == [first["_id"]]


def test_nothing_that_is_not_there_is_found(adapter: TicketingProvider) -> None:
    calls: list[Callable[[], object]] = [
        lambda: adapter.get(NOBODY),
        lambda: adapter.history(NOBODY),
        lambda: adapter.presentation("code", id=NOBODY),
        lambda: adapter.read_value(id=NOBODY),
        lambda: adapter.update(NOBODY, VoucherChanges(valid_until=None), reference="r"),
    ]
    for call in calls:
        with pytest.raises(VoucherNotFound) as caught:
            call()
        assert (caught.value.account, caught.value.http_status) == ("events", 404)


def test_the_public_view_needs_the_very_code(ticketing: VendorClient, adapter: TicketingProvider) -> None:
    made = ticketing.create(5, code="code")
    with pytest.raises(VoucherNotFound):
        adapter.presentation("Code", id=made["_id"])


def test_a_wrong_key_is_refused_by_every_private_call(ticketing: VendorClient, make_adapter: MakeAdapter) -> None:
    id = ticketing.create(5, code="code")["_id"]
    events = make_adapter(ticketing, api_key=SecretSource.of("key_wrong"), currency="EUR")
    for call in (lambda: events.find("code"), lambda: events.get(id), lambda: events.history(id)):
        with pytest.raises(AuthenticationFailed) as caught:
            call()
        assert caught.value.outcome == "not_executed"
    assert events.presentation("code", id=id).voucher.id == id


# --- updating ---


def test_an_update_of_the_expiry_loses_neither_amount_nor_balance(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    id = ticketing.create(50.01, code="code")["_id"]
    ticketing.simulator.redeem_at_checkout("code", "20.02")
    for wanted, kept in ((UNTIL, UNTIL_KEPT), (None, None), (UNTIL_KEPT, UNTIL_KEPT)):
        updated = adapter.update(id, VoucherChanges(valid_until=wanted), reference="r")
        assert (updated.id, updated.valid_until, updated.initial) == (id, kept, Money("50.01", "EUR"))
        assert (entry(ticketing, id)["initial"], entry(ticketing, id)["remaining"]) == ("50.01", "29.99")


def test_a_history_is_what_was_spent_at_checkouts(start_ticketing: StartTicketing, make_adapter: MakeAdapter) -> None:
    for minus in (False, True):
        client = start_ticketing(negative_redemptions=minus)
        id = client.create(50, code="code")["_id"]
        spent = [(client.simulator.redeem_at_checkout("code", amount), amount) for amount in ("19.99", "0.02")]
        history = make_adapter(client).history(id)
        assert [(movement.reference, movement.money) for movement in history] == [
            (reference, Money(amount, "EUR")) for reference, amount in spent
        ]
        assert {(movement.kind, movement.voucher_id) for movement in history} == {(MovementKind.REDEMPTION, id)}
        assert history.complete
        assert history.as_of is not None


# --- in doubt ---


@pytest.mark.parametrize(
    ("fault", "happened"),
    [
        ("commit-then-drop", True),
        ("error-after-commit", True),
        ("truncate", True),
        ("html", True),
        ("empty", True),
        ("wrong-echo", True),
        ("drop-before", False),
        ("error-before", False),
    ],
)
def test_a_creation_in_doubt_is_found_by_its_code_and_its_absence_proves_nothing(
    ticketing: VendorClient, adapter: TicketingProvider, fault: str, happened: bool
) -> None:
    ticketing.running.inject(fault, "POST /api/vouchers")
    with pytest.raises(OutcomeUnknown) as caught:
        adapter.issue(NewVoucher(initial=EUR, code="Gift-0001"), reference="r")
    ticket = caught.value.ticket
    assert "Gift-0001" not in ticket.to_json()
    intent = Intent.from_ticket(ticket)
    outcome = adapter.resolve(intent, Code("Gift-0001"))
    assert outcome.effect is (Effect.SUCCEEDED if happened else Effect.UNKNOWN)
    assert outcome.result == (adapter.find("Gift-0001") if happened else None)
    assert not outcome.repeatable
    assert adapter.resolve(intent).effect is Effect.UNKNOWN
    assert len(ticketing.running.ledger()) == happened
    posts = [request for request in ticketing.running.requests if request.method == "POST"]
    assert len(posts) == 1


def test_a_code_with_another_value_does_not_prove_a_creation(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    ticketing.create(7, code="Gift-0001")
    intent = adapter.intent(Operation.ISSUE, reference="r", money=EUR)
    outcome = adapter.resolve(intent, Code("Gift-0001"))
    assert (outcome.effect, outcome.result) == (Effect.UNKNOWN, None)


@pytest.mark.parametrize("until", [UNTIL, None])
@pytest.mark.parametrize(
    ("fault", "happened"), [("commit-then-drop", True), ("wrong-echo", True), ("drop-before", False)]
)
def test_an_update_in_doubt_is_proved_by_the_expiry_that_is_there(
    ticketing: VendorClient, adapter: TicketingProvider, until: datetime | None, fault: str, happened: bool
) -> None:
    id = ticketing.create(5, code="code", validUntil="2031-01-01T00:00:00Z")["_id"]
    ticketing.running.inject(fault, "PUT /api/vouchers/*")
    with pytest.raises(OutcomeUnknown) as caught:
        adapter.update(id, VoucherChanges(valid_until=until), reference="r")
    intent = Intent.from_ticket(caught.value.ticket)
    outcome = adapter.resolve(intent)
    assert outcome.effect is (Effect.SUCCEEDED if happened else Effect.UNKNOWN)
    assert outcome.result == (adapter.get(id) if happened else None)


def test_what_cannot_be_read_stays_unknown(ticketing: VendorClient, make_adapter: MakeAdapter) -> None:
    events = make_adapter(ticketing, tries=1, currency="EUR")
    intent = events.intent(Operation.UPDATE, reference="r", voucher_id=NOBODY, valid_until="never")
    assert events.resolve(intent).effect is Effect.UNKNOWN
    ticketing.running.inject("error-before", times=0)
    assert events.resolve(intent).effect is Effect.UNKNOWN
    assert events.resolve(events.intent(Operation.ISSUE, reference="r"), Code("code")).effect is Effect.UNKNOWN


# --- secrets ---


def test_no_code_shows_anywhere_whatever_happens(
    ticketing: VendorClient, make_adapter: MakeAdapter, canary: Canary
) -> None:
    code = Code(canary.plant("GIFT/7Q4X-9ZK2?M"))
    events = make_adapter(ticketing, tries=1)
    made = events.issue(NewVoucher(initial=EUR, code=code), reference="r")
    canary.note("a voucher", f"{made!r} {made}")
    calls: list[Callable[[], object]] = [
        lambda: events.issue(NewVoucher(initial=EUR, code=code), reference="r"),
        lambda: events.find(code),
        lambda: events.presentation(code, id=made.id),
        lambda: events.read_value(code),
        lambda: list(events.vouchers()),
        lambda: events.update(made.id, VoucherChanges(valid_until=None), reference="r"),
    ]
    for fault in ("html", "not-json", "nan", "truncate", "error-before", "drop-before", "redirect", "empty"):
        for call in calls:
            ticketing.running.inject(fault, times=0)
            try:
                canary.note("a result", repr(call()))
            except VoucherGatewayError as error:
                canary.saw(error)
            ticketing.running.clear_faults()
