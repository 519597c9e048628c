"""What callers are told that they can do, before they do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from voucher_gateway import Gateway, Operation, Support
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.simulator import RunningSimulator

BY_UPDATE = {
    Operation.REDEEM: "redeem-by-update",
    Operation.REFUND: "refund-by-update",
    Operation.TOP_UP: "top-up-by-update",
}


def test_jtl_redeems_and_releases_by_safe_emulations_and_does_the_rest_itself(gateway: Gateway) -> None:
    supports = {operation: gateway.capabilities("shop").of(operation) for operation in Operation}
    emulated = {operation: support.emulation for operation, support in supports.items() if support.emulation}
    assert emulated == {Operation.REDEEM: "redeem-by-capture", Operation.RELEASE: "release-by-expiry"}
    assert supports.pop(Operation.PRESENTATION).support is Support.UNSUPPORTED
    for operation, support in supports.items():
        assert support.available
        assert support.risk is None
        assert support.support is (Support.EMULATED if operation in emulated else Support.NATIVE)


def test_the_provider_alone_claims_no_emulation(gateway: Gateway) -> None:
    own = gateway.provider("shop").capabilities
    assert not own.of(Operation.REDEEM).available
    assert not own.of(Operation.RELEASE).available


def test_what_needs_acceptance_is_named_with_its_risk_and_not_available(
    ticketing: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    capabilities = open_gateway(events=account_at(ticketing, currency="EUR")).capabilities("events")
    for operation, emulation in BY_UPDATE.items():
        support = capabilities.of(operation)
        assert not support.available
        assert (support.support, support.emulation, support.risk) == (Support.UNSUPPORTED, emulation, RISKS[emulation])


@pytest.mark.parametrize("accepted", BY_UPDATE)
def test_each_risk_is_accepted_by_its_own_name(
    ticketing: RunningSimulator,
    account_at: Callable[..., dict[str, Any]],
    open_gateway: Callable[..., Gateway],
    accepted: Operation,
) -> None:
    table = account_at(ticketing, currency="EUR", accept_risks=[BY_UPDATE[accepted]])
    capabilities = open_gateway(events=table).capabilities("events")
    assert [operation for operation in BY_UPDATE if capabilities.of(operation).available] == [accepted]
    support = capabilities.of(accepted)
    assert (support.support, support.risk) == (Support.EMULATED, RISKS[BY_UPDATE[accepted]])


def test_accounts_at_one_vendor_accept_risks_each_for_itself(
    ticketing: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    gateway = open_gateway(
        careful=account_at(ticketing, currency="EUR"),
        bold=account_at(ticketing, currency="EUR", accept_risks=sorted(BY_UPDATE.values())),
    )
    assert not gateway.capabilities("careful").of(Operation.REDEEM).available
    assert gateway.capabilities("bold").of(Operation.REDEEM).available


def test_a_scope_that_is_lacking_denies_what_is_native_and_what_is_made_of_it(
    jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    capabilities = open_gateway(shop=account_at(jtl, scopes=["read", "read-lists"])).capabilities("shop")
    for operation in (Operation.RESERVE, Operation.CAPTURE, Operation.REDEEM, Operation.REFUND):
        support = capabilities.of(operation)
        assert (support.support, support.note) == (Support.DENIED, "this login lacks the scope use")
    assert capabilities.of(Operation.FIND).available


def test_accounts_are_listed_in_the_order_of_the_configuration(
    jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    gateway = open_gateway(zeta=account_at(jtl), alpha=account_at(jtl))
    assert [account.name for account in gateway.accounts] == ["zeta", "alpha"]
    assert gateway.provider("alpha") is gateway.account("alpha").provider
