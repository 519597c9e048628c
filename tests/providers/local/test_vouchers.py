"""Vouchers coming into being, changing, and going."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.providers.local.conftest import START, MakeTill, Till, eur
from voucher_gateway.provider_api import (
    AmountOutOfRange,
    DuplicateCode,
    Interval,
    InvalidRequest,
    Medium,
    Money,
    NewVoucher,
    Rejected,
    Status,
    Validity,
    Voucher,
    VoucherChanges,
    VoucherExpired,
    VoucherNotFound,
)

EVERYTHING: dict[str, Any] = {
    "id": "gift/7 ä",
    "code": "GIFT-7K2M-9QXD",
    "pin": "4711",
    "active": True,
    "medium": Medium.PRINT,
    "valid_until": datetime(2029, 12, 31, 23, 59, 59, 123456, tzinfo=UTC),
    "taxable": True,
    "tax_rate": "19",
    "sku": "SKU-1",
    "batch": "spring",
    "order": "1001",
    "metadata": {"for": "Älise", "lines": [1, Decimal("2.50"), None], "deep": {"x": True}},
}


def test_nothing_of_a_new_voucher_is_dropped(either_till: Till) -> None:
    voucher = either_till.issue("49.90", **EVERYTHING)
    voucher = either_till.provider.get("gift/7 ä", secrets=True)
    assert voucher == voucher
    assert voucher.code is not None
    assert voucher.pin is not None
    told = {
        **EVERYTHING,
        "code": voucher.code.reveal(),
        "pin": voucher.pin.reveal(),
        "active": voucher.status is Status.ACTIVE,
    }
    assert told == EVERYTHING
    for name, value in EVERYTHING.items():
        if name not in ("code", "pin", "active"):
            assert getattr(voucher, name) == value, name
    assert (voucher.initial, voucher.remaining) == (eur("49.90"), eur("49.90"))
    assert (voucher.created_at, voucher.updated_at, voucher.deletable) == (START, START, True)


def test_a_pin_shows_only_where_secrets_are_asked_for(either_till: Till) -> None:
    voucher = either_till.issue(pin="4711", code="GIFT-1")
    provider = either_till.provider
    assert [one.pin for one in (provider.get(voucher.id), provider.find("GIFT-1"), *provider.vouchers())] == [None] * 3
    pin = provider.get(voucher.id, secrets=True).pin
    assert pin is not None
    assert pin.reveal() == "4711"


def test_a_voucher_without_wishes_is_inactive_and_has_an_id_and_a_code_of_its_own(either_till: Till) -> None:
    one, other = (either_till.provider.issue(NewVoucher(initial=eur("5.00")), reference=name) for name in "ab")
    assert one.status is Status.INACTIVE
    assert one.id != other.id
    assert one.code is not None
    assert one.code != other.code
    assert len(one.code.reveal()) == 16
    assert either_till.provider.find(one.code).id == one.id


def test_made_codes_have_the_length_and_letters_of_the_settings(make_till: MakeTill, own_url: str) -> None:
    till = make_till(own_url, code_length=9, code_alphabet="0123456789")
    codes = {till.code() for _ in range(20)}
    assert len(codes) == 20
    assert all(len(code) == 9 and code.isdigit() for code in codes)


@pytest.mark.parametrize(("taken", "what"), [({"code": "GIFT-1"}, "code"), ({"id": "one"}, "id")])
def test_a_code_or_id_is_given_out_once(either_till: Till, taken: dict[str, str], what: str) -> None:
    either_till.issue("5.00", **taken)
    with pytest.raises(DuplicateCode, match=what) as caught:
        either_till.issue("6.00", **taken)
    assert (caught.value.account, caught.value.operation) == ("own", "issue")
    assert len(list(either_till.provider.vouchers())) == 1


@pytest.mark.parametrize("amount", ["0.00", "0.01", "9999999999999.00"])
def test_every_amount_in_range_is_kept_to_the_cent(either_till: Till, amount: str) -> None:
    assert either_till.issue(amount).remaining == eur(amount)


@pytest.mark.parametrize("money", [Money("1500", "JPY"), Money("1.234", "BHD"), Money("0.0001", "CLF")])
def test_every_currency_keeps_its_own_decimals(either_till: Till, money: Money) -> None:
    voucher = either_till.provider.issue(NewVoucher(initial=money, active=True), reference="a")
    assert voucher.code is not None
    assert either_till.provider.redeem(voucher.code, money, reference="b").money == money


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"initial": eur("-1.00")}, "amount"),
        ({"initial": eur("10000000000000.00")}, "amount"),
        ({"code": ""}, "code"),
        ({"code": "x" * 256}, "code"),
        ({"pin": "\x00"}, "pin"),
        ({"id": "\ud800"}, "id"),
        ({"sku": ""}, "sku"),
        ({"metadata": {"a": 1.5}}, "metadata"),
        ({"medium": Medium.UNKNOWN}, "medium"),
        ({"validity": Validity(0, Interval.DAYS)}, "validity"),
        ({"validity": Validity(1, Interval.UNKNOWN)}, "validity"),
        ({"validity": Validity(9000, Interval.YEARS)}, "validity"),
        ({"validity": Validity(1, Interval.DAYS), "valid_until": START}, "validity"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_written(till: Till, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        till.issue(**fields)
    assert caught.value.field == field
    assert till.rows("local_vouchers") == []


def test_an_account_of_one_currency_issues_no_other(make_till: MakeTill, own_url: str) -> None:
    till = make_till(own_url, currency="EUR")
    with pytest.raises(InvalidRequest, match="EUR, not in CHF"):
        till.issue(initial=Money(5, "CHF"))


# --- validity ---


@pytest.mark.parametrize(
    ("start", "validity", "end"),
    [
        ("2026-03-01T12:00:00", Validity(10, Interval.DAYS), "2026-03-11T12:00:00"),
        ("2026-03-01T12:00:00", Validity(2, Interval.WEEKS), "2026-03-15T12:00:00"),
        ("2026-01-31T12:00:00", Validity(1, Interval.MONTHS), "2026-02-28T12:00:00"),
        ("2026-11-30T12:00:00", Validity(3, Interval.MONTHS), "2027-02-28T12:00:00"),
        ("2028-02-29T12:00:00", Validity(3, Interval.YEARS), "2031-02-28T12:00:00"),
        ("2026-12-15T12:00:00", Validity(1, Interval.MONTHS), "2027-01-15T12:00:00"),
    ],
)
def test_a_relative_validity_starts_with_the_activation(till: Till, start: str, validity: Validity, end: str) -> None:
    till.clock.now = datetime.fromisoformat(start).replace(tzinfo=UTC)
    voucher = till.issue(active=False, validity=validity)
    assert voucher.valid_until is None
    activated = till.provider.activate(voucher.id, reference="a")
    assert (activated.valid_until, activated.validity) == (datetime.fromisoformat(end).replace(tzinfo=UTC), validity)


def test_a_voucher_issued_active_is_valid_from_then_on(either_till: Till) -> None:
    voucher = either_till.issue(validity=Validity(1, Interval.DAYS))
    assert voucher.valid_until == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_second_activation_does_not_start_the_validity_again(either_till: Till) -> None:
    voucher = either_till.issue(validity=Validity(1, Interval.DAYS))
    either_till.clock.advance(hours=3)
    either_till.provider.deactivate(voucher.id, reference="a")
    assert either_till.provider.activate(voucher.id, reference="b").valid_until == voucher.valid_until


# --- changes ---


def test_activation_and_deactivation_are_seen_and_remembered(either_till: Till) -> None:
    voucher = either_till.issue(active=False)
    either_till.clock.advance(minutes=1)
    activated = either_till.provider.activate(voucher.id, reference="a")
    assert (activated.status, activated.updated_at) == (Status.ACTIVE, either_till.clock.now)
    assert either_till.provider.deactivate(voucher.id, reference="b").status is Status.INACTIVE
    assert either_till.provider.get(voucher.id).status is Status.INACTIVE


def test_an_update_changes_what_it_names_and_nothing_else(either_till: Till) -> None:
    voucher = either_till.issue("49.90", **EVERYTHING)
    until = datetime(2031, 1, 1, tzinfo=UTC)
    either_till.provider.update(voucher.id, VoucherChanges(sku="SKU-2"), reference="a")
    either_till.provider.update(voucher.id, VoucherChanges(batch=None), reference="b")
    changed = either_till.provider.update(voucher.id, VoucherChanges(valid_until=until), reference="c")
    assert (changed.sku, changed.batch, changed.valid_until) == ("SKU-2", None, until)
    assert (changed.tax_rate, changed.metadata, changed.code) == (voucher.tax_rate, voucher.metadata, voucher.code)
    assert either_till.provider.update(voucher.id, VoucherChanges(valid_until=None), reference="d").valid_until is None


def test_an_end_that_is_set_takes_the_place_of_a_relative_validity(either_till: Till) -> None:
    voucher = either_till.issue(active=False, validity=Validity(1, Interval.DAYS))
    either_till.provider.update(voucher.id, VoucherChanges(valid_until=None), reference="a")
    activated = either_till.provider.activate(voucher.id, reference="b")
    assert (activated.valid_until, activated.validity) == (None, None)


def test_a_top_up_adds_value_to_an_inactive_voucher_too_but_not_to_an_expired_one(either_till: Till) -> None:
    voucher = either_till.issue("5.00", active=False, valid_until=datetime(2026, 4, 1, tzinfo=UTC))
    done = either_till.provider.top_up(voucher.id, eur("2.50"), reference="a", order="1001")
    assert (done.money, done.remaining, done.order) == (eur("2.50"), eur("7.50"), "1001")
    either_till.clock.advance(days=365)
    with pytest.raises(VoucherExpired):
        either_till.provider.top_up(voucher.id, eur("2.50"), reference="b")


def test_no_voucher_can_be_topped_up_beyond_what_can_be_kept(either_till: Till) -> None:
    voucher = either_till.provider.issue(NewVoucher(initial=Money("9999999999999", "CLF"), active=True), reference="a")
    with pytest.raises(AmountOutOfRange):
        either_till.provider.top_up(voucher.id, Money("9999999999999", "CLF"), reference="b")


# --- deletion ---


def test_a_voucher_that_never_moved_can_be_deleted_and_its_id_and_code_used_again(either_till: Till) -> None:
    voucher = either_till.issue("5.00", id="one", code="GIFT-1", pin="4711")
    gone = either_till.provider.delete("one", "printed wrongly", reference="a")
    assert gone.voucher_id == "one"
    reads: list[Callable[[], Voucher]] = [
        lambda: either_till.provider.get("one"),
        lambda: either_till.provider.find("GIFT-1"),
    ]
    for read in reads:
        with pytest.raises(VoucherNotFound):
            read()
    assert list(either_till.provider.vouchers()) == []
    (row,) = either_till.rows("local_vouchers")
    assert (row["sealed"], row["fingerprint"]) == (None, None)
    assert either_till.issue("6.00", id="one", code="GIFT-1").created_at == voucher.created_at


def test_what_was_deleted_is_worth_nothing_in_the_ledger(either_till: Till) -> None:
    voucher = either_till.issue("5.00")
    either_till.provider.delete(voucher.id, "printed wrongly", reference="a")
    assert sum(row["amount"] for row in either_till.rows("local_entries")) == 0


def test_a_voucher_with_movements_or_a_reservation_cannot_be_deleted(either_till: Till) -> None:
    moved, held = either_till.code("50.00", id="moved"), either_till.code("50.00", id="held")
    either_till.redeem(moved)
    either_till.reserve(held)
    for id in ("moved", "held"):
        assert either_till.provider.get(id).deletable is False
        with pytest.raises(Rejected, match="no movement and no reservation"):
            either_till.provider.delete(id, "why not", reference=id)
    either_till.clock.advance(minutes=31)
    assert either_till.provider.get("held").deletable is True
    either_till.provider.delete("held", "nobody came", reference="later")


@pytest.mark.parametrize("call", ["activate", "deactivate", "delete", "top_up", "update", "get", "history"])
def test_a_voucher_that_is_not_there_is_not_found(till: Till, call: str) -> None:
    more: dict[str, tuple[Any, ...]] = {
        "delete": ("a reason",),
        "top_up": (eur("1.00"),),
        "update": (VoucherChanges(sku="x"),),
    }
    named = {} if call in ("get", "history") else {"reference": "a"}
    with pytest.raises(VoucherNotFound) as caught:
        getattr(till.provider, call)("nobody", *more.get(call, ()), **named)
    assert (caught.value.account, caught.value.operation) == ("own", call)
