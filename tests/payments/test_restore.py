"""A journal that was restored from a backup forgets a payment. The same order is then not paid twice."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import make_url

from tests.payments.conftest import PayingShop
from voucher_gateway import Money, PaymentState, copy_journal, import_missing_movements


def test_an_order_that_a_restored_journal_forgot_is_not_paid_twice(paying: PayingShop, tmp_path: Path) -> None:
    journal = paying.gateway.journal
    assert journal is not None
    copy_journal(journal, tmp_path / "backup.db")
    jtl, ticketing = paying.jtl_code("50.00"), paying.ticketing_code("50.00")

    def pay() -> None:
        payment = paying.payment("60.00", other=paying.card)
        payment.add(jtl, account="shop", limit=Money("20.00", "EUR"))
        payment.add(ticketing, account="events", limit=Money("10.00", "EUR"))
        payment.authorize()
        payment.capture()
        assert payment.state is PaymentState.CAPTURED

    pay()
    paying.gateway.close()
    path = Path(make_url(paying.url).database or "")
    for file in path.parent.glob(f"{path.name}*"):
        if file.suffix != ".key":
            file.unlink()
    shutil.copy(tmp_path / "backup.db", path)
    paying.gateway = paying.another_gateway()
    assert paying.gateway.journal is not None
    providers = [account.provider for account in paying.gateway.accounts]
    assert sum(found.adopted for found in import_missing_movements(paying.gateway.journal, providers)) == 1
    assert paying.gateway.find_payment("1001") is None

    pay()
    assert paying.jtl.remaining(jtl) == Money("30.00", "EUR")
    assert paying.card.kept == "30.00"
