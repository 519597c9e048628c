"""A restored journal at a vendor with idempotency keys: a forgotten call comes again under its old key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.keyed import CODE, LIFETIME, KeyedProvider, KeyedSettings, KeyedSimulator
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.instants import format_micros
from voucher_gateway.journal.backup import copy_journal
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import (
    InsufficientValue,
    Money,
    NotExecuted,
    OutcomeUnknown,
    Redemption,
    SecretSource,
    now,
)
from voucher_gateway.simulator import start

SEND = "POST /redemptions"


class KeyedShop:
    """A shop with a journal in a file, a backup of the empty journal, and one card of 100.00 EUR at a keyed vendor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running = start(KeyedSimulator)
        assert isinstance(self.running.simulator, KeyedSimulator)
        self.vendor = self.running.simulator
        self.gateway = self._open()
        assert self.gateway.journal is not None
        copy_journal(self.gateway.journal, folder / "backup.db")

    def _open(self) -> Gateway:
        settings = KeyedSettings(base_url=self.running.announcement["base_url"], token=SecretSource.of("t"), tries=1)
        journal = open_journal(f"sqlite:///{self.folder / 'journal.db'}", make_journal_keys())
        return Gateway({"shop": KeyedProvider("shop", settings)}, journal=journal)

    def restore(self) -> None:
        """Lose the journal and put the backup in its place. The vendor shows no movements to import."""
        self.gateway.close()
        for file in self.folder.glob("journal.db*"):
            file.unlink()
        shutil.copy(self.folder / "backup.db", self.folder / "journal.db")
        self.gateway = self._open()
        assert self.gateway.journal is not None
        with self.gateway.journal.database.write() as connection:
            self.gateway.journal.restoration.end(connection, self.gateway.journal.keys, format_micros(now()))

    def redeem(self, amount: str = "10.00") -> Redemption:
        return self.gateway.redeem("shop", CODE, Money(amount, "EUR"), reference="1001")

    @property
    def keys(self) -> list[str | None]:
        return [request.header("X-Idempotency-Key") for request in self.running.requests if request.method == "POST"]

    def close(self) -> None:
        self.gateway.close()
        self.running.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[KeyedShop]:
    shop = KeyedShop(tmp_path)
    yield shop
    shop.close()


def test_a_forgotten_call_comes_again_under_its_old_key_and_the_vendor_answers_as_before(shop: KeyedShop) -> None:
    before = shop.redeem()
    shop.restore()
    again = shop.redeem()
    assert (again.id, again.money, shop.vendor.cents) == (before.id, Money("10.00", "EUR"), 9_000)
    assert len(shop.keys) == 2
    assert len(set(shop.keys)) == 1
    assert shop.redeem().replayed, "the restored journal knows it now"


def test_a_forgotten_call_whose_answer_is_lost_again_is_not_sent_a_third_time(shop: KeyedShop) -> None:
    """The restored journal does not know the age of the key, so that it relies on none."""
    shop.redeem()
    shop.restore()
    shop.running.inject("commit-then-drop", SEND)
    shop.vendor.lag = 9
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            shop.redeem()
    assert (len(shop.keys), shop.vendor.cents) == (2, 9_000)


@pytest.mark.parametrize("first", ["refused", "not executed"])
def test_only_the_key_of_the_first_attempt_is_sent_again(shop: KeyedShop, first: str) -> None:
    """docs/exactly-once.md names this limit: here a later attempt was carried out, and its key is not made again."""
    if first == "refused":
        shop.vendor.cents = 500
        with pytest.raises(InsufficientValue):
            shop.redeem()
        shop.vendor.cents = 10_000
    else:
        shop.running.inject("rate-limit", SEND)
        with pytest.raises(NotExecuted):
            shop.redeem()
    shop.redeem()
    shop.restore()
    shop.redeem()
    assert (len(set(shop.keys)), shop.vendor.cents) == (2, 8_000)


def test_after_the_life_of_its_key_the_vendor_does_not_know_a_forgotten_call(shop: KeyedShop) -> None:
    """The other limit: the vendor has forgotten the key as the journal has forgotten the call."""
    shop.redeem()
    shop.restore()
    shop.running.clock.advance(LIFETIME.total_seconds() + 1)
    shop.redeem()
    assert (len(set(shop.keys)), shop.vendor.cents) == (1, 8_000)
