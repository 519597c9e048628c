"""Overwriting a voucher's value, and the emulations of the gateway that are made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.provider_api import (
    ConcurrentModification,
    CurrencyMismatch,
    Effect,
    InsufficientValue,
    Intent,
    MalformedResponse,
    Money,
    Operation,
    OutcomeUnknown,
    Redemption,
    Rejected,
    UnsupportedOperation,
    ValueReading,
    VoucherChanges,
    VoucherExpired,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway_ticketing import TicketingProvider

if TYPE_CHECKING:
    from tests.providers.ticketing.conftest import VendorClient

MakeAdapter = Callable[..., TicketingProvider]
StartTicketing = Callable[..., "VendorClient"]
BY_UPDATE = ("redeem-by-update", "refund-by-update", "top-up-by-update")
EXPIRY = "2035-01-23T23:00:00.123Z"


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


def accepting(events: TicketingProvider, *risks: str) -> Gateway:
    return Gateway([Account(name="events", provider=events, accept_risks=frozenset(risks))])


def truth(client: VendorClient, code: str = "code") -> tuple[Any, Any, Any]:
    """Value, balance and expiry of a voucher in the vendor's own books."""
    one = next(entry for entry in client.running.ledger() if entry["code"] == code)
    return one["initial"], one["remaining"], one["valid_until"]


@contextmanager
def spent_at_the_checkout(
    monkeypatch: pytest.MonkeyPatch, events: TicketingProvider, spend: Callable[[], object]
) -> Iterator[None]:
    """Lets somebody spend between the reading and the writing of the value."""
    write = events.write_value

    def spend_then_write(before: ValueReading, value: Money, *, intent: Intent) -> None:
        spend()
        write(before, value, intent=intent)

    with monkeypatch.context() as patch:
        patch.setattr(events, "write_value", spend_then_write)
        yield


@pytest.fixture
def voucher(ticketing: VendorClient) -> str:
    """The id of a voucher over 50.01 EUR, of which 20.02 are spent, with an expiry."""
    id: str = ticketing.create(50.01, code="code", validUntil=EXPIRY)["_id"]
    ticketing.simulator.redeem_at_checkout("code", "20.02")
    return id


# --- the primitives ---


def test_value_and_balance_are_read_by_code_and_by_id(voucher: str, adapter: TicketingProvider) -> None:
    read = adapter.read_value("code")
    assert read == adapter.read_value(id=voucher)
    assert (read.voucher_id, read.value, read.remaining) == (voucher, eur("50.01"), eur("29.99"))
    assert (read.valid_until, read.passthrough) == (datetime(2035, 1, 23, 23, 0, 0, 123_000, UTC), EXPIRY)


def test_a_balance_full_of_float_noise_is_read_to_the_cent(
    start_ticketing: StartTicketing, make_adapter: MakeAdapter
) -> None:
    client = start_ticketing(float_noise=True)
    client.create(32.8, code="code")
    client.simulator.redeem_at_checkout("code", "2.80")
    assert "29.999999999999996" in client.call("GET", "/api/vouchers").text
    events = make_adapter(client)
    assert events.read_value("code").remaining == events.balance("code").remaining == eur("30.00")


@pytest.mark.parametrize("expiry", [EXPIRY, None])
def test_an_overwriting_changes_the_value_alone(
    ticketing: VendorClient, adapter: TicketingProvider, expiry: str | None
) -> None:
    ticketing.create(50, code="code", validUntil=expiry)
    before = adapter.read_value("code")
    intent = adapter.intent(Operation.TOP_UP, reference="r", voucher_id=before.voucher_id)
    adapter.write_value(before, eur("70.07"), intent=intent)
    assert truth(ticketing) == ("70.07", "70.07", expiry)


def test_a_value_below_what_was_spent_is_refused_by_the_vendor(
    ticketing: VendorClient, voucher: str, adapter: TicketingProvider
) -> None:
    before = adapter.read_value(id=voucher)
    with pytest.raises(Rejected):
        adapter.write_value(before, eur("20.01"), intent=adapter.intent(Operation.REDEEM, reference="r"))
    assert truth(ticketing) == ("50.01", "29.99", EXPIRY)


