"""What is owed, by currency, standing, month of expiry and age."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from tests.reports.memory_vendor import NOON, MemoryVendor
from voucher_gateway import Gateway
from voucher_gateway.provider_api import Code, Money, NotExecuted, ProviderUnavailable, Status, Voucher, parse_instant
from voucher_gateway.reports import BalanceStatus, BucketTotal, VoucherBalance, read_liability
from voucher_gateway.reports.liability import NO_AGE, NO_END, NOT_STARTED, cell_of, status_at
from voucher_gateway.reports.text import expiry_of, liability_notes, liability_tables, liability_warnings
from voucher_gateway.simulator import start


def money(amount: str, currency: str = "EUR") -> Money:
    return Money(amount, currency)


def test_what_can_be_spent_is_outstanding_and_the_rest_stands_apart(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", "10.53")
    vendor.put("b", "0.02", status=None)
    vendor.put("odd", "0.01", status=Status.UNKNOWN)
    vendor.put("c", "20.00", status=Status.INACTIVE)
    vendor.put("d", "40.00", valid_until=NOON - timedelta(days=1))
    vendor.put("e", "0.00", initial=money("5.00"))
    vendor.put("f", "80.00", status=Status.INACTIVE, valid_until=NOON - timedelta(days=1))
    (one,) = read_liability(gateway, ["shop"]).accounts
    assert {standing: one.sum("EUR", standing) for standing in BalanceStatus} == {
        BalanceStatus.OUTSTANDING: BucketTotal(3, money("10.56")),
        BalanceStatus.BLOCKED: BucketTotal(0, money("0.00")),
        BalanceStatus.INACTIVE: BucketTotal(1, money("20.00")),
        BalanceStatus.EXPIRED: BucketTotal(2, money("120.00")),
        BalanceStatus.USED_UP: BucketTotal(1, money("0.00")),
        BalanceStatus.UNKNOWN: BucketTotal(0, money("0.00")),
    }
    assert one.consistent is True
    assert one.vouchers == 7


@pytest.mark.parametrize(
    ("status", "remaining", "standing"),
    [
        (Status.PENDING, "0.00", BalanceStatus.INACTIVE),
        (Status.PENDING, "5.00", BalanceStatus.INACTIVE),
        (Status.BLOCKED, "5.00", BalanceStatus.BLOCKED),
        (Status.DEACTIVATED, "5.00", BalanceStatus.INACTIVE),
        (Status.EXPIRED, "5.00", BalanceStatus.EXPIRED),
        (Status.USED_UP, "0.00", BalanceStatus.USED_UP),
    ],
)
def test_the_status_says_why_a_voucher_owes_nothing(status: Status, remaining: str, standing: BalanceStatus) -> None:
    assert status_at(VoucherBalance(id="a", remaining=money(remaining), status=status), NOON) is standing


def test_blocked_vouchers_have_a_column_where_there_are_any(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", "10.00")
    headings = [column.name for column in liability_tables(read_liability(gateway, ["shop"]))[0].columns]
    vendor.put("b", "5.00", status=Status.BLOCKED)
    table = liability_tables(read_liability(gateway, ["shop"]))[0]
    assert [column.name for column in table.columns] == [*headings[:4], "blocked", *headings[4:]]
    assert table.rows == (("shop", "EUR", "2", "10.00", "5.00", "0.00", "0.00", "0"),)


def test_a_voucher_is_owed_up_to_the_moment_when_its_validity_ends() -> None:
    ending = VoucherBalance(id="a", remaining=money("1.00"), valid_until=NOON)
    assert status_at(ending, NOON - timedelta(microseconds=1)) is BalanceStatus.OUTSTANDING
    assert status_at(ending, NOON) is BalanceStatus.EXPIRED


def test_the_vendors_clock_decides_what_has_expired(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", valid_until=NOON + timedelta(hours=1))
    vendor.clock = NOON + timedelta(hours=2)
    (one,) = read_liability(gateway, ["shop"]).accounts
    assert one.sum("EUR", BalanceStatus.EXPIRED).vouchers == 1
    assert timedelta(0) <= vendor.clock - one.at < timedelta(seconds=10)


def test_currencies_are_never_added_together(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", "10.00", "EUR")
    vendor.put("b", "1000", "JPY")
    found = read_liability(gateway, ["shop"])
    assert found.currencies == ("EUR", "JPY")
    assert found.total("EUR").money == money("10.00")
    assert found.total("JPY").money == money("1000", "JPY")


def test_months_of_expiry_are_those_of_utc_and_none_is_told_from_not_started() -> None:
    vendor = MemoryVendor()
    berlin = datetime.fromisoformat("2027-01-01T00:30:00+01:00")
    vendor.put("a", "1.00", valid_until=berlin.astimezone(UTC))
    vendor.put("b", "2.00")
    vendor.put("c", "4.00", status=Status.INACTIVE)
    vendor.put("d", "8.00", valid_until=datetime(9999, 12, 31, tzinfo=UTC))
    (one,) = read_liability(Gateway({"shop": vendor}), ["shop"]).accounts
    assert {key: found.money for key, found in one.by("EUR", BalanceStatus.OUTSTANDING, expiry_of).items()} == {
        "2026-12": money("1.00"),
        "9999-12": money("8.00"),
        NO_END: money("2.00"),
    }
    assert list(one.by("EUR", BalanceStatus.INACTIVE, expiry_of)) == [NO_END]


@pytest.mark.parametrize(
    ("created", "age"),
    [
        (NOON, "under 3 months"),
        (NOON + timedelta(days=1), "under 3 months"),
        (datetime(2026, 8, 21, 12, 0, 1, tzinfo=UTC), "under 3 months"),
        (datetime(2026, 8, 21, 12, tzinfo=UTC), "3 to 6 months"),
        (datetime(2026, 5, 21, 12, tzinfo=UTC), "6 to 12 months"),
        (datetime(2025, 11, 21, 12, tzinfo=UTC), "1 to 2 years"),
        (datetime(2024, 11, 21, 12, tzinfo=UTC), "2 to 3 years"),
        (datetime(2023, 11, 21, 12, tzinfo=UTC), "over 3 years"),
        (datetime(1999, 1, 1, tzinfo=UTC), "over 3 years"),
        (None, NO_AGE),
    ],
)
def test_age_counts_in_whole_months_from_the_making(created: datetime | None, age: str) -> None:
    assert cell_of(VoucherBalance(id="a", created_at=created), NOON, relative=False).age == age


def test_a_voucher_whose_list_entry_is_silent_is_asked_by_itself(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", "10.00")
    vendor.put("b", "0.53")
    vendor.silent = {"b"}
    (one,) = read_liability(gateway, ["shop"]).accounts
    assert vendor.asked == ["b"]
    assert one.sum("EUR", BalanceStatus.OUTSTANDING) == BucketTotal(2, money("10.53"))


def test_a_voucher_that_only_its_code_can_tell_is_asked_by_its_code(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", "0.53", code=Code("GIFT-1234-ABCD"))
    vendor.mute = {"a"}
    (one,) = read_liability(gateway, ["shop"]).accounts
    assert one.sum("EUR", BalanceStatus.OUTSTANDING) == BucketTotal(1, money("0.53"))


def test_a_voucher_that_nothing_tells_is_counted_and_in_no_sum(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", "10.00")
    vendor.put("b", "99.00")
    vendor.mute = {"b"}
    found = read_liability(gateway, ["shop"])
    assert found.accounts[0].unknown == 1
    assert found.total("EUR") == BucketTotal(1, money("10.00"))
    assert liability_warnings(found) == [
        "shop: the vendor did not show the remaining value of 1 voucher, which no sum contains."
    ]


def test_a_used_up_voucher_without_a_face_value_has_its_currency(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a", "0.00", initial=None)
    (one,) = read_liability(gateway, ["shop"]).accounts
    assert one.sum("EUR", BalanceStatus.USED_UP).vouchers == 1


def test_a_list_that_changed_while_it_was_read_is_said(gateway: Gateway, vendor: MemoryVendor) -> None:
    for number in range(600):
        vendor.put(f"v-{number}")
    vendor.total = lambda index: 600 + index
    found = read_liability(gateway, ["shop"])
    assert [one.account for one in found.inconsistent] == ["shop"]
    (warning,) = liability_warnings(found)
    assert "changed while it was read" in warning
    assert "from 600 to 601" in warning


def test_a_vendor_without_a_total_proves_nothing_and_that_is_said(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a")
    vendor.total = lambda _: None
    found = read_liability(gateway, ["shop"])
    assert found.accounts[0].consistent is None
    assert liability_warnings(found) == []
    assert liability_notes(found) == [
        "shop: the vendor gives no total, so it is not proved that every voucher was listed."
    ]


def test_there_is_no_total_of_a_part(gateway: Gateway, vendor: MemoryVendor) -> None:
    vendor.put("a")

    def refuse(_: int) -> None:
        raise ProviderUnavailable("nobody answers")

    vendor.turning = refuse
    with pytest.raises(NotExecuted):
        read_liability(gateway, ["shop"])


class _Long:
    """Vouchers that are made as they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, wanted: Any) -> list[Voucher]:
        places = range(self._count)[wanted]
        return [Voucher(account="shop", id=f"v-{at}", remaining=money("1.00"), created_at=NOON) for at in places]


