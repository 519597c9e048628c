"""An operation in doubt goes on under the key and wire reference of its unsettled request: money moves once."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from tests.support.keyed import (
    CODE,
    LIFETIME,
    ForgettingProvider,
    KeepingProvider,
    KeyedProvider,
    KeyedSettings,
    KeyedSimulator,
    TokenKeyedProvider,
)
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.http.transport import Transport
from voucher_gateway.instants import format_micros
from voucher_gateway.journal.backup import mark_restored
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.journal.schema import requests
from voucher_gateway.provider_api import (
    Effect,
    InsufficientValue,
    Intent,
    Money,
    Operation,
    OutcomeUnknown,
    Redemption,
    SecretSource,
    now,
    parse_instant,
)
from voucher_gateway.simulator import start

REDEEM = OperationKey("shop", Operation.REDEEM, "1001")
SEND = "POST /redemptions"


class KeyedShop:
    """A shop with a journal and one account at the keyed vendor."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.running = stack.enter_context(start(KeyedSimulator))
        assert isinstance(self.running.simulator, KeyedSimulator)
        self.vendor = self.running.simulator
        self.url = url
        self._stack = stack
        self.gateway = self.another_gateway()

    def another_gateway(self, kind: type[KeyedProvider] = KeyedProvider, token: Any = "t", **settings: Any) -> Gateway:
        patience = {"tries": 1, **settings}
        at = KeyedSettings(base_url=self.running.announcement["base_url"], token=SecretSource.of(token), **patience)
        journal = open_journal(self.url, make_journal_keys())
        return self._stack.enter_context(Gateway({"shop": kind("shop", at)}, journal=journal))

    def redeem(self, gateway: Gateway | None = None, amount: str = "10.00") -> Redemption:
        return (gateway or self.gateway).redeem("shop", CODE, Money(amount, "EUR"), reference="1001", order="Müller 7")

    def lose(self, fault: str, gateway: Gateway | None = None, amount: str = "10.00") -> None:
        """Redeem, and lose the answer."""
        self.running.inject(fault, SEND)
        with pytest.raises(OutcomeUnknown):
            self.redeem(gateway, amount)

    def keys(self) -> set[str]:
        return {request.header("X-Idempotency-Key") or "" for request in self.sent()}

    def sent(self) -> list[Any]:
        return [request for request in self.running.requests if request.method == "POST"]

    def pass_time(self, time: timedelta) -> None:
        """Let time pass at the vendor, and in the journal's rows."""
        self.running.clock.advance(time.total_seconds())
        assert self.gateway.journal is not None
        with self.gateway.journal.database.write() as connection:
            for row in connection.execute(sa.select(requests.c.id, requests.c.sent_at)).all():
                earlier = format_micros(parse_instant(row.sent_at) - time)
                connection.execute(sa.update(requests).where(requests.c.id == row.id).values(sent_at=earlier))

    def state(self) -> OperationState:
        assert self.gateway.journal is not None
        record = self.gateway.journal.find(REDEEM)
        assert record is not None
        return record.state


@pytest.fixture
def keyed_shop(either_url: str) -> Iterator[KeyedShop]:
    with ExitStack() as stack:
        yield KeyedShop(either_url, stack)


def test_ten_are_taken_once_although_the_look_up_lags(keyed_shop: KeyedShop) -> None:
    """The answer is lost, and the look-up does not show the redemption yet."""
    keyed_shop.lose("commit-then-drop")
    keyed_shop.vendor.lag = 1
    taken = keyed_shop.redeem()
    assert (taken.money, taken.replayed) == (Money("10.00", "EUR"), False)
    assert (keyed_shop.vendor.cents, len(keyed_shop.keys()), len(keyed_shop.sent())) == (9_000, 1, 2)
    assert keyed_shop.redeem().replayed


