"""The domain classes: frozen, comparable, and silent about the vendor's own object."""

from __future__ import annotations

import copy
import enum
import inspect
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from voucher_gateway.errors import IntegrityMismatch, MalformedResponse
from voucher_gateway.masking import Code
from voucher_gateway.models import presentation, requests, results
from voucher_gateway.models import voucher as vouchers
from voucher_gateway.models.presentation import Branding, DocumentLayout, FooterColumn, Presentation, Seller
from voucher_gateway.models.requests import NewVoucher, VoucherChanges, VoucherQuery
from voucher_gateway.models.results import (
    Balance,
    Deletion,
    History,
    Movement,
    Redemption,
    Refund,
    RefundLimit,
    Release,
    Reservation,
    TopUp,
    ValueResult,
)
from voucher_gateway.models.voucher import Interval, Medium, MovementKind, MovementState, Status, Validity, Voucher
from voucher_gateway.money import Money

EUR = Money("10.53", "EUR")
MOVEMENT = Movement(account="shop", id="m-1", kind=MovementKind.REDEMPTION, money=EUR)

WITH_RAW: list[Callable[..., Any]] = [
    lambda **more: Voucher(account="shop", id="v-1", initial=EUR, **more),
    lambda **more: Reservation(account="shop", id="r-1", money=EUR, **more),
    lambda **more: Redemption(account="shop", id="c-1", money=EUR, **more),
    lambda **more: Refund(account="shop", id="f-1", money=EUR, **more),
    lambda **more: TopUp(account="shop", id="t-1", money=EUR, **more),
    lambda **more: Movement(account="shop", kind=MovementKind.TOP_UP, money=EUR, **more),
    lambda **more: Presentation(account="shop", voucher=Voucher(account="shop", id="v-1", links={"a": "1"}), **more),
]
WITHOUT_RAW: list[Callable[[], Any]] = [
    lambda: Balance(account="shop", voucher_id="v-1", remaining=EUR),
    lambda: Release(account="shop", reservation_id="r-1", freed=True),
    lambda: Deletion(account="shop", voucher_id="v-1"),
    lambda: History(voucher_id="v-1", movements=(MOVEMENT,), complete=True),
    lambda: Seller(name="Hall", tax_rate="19"),
    lambda: Branding(shop_logo="https://pictures.example/logo.png"),
    lambda: DocumentLayout(footer=(FooterColumn(text="left"),)),
    lambda: FooterColumn(text="left", active=True),
    lambda: Validity(3, Interval.YEARS),
    lambda: NewVoucher(initial=EUR),
    lambda: VoucherChanges(sku="gift"),
    lambda: VoucherQuery(status=Status.ACTIVE),
]


@pytest.mark.parametrize("make", [*WITH_RAW, *WITHOUT_RAW], ids=lambda make: type(make()).__name__)
def test_a_value_cannot_be_changed_and_equals_its_copies(make: Callable[[], Any]) -> None:
    value = make()
    name = attrs.fields(type(value))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, getattr(value, name))
    copies = [copy.copy(value), copy.deepcopy(value), attrs.evolve(value), pickle.loads(pickle.dumps(value))]
    for again in (make(), *copies):
        assert again == value
        assert hash(again) == hash(value)


@pytest.mark.parametrize("make", WITH_RAW, ids=lambda make: type(make()).__name__)
def test_the_vendor_s_own_object_takes_no_part_in_repr_equality_and_hash(make: Callable[..., Any]) -> None:
    bare, full = make(), make(raw={"code": "GIFT-1234-ABCD"})
    assert bare == full
    assert hash(bare) == hash(full)
    assert repr(bare) == repr(full)
    assert full.raw == {"code": "GIFT-1234-ABCD"}


def test_every_class_that_has_a_raw_object_is_looked_at_here() -> None:
    modules = (presentation, requests, results, vouchers)
    names = {(module, name) for module in modules for name in vars(module) if not name.startswith("_")}
    classes = {getattr(module, name) for module, name in names}
    classes = {
        kind for kind in classes if inspect.isclass(kind) and kind.__module__.startswith("voucher_gateway.models")
    }
    classes -= {ValueResult, RefundLimit}  # a base class, and a value of the journal
    have_raw = {kind for kind in classes if attrs.has(kind) and "raw" in attrs.fields_dict(kind)}
    assert have_raw == {type(make()) for make in WITH_RAW}
    values = {kind for kind in classes if attrs.has(kind)}
    assert values == have_raw | {type(make()) for make in WITHOUT_RAW}


def test_vouchers_with_metadata_are_hashable_and_differ_by_it() -> None:
    one = Voucher(account="shop", id="1", metadata={"till": 3})
    other = Voucher(account="shop", id="1", metadata={"till": 4})
    assert one != other
    assert hash(one) == hash(other)