@pytest.mark.long
def test_memory_holds_no_voucher_but_a_hash(gateway: Gateway, vendor: MemoryVendor) -> None:
    def peak(count: int) -> int:
        vendor.listed_vouchers = _Long(count)  # type: ignore[assignment]  # all that is asked of it
        tracemalloc.start()
        try:
            assert read_liability(gateway, ["shop"]).total("EUR").vouchers == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1000)
    assert (peak(21_000) - peak(1000)) / 20_000 < 160


@pytest.mark.parametrize("vendor", ["jtl", "ticketing"])
def test_the_sums_are_those_of_the_vendors_own_ledger(vendor: str, account_at: Callable[..., dict[str, Any]]) -> None:
    with start(vendor, vouchers=400) as running:
        with Gateway.from_config({"accounts": {"shop": account_at(running)}}) as gateway:
            (one,) = read_liability(gateway, ["shop"]).accounts
        truth: Counter[tuple[str, BalanceStatus]] = Counter()
        for entry in running.ledger():
            currency, left, standing = _true(entry, running.clock.now())
            truth[currency, standing] += Money(left, currency).minor
        assert one.consistent is True
        assert one.vouchers == 400
        told = {
            (currency, standing): one.sum(currency, standing).money.minor
            for currency in one.currencies
            for standing in BalanceStatus
        }
        assert {key: value for key, value in told.items() if value} == {key: n for key, n in truth.items() if n}
        if vendor == "jtl":
            assert NOT_STARTED in one.by("EUR", BalanceStatus.INACTIVE, expiry_of)


def _true(entry: dict[str, Any], at: datetime) -> tuple[str, str, BalanceStatus]:
    """Judge a voucher of a simulator's ledger, whose names differ by vendor."""
    left, until = str(entry["remaining"]), entry.get("valid_until")
    currency = str(entry["currency"])
    if until is not None and parse_instant(str(until)) <= at:
        return currency, left, BalanceStatus.EXPIRED
    return currency, left, BalanceStatus.INACTIVE if entry.get("status") == "inactive" else BalanceStatus.OUTSTANDING


def test_accounts_stand_side_by_side_and_their_total_is_exact() -> None:
    first, second = MemoryVendor("first"), MemoryVendor("second")
    first.put("a", "0.10")
    second.put("a", "0.20")
    found = read_liability(Gateway({"first": first, "second": second}), ["first", "second"])
    assert [one.sum("EUR", BalanceStatus.OUTSTANDING).money for one in found.accounts] == [money("0.10"), money("0.20")]
    assert found.total("EUR") == BucketTotal(2, money("0.30"))
    assert attrs.evolve(found, accounts=found.accounts[:1]).total("EUR") == BucketTotal(1, money("0.10"))
