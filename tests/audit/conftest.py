"""A journal with operations, a payment, a refund and a sale, which each test may edit in its own copy."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.audit.edited_journal import EditedJournal
from tests.payments.cards import FakeCard
from tests.support.simulators import BY_UPDATE, SimulatorAccount, make_gateway
from voucher_gateway import Declined, Gateway, Money, NewVoucher
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

TEN: Final = Money("10.00", "EUR")


@pytest.fixture(scope="session")
def written_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a journal in which there is everything that an audit covers. Nobody may change it."""
    path = tmp_path_factory.mktemp("audit") / "journal.db"
    with ExitStack() as stack:
        jtl = stack.enter_context(SimulatedVendor(JtlProvider))
        ticketing = stack.enter_context(SimulatedVendor(TicketingProvider))
        accounts = (
            SimulatorAccount("shop", jtl.announcement),
            SimulatorAccount("events", ticketing.announcement, risks=BY_UPDATE),
        )
        gateway = stack.enter_context(make_gateway(accounts, f"sqlite:///{path}", tries=1))
        use_everything(gateway, jtl.voucher("50.00").code, ticketing.voucher("50.00").code)
    return path


def use_everything(gateway: Gateway, jtl_code: Any, ticketing_code: Any) -> None:
    """Redeem, refund, be declined, decide; pay an order with two vouchers and a card and refund it; sell vouchers."""
    redemption = gateway.redeem("shop", jtl_code, TEN, reference="r-1", order="1001")
    gateway.refund("shop", redemption, Money("4.00", "EUR"), reference="r-1-back")
    with pytest.raises(Declined):
        gateway.redeem("shop", jtl_code, Money("999.00", "EUR"), reference="r-2", order="1002")
    payment = gateway.payment("1003", total=Money("40.00", "EUR"), other=FakeCard())
    payment.add(jtl_code, account="shop", limit=TEN)
    payment.add(ticketing_code, account="events", limit=TEN)
    payment.authorize()
    payment.capture()
    payment.refund(Money("12.00", "EUR"), reference="back")
    cancelled = gateway.payment("1004", total=TEN)
    cancelled.add(jtl_code, account="shop")
    cancelled.authorize()
    cancelled.cancel()
    sale = gateway.sale("1005-1", "shop", NewVoucher(initial=TEN))
    sale.fulfil()
    sale.delivered()
    sale.revoke(reason="not paid")
    sale.restore()


@pytest.fixture
def edited(written_journal: Path, tmp_path: Path) -> EditedJournal:
    """A copy of that journal."""
    return EditedJournal(Path(shutil.copy(written_journal, tmp_path / "edited.db")))