def test_what_the_vendor_did_not_say_is_none() -> None:
    voucher = Voucher(account="shop", id="1")
    said = {name for name, value in attrs.asdict(voucher, recurse=False).items() if value is not None}
    assert said == {"account", "id", "links", "replayed", "unread"}
    assert dict(voucher.links) == {}
    assert not voucher.unread


def test_a_replayed_result_equals_the_first_one() -> None:
    first = Redemption(account="shop", id="c-1", money=EUR)
    again = attrs.evolve(first, replayed=True)
    assert (first.replayed, again.replayed) == (False, True)
    assert first == again
    assert hash(first) == hash(again)


@pytest.mark.parametrize("words", [Status, Medium, Interval, MovementKind])
def test_every_set_of_words_has_one_for_what_we_do_not_know(words: type[enum.StrEnum]) -> None:
    assert words("unknown") in words
    assert all(str(word) == word.value == word.name.lower() for word in words)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (MovementKind.ISSUE, "10.53"),
        (MovementKind.REVERSAL_UP, "10.53"),
        (MovementKind.EXPIRY, "-10.53"),
        (MovementKind.CASH_OUT, "-10.53"),
        (MovementKind.BLOCK, "0"),
        (MovementKind.UNKNOWN, None),
    ],
)
def test_the_kind_of_a_movement_says_the_direction_of_its_amount(kind: MovementKind, change: str | None) -> None:
    assert attrs.evolve(MOVEMENT, kind=kind).change == (None if change is None else Decimal(change))


@pytest.mark.parametrize("kind", MovementKind)
@pytest.mark.parametrize("state", [MovementState.PENDING, MovementState.CANCELLED])
def test_what_has_not_happened_has_moved_nothing(kind: MovementKind, state: MovementState) -> None:
    assert attrs.evolve(MOVEMENT, kind=kind, state=state).change == 0


def test_an_amount_that_is_not_shown_leaves_the_change_unknown() -> None:
    assert attrs.evolve(MOVEMENT, money=None).change is None
    assert Movement(account="shop", kind=MovementKind.DEACTIVATION).change == 0
    assert Movement(account="shop", kind=MovementKind.ACTIVATION).change == 0


def test_only_an_active_voucher_is_known_to_be_spendable() -> None:
    assert {status: status.spendable for status in Status} == {
        **dict.fromkeys(Status, False),
        Status.ACTIVE: True,
        Status.UNKNOWN: None,
    }


def test_a_history_is_read_like_a_sequence_of_its_movements() -> None:
    history = History(voucher_id="v-1", movements=(MOVEMENT, MOVEMENT), complete=False)
    assert list(history) == [MOVEMENT, MOVEMENT]
    assert len(history) == 2


def test_a_new_voucher_that_is_compared_shows_no_code() -> None:
    new = NewVoucher(initial=EUR, code="GIFT-1234-ABCD", pin="987654")
    assert new.code == Code("GIFT-1234-ABCD")
    assert "GIFT" not in repr(new)
    assert "987654" not in repr(new)


# --- results from movements ---


@pytest.mark.parametrize("kind", [Redemption, Refund, TopUp])
def test_the_vendors_record_of_a_movement_is_made_a_result(kind: type[Redemption | Refund | TopUp]) -> None:
    movement = attrs.evolve(MOVEMENT, voucher_id="v-1", reference="1001", raw={"id": "m-1"})
    result = kind.from_movement(movement, expected=EUR, order="O-1", remaining=Money("1", "EUR"))
    assert result == kind(
        account="shop",
        id="m-1",
        voucher_id="v-1",
        money=EUR,
        reference="1001",
        order="O-1",
        remaining=Money("1", "EUR"),
    )
    assert result.raw == {"id": "m-1"}


def test_a_movement_of_another_amount_is_not_the_result() -> None:
    with pytest.raises(IntegrityMismatch, match=r"moved 10\.53 EUR, not 10\.54 EUR"):
        Redemption.from_movement(MOVEMENT, expected=Money("10.54", "EUR"))


def test_a_result_needs_the_id_of_its_movement() -> None:
    unnamed = attrs.evolve(MOVEMENT, id=None)
    with pytest.raises(MalformedResponse, match="has no id"):
        TopUp.from_movement(unnamed)
    assert TopUp.from_movement(unnamed, id="t-1").id == "t-1"


def test_a_movement_that_is_not_completed_or_has_no_amount_proves_no_result() -> None:
    with pytest.raises(IntegrityMismatch, match="pending, not completed"):
        Redemption.from_movement(attrs.evolve(MOVEMENT, state=MovementState.PENDING))
    with pytest.raises(MalformedResponse, match="no amount"):
        Redemption.from_movement(attrs.evolve(MOVEMENT, money=None))
