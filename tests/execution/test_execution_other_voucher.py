"""A reply that names another voucher than the one that the journal knows for a code is never a success."""

from __future__ import annotations

import pytest

from tests.conftest import Shop
from voucher_gateway.adapter import IntegrityMismatch, Money, NotExecuted, OutcomeUnknown
from voucher_gateway.journal import State

TEN = Money("10.00", "EUR")
RESERVE, CHARGE, LIST = "POST /v1/reservations", "POST /v1/reservations/*/charge", "GET /v1/vouchers"


def _known(shop: Shop) -> tuple[str, str]:
    """Return a voucher that an earlier operation has used, beside another one."""
    shop.voucher()
    voucher_id, code = shop.voucher()
    shop.redeem(code, reference="before", order="1000")
    return voucher_id, code


def test_a_reservation_of_another_voucher_is_unknown(either_shop: Shop) -> None:
    _, code = _known(either_shop)
    either_shop.running.inject("wrong-voucher", RESERVE)
    with pytest.raises(OutcomeUnknown, match="another voucher") as caught:
        either_shop.gateway.reserve("shop", code, TEN, reference="a", order="1001")
    assert code not in caught.value.ticket.to_json()
    entry = either_shop.gateway.operation("shop", "reserve", "a")
    assert entry is not None
    assert entry.state is State.UNKNOWN


def test_a_redemption_whose_reservation_is_of_another_voucher_takes_nothing(shop: Shop) -> None:
    voucher_id, code = _known(shop)
    shop.running.inject("wrong-voucher", RESERVE)
    with pytest.raises(NotExecuted, match="another voucher"):
        shop.redeem(code, reference="a", order="1001")
    assert shop.charges() == 1
    assert shop.redeem(code, reference="a", order="1001").voucher_id == voucher_id


def test_a_charge_of_another_voucher_is_unknown_and_found_by_a_look_up(shop: Shop) -> None:
    shop.voucher()
    voucher_id, code = shop.voucher()
    shop.running.inject("wrong-voucher", CHARGE)
    with pytest.raises(OutcomeUnknown, match="another voucher"):
        shop.redeem(code, reference="a", order="1001")
    assert shop.redeem(code, reference="a", order="1001").voucher_id == voucher_id
    assert shop.charges() == 1


def test_another_login_knows_another_voucher(shop: Shop) -> None:
    """What one login's operations tell of a code says nothing about another login's vouchers."""
    _, code = _known(shop)
    said = shop.running.announcement
    till = shop.till("POST", "/clients/connect", {"pin": said["connect_pin"]})
    from voucher_gateway.adapter import SecretSource

    other = shop.another_gateway(client_id=till["id"], client_secret=SecretSource.of(till["secret"]))
    shop.running.inject("wrong-voucher", RESERVE)
    assert other.reserve("shop", code, TEN, reference="z", order="1001").voucher_id is not None


def test_a_code_that_was_deleted_and_issued_again_is_the_new_voucher(shop: Shop) -> None:
    voucher_id, code = shop.voucher(code="JTL-AGAIN-1")
    shop.gateway.reserve("shop", code, TEN, reference="a", order="1001")
    shop.till("PATCH", f"/vouchers/{voucher_id}/status", {"status": "inactive", "comment": "misprint"})
    shop._session.delete(f"{shop._base}/vouchers/{voucher_id}", json={"comment": "misprint"})
    new_id, _ = shop.voucher(code=code)
    assert shop.redeem(code, reference="b", order="1001").voucher_id == new_id
    assert shop.redeem(code, reference="c", order="1001").voucher_id == new_id


def test_a_first_answer_that_named_another_voucher_does_not_block_the_code_for_ever(shop: Shop) -> None:
    shop.voucher()
    voucher_id, code = shop.voucher()
    shop.running.inject("wrong-voucher", RESERVE)
    assert shop.gateway.reserve("shop", code, TEN, reference="a", order="1001").voucher_id != voucher_id
    assert shop.redeem(code, reference="b", order="1001").voucher_id == voucher_id


def test_a_look_up_that_names_another_voucher_is_no_answer(shop: Shop) -> None:
    voucher_id, code = _known(shop)
    assert shop.gateway.balance("shop", code).voucher_id == voucher_id
    shop.running.inject("wrong-voucher", LIST)
    with pytest.raises(IntegrityMismatch):
        shop.gateway.balance("shop", code)
    shop.running.inject("wrong-voucher", LIST)
    found = shop.gateway.find(code, broadcast=True)
    assert (found.state, found.vouchers) == ("incomplete", ())
    assert isinstance(found.failed["shop"], IntegrityMismatch)
    assert shop.gateway.find(code, broadcast=True).voucher is not None
