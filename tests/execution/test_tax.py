"""The tax that a till prints: it is told by the reservation and the redemption, at once, replayed and recovered."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import Money, Redemption
from voucher_gateway.provider_api import OutcomeUnknown

if TYPE_CHECKING:
    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")
CHARGE = "POST /v1/reservations/*/charge"
TAXED: dict[str, Any] = {"taxable": True, "tax_rate": "19"}


def tax_of(result: Any) -> tuple[bool | None, str | None]:
    """Return what a result tells of the tax."""
    return result.taxable, result.tax_rate


@pytest.mark.parametrize(("fields", "tax"), [(TAXED, (True, "19")), ({}, (False, None))])
def test_a_reservation_tells_the_tax_of_its_voucher_and_so_does_its_capture(
    shop: Shop, fields: dict[str, Any], tax: tuple[bool, str | None]
) -> None:
    _, code = shop.voucher(**fields)
    reservation = shop.gateway.reserve("shop", code, TEN, reference="1001-a")
    assert tax_of(reservation) == tax
    assert tax_of(shop.gateway.capture("shop", reservation, reference="1001-a")) == tax


def test_what_the_journal_tells_again_has_the_tax(either_shop: Shop) -> None:
    _, code = either_shop.voucher(**TAXED)
    reservation = either_shop.gateway.reserve("shop", code, TEN, reference="1001-a")
    assert either_shop.gateway.reserve("shop", code, TEN, reference="1001-a") == reservation
    recorded = either_shop.another_gateway().reservation("shop", "1001-a")
    assert (recorded.replayed, tax_of(recorded), recorded.login) == (True, (True, "19"), reservation.login)
    either_shop.another_gateway().capture("shop", recorded, reference="1001-a")
    assert tax_of(either_shop.another_gateway().redemption("shop", "1001-a")) == (True, "19")


def test_a_redemption_that_is_recovered_has_the_tax(shop: Shop) -> None:
    _, code = shop.voucher(**TAXED)
    shop.running.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code)
    (found,) = shop.gateway.recover()
    assert isinstance(found.result, Redemption)
    assert (tax_of(found.result), found.result.login) == ((True, "19"), shop.provider().login)
    assert tax_of(shop.redeem(code)) == (True, "19")


def test_a_ticket_without_a_journal_leads_to_the_tax(shop: Shop) -> None:
    _, code = shop.voucher(**TAXED)
    provider = shop.provider()
    reservation = provider.reserve(code, TEN, reference="1001-a")
    shop.running.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown) as caught:
        provider.capture(reservation, reference="1001-a")
    resolution = shop.gateway.resolve(caught.value.ticket.to_json())
    assert tax_of(resolution.result) == (True, "19")


@pytest.mark.parametrize("dies", ["before the capture", "after the capture"])
def test_a_redemption_has_the_tax_after_the_worker_died_in_it(either_shop: Shop, dies: str) -> None:
    voucher_id, code = either_shop.voucher(**TAXED)
    child = os.fork()
    if child == 0:
        provider = either_shop.gateway.provider("shop")
        capture = provider.capture

        def dying(*args: Any, **named: Any) -> Any:
            if dies == "after the capture":
                capture(*args, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        provider.capture = dying  # type: ignore[method-assign]  # in the child alone
        try:
            either_shop.redeem(code, order="1001")
        finally:
            os._exit(1)  # an error must not let the child go on as a second pytest
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    gateway = either_shop.another_gateway()
    gateway.recover()
    done = gateway.redeem("shop", code, TEN, reference="1001-a", order="1001")
    assert (tax_of(done), done.replayed) == ((True, "19"), dies == "after the capture")
    assert either_shop.remaining(voucher_id) == "40.00"
