"""A journal that was restored from a backup forgets a payment. The same order is then not paid twice."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import make_url

from tests.payments.conftest import PayingShop
from voucher_gateway import Money, Payment, PaymentState, copy_journal, import_missing_movements


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def restore(shop: PayingShop, backup: Path) -> None:
    """Lose the journal, put the backup in its place, and import the movements that JTL shows."""
    shop.gateway.close()
    path = Path(make_url(shop.url).database or "")
    for file in path.parent.glob(f"{path.name}*"):
        if file.suffix != ".key":
            file.unlink()
    shutil.copy(backup, path)
    shop.gateway = shop.another_gateway()
    assert shop.gateway.journal is not None
    providers = [account.provider for account in shop.gateway.accounts]
    assert sum(found.adopted for found in import_missing_movements(shop.gateway.journal, providers)) == 1


def test_an_order_that_a_restored_journal_forgot_is_not_paid_or_refunded_twice(
    paying: PayingShop, tmp_path: Path
) -> None:
    journal = paying.gateway.journal
    assert journal is not None
    copy_journal(journal, tmp_path / "backup.db")
    jtl, ticketing = paying.jtl_code("50.00"), paying.ticketing_code("50.00")

    def pay() -> Payment:
        payment = paying.payment("60.00", other=paying.card)
        payment.add(jtl, account="shop", limit=euros("20.00"))
        payment.add(ticketing, account="events", limit=euros("10.00"))
        payment.authorize()
        payment.capture()
        assert payment.state is PaymentState.CAPTURED
        return payment

    payment = pay()
    payment.refund(euros("5.00"), reference="return-1", strategy="other-first")
    payment.refund(euros("7.00"), reference="return-2", strategy="other-first")
    assert paying.card.kept == "18.00"
    restore(paying, tmp_path / "backup.db")
    assert paying.gateway.find_payment("1001") is None

    payment = pay()
    assert paying.jtl.remaining(jtl) == euros("30.00")
    assert paying.card.kept == "18.00"
    payment.refund(euros("7.00"), reference="return-2", strategy="other-first")  # in another order than before
    assert paying.card.kept == "18.00"
    payment.refund(euros("4.00"), reference="return-3", strategy="other-first")
    assert paying.card.kept == "14.00"
