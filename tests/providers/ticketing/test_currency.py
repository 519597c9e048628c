"""Whose key it is: the currency that vouchers lack, asked for once and never guessed."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    ConfigurationError,
    MalformedResponse,
    Money,
    NewVoucher,
    ProviderUnavailable,
    SecretSource,
    VoucherGatewayError,
)
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider, TicketingSettings

if TYPE_CHECKING:
    import responses

    from tests.providers.ticketing.conftest import VendorClient
    from voucher_gateway.testing.harness.canary import Canary

MakeAdapter = Callable[..., TicketingProvider]
KEY_INFO = f"{PRODUCTION}/api/keys/info"
SELLER = f"{PRODUCTION}/api/sellers/info/S%2F1"


def asked(client: VendorClient) -> list[str]:
    """The paths below /api that were asked for, beyond those of vouchers."""
    paths = [request.path for request in client.running.requests]
    return [path for path in paths if not path.startswith("/api/vouchers")]


@pytest.fixture
def stranger() -> TicketingProvider:
    """An adapter of the production host that does not know its currency, and tries once."""
    key = SecretSource.of("key_of_a_seller")
    return TicketingProvider("events", TicketingSettings(base_url=PRODUCTION, api_key=key, tries=1))


@pytest.mark.parametrize(("currency", "amount"), [("EUR", "10.53"), ("JPY", "500"), ("KWD", "1.005")])
def test_the_sellers_currency_is_that_of_all_amounts(
    start_ticketing: Callable[..., VendorClient], make_adapter: MakeAdapter, currency: str, amount: str
) -> None:
    client = start_ticketing(seller_currency=currency, vouchers=12)
    events = make_adapter(client)
    money = Money(amount, currency)
    made = events.issue(NewVoucher(initial=money, code="code"), reference="r")
    assert (made.initial, events.get(made.id).initial, events.find("code").remaining) == (money, money, money)
    truth = {str(entry["id"]): (entry["initial"], entry["remaining"]) for entry in client.running.ledger()}
    listed = {
        voucher.id: (f"{voucher.initial.amount:f}", f"{voucher.remaining.amount:f}")
        for voucher in events.vouchers()
        if voucher.initial is not None and voucher.remaining is not None and voucher.initial.currency == currency
    }
    assert listed == truth
    assert asked(client) == ["/api/keys/info", f"/api/sellers/info/{client.running.announcement['seller_id']}"]


def test_a_configured_currency_is_not_asked_for(ticketing: VendorClient, make_adapter: MakeAdapter) -> None:
    events = make_adapter(ticketing, currency="EUR")
    events.issue(NewVoucher(initial=Money(5, "EUR"), code="code"), reference="r")
    assert events.find("code").initial == Money(5, "EUR")
    assert asked(ticketing) == []


def test_nothing_is_asked_before_it_is_needed(ticketing: VendorClient, make_adapter: MakeAdapter) -> None:
    events = make_adapter(ticketing)
    listing = events.vouchers()
    assert ticketing.running.requests == []
    assert list(listing) == []
    assert len(asked(ticketing)) == 2


def test_twenty_threads_ask_for_the_currency_once(ticketing: VendorClient, make_adapter: MakeAdapter) -> None:
    ticketing.create(5, code="code")
    events = make_adapter(ticketing, workers=20)
    ticketing.running.inject("slow", "GET /api/keys/info", delay_s=0.1)
    together = Barrier(20)

    def find(_: int) -> Money | None:
        together.wait()
        return events.find("code").initial

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(find, range(20))) == {Money(5, "EUR")}
    assert len(asked(ticketing)) == 2


def test_a_failed_question_is_asked_again_the_next_time(ticketing: VendorClient, make_adapter: MakeAdapter) -> None:
    ticketing.create(5, code="code")
    events = make_adapter(ticketing, tries=1)
    ticketing.running.inject("error-before", "GET /api/sellers/*")
    with pytest.raises(ProviderUnavailable) as caught:
        events.find("code")
    assert (caught.value.account, caught.value.operation) == ("events", "find")
    assert events.find("code").initial == Money(5, "EUR")
    assert [path.split("/")[2] for path in asked(ticketing)] == ["keys", "sellers", "sellers"]


def test_who_waits_too_long_for_another_threads_question_gives_up(
    ticketing: VendorClient, make_adapter: MakeAdapter
) -> None:
    ticketing.create(5, code="code")
    events = make_adapter(ticketing, total_timeout_s=0.5, tries=1)
    asking, answered = Event(), Event()

    def ask() -> str:
        asking.set()
        answered.wait()
        return "EUR"

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(events._reads._seller._once, "currency", ask)
        asking.wait()
        try:
            with pytest.raises(ProviderUnavailable, match="did not tell in time"):
                events.find("code")
        finally:
            answered.set()
        assert other.result() == "EUR"
    assert events.find("code").initial == Money(5, "EUR")
    assert asked(ticketing) == []


# From Python 3.12 on, a fork beside threads warns of the very thing that is tried here.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_process_can_ask_while_a_thread_of_its_parent_does(
    ticketing: VendorClient, make_adapter: MakeAdapter
) -> None:
    ticketing.create(5, code="code")
    events = make_adapter(ticketing)
    ticketing.running.inject("slow", "GET /api/keys/info", delay_s=0.3)
    with ThreadPoolExecutor(1) as pool:
        parents = pool.submit(events.find, "code")
        while not asked(ticketing):
            time.sleep(0.005)
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if events.find("code").initial == Money(5, "EUR") else 1)
            except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as a second pytest
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert parents.result().initial == Money(5, "EUR")


@pytest.mark.parametrize(
    ("key", "seller", "error"),
    [
        ({"orgId": "o", "key": "key_of_a_seller"}, None, ConfigurationError),
        ({"sellerId": None}, None, ConfigurationError),
        ({"sellerId": ""}, None, ConfigurationError),
        ({"sellerId": 7}, None, MalformedResponse),
        ([], None, MalformedResponse),
        ({"sellerId": "S/1"}, {"name": "Hall"}, MalformedResponse),
        ({"sellerId": "S/1"}, {"currency": None}, MalformedResponse),
        ({"sellerId": "S/1"}, {"currency": "eur"}, MalformedResponse),
        ({"sellerId": "S/1"}, {"currency": "XAU"}, MalformedResponse),
    ],
)
def test_a_currency_that_is_not_told_is_an_error_and_never_a_guess(
    vendor: responses.RequestsMock,
    stranger: TicketingProvider,
    key: object,
    seller: object,
    error: type[VoucherGatewayError],
) -> None:
    vendor.get(KEY_INFO, json=key)
    vendor.get(SELLER, json=seller)
    with pytest.raises(error) as caught:
        stranger.issue(NewVoucher(initial=Money(5, "EUR")), reference="r")
    assert (caught.value.account, caught.value.operation) == ("events", "issue")
    assert {call.request.method for call in vendor.calls} == {"GET"}


def test_the_key_goes_to_the_private_call_alone(vendor: responses.RequestsMock, stranger: TicketingProvider) -> None:
    vendor.get(KEY_INFO, json={"sellerId": "S/1"})
    vendor.get(SELLER, json={"currency": "EUR"})
    assert stranger.seller_currency() == "EUR"
    keys = [call.request.headers.get("Authorization") for call in vendor.calls]
    assert keys == ["Bearer key_of_a_seller", None]


def test_the_key_that_the_vendor_repeats_is_nowhere(
    ticketing: VendorClient, make_adapter: MakeAdapter, canary: Canary
) -> None:
    canary.plant(ticketing.running.announcement["api_key"])
    events = make_adapter(ticketing, tries=1)
    for fault in ("nan", "not-json", "html-error", "wrong-echo"):
        ticketing.running.inject(fault, "GET /api/keys/info")
        try:
            canary.note("a currency", events.seller_currency())
        except VoucherGatewayError as error:
            canary.saw(error)
    voucher = events.issue(NewVoucher(initial=Money(5, "EUR")), reference="r")
    canary.note("a voucher", f"{voucher!r} {voucher.raw!r}")
    kept = vars(events._reads._seller)
    assert set(kept["_answers"]) == {"id", "currency"}
    canary.note("what is kept of the seller", repr({**kept, "_http": None}))


def test_a_check_tells_currency_and_clock(
    start_ticketing: Callable[..., VendorClient], make_adapter: MakeAdapter
) -> None:
    client = start_ticketing(seller_currency="JPY", start=datetime(2030, 1, 1, tzinfo=UTC))
    events = make_adapter(client)
    assert abs(events.vendor_now() - datetime.now(UTC)) < timedelta(seconds=10)
    checkup = events.check()
    assert checkup.currency == "JPY"
    assert checkup.clock_skew is not None
    assert abs(datetime(2030, 1, 1, tzinfo=UTC) - events.vendor_now()) < timedelta(seconds=10)
    assert [request.path for request in client.running.requests][-1] == "/api/vouchers"


def test_a_check_finds_a_currency_that_is_configured_wrongly(
    ticketing: VendorClient, make_adapter: MakeAdapter
) -> None:
    with pytest.raises(ConfigurationError, match="seller's currency is EUR, but currency is set to JPY"):
        make_adapter(ticketing, currency="JPY").check()
    assert make_adapter(ticketing, currency="EUR").check().currency == "EUR"


def test_errors_of_the_question_survive_a_pickle(vendor: responses.RequestsMock, stranger: TicketingProvider) -> None:
    vendor.get(KEY_INFO, json={})
    with pytest.raises(ConfigurationError) as caught:
        stranger.seller_currency()
    assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message
