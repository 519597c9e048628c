"""References and order numbers are compared in Unicode's normal form C."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shop import Shop
from voucher_gateway import Gateway
from voucher_gateway.errors import ReferenceConflict, VoucherHeld
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.provider_api import InvalidRequest, Money, NewVoucher, Operation, OutcomeUnknown

TEN = Money("10.00", "EUR")
COMPOSED = unicodedata.normalize("NFC", "Müller-1")
DECOMPOSED = unicodedata.normalize("NFD", "Müller-1")


def test_one_reference_in_two_forms_is_one_operation(shop: Shop) -> None:
    _, code = shop.voucher()
    _, other_code = shop.voucher()
    taken = shop.redeem(code, reference=DECOMPOSED)
    again = shop.redeem(code, reference=COMPOSED)
    assert (taken.reference, again.reference, again.replayed) == (COMPOSED, COMPOSED, True)
    with pytest.raises(ReferenceConflict):
        shop.redeem(other_code, reference=DECOMPOSED)
    assert shop.charges() == 1


def test_the_journal_finds_an_operation_by_either_form(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.gateway.reserve("shop", code, TEN, reference=DECOMPOSED)
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    reservation = shop.gateway.reservation("shop", COMPOSED)
    with pytest.raises(OutcomeUnknown):
        shop.gateway.capture("shop", reservation, reference=COMPOSED)
    for form in (COMPOSED, DECOMPOSED):
        assert shop.gateway.resolve(OperationKey("shop", Operation.CAPTURE, form)).state.value == "succeeded"
        assert shop.gateway.redemption("shop", form).money == TEN
        assert shop.gateway.operation("shop", "capture", form) is not None


def test_one_order_in_two_forms_is_one_order(shop: Shop) -> None:
    """Else a customer's second try would count as another order's, which may not end the first reservation."""
    _, code = shop.voucher()
    shop.gateway.reserve("shop", code, TEN, reference="1", order=DECOMPOSED)
    again = shop.gateway.reserve("shop", code, TEN, reference="2", order=COMPOSED)
    assert again.order == COMPOSED
    with pytest.raises(VoucherHeld):
        shop.gateway.reserve("shop", code, TEN, reference="3", order="another")


def test_the_vendor_gets_the_order_in_one_form(shop: Shop) -> None:
    new = NewVoucher(initial=TEN)
    made = [
        shop.gateway.issue("shop", new, reference="1", order=DECOMPOSED),
        shop.gateway.issue("shop", NewVoucher(initial=TEN, order=DECOMPOSED), reference="2"),
    ]
    orders = [shop.gateway.provider("shop").get(voucher.id).order for voucher in made]
    assert orders == [COMPOSED, COMPOSED]
    again = shop.gateway.issue("shop", NewVoucher(initial=TEN, order=COMPOSED), reference="2")
    assert again.id == made[1].id


def test_without_a_journal_too(shop: Shop) -> None:
    _, code = shop.voucher()
    with Gateway({"shop": shop.provider()}) as bare:
        assert bare.redeem("shop", code, TEN, reference=DECOMPOSED, order=DECOMPOSED).reference == COMPOSED


@pytest.mark.parametrize(
    "invisible",
    [
        "\ufe0f",
        "\ufe00",
        "\u034f",
        "\u115f",
        "\u1160",
        "\u17b4",
        "\u180b",
        "\u3164",
        "\uffa0",
        "\U000e0101",
        "\u200b",
        "\u00ad",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("field", ["reference", "order"])
def test_what_displays_ignore_is_refused(shop: Shop, invisible: str, field: str) -> None:
    names: dict[str, Any] = {"reference": "1001-a", field: f"1001{invisible}-a"}
    with pytest.raises(InvalidRequest, match=rf"{field} must have 1 to 200 printable"):
        shop.redeem("ANY-CODE", **names)


def test_the_length_counts_after_the_normal_form(shop: Shop) -> None:
    _, code = shop.voucher()
    assert shop.redeem(code, reference=unicodedata.normalize("NFD", "ü" * 200)).reference == "ü" * 200
    with pytest.raises(InvalidRequest):
        shop.redeem(code, reference="\u0958" * 101)  # which has no single character in the normal form


@given(st.text(st.characters(categories=["L", "M", "N"]), min_size=1))
def test_a_key_is_the_same_in_all_forms(name: str) -> None:
    keys = {OperationKey("shop", Operation.REDEEM, unicodedata.normalize(form, name)) for form in ("NFC", "NFD")}
    assert len(keys) == 1
