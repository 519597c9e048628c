"""A journal that was restored from a backup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.ledger import Ledger
from tests.support.simulators import account_table
from voucher_gateway import (
    Code,
    Gateway,
    InvalidRequest,
    Money,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    Redemption,
    ReferenceConflict,
)
from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.journal.backup import copy_journal, import_missing_movements, mark_restored
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.simulator import RunningSimulator, start

CODE = "RESTORED-0042"


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@attrs.define
class ShopWithBackup:
    """A shop with a journal in a file, a backup of it, and one voucher of 50 EUR at the vendor."""

    folder: Path
    simulator: RunningSimulator
    gateway: Gateway
    voucher_id: str = ""

    @classmethod
    def open(cls, folder: Path, simulator: RunningSimulator) -> ShopWithBackup:
        shop = cls(folder, simulator, _gateway(folder, simulator))
        voucher = shop.gateway.issue("shop", NewVoucher(initial=eur("50"), code=Code(CODE)), reference="sale")
        shop.gateway.activate("shop", voucher.id, reference="sale")
        shop.voucher_id = voucher.id
        assert shop.gateway.journal is not None
        copy_journal(shop.gateway.journal, folder / "backup.db")
        return shop

    def restore(self) -> None:
        """Lose the journal, and put the backup in its place. The key file is still there."""
        self.gateway.close()
        for file in self.folder.glob("journal.db*"):
            if file.suffix != ".key":
                file.unlink()
        shutil.copy(self.folder / "backup.db", self.folder / "journal.db")
        self.gateway = _gateway(self.folder, self.simulator)

    def adopt(self) -> int:
        assert self.gateway.journal is not None
        providers = [account.provider for account in self.gateway.accounts]
        return sum(result.adopted for result in import_missing_movements(self.gateway.journal, providers))

    def redeem(self, amount: str, reference: str) -> Redemption:
        return self.gateway.redeem("shop", CODE, eur(amount), reference=reference, order="1001")

    def movements(self) -> list[str]:
        return [movement["kind"] for movement in Ledger(self.simulator).entry(id=self.voucher_id)["movements"]]


def _gateway(folder: Path, simulator: RunningSimulator) -> Gateway:
    accounts = {"shop": account_table(simulator)}
    return Gateway.from_config({"journal": f"sqlite:///{folder}/journal.db", "accounts": accounts})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopWithBackup]:
    with start("jtl") as simulator:
        shop = ShopWithBackup.open(tmp_path, simulator)
        yield shop
        shop.gateway.close()


def test_a_restored_journal_sends_nothing_before_the_vendors_were_asked(shop: ShopWithBackup) -> None:
    shop.redeem("10", "a")
    shop.restore()
    with pytest.raises(DatabaseUnavailable, match="after-restore"):
        shop.redeem("10", "a")
    assert shop.movements() == ["charge"]


def test_a_redemption_that_the_journal_has_forgotten_is_replayed_and_not_taken_again(shop: ShopWithBackup) -> None:
    before = shop.redeem("10", "a")
    shop.restore()
    assert shop.adopt() == 1
    again = shop.redeem("10", "a")
    assert (again.id, again.money, again.reference, again.replayed) == (before.id, before.money, "a", True)
    assert shop.movements() == ["charge"]


def test_a_forgotten_top_up_is_replayed(shop: ShopWithBackup) -> None:
    shop.gateway.top_up("shop", shop.voucher_id, eur("3"), reference="a")
    shop.restore()
    shop.adopt()
    assert shop.gateway.top_up("shop", shop.voucher_id, eur("3"), reference="a").replayed
    assert shop.movements() == ["recharge"]


def test_a_forgotten_reference_that_comes_with_another_amount_is_a_conflict(shop: ShopWithBackup) -> None:
    shop.redeem("10", "a")
    shop.restore()
    shop.adopt()
    with pytest.raises(ReferenceConflict):
        shop.redeem("11", "a")
    assert shop.movements() == ["charge"]


def test_a_new_reference_is_taken_as_usual_after_a_restore(shop: ShopWithBackup) -> None:
    shop.redeem("10", "a")
    shop.restore()
    shop.adopt()
    assert not shop.redeem("10", "b").replayed
    assert shop.movements() == ["charge", "charge"]


def test_what_the_backup_knows_is_not_adopted_again(shop: ShopWithBackup) -> None:
    shop.redeem("10", "a")
    assert shop.gateway.journal is not None
    (shop.folder / "backup.db").unlink()
    copy_journal(shop.gateway.journal, shop.folder / "backup.db")
    shop.restore()
    assert shop.adopt() == 0
    assert shop.redeem("10", "a").replayed


def test_a_refund_that_may_have_been_forgotten_is_left_to_a_person(shop: ShopWithBackup) -> None:
    redemption = shop.redeem("10", "a")
    shop.gateway.refund("shop", redemption, eur("2"), reference="back")
    shop.restore()
    shop.adopt()
    redemption = shop.redeem("10", "a")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            shop.gateway.refund("shop", redemption, eur("2"), reference="back")
    key = OperationKey("shop", Operation.REFUND, "back")
    shop.gateway.decide(key, succeeded=True, by="Ada", reason="the portal shows it")
    assert shop.gateway.refund("shop", redemption, eur("2"), reference="back").replayed
    assert shop.movements() == ["charge", "refund"]


def test_an_issue_that_the_journal_has_forgotten_makes_no_second_voucher(shop: ShopWithBackup) -> None:
    first = shop.gateway.issue("shop", NewVoucher(initial=eur("7")), reference="another")
    shop.restore()
    shop.adopt()
    again = shop.gateway.issue("shop", NewVoucher(initial=eur("7")), reference="another")
    assert again.id == first.id
    assert len([entry for entry in shop.simulator.ledger() if entry["initial"] == "7.00"]) == 1


def test_a_journal_restored_by_other_means_can_be_locked_by_hand(shop: ShopWithBackup) -> None:
    assert shop.gateway.journal is not None
    mark_restored(shop.gateway.journal)
    with pytest.raises(DatabaseUnavailable):
        shop.redeem("10", "a")
    shop.adopt()
    assert shop.redeem("10", "a").money == eur("10")


def test_a_backup_never_overwrites_a_file(shop: ShopWithBackup) -> None:
    assert shop.gateway.journal is not None
    with pytest.raises(InvalidRequest):
        copy_journal(shop.gateway.journal, shop.folder / "backup.db")
