"""After a prune an old reference is never sent again: under a new name or key, after a restore, at another account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.ledger import Ledger
from tests.support.shop import Shop
from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway import ConfigurationError, Gateway, InvalidRequest, Money, NewVoucher, ReferencePruned
from voucher_gateway.errors import ReservationExpired
from voucher_gateway.gateway.account import Account
from voucher_gateway.instants import now
from voucher_gateway.journal.backup import copy_journal, import_missing_movements, mark_restored
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.moves import claim_moves, complete_moves
from voucher_gateway.journal.schema import adopted, operations
from voucher_gateway.reconciliation.findings import FindingKind
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.upkeep.prune import prune

NEW_KEYS = {**JOURNAL_KEYS, "k9": "another key of the journal, long enough"}


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    return make_shop(either_url)


def prune_all(shop: Shop) -> None:
    prune(shop.journal, now() + timedelta(days=2))


def test_under_the_new_name_of_its_account(shop: Shop) -> None:
    _, code = shop.voucher()
    taken = shop.redeem(code, reference="1001-a")
    prune_all(shop)
    provider = shop.provider()
    renamed = Account(name="till", provider=provider, former_names=("shop",))
    journal = open_journal(shop.url, make_journal_keys(JOURNAL_KEYS))
    with Gateway([renamed], journal=journal) as gateway:
        with pytest.raises(ReferencePruned):
            gateway.redeem("till", code, eur("10.00"), reference="1001-a")
        assert gateway.refundable(taken) == eur("10.00")
    assert shop.charges() == 1


def test_after_a_rotation_of_the_keys(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="before")
    prune_all(shop)
    later = shop.another_gateway(NEW_KEYS)
    with pytest.raises(ReferencePruned):
        later.redeem("shop", code, eur("10.00"), reference="before")
    later.redeem("shop", code, eur("10.00"), reference="after")
    assert later.journal is not None
    prune(later.journal, now() + timedelta(days=2))
    with pytest.raises(ReferencePruned):
        later.redeem("shop", code, eur("10.00"), reference="after")
    with pytest.raises(ConfigurationError, match="k9"):  # this process does not have the new key
        shop.redeem(code, reference="after")
    with pytest.raises(ConfigurationError, match="k9"):
        open_journal(shop.url, make_journal_keys(JOURNAL_KEYS))
    assert shop.charges() == 2


def test_a_key_that_only_removed_operations_need_must_stay_configured(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a")
    prune_all(shop)
    with pytest.raises(ConfigurationError, match="is missing"):
        open_journal(shop.url, make_journal_keys({"k9": NEW_KEYS["k9"]}))


def test_after_a_restore_from_a_backup_that_was_made_before_the_prune(
    make_shop: Callable[..., Shop], tmp_path: Path
) -> None:
    shop = make_shop(f"sqlite:///{tmp_path}/journal.db")
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a")
    copy_journal(shop.journal, tmp_path / "backup.db")
    prune_all(shop)
    with shop.journal.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(operations)) == 0
    restored = open_journal(f"sqlite:///{tmp_path}/backup.db", make_journal_keys(JOURNAL_KEYS))
    with Gateway({"shop": shop.provider()}, journal=restored) as gateway:
        import_missing_movements(restored, [gateway.provider("shop")])
        assert gateway.redeem("shop", code, eur("10.00"), reference="1001-a").replayed
    assert shop.charges() == 1


def test_a_restore_does_not_import_the_movements_of_removed_operations(shop: Shop) -> None:
    _, code = shop.voucher()
    taken = shop.redeem(code, reference="1001-a")
    shop.gateway.refund("shop", taken, eur("4"), reference="back")
    prune_all(shop)
    mark_restored(shop.journal)
    (summary,) = import_missing_movements(shop.journal, [shop.gateway.provider("shop")])
    assert summary.adopted == 0
    with shop.journal.database.read() as connection:
        assert connection.execute(sa.select(adopted)).fetchall() == []
    with pytest.raises(ReferencePruned):
        shop.redeem(code, reference="1001-a")
    shop.gateway.refund("shop", taken, eur("4"), reference="back-2")  # is not taken for the removed one


def test_reconcile_knows_the_movements_of_removed_operations(shop: Shop) -> None:
    _, code = shop.voucher()
    taken = shop.redeem(code, reference="old")
    shop.gateway.refund("shop", taken, eur("4"), reference="old-back")
    prune_all(shop)
    outcome = reconcile(shop.gateway, "shop", everything=True)
    assert (outcome.findings, outcome.pruned, outcome.vouchers) == ((), 2, 1)
    assert outcome.pruned_before is not None
    assert reconcile(shop.gateway, "shop").vouchers == 0
    assert reconcile(shop.gateway, "shop", since=now() + timedelta(days=3)).pruned_before is None
    shop.request("POST", "/reservations", {"code": code, "amount": "1.00", "currency": "EUR"})
    assert FindingKind.FOREIGN not in [finding.kind for finding in outcome.findings]


def test_a_captured_reservation_is_not_captured_again_under_a_new_reference(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    reservation = shop.gateway.reserve("shop", code, eur("10"), reference="hold")
    shop.gateway.capture("shop", reservation, reference="take")
    prune_all(shop)
    sent = shop.changes()
    with pytest.raises(ReservationExpired, match="removed from the journal"):
        shop.gateway.capture("shop", reservation, reference="take-2")
    with pytest.raises(ReservationExpired):
        shop.gateway.release("shop", reservation, reference="give-up")
    assert shop.changes() == sent
    assert Ledger(shop.running).remaining(voucher_id) == "40.00"


def test_a_refund_that_followed_a_move_is_not_sent_again(make_shop: Callable[..., Shop], either_url: str) -> None:
    shop = make_shop(either_url)
    voucher_id, code = shop.voucher()
    journal = open_journal(either_url, make_journal_keys(JOURNAL_KEYS))
    with Gateway({"shop": shop.provider(), "other": shop.provider()}, journal=journal) as gateway:
        taken = gateway.redeem("shop", code, eur("10"), reference="1001-a")
        gateway.refund("shop", taken, eur("4"), reference="back")
        prune(journal, now() + timedelta(days=2))
        target = gateway.issue("other", NewVoucher(initial=eur("40")), reference="moved")
        with journal.database.write() as connection:
            claim_moves(connection, journal.keys, "shop", [voucher_id], "a-plan")
            complete_moves(connection, journal.keys, "shop", "other", [(voucher_id, target.id)], "a-plan")
        sent = shop.changes()
        with pytest.raises(ReferencePruned):
            gateway.refund("shop", taken, eur("4"), reference="back")
        assert shop.changes() == sent
        assert gateway.refundable(taken) == eur("6")
        gateway.refund("shop", taken, eur("5"), reference="after-the-move")
        prune(journal, now() + timedelta(days=2))
        with pytest.raises(ReferencePruned):
            gateway.refund("shop", taken, eur("5"), reference="after-the-move")
        with pytest.raises(InvalidRequest):
            gateway.refund("shop", taken, eur("11"), reference="too-much")
        assert gateway.refundable(taken) == eur("1")