def test_a_lost_answer_is_asked_for_again_at_once(keyed_shop: KeyedShop) -> None:
    gateway = keyed_shop.another_gateway(tries=3)
    keyed_shop.running.inject("commit-then-drop", SEND)
    assert keyed_shop.redeem(gateway).money == Money("10.00", "EUR")
    assert (keyed_shop.vendor.cents, len(keyed_shop.keys())) == (9_000, 1)
    assert gateway.journal is not None
    record = gateway.journal.find(REDEEM)
    assert record is not None
    (request,) = gateway.journal.requests_of(record.id)
    assert (request.effect, request.intent.key) == (Effect.SUCCEEDED, keyed_shop.keys().pop())


def test_a_request_that_never_arrived_is_sent_under_its_key(keyed_shop: KeyedShop) -> None:
    keyed_shop.lose("drop-before")
    keyed_shop.lose("commit-then-drop")
    keyed_shop.vendor.lag = 9
    keyed_shop.redeem()
    assert (keyed_shop.vendor.cents, len(keyed_shop.keys()), len(keyed_shop.sent())) == (9_000, 1, 3)


@pytest.mark.parametrize("second", ["rate-limit", "unauthorized", "error-before", "drop-before", "refusal"])
def test_an_answer_to_the_repeat_says_nothing_less_than_unknown(keyed_shop: KeyedShop, second: str) -> None:
    keyed_shop.lose("commit-then-drop")
    keyed_shop.vendor.lag = 9
    if second == "refusal":
        keyed_shop.running.clock.advance(LIFETIME.total_seconds())  # the vendor forgets earlier than it says
        keyed_shop.vendor.cents = 100
    else:
        keyed_shop.running.inject(second, SEND)
    with pytest.raises(OutcomeUnknown):
        keyed_shop.redeem()
    assert keyed_shop.state() is OperationState.UNKNOWN
    assert len(keyed_shop.vendor.taken) == 1


def test_a_kept_refusal_settles_the_doubt(keyed_shop: KeyedShop) -> None:
    keyed_shop.vendor.keeps_refusals = True
    gateway = keyed_shop.another_gateway(KeepingProvider)
    keyed_shop.lose("commit-then-drop", gateway, "999.00")  # the refusal is lost
    with pytest.raises(InsufficientValue):
        keyed_shop.redeem(gateway, "999.00")
    assert keyed_shop.state() is OperationState.DECLINED
    with pytest.raises(InsufficientValue):
        keyed_shop.redeem(gateway, "999.00")
    assert len(keyed_shop.keys()) == 2  # settled, so the next attempt is a new one


@pytest.mark.parametrize("tries", [1, 3])
def test_a_key_that_the_vendor_forgets_with_an_error_is_not_used_again(keyed_shop: KeyedShop, tries: int) -> None:
    gateway = keyed_shop.another_gateway(ForgettingProvider, tries=tries)
    keyed_shop.lose("forgetful-error", gateway)
    keyed_shop.vendor.lag = 2
    for again in (gateway, keyed_shop.another_gateway(ForgettingProvider)):
        with pytest.raises(OutcomeUnknown):
            keyed_shop.redeem(again)
    assert (keyed_shop.vendor.cents, len(keyed_shop.sent())) == (9_000, 1)
    keyed_shop.redeem(gateway)  # the look-up shows it now
    assert len(keyed_shop.sent()) == 1


def test_a_key_that_is_forgotten_at_its_repeat_is_not_used_again(keyed_shop: KeyedShop) -> None:
    gateway = keyed_shop.another_gateway(ForgettingProvider)
    keyed_shop.lose("commit-then-drop", gateway)
    keyed_shop.vendor.lag = 9
    keyed_shop.running.inject("forgetful-error-before", SEND)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            keyed_shop.redeem(gateway)
    assert (keyed_shop.vendor.cents, len(keyed_shop.sent())) == (9_000, 2)


def test_a_repeat_by_hand_under_a_forgotten_key_is_not_sent(keyed_shop: KeyedShop) -> None:
    class Both(AsksAgainByHand):
        declared = ForgettingProvider.declared

    keyed_shop.lose("forgetful-error", keyed_shop.another_gateway(Both))
    assert (keyed_shop.vendor.cents, len(keyed_shop.sent())) == (9_000, 1)


