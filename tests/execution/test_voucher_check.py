"""A reply that names another voucher than the one that the journal knows for a code is never a success."""

from __future__ import annotations

import pytest

from tests.support.shop import Shop
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider_api import IntegrityMismatch, Money, NotExecuted, OutcomeUnknown

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
    assert entry.state is OperationState.UNKNOWN


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
    till = shop.request("POST", "/clients/connect", {"pin": said["connect_pin"]})
    from voucher_gateway.provider_api import SecretSource

    other = shop.another_gateway(client_id=till["id"], client_secret=SecretSource.of(till["secret"]))
    shop.running.inject("wrong-voucher", RESERVE)
    assert other.reserve("shop", code, TEN, reference="z", order="1001").voucher_id is not None


def test_a_code_that_was_deleted_and_issued_again_is_the_new_voucher(shop: Shop) -> None:
    voucher_id, code = shop.voucher(code="JTL-AGAIN-1")
    shop.gateway.reserve("shop", code, TEN, reference="a", order="1001")
    shop.request("PATCH", f"/vouchers/{voucher_id}/status", {"status": "inactive", "comment": "misprint"})
    shop.request("DELETE", f"/vouchers/{voucher_id}", {"comment": "misprint"})
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
    result = shop.gateway.find(code, broadcast=True)
    assert (result.state, result.vouchers) == ("incomplete", ())
    assert isinstance(result.failed["shop"], IntegrityMismatch)
    assert shop.gateway.find(code, broadcast=True).voucher is not None


@pytest.mark.parametrize("fault", [None, "commit-then-drop"])
@pytest.mark.parametrize("by", ["recover", "the same reference", "recover without secrets"])
def test_the_history_of_another_voucher_does_not_prove_that_nothing_was_taken(
    either_shop: Shop, fault: str | None, by: str
) -> None:
    """The reservation of a code that the journal does not know yet is answered with another voucher."""
    if fault is not None and by == "recover without secrets":
        pytest.skip("nothing shows there that the answer to the reservation was wrong")
    either_shop.voucher()
    voucher_id, code = either_shop.voucher()
    either_shop.running.inject("wrong-voucher", "POST /v1/reservations")
    if fault is not None:
        either_shop.running.inject(fault, "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        either_shop.redeem(code)
    either_shop.running.clock.advance(32 * 60)
    scopes = ("read", "read-lists", "use") if by == "recover without secrets" else ()
    gateway = either_shop.another_gateway(scopes=scopes)
    if by != "the same reference":
        assert [resolution.state for resolution in gateway.recover(everything=True)] == [OperationState.UNKNOWN]
    with pytest.raises(OutcomeUnknown, match="another voucher"):
        either_shop.redeem(code)
    assert either_shop.charges() == 1
    assert either_shop.remaining(voucher_id) == "40.00"


@pytest.mark.parametrize("scopes", [(), ("read", "read-lists", "use")])
def test_a_lost_capture_of_a_reservation_is_looked_for_at_the_voucher_of_its_code(
    shop: Shop, scopes: tuple[str, ...]
) -> None:
    _, code = shop.voucher()
    reservation = shop.gateway.reserve("shop", code, TEN, reference="1001-a")
    shop.running.inject("drop-before", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.capture("shop", reservation, reference="1001-a")
    shop.running.clock.advance(32 * 60)
    gateway = shop.another_gateway(scopes=scopes)
    assert [resolution.state for resolution in gateway.recover(everything=True)] == [OperationState.NOT_EXECUTED]


def test_the_capture_of_a_reservation_of_another_voucher_is_not_called_undone(shop: Shop) -> None:
    shop.voucher()
    voucher_id, code = shop.voucher()
    shop.running.inject("wrong-voucher", "POST /v1/reservations")
    reservation = shop.gateway.reserve("shop", code, TEN, reference="1001-a")
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.capture("shop", reservation, reference="1001-a")
    shop.running.clock.advance(32 * 60)
    assert [resolution.state for resolution in shop.gateway.recover(everything=True)] == [OperationState.UNKNOWN]
    assert shop.remaining(voucher_id) == "40.00"
