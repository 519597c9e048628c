"""What `gateway.check` tells a shop front about a code: one answer for all that cannot be used."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from tests.checks.shelf import Shelf
from voucher_gateway import (
    Account,
    AuthenticationFailed,
    CheckLimits,
    Code,
    CodeCheck,
    CodeNormalization,
    ConfigurationError,
    Gateway,
    Interval,
    InvalidRequest,
    Money,
    NewVoucher,
    ProviderUnavailable,
    Status,
    TooManyChecks,
    Validity,
    Voucher,
    WrongPin,
)
from voucher_gateway.checks.check import UNUSABLE
from voucher_gateway.checks.schema import checks
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.simulator import RunningSimulator

CALLER = "203.0.113.7"
TEN = Money("10.00", "EUR")
GOOD = Voucher(
    account="shop",
    id="v1",
    status=Status.ACTIVE,
    remaining=TEN,
    valid_until=datetime(2099, 12, 31, 22, 59, 59, tzinfo=UTC),
)
PIN_NEEDED = WrongPin("the PIN is wrong")


def without(**changes: Any) -> Voucher:
    return attrs.evolve(GOOD, **changes)


UNUSABLE_ANSWERS: dict[str, Any] = {
    "unknown": None,
    "expired by its date": without(valid_until=now() - timedelta(seconds=1)),
    "expired by its status": without(status=Status.EXPIRED),
    "empty": without(remaining=Money("0.00", "EUR")),
    "used up": without(status=Status.USED_UP),
    "not active yet": without(status=Status.INACTIVE),
    "never sold": without(status=Status.PENDING),
    "blocked": without(status=Status.BLOCKED),
    "disabled": without(status=Status.DEACTIVATED),
    "with a wrong PIN": PIN_NEEDED,
    "not a possible code": InvalidRequest("code must have 8 characters", field="code", rule="8 characters"),
    "with an impossible PIN": InvalidRequest("pin must have 4 digits", field="pin", rule="4 digits"),
}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf("shop", {"SHOP-0042": GOOD})


@pytest.fixture
def gateway(shelf: Shelf, journal: Journal) -> Gateway:
    account = Account(
        name="shop",
        provider=shelf,
        code_pattern=re.compile("^SHOP-"),
        normalize_codes={CodeNormalization.UPPER_CASE, CodeNormalization.NO_BLANKS},
    )
    return Gateway([account], journal=journal, check_limits=CheckLimits(caller_guesses=3, unusable_time_s=0))


def costs(gateway: Gateway) -> list[int]:
    assert gateway.journal is not None
    with gateway.journal.database.read() as connection:
        return list(connection.scalars(sa.select(checks.c.cost).order_by(checks.c.checked_at)))


def test_a_voucher_that_can_be_used_is_shown_with_its_masked_code(gateway: Gateway) -> None:
    assert gateway.check("SHOP-0042", caller=CALLER) == CodeCheck(
        usable=True,
        message="This code can be used.",
        account="shop",
        masked_code="••••42",
        remaining=TEN,
        valid_until=GOOD.valid_until,
    )
    assert costs(gateway) == [1]


def test_a_typed_code_is_looked_up_in_the_form_of_the_account(gateway: Gateway, shelf: Shelf) -> None:
    answer = gateway.check(Code(" shop-00 42 "), caller=CALLER)
    assert (answer.usable, answer.masked_code) == (True, "••••42")
    assert shelf.asked == ["SHOP-0042"]


@pytest.mark.parametrize("kind", UNUSABLE_ANSWERS)
def test_codes_that_cannot_be_used_get_one_answer_at_one_price(gateway: Gateway, shelf: Shelf, kind: str) -> None:
    if UNUSABLE_ANSWERS[kind] is not None:
        shelf.answers["SHOP-9999"] = UNUSABLE_ANSWERS[kind]
    answer = gateway.check("SHOP-9999", "0000", caller=CALLER)
    assert answer == UNUSABLE
    assert attrs.asdict(answer) == {
        "usable": False,
        "message": "This code cannot be used. Check that it is typed correctly, and that its value is not used up.",
        "account": None,
        "masked_code": None,
        "remaining": None,
        "valid_until": None,
    }
    assert costs(gateway) == [10]


def test_so_does_a_code_that_no_vendor_may_have(gateway: Gateway, shelf: Shelf) -> None:
    assert gateway.check("OTHER-1", caller=CALLER) == UNUSABLE
    assert costs(gateway) == [10]
    assert shelf.asked == []


@pytest.mark.parametrize("typed", ["", " ", "\x00", "\ud800", "SHOP-\ud800", "SHOP-" + "9" * 10**6, "SHOP-\u202e"])
def test_whatever_is_typed_gets_an_answer(gateway: Gateway, typed: str) -> None:
    assert gateway.check(typed, typed, caller=CALLER) == UNUSABLE


@pytest.mark.parametrize("status", [None, Status.UNKNOWN])
def test_a_voucher_whose_status_nobody_knows_may_be_used(gateway: Gateway, shelf: Shelf, status: Status | None) -> None:
    shelf.answers["SHOP-1"] = without(status=status, remaining=None, valid_until=None)
    answer = gateway.check("SHOP-1", caller=CALLER)
    assert (answer.usable, answer.remaining, answer.valid_until) == (True, None, None)


def test_the_caller_is_refused_before_the_vendor_is_asked(gateway: Gateway, shelf: Shelf) -> None:
    for number in range(3):
        gateway.check(f"SHOP-{number}", caller=CALLER)
    with pytest.raises(TooManyChecks) as refused:
        gateway.check("SHOP-0042", caller=CALLER)
    assert timedelta(seconds=590) < refused.value.retry_at - now() <= timedelta(seconds=601)
    assert len(shelf.asked) == 3
    assert gateway.check("SHOP-0042", caller="203.0.113.8").usable


def test_a_vendor_that_is_down_is_not_an_unknown_voucher_and_costs_nothing(gateway: Gateway, shelf: Shelf) -> None:
    shelf.default = ProviderUnavailable("the vendor does not answer")
    for _ in range(10):
        with pytest.raises(ProviderUnavailable, match="does not answer"):
            gateway.check("SHOP-7", caller=CALLER)
    assert costs(gateway) == []


# --- several accounts ---


@pytest.fixture
def both(journal: Journal) -> tuple[Gateway, Shelf, Shelf]:
    shelves = (Shelf("shop", {"SHOP-0042": GOOD}), Shelf("events", {"SHOP-0043": without(account="events")}))
    accounts = [Account(name=shelf.account, provider=shelf, code_pattern=re.compile("^SHOP-")) for shelf in shelves]
    return Gateway(accounts, journal=journal, check_limits=CheckLimits(unusable_time_s=0)), *shelves


def test_a_code_that_one_vendor_does_not_know_is_not_unknown_while_another_is_down(
    both: tuple[Gateway, Shelf, Shelf],
) -> None:
    gateway, _, events = both
    events.default = AuthenticationFailed("the vendor does not accept the credentials")
    with pytest.raises(AuthenticationFailed):
        gateway.check("SHOP-7", caller=CALLER)
    assert costs(gateway) == [10]  # otherwise guesses at the first vendor would be free while the second is down
    assert gateway.check("SHOP-0042", caller=CALLER).account == "shop"


def test_if_all_are_down_it_costs_nothing(both: tuple[Gateway, Shelf, Shelf]) -> None:
    gateway, *shelves = both
    for shelf in shelves:
        shelf.default = ProviderUnavailable("down")
    with pytest.raises(ProviderUnavailable) as error:
        gateway.check("SHOP-7", caller=CALLER)
    assert error.value.message == (
        "these accounts could not be asked: shop (ProviderUnavailable), events (ProviderUnavailable)"
    )
    assert costs(gateway) == []


def test_the_only_usable_voucher_of_two_with_one_code_is_shown(both: tuple[Gateway, Shelf, Shelf]) -> None:
    gateway, shop, events = both
    shop.answers["SHOP-5"] = without(remaining=Money("0.00", "EUR"))
    events.answers["SHOP-5"] = without(account="events")
    assert gateway.check("SHOP-5", caller=CALLER).account == "events"


def test_of_two_usable_vouchers_with_one_code_the_shop_must_say_which(both: tuple[Gateway, Shelf, Shelf]) -> None:
    gateway, shop, events = both
    shop.answers["SHOP-5"], events.answers["SHOP-5"] = GOOD, without(account="events")
    with pytest.raises(InvalidRequest, match="the accounts shop and events have this code: give account"):
        gateway.check("SHOP-5", caller=CALLER)
    shop.asked.clear()
    assert gateway.check("SHOP-5", caller=CALLER, account="events").account == "events"
    assert shop.asked == []


def test_accounts_without_a_pattern_are_asked_only_if_they_are_alone_or_named(journal: Journal) -> None:
    shop, events = Shelf("shop", {"A": GOOD}), Shelf("events", {})
    assert Gateway({"shop": shop}, journal=journal).check("A", caller=CALLER).usable
    gateway = Gateway({"shop": shop, "events": events}, journal=journal)
    with pytest.raises(ConfigurationError, match="no account has a code_pattern"):
        gateway.check("A", caller=CALLER)
    assert gateway.check("A", caller=CALLER, account="shop").usable
    assert events.asked == []


def test_without_a_journal_nothing_can_be_counted_so_nothing_is_checked(shelf: Shelf) -> None:
    with pytest.raises(ConfigurationError, match="needs a journal"):
        Gateway({"shop": shelf}).check("SHOP-0042", caller=CALLER)
    assert shelf.asked == []


# --- the vendors ---


@pytest.fixture
def vendors(
    start_vendor: Callable[..., RunningSimulator], account_at: Callable[..., dict[str, Any]], sqlite_url: str
) -> Iterator[tuple[Gateway, dict[str, RunningSimulator]]]:
    running = {"jtl": start_vendor("jtl"), "ticketing": start_vendor("ticketing")}
    config = {
        "journal": sqlite_url,
        "checks": {"caller_guesses": 50, "unusable_time_s": 0},
        "accounts": {
            "shop": account_at(running["jtl"], code_pattern="^JTL-", normalize_codes=["upper-case", "no-blanks"]),
            "events": account_at(running["ticketing"], code_pattern="^EV-", currency="EUR"),
        },
    }
    with ExitStack() as stack:
        yield stack.enter_context(Gateway.from_config(config)), running


def test_unknown_expired_empty_and_disabled_vouchers_make_the_same_requests_and_get_the_same_answer(
    vendors: tuple[Gateway, dict[str, RunningSimulator]],
) -> None:
    gateway, running = vendors
    yesterday = now() - timedelta(days=1)

    def issue(account: str, code: str, **fields: Any) -> None:
        gateway.issue(account, NewVoucher(initial=TEN, code=code, **fields), reference=f"issue-{len(code)}-{code[-3:]}")

    issue("shop", "JTL-GOOD", active=True)
    issue("shop", "JTL-EMPTY", active=True)
    issue("shop", "JTL-OFF", active=False)
    issue("shop", "JTL-OLD", active=True, validity=Validity(1, Interval.DAYS))
    issue("events", "EV-GOOD")
    issue("events", "EV-OLD", valid_until=yesterday)
    gateway.redeem("shop", "JTL-EMPTY", TEN, reference="r-1")
    running["jtl"].clock.advance(2 * 24 * 3600)
    gateway.check("JTL-GOOD", caller=CALLER)  # gets the access token
    assert gateway.check("jtl-good", caller=CALLER).remaining == TEN
    assert gateway.check("EV-GOOD", caller=CALLER).account == "events"

    def requests_of(code: str) -> list[str]:
        before = {name: len(vendor.requests) for name, vendor in running.items()}
        assert gateway.check(code, caller=CALLER) == UNUSABLE
        return [
            f"{name} {request.method} {request.path.replace(code, 'CODE')}"
            for name, vendor in running.items()
            for request in vendor.requests[before[name] :]
        ]

    shop = [requests_of(f"JTL-{kind}") for kind in ("NONE", "EMPTY", "OFF", "OLD")]
    events = [requests_of(f"EV-{kind}") for kind in ("NONE", "OLD")]
    assert len(shop[0]) == len(events[0]) == 1
    assert shop == [shop[0]] * 4
    assert events == [events[0]] * 2


def test_an_answer_survives_a_pickle(gateway: Gateway) -> None:
    answer = gateway.check("SHOP-0042", caller=CALLER)
    assert pickle.loads(pickle.dumps(answer)) == answer