@pytest.mark.parametrize("age", [LIFETIME - timedelta(minutes=59), LIFETIME + timedelta(days=9)])
def test_after_the_life_of_the_key_it_is_looked_up_and_not_sent(keyed_shop: KeyedShop, age: timedelta) -> None:
    keyed_shop.lose("commit-then-drop")
    keyed_shop.pass_time(age)
    keyed_shop.vendor.lag = 2
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            keyed_shop.redeem()
    assert len(keyed_shop.sent()) == 1
    assert keyed_shop.redeem().money == Money("10.00", "EUR")  # the look-up shows it now
    assert keyed_shop.vendor.cents == 9_000


def test_the_life_of_a_key_begins_with_its_first_sending(keyed_shop: KeyedShop) -> None:
    keyed_shop.lose("drop-before")
    keyed_shop.pass_time(timedelta(hours=20))
    keyed_shop.lose("commit-then-drop")
    keyed_shop.pass_time(timedelta(hours=5))
    keyed_shop.vendor.lag = 9
    with pytest.raises(OutcomeUnknown):
        keyed_shop.redeem()
    assert (len(keyed_shop.sent()), keyed_shop.vendor.cents) == (2, 9_000)


def test_a_changed_token_ends_keys_that_are_remembered_for_it(keyed_shop: KeyedShop) -> None:
    keyed_shop.vendor.per_token = True
    keyed_shop.lose("commit-then-drop", keyed_shop.another_gateway(TokenKeyedProvider))
    keyed_shop.vendor.lag = 2
    with pytest.raises(OutcomeUnknown, match="the credentials have changed"):
        keyed_shop.redeem(keyed_shop.another_gateway(TokenKeyedProvider, token="another"))
    assert len(keyed_shop.sent()) == 1
    assert keyed_shop.state() is OperationState.UNKNOWN
    keyed_shop.redeem(keyed_shop.another_gateway(TokenKeyedProvider))
    assert (keyed_shop.vendor.cents, len(keyed_shop.keys())) == (9_000, 1)


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_worker_that_takes_over_goes_on_under_the_key(keyed_shop: KeyedShop, dies: str) -> None:
    child = os.fork()
    if child == 0:
        send = Transport.send

        def dying(self: Any, request: Any, **options: Any) -> Any:
            reply = send(self, request, **options) if dies == "after" or request.method == "GET" else None
            if request.method == "POST":
                os.kill(os.getpid(), signal.SIGKILL)
            return reply

        Transport.send = dying  # type: ignore[method-assign]  # dies around the request
        try:
            keyed_shop.redeem()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    keyed_shop.vendor.lag = 1
    keyed_shop.redeem(keyed_shop.another_gateway())
    assert (keyed_shop.vendor.cents, len(keyed_shop.keys())) == (9_000, 1)


def test_recover_and_resolve_only_read(keyed_shop: KeyedShop) -> None:
    keyed_shop.lose("commit-then-drop")
    keyed_shop.vendor.lag = 2
    assert keyed_shop.gateway.recover(everything=True)[0].state is OperationState.UNKNOWN
    assert keyed_shop.gateway.resolve(REDEEM).state is OperationState.UNKNOWN
    assert keyed_shop.gateway.recover(everything=True)[0].state is OperationState.SUCCEEDED
    assert len(keyed_shop.sent()) == 1
    assert keyed_shop.redeem().replayed


def test_a_restored_journal_does_not_go_on_under_a_key(keyed_shop: KeyedShop) -> None:
    """What followed the request that it has in doubt was forgotten: another attempt may have taken the money."""
    keyed_shop.lose("drop-before")
    journal = keyed_shop.gateway.journal
    assert journal is not None
    keyed_shop.vendor.cents -= 1_000  # by the attempt that the journal forgot, under another key
    mark_restored(journal)
    with journal.database.write() as connection:
        journal.restoration.end(connection, journal.keys, format_micros(now()))
    for gateway in (keyed_shop.gateway, keyed_shop.another_gateway()):
        with pytest.raises(OutcomeUnknown):
            keyed_shop.redeem(gateway)
    assert (len(keyed_shop.sent()), keyed_shop.vendor.cents) == (1, 9_000)