def test_a_voucher_that_only_the_list_does_not_show_is_no_missing_voucher(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    ticketing.running.inject("lagging-lookups", times=0, lag_s=60)
    id = ticketing.create(5, code="code")["_id"]
    with pytest.raises(MalformedResponse, match="the list does not show"):
        adapter.read_value(id=id)
    with pytest.raises(VoucherNotFound):
        adapter.read_value("code")


# --- the emulations ---


def test_without_an_accepted_risk_nothing_is_spent_and_nothing_sent(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    gateway = accepting(adapter)
    redemption = Redemption(account="events", id="M", voucher_id="V", money=eur("1"))
    calls: dict[str, Callable[[], object]] = {
        "redeem-by-update": lambda: gateway.redeem("events", "code", eur("1"), reference="r"),
        "refund-by-update": lambda: gateway.refund("events", redemption, reference="r"),
        "top-up-by-update": lambda: gateway.top_up("events", "V", eur("1"), reference="r"),
    }
    for emulation, call in calls.items():
        with pytest.raises(UnsupportedOperation, match=f'accept_risks = \\["{emulation}"\\]') as caught:
            call()
        assert caught.value.emulation == emulation
    with pytest.raises(UnsupportedOperation, match="ticket checkouts only"):
        gateway.reserve("events", "code", eur("1"), reference="r")
    assert ticketing.running.requests == []


def test_value_is_taken_given_back_and_added_to_the_cent(
    ticketing: VendorClient, voucher: str, adapter: TicketingProvider
) -> None:
    gateway = accepting(adapter, *BY_UPDATE)
    redemption = gateway.redeem("events", "code", eur("10.53"), reference="1001-a", order="1001")
    assert (redemption.money, redemption.remaining, redemption.voucher_id) == (eur("10.53"), eur("19.46"), voucher)
    assert truth(ticketing) == ("39.48", "19.46", EXPIRY)
    back = gateway.refund("events", redemption, eur("0.53"), reference="1001-b")
    assert (back.money, back.remaining) == (eur("0.53"), eur("19.99"))
    added = gateway.top_up("events", voucher, eur("100"), reference="1001-c")
    assert (added.money, added.remaining) == (eur("100"), eur("119.99"))
    assert truth(ticketing) == ("140.01", "119.99", EXPIRY)


@pytest.mark.parametrize(
    ("options", "start", "part", "left"),
    [
        ({"seller_currency": "JPY"}, "500", "499", "1"),
        ({"seller_currency": "KWD"}, "1.005", "0.006", "0.999"),
        ({"show_id": False}, "32.80", "2.80", "30.00"),
        ({"float_noise": True}, "32.80", "2.80", "30.00"),
        ({"code_filter": "prefix"}, "32.80", "32.80", "0.00"),
        ({"code_filter": "case-insensitive", "list_order": "newest-first"}, "0.30", "0.10", "0.20"),
    ],
)
def test_value_is_taken_exactly_whatever_the_vendor_is_like(
    start_ticketing: StartTicketing,
    make_adapter: MakeAdapter,
    options: dict[str, Any],
    start: str,
    part: str,
    left: str,
) -> None:
    client = start_ticketing(**options)
    currency = client.running.announcement["currency"]
    for code in ("code", "CODE", "code-2"):
        client.create(float(start), code=code)
    gateway = accepting(make_adapter(client, page_size=2), *BY_UPDATE)
    redemption = gateway.redeem("events", "code", Money(part, currency), reference="r")
    assert redemption.remaining == Money(left, currency)
    assert truth(client) == (left, left, None)
    gateway.refund("events", redemption, reference="r")
    assert [truth(client, code)[1] for code in ("code", "CODE", "code-2")] == [start] * 3


@pytest.mark.parametrize("currency", [None, "EUR"])
def test_what_a_voucher_cannot_pay_is_declined_and_nothing_is_written(
    ticketing: VendorClient, voucher: str, make_adapter: MakeAdapter, currency: str | None
) -> None:
    gateway = accepting(make_adapter(ticketing, currency=currency), *BY_UPDATE)
    ticketing.create(9, code="late", validUntil="2020-01-01T00:00:00Z")
    for code, money, error in (
        ("code", eur("30.00"), InsufficientValue),
        ("late", eur("1"), VoucherExpired),
        ("code", Money(5, "USD"), CurrencyMismatch),
        ("nobody", eur("1"), VoucherNotFound),
    ):
        with pytest.raises(error):
            gateway.redeem("events", code, money, reference="r")
    assert "PUT" not in {request.method for request in ticketing.running.requests}
    assert truth(ticketing) == ("50.01", "29.99", EXPIRY)


def test_who_spends_at_the_checkout_in_between_is_seen_and_the_evidence_kept(
    ticketing: VendorClient, voucher: str, adapter: TicketingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = accepting(adapter, *BY_UPDATE)

    def spend() -> None:
        ticketing.simulator.redeem_at_checkout("code", "5.00")

    with (
        spent_at_the_checkout(monkeypatch, adapter, spend),
        pytest.raises(ConcurrentModification) as caught,
    ):
        gateway.redeem("events", "code", eur("10.00"), reference="r")
    assert caught.value.evidence == {
        "value before": "50.01 EUR",
        "value written": "40.01 EUR",
        "value after": "40.01 EUR",
        "remaining before": "29.99 EUR",
        "remaining after": "14.99 EUR",
    }
    assert (caught.value.outcome, caught.value.retry_safe) == ("unknown", False)
    assert caught.value.ticket is not None
    assert caught.value.ticket.voucher_id == voucher
    assert truth(ticketing) == ("40.01", "14.99", EXPIRY)


def test_who_spends_so_much_in_between_that_the_rest_does_not_do_stops_the_redemption(
    ticketing: VendorClient, voucher: str, adapter: TicketingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = accepting(adapter, *BY_UPDATE)

    def spend() -> None:
        ticketing.simulator.redeem_at_checkout("code", "25.00")

    with spent_at_the_checkout(monkeypatch, adapter, spend), pytest.raises(Rejected):
        gateway.redeem("events", "code", eur("10.00"), reference="r")
    assert truth(ticketing) == ("50.01", "4.99", EXPIRY)


def test_many_threads_never_take_more_than_there_is(ticketing: VendorClient, make_adapter: MakeAdapter) -> None:
    ticketing.create(10, code="code")
    gateway = accepting(make_adapter(ticketing, workers=8), *BY_UPDATE)

    def redeem(number: int) -> Money | None:
        try:
            return gateway.redeem("events", "code", eur("3.00"), reference=f"r-{number}").money
        except InsufficientValue:
            return None

    with ThreadPoolExecutor(8) as pool:
        taken = [money for money in pool.map(redeem, range(8)) if money]
    assert taken == [eur("3.00")] * 3
    assert truth(ticketing)[:2] == ("1.00", "1.00")


@pytest.mark.parametrize(
    ("fault", "happened"),
    [
        ("commit-then-drop", True),
        ("wrong-echo", True),
        ("html", True),
        ("error-after-commit", True),
        ("drop-before", False),
        ("redirect", False),
    ],
)
def test_a_redemption_in_doubt_is_proved_by_the_value_that_is_there(
    ticketing: VendorClient, voucher: str, adapter: TicketingProvider, fault: str, happened: bool
) -> None:
    ticketing.running.inject(fault, "PUT /api/vouchers/*")
    with pytest.raises(OutcomeUnknown) as caught:
        accepting(adapter, *BY_UPDATE).redeem("events", "code", eur("10.00"), reference="r")
    ticket = caught.value.ticket
    assert "code" not in ticket.to_json().replace('"code', "")
    outcome = adapter.resolve(Intent.from_ticket(ticket))
    assert outcome.effect is (Effect.SUCCEEDED if happened else Effect.UNKNOWN)
    assert truth(ticketing)[:2] == (("40.01", "19.99") if happened else ("50.01", "29.99"))
    assert [request.method for request in ticketing.running.requests].count("PUT") == 1


def test_a_redemption_that_cannot_be_read_back_is_unknown_and_not_undone(
    ticketing: VendorClient, voucher: str, make_adapter: MakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = make_adapter(ticketing, tries=1)
    write = events.write_value

    def write_then_break(before: ValueReading, value: Money, *, intent: Intent) -> None:
        write(before, value, intent=intent)
        ticketing.running.inject("error-before", "GET *")

    monkeypatch.setattr(events, "write_value", write_then_break)
    with pytest.raises(OutcomeUnknown) as caught:
        accepting(events, *BY_UPDATE).redeem("events", "code", eur("10.00"), reference="r")
    assert events.resolve(Intent.from_ticket(caught.value.ticket)).effect is Effect.SUCCEEDED
    assert truth(ticketing)[:2] == ("40.01", "19.99")


def test_a_refusal_while_overwriting_names_the_operation(
    ticketing: VendorClient, voucher: str, adapter: TicketingProvider
) -> None:
    ticketing.running.inject("unauthorized", "PUT *", times=0)
    with pytest.raises(VoucherGatewayError) as caught:
        accepting(adapter, *BY_UPDATE).redeem("events", "code", eur("10.00"), reference="r")
    assert (caught.value.operation, caught.value.outcome) == ("redeem", "not_executed")
    assert truth(ticketing) == ("50.01", "29.99", EXPIRY)


def test_an_update_of_the_expiry_does_not_undo_a_redemption_that_comes_in_between(
    ticketing: VendorClient, voucher: str, adapter: TicketingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = accepting(adapter, *BY_UPDATE)
    write = adapter._put

    def redeem_then_write(*call: Any) -> Any:
        """The expiry's update has read the amount and is about to send it back."""
        monkeypatch.undo()
        redeeming.append(pool.submit(gateway.redeem, "events", "code", eur("10.00"), reference="r-2"))
        wait(redeeming, timeout=0.3)
        return write(*call)

    redeeming: list[Future[Redemption]] = []
    monkeypatch.setattr(adapter, "_put", redeem_then_write)
    with ThreadPoolExecutor(1) as pool:
        gateway.update("events", voucher, VoucherChanges(valid_until=None), reference="r-1")
    assert redeeming[0].result().remaining == eur("19.99")
    assert truth(ticketing) == ("40.01", "19.99", None)
