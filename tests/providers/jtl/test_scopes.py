"""What a login may do: known scopes are kept to without asking, unknown ones are the vendor's to refuse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import attrs
import pytest

from voucher_gateway.provider_api import (
    AccessDenied,
    AuthenticationFailed,
    Code,
    Declined,
    MissingScope,
    Money,
    NewVoucher,
    Operation,
    Pin,
    Redemption,
    Reservation,
    Support,
    Voucher,
    VoucherChanges,
    VoucherProvider,
    WrongPin,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider
from voucher_gateway_jtl.capabilities import DECLARED, SCOPES_OF
from voucher_gateway_jtl.settings import SCOPES

if TYPE_CHECKING:
    import responses

    from voucher_gateway.simulator import RunningSimulator

    MakeAdapter = Callable[..., JtlProvider]

EUR = Money(1, "EUR")


@pytest.fixture
def voucher(adapter: JtlProvider) -> Voucher:
    """A voucher at the simulator `jtl`, with the code C and the PIN 0042."""
    return adapter.issue(NewVoucher(initial=Money(9, "EUR"), code="C", pin="0042", active=True), reference="i")


CALLS: dict[Operation, Callable[[JtlProvider, str], object]] = {
    Operation.FIND: lambda shop, id: shop.find("C"),
    Operation.GET: lambda shop, id: shop.get(id),
    Operation.BALANCE: lambda shop, id: shop.balance("C"),
    Operation.VOUCHERS: lambda shop, id: next(shop.vouchers()),
    Operation.HISTORY: lambda shop, id: shop.history(id),
    Operation.ISSUE: lambda shop, id: shop.issue(NewVoucher(initial=EUR), reference="r"),
    Operation.ACTIVATE: lambda shop, id: shop.activate(id, reference="r"),
    Operation.DEACTIVATE: lambda shop, id: shop.deactivate(id, reference="r"),
    Operation.UPDATE: lambda shop, id: shop.update(id, VoucherChanges(sku="S"), reference="r"),
    Operation.TOP_UP: lambda shop, id: shop.top_up(id, EUR, reference="r"),
    Operation.DELETE: lambda shop, id: shop.delete(id, "why", reference="r"),
    Operation.RESERVE: lambda shop, id: shop.reserve("C", EUR, "0042", reference="r"),
    Operation.CAPTURE: lambda shop, id: shop.capture(Reservation(account="shop", id="R", money=EUR), reference="r"),
    Operation.REFUND: lambda shop, id: shop.refund(Redemption(account="shop", id="M", money=EUR), reference="r"),
}


def test_every_operation_that_jtl_has_says_which_scopes_it_needs() -> None:
    native = {operation for operation in Operation if DECLARED.of(operation).support is Support.NATIVE}
    assert set(SCOPES_OF) == set(CALLS) == native
    assert {scope for scopes in SCOPES_OF.values() for scope in scopes} == set(SCOPES) - {"read-secrets"}


def test_what_is_declared_is_what_is_overridden() -> None:
    for operation in Operation:
        overridden = getattr(JtlProvider, operation.value) is not getattr(VoucherProvider, operation.value)
        native = DECLARED.of(operation).support is Support.NATIVE
        # The balance is made out of find by the base class.
        assert overridden is (native and operation is not Operation.BALANCE)


@pytest.mark.parametrize("lacking", SCOPES)
def test_a_login_that_asks_for_less_knows_what_it_lacks_without_sending_anything(
    jtl: RunningSimulator, make_adapter: MakeAdapter, voucher: Voucher, lacking: str
) -> None:
    shop = make_adapter(jtl, scopes=tuple(scope for scope in SCOPES if scope != lacking))
    before = len(jtl.requests)
    for operation, call in CALLS.items():
        support = shop.capabilities.of(operation)
        if lacking not in SCOPES_OF[operation]:
            assert support == DECLARED.of(operation)
            continue
        assert (support.support, support.available) == (Support.DENIED, False)
        assert lacking in support.note
        with pytest.raises(MissingScope) as caught:
            call(shop, voucher.id)
        assert (caught.value.scope, caught.value.account) == (lacking, "shop")
        assert caught.value.operation in (operation.value, "find")  # the balance comes from a find
    assert len(jtl.requests) == before


@pytest.mark.parametrize("operation", CALLS)
def test_a_login_with_just_the_scopes_of_a_call_may_make_it(
    jtl: RunningSimulator, make_adapter: MakeAdapter, voucher: Voucher, operation: Operation
) -> None:
    shop = make_adapter(jtl, scopes=SCOPES_OF[operation])
    # There is no such reservation or redemption, and the voucher is active: refused, but not for want of a right.
    refused = operation in (Operation.CAPTURE, Operation.REFUND, Operation.DELETE)
    with pytest.raises(Declined) if refused else nullcontext():
        CALLS[operation](shop, voucher.id)


@pytest.mark.parametrize("lacking", SCOPES)
def test_a_login_that_does_not_know_its_scopes_is_told_by_the_vendor(
    jtl: RunningSimulator, make_adapter: MakeAdapter, voucher: Voucher, lacking: str
) -> None:
    clients = jtl.simulator.clients  # type: ignore[attr-defined]  # the JTL simulator's
    shop = make_adapter(jtl)
    clients.by_id[shop.login].scopes = tuple(scope for scope in SCOPES if scope != lacking)
    assert shop.capabilities == DECLARED
    before = jtl.ledger()
    for operation, call in CALLS.items():
        if lacking in SCOPES_OF[operation]:
            with pytest.raises(AccessDenied) as caught:
                call(shop, voucher.id)
            assert type(caught.value) is AccessDenied
            assert (caught.value.outcome, caught.value.http_status) == ("declined", 403)
            assert caught.value.operation in (operation.value, "find")
    assert shop.scopes is None
    assert jtl.ledger() == before


def test_the_scopes_that_the_vendor_grants_count_more_than_those_asked_for(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    token = {"access_token": "t", "token_type": "bearer", "scope": "read use"}
    vendor.replace("POST", "https://vouchers.api.jtl-software.com/oauth/token", json=token)
    vendor.get(f"{PRODUCTION}/vouchers/V", json={"id": "V"})
    with JtlProvider("shop", attrs.evolve(lone_adapter.settings, scopes=("read", "use", "manage"))) as shop:
        assert shop.capabilities.of(Operation.ISSUE).available
        shop.get("V")
        assert shop.scopes == frozenset({"read", "use"})
        assert shop.capabilities.of(Operation.ISSUE).support is Support.DENIED
        with pytest.raises(MissingScope):
            shop.issue(NewVoucher(initial=EUR), reference="r")


def test_a_login_that_asks_for_more_than_it_has_gets_no_token(jtl: RunningSimulator, make_adapter: MakeAdapter) -> None:
    shop = make_adapter(jtl, scopes=("read", "use"))
    jtl.simulator.clients.by_id[shop.login].scopes = ("read",)  # type: ignore[attr-defined]  # the JTL simulator's
    with pytest.raises(AuthenticationFailed) as caught:
        shop.get("V")
    assert (caught.value.vendor_code, caught.value.outcome) == ("invalid_scope", "not_executed")


def test_secrets_need_a_scope_of_their_own(jtl: RunningSimulator, make_adapter: MakeAdapter, voucher: Voucher) -> None:
    shop = make_adapter(jtl, scopes=("read", "read-secrets"))
    shown = shop.get(voucher.id, secrets=True)
    assert (shown.code, shown.pin, shown.remaining) == (Code("C"), Pin("0042"), Money(9, "EUR"))
    assert (shop.get(voucher.id).code, shop.get(voucher.id).pin) == (None, None)

    shop = make_adapter(jtl, scopes=("read",))
    before = len(jtl.requests)
    with pytest.raises(MissingScope) as caught:
        shop.get(voucher.id, secrets=True)
    assert (caught.value.scope, caught.value.operation) == ("read-secrets", "get")
    assert len(jtl.requests) == before
    assert shop.get(voucher.id).id == voucher.id


def test_a_new_voucher_shows_its_secrets_without_that_scope(jtl: RunningSimulator, make_adapter: MakeAdapter) -> None:
    made = make_adapter(jtl, scopes=("manage",)).issue(NewVoucher(initial=EUR), reference="r")
    assert made.code is not None
    assert made.code.reveal() == jtl.ledger()[0]["code"]


def test_a_pin_is_compared_where_the_login_may_read_it(
    jtl: RunningSimulator, make_adapter: MakeAdapter, voucher: Voucher
) -> None:
    shop = make_adapter(jtl, scopes=("read-lists", "read-secrets"))
    assert shop.find("C", "0042").id == voucher.id
    with pytest.raises(WrongPin) as caught:
        shop.find("C", "0043")
    assert (caught.value.account, caught.value.operation) == ("shop", "find")
    assert make_adapter(jtl, scopes=("read-lists",)).find("C", "0043").id == voucher.id


@pytest.mark.parametrize(
    ("lacking", "lost"),
    [
        ("read-lists", {Operation.CAPTURE, Operation.TOP_UP, Operation.REFUND, Operation.RESERVE}),
        ("read", DECLARED.resolvable - {Operation.RESERVE}),
        ("manage", set()),
    ],
)
def test_a_login_that_may_not_read_cannot_resolve_what_such_a_reading_decides(
    jtl: RunningSimulator, make_adapter: MakeAdapter, lacking: str, lost: set[Operation]
) -> None:
    shop = make_adapter(jtl, scopes=tuple(scope for scope in SCOPES if scope != lacking))
    assert shop.capabilities.resolvable == DECLARED.resolvable - lost


def test_the_amounts_and_rules_that_are_declared_are_those_of_the_vendor() -> None:
    assert str(DECLARED.amounts.maximum) == "99999.99"
    assert DECLARED.amounts.decimals == 2
    rules = DECLARED.reservations
    assert rules is not None
    assert (rules.superseded_by_next, rules.partial_capture, rules.release) == (True, False, False)
    assert DECLARED.codes.max_length == 255