def test_a_restored_journal_trusts_keys_again_once_the_forgotten_ones_have_ended(keyed_shop: KeyedShop) -> None:
    journal = keyed_shop.gateway.journal
    assert journal is not None
    with journal.database.write() as connection:
        journal.restoration.end(connection, journal.keys, format_micros(now() - LIFETIME - timedelta(minutes=1)))
    keyed_shop.lose("commit-then-drop")
    keyed_shop.vendor.lag = 1
    keyed_shop.redeem()
    assert (keyed_shop.vendor.cents, len(keyed_shop.keys())) == (9_000, 1)


# --- providers that treat keys wrongly ---


class NewKeyAtEachAttempt(KeyedProvider):
    def send(self, intent: Intent, key: str) -> Redemption:
        return super().send(intent, secrets.token_hex(16))


class SendsWithoutSayingSo(KeyedProvider):
    """Puts the key into the request, and does not give it to `change`."""

    def send(self, intent: Intent, key: str) -> Redemption:
        change = self.http.change
        self.http.change = lambda request, intent, read, **_: change(request, intent, read)  # type: ignore[method-assign]
        return super().send(intent, key)


class AsksAgainByHand(KeyedProvider):
    """Repeats after a doubt, and believes the second answer."""

    def send(self, intent: Intent, key: str) -> Redemption:
        try:
            return super().send(intent, key)
        except OutcomeUnknown:
            return super().send(intent, key)


class ReadsTheResult(KeyedProvider):
    """Makes its result of a later read."""

    def send(self, intent: Intent, key: str) -> Redemption:
        done = super().send(intent, key)
        return attrs.evolve(done, remaining=self.get("c1").remaining)


@pytest.mark.parametrize("kind", [NewKeyAtEachAttempt, SendsWithoutSayingSo])
def test_a_provider_whose_key_cannot_be_followed_takes_nothing_twice(
    keyed_shop: KeyedShop, kind: type[KeyedProvider]
) -> None:
    gateway = keyed_shop.another_gateway(kind)
    keyed_shop.lose("commit-then-drop", gateway)
    keyed_shop.vendor.lag = 2
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            keyed_shop.redeem(gateway)
    keyed_shop.redeem(gateway)
    assert (keyed_shop.vendor.cents, len(keyed_shop.sent())) == (9_000, 1)


@pytest.mark.parametrize("second", ["rate-limit", "drop-before", "unauthorized"])
@pytest.mark.parametrize("with_journal", [True, False])
def test_a_repeat_by_hand_is_not_believed(keyed_shop: KeyedShop, second: str, with_journal: bool) -> None:
    gateway = keyed_shop.another_gateway(AsksAgainByHand)
    if not with_journal:
        gateway = Gateway({"shop": gateway.provider("shop")})
    keyed_shop.running.inject("commit-then-drop", SEND)
    keyed_shop.running.inject(second, SEND, after=1)
    with pytest.raises(OutcomeUnknown):
        keyed_shop.redeem(gateway)
    assert keyed_shop.vendor.cents == 9_000


@pytest.mark.parametrize("with_journal", [True, False])
@pytest.mark.parametrize("fault", ["rate-limit", "drop-before", "error-before", "unauthorized"])
def test_the_error_of_a_read_after_a_change_is_never_not_executed(
    keyed_shop: KeyedShop, with_journal: bool, fault: str
) -> None:
    gateway = keyed_shop.another_gateway(ReadsTheResult)
    if not with_journal:
        gateway = Gateway({"shop": gateway.provider("shop")})
    keyed_shop.running.inject(fault, "GET /card", times=0)
    with pytest.raises(OutcomeUnknown):
        keyed_shop.redeem(gateway)
    assert keyed_shop.vendor.cents == 9_000
