"""A redemption that overwrites a value never takes it from another voucher than the code's."""

from __future__ import annotations

import pytest

from voucher_gateway import Gateway, Money, NewVoucher
from voucher_gateway.provider_api import IntegrityMismatch, VoucherGatewayError
from voucher_gateway.simulator import start

EUR_50 = Money("50.00", "EUR")


def test_a_look_up_that_names_another_voucher_takes_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal does not know the code yet, and the list names another customer's voucher for it once."""
    monkeypatch.setenv("VOUCHER_GATEWAY_JOURNAL_KEY", "a-key-for-the-tests-of-journals")
    with start("ticketing") as vendor:
        account = {
            "provider": "ticketing",
            "base_url": vendor.announcement["base_url"],
            "api_key": vendor.announcement["api_key"],
            "currency": "EUR",
            "accept_risks": ["redeem-by-update"],
        }
        with Gateway.from_config({"accounts": {"shop": account}}) as till:
            for code in ("GIFT-A", "GIFT-B"):
                till.provider("shop").issue(NewVoucher(initial=EUR_50, code=code), reference=code)
        with Gateway.from_config({"accounts": {"shop": account}, "journal": sqlite_url}) as gateway:
            vendor.inject("wrong-voucher", "GET /api/vouchers")
            with pytest.raises(IntegrityMismatch, match="has another code; nothing was sent") as caught:
                gateway.redeem("shop", "GIFT-A", Money("10.00", "EUR"), reference="purchase")
            assert "GIFT" not in str(caught.value)
            assert [entry["remaining"] for entry in vendor.ledger()] == ["50.00", "50.00"]
            gateway.redeem("shop", "GIFT-A", Money("10.00", "EUR"), reference="purchase")
            assert {entry["code"]: entry["remaining"] for entry in vendor.ledger()} == {
                "GIFT-A": "40.00",
                "GIFT-B": "50.00",
            }


def test_readings_that_agree_on_another_voucher_are_not_written_to_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reading of a voucher is answered under another voucher's id."""
    monkeypatch.setenv("VOUCHER_GATEWAY_JOURNAL_KEY", "a-key-for-the-tests-of-journals")
    with start("ticketing") as vendor:
        account = {
            "provider": "ticketing",
            "base_url": vendor.announcement["base_url"],
            "api_key": vendor.announcement["api_key"],
            "currency": "EUR",
            "accept_risks": ["top-up-by-update"],
        }
        with Gateway.from_config({"accounts": {"shop": account}, "journal": sqlite_url}) as gateway:
            gateway.issue("shop", NewVoucher(initial=EUR_50, code="GIFT-A"), reference="a")
            mine = gateway.issue("shop", NewVoucher(initial=Money("20.00", "EUR"), code="GIFT-B"), reference="b")
            vendor.inject("wrong-voucher", "GET *", times=None)
            with pytest.raises(VoucherGatewayError):
                gateway.top_up("shop", mine.id, Money("10.00", "EUR"), reference="t")
            assert {entry["code"]: entry["remaining"] for entry in vendor.ledger()} == {
                "GIFT-A": "50.00",
                "GIFT-B": "20.00",
            }
