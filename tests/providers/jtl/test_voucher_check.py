"""A reply that names another voucher than the one that was asked for is no answer, with and without a journal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voucher_gateway.provider_api import (
    IntegrityMismatch,
    Money,
    NewVoucher,
    OutcomeUnknown,
    Reservation,
    Voucher,
    VoucherChanges,
)
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_jtl import JtlProvider

TEN = Money("10.00", "EUR")


@pytest.fixture
def voucher(adapter: JtlProvider) -> Voucher:
    adapter.issue(NewVoucher(initial=TEN, active=True), reference="other")
    return adapter.issue(NewVoucher(initial=TEN, code="JTL-1", active=True), reference="one")


READS: dict[str, tuple[str, Callable[[JtlProvider, str], object]]] = {
    "get": ("GET /v1/vouchers/*", lambda adapter, id: adapter.get(id)),
    "get with secrets": ("GET /v1/vouchers/*/complete", lambda adapter, id: adapter.get(id, secrets=True)),
    "history": ("GET /v1/vouchers/*", lambda adapter, id: adapter.history(id)),
    "movements": ("GET /v1/vouchers/*/charges", lambda adapter, id: adapter.history(id)),
}


@pytest.mark.parametrize("name", READS)
def test_a_read_by_id_that_names_another_voucher_is_refused(
    jtl: RunningSimulator, adapter: JtlProvider, voucher: Voucher, name: str
) -> None:
    match, read = READS[name]
    adapter.top_up(voucher.id, TEN, reference="t")
    jtl.inject("wrong-voucher", match)
    with pytest.raises(IntegrityMismatch, match="another voucher"):
        read(adapter, voucher.id)


def test_a_list_whose_filter_is_ignored_is_refused_where_codes_are_shown(
    vendor: object, lone_adapter: JtlProvider
) -> None:
    body = {"data": [{"id": "V1", "amount": "1.00", "currency": "EUR", "code": "JTL-2"}], "meta": {"total": 1}}
    from voucher_gateway_jtl import PRODUCTION

    vendor.get(f"{PRODUCTION}/vouchers", json=body)  # type: ignore[attr-defined]  # the fixture's mock
    with pytest.raises(IntegrityMismatch, match="another code"):
        lone_adapter.find("JTL-1")


CHANGES: dict[str, tuple[str, Callable[[JtlProvider, str, Reservation], object]]] = {
    "activate": ("PATCH *", lambda adapter, id, _: adapter.activate(id, reference="x")),
    "deactivate": ("PATCH *", lambda adapter, id, _: adapter.deactivate(id, reference="x")),
    "update": ("PATCH *", lambda adapter, id, _: adapter.update(id, VoucherChanges(sku="S"), reference="x")),
    "top_up": ("POST /v1/vouchers/recharge", lambda adapter, id, _: adapter.top_up(id, TEN, reference="x")),
    "capture": ("POST *", lambda adapter, _, hold: adapter.capture(hold, reference="x")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_whose_reply_names_another_voucher_is_unknown(
    jtl: RunningSimulator, adapter: JtlProvider, voucher: Voucher, name: str
) -> None:
    match, change = CHANGES[name]
    hold = adapter.reserve("JTL-1", TEN, reference="r")
    jtl.inject("wrong-voucher", match)
    with pytest.raises(OutcomeUnknown, match="another voucher"):
        change(adapter, voucher.id, hold)
