"""A target that keeps no initial values is moved to and verified by what is left on its vouchers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from tests.migration.run.vendor_pair import VendorPair
from voucher_gateway.migration import verify_plan
from voucher_gateway.provider_api import Capabilities, Money, Voucher
from voucher_gateway_jtl import JtlProvider, lists, mapping


def _without_initial(real: Any) -> Any:
    def read(*arguments: Any, **named: Any) -> Voucher:
        voucher: Voucher = real(*arguments, **named)
        return attrs.evolve(voucher, initial=None)

    return read


@pytest.fixture
def target_without_initial_values(reverse_pair: VendorPair, monkeypatch: pytest.MonkeyPatch) -> VendorPair:
    real: Any = JtlProvider.capabilities

    def capabilities(provider: JtlProvider) -> Capabilities:
        shown: Capabilities = real.fget(provider)
        return attrs.evolve(shown, shows_initial=False)

    monkeypatch.setattr(JtlProvider, "capabilities", property(capabilities))
    for name in ("find", "get"):
        monkeypatch.setattr(JtlProvider, name, _without_initial(getattr(JtlProvider, name)))
    in_lists = {**vars(mapping), "voucher": _without_initial(mapping.voucher)}
    monkeypatch.setattr(lists, "mapping", SimpleNamespace(**in_lists))
    return reverse_pair


def test_a_target_without_initial_values_gets_every_voucher(target_without_initial_values: VendorPair) -> None:
    pair = target_without_initial_values
    assert all(voucher.initial is None for voucher in pair.gateway.vouchers("target"))
    pair.move()
    report = verify_plan(pair.gateway, pair.path)
    assert report.differences == ()


def test_a_voucher_without_initial_value_that_was_spent_whole_is_verified(
    target_without_initial_values: VendorPair,
) -> None:
    pair = target_without_initial_values
    before = pair.move()
    code, (amount, currency) = next(iter(before.source.items()))
    pair.gateway.redeem("target", code, Money(amount, currency), reference="till-1")
    report = verify_plan(pair.gateway, pair.path)
    assert report.differences == ()
    assert report.totals[currency].used == Money(-amount, currency)
