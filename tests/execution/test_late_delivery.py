"""A request that overwrites a value and was lost on its way can still arrive: until that is settled, nobody spends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.provider_api import (
    Code,
    InvalidRequest,
    Money,
    NewVoucher,
    Operation,
    OperationInProgress,
    OutcomeUnknown,
    SecretSource,
    Voucher,
    VoucherChanges,
)
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

KEYS = {"1": SecretSource.of("a-key-for-the-tests-of-journals")}
CODE = "LATE-0001"
UPDATE = OperationKey("events", Operation.UPDATE, "u-1")
UNTIL = datetime(2031, 1, 23, 23, 0, tzinfo=UTC)


@attrs.frozen
class Seller:
    """A ticketing seller with a journal, and a voucher of 50 EUR."""

    vendor: RunningSimulator
    gateway: Gateway
    voucher: Voucher

    def update(self, until: datetime | None = UNTIL, *, reference: str = "u-1") -> Voucher:
        changes = VoucherChanges(valid_until=until)
        return self.gateway.update("events", self.voucher.id, changes, reference=reference)

    def redeem(self, amount: str = "10.53", *, reference: str = "r-1") -> Any:
        return self.gateway.redeem("events", Code(CODE), Money(amount, "EUR"), reference=reference)

    def remaining(self) -> str:
        return str(self.vendor.ledger()[0]["remaining"])

    def send_changes(self, count: int) -> None:
        """Let other changing requests pass, so that what is late arrives."""
        for number in range(count):
            new = NewVoucher(initial=Money(1, "EUR"))
            self.gateway.issue("events", new, reference=f"other-{number}-{len(self.vendor.requests)}")


@pytest.fixture
def seller(sqlite_url: str) -> Iterator[Seller]:
    with start("ticketing") as vendor:
        said = vendor.announcement
        settings = TicketingSettings(
            base_url=said["base_url"], api_key=SecretSource.of(said["api_key"]), currency="EUR", tries=1
        )
        risks = frozenset({"redeem-by-update", "refund-by-update", "top-up-by-update"})
        account = Account(name="events", provider=TicketingProvider("events", settings), accept_risks=risks)
        with Gateway([account], journal=open_journal(sqlite_url, KEYS)) as gateway:
            new = NewVoucher(initial=Money("50.00", "EUR"), code=CODE)
            yield Seller(vendor, gateway, gateway.issue("events", new, reference="sale"))
        assert vendor.crashes == []


def lost(seller: Seller, fault: str = "deliver-late", **options: Any) -> None:
    seller.vendor.inject(fault, "PUT *", **options)
    with pytest.raises(OutcomeUnknown):
        seller.update()


def test_a_late_update_undoes_no_redemption_that_follows_its_repeat(seller: Seller) -> None:
    lost(seller)  # it arrives after three more changing requests
    assert seller.update().valid_until == UNTIL
    with pytest.raises(OperationInProgress, match=r"'u-1'.*may still arrive"):
        seller.redeem()
    seller.send_changes(2)
    assert seller.remaining() == "50.00"
    with pytest.raises(OperationInProgress):  # nothing shows that it has arrived by now
        seller.redeem()


@pytest.mark.parametrize("verb", ["redeem", "top_up", "another update"])
def test_after_a_repeat_nothing_else_overwrites_the_value(seller: Seller, verb: str) -> None:
    lost(seller, "drop-before")
    seller.update()
    calls: dict[str, Callable[[], object]] = {
        "redeem": seller.redeem,
        "top_up": lambda: seller.gateway.top_up("events", seller.voucher.id, Money(1, "EUR"), reference="t-1"),
        "another update": lambda: seller.update(None, reference="u-2"),
    }
    with pytest.raises(OperationInProgress, match="operations decide"):
        calls[verb]()
    assert seller.gateway.balance("events", CODE).remaining == Money("50.00", "EUR")


def test_a_person_closes_the_request_that_cannot_arrive_any_more(seller: Seller) -> None:
    lost(seller, "drop-before")
    seller.update()
    assert "may still arrive" in seller.gateway.resolve(UPDATE).reason
    closed = seller.gateway.decide(UPDATE, succeeded=False, by="Ada", reason="the vendor's log does not have it")
    assert closed.state is OperationState.SUCCEEDED
    assert seller.update().replayed
    assert seller.redeem().remaining == Money("39.47", "EUR")


def test_a_second_decision_about_an_earlier_request_does_not_undo_the_repeat(seller: Seller) -> None:
    lost(seller, "drop-before")
    seller.update()
    seller.gateway.decide(UPDATE, succeeded=False, by="Ada", reason="the vendor's log does not have it")
    with pytest.raises(InvalidRequest, match="nothing is to be decided"):
        seller.gateway.decide(UPDATE, succeeded=False, by="Ada", reason="twice")
    assert seller.update().replayed


def test_an_update_that_is_found_before_any_repeat_guards_nothing(seller: Seller) -> None:
    lost(seller, "commit-then-drop")
    assert [one.state for one in seller.gateway.recover(everything=True)] == [OperationState.SUCCEEDED]
    assert seller.redeem().remaining == Money("39.47", "EUR")


def test_an_update_that_changes_nothing_is_not_proved_by_what_was_there_before(seller: Seller) -> None:
    seller.update(reference="u-0")
    lost(seller)
    assert [one.state for one in seller.gateway.recover(everything=True)] == [OperationState.UNKNOWN]
    with pytest.raises(OperationInProgress):
        seller.redeem()
    seller.update()  # a repeat does no harm
    with pytest.raises(OperationInProgress):
        seller.redeem()


def test_a_repeat_that_is_lost_too_leaves_one_of_the_two_open(seller: Seller) -> None:
    lost(seller, "drop-before")
    lost(seller, "commit-then-drop")
    assert [one.state for one in seller.gateway.recover(everything=True)] == [OperationState.SUCCEEDED]
    with pytest.raises(OperationInProgress, match="may still arrive"):
        seller.redeem()
