"""The values of JTL's filters: which are sent, in which form, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from voucher_gateway.provider_api import InvalidRequest, Money, NewVoucher, Status, VoucherQuery

if TYPE_CHECKING:
    import responses

    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway_jtl import JtlProvider

VOUCHERS = "https://vouchers.api.jtl-software.com/v1/vouchers"


@pytest.fixture
def sent_filters(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> Callable[..., dict[str, str]]:
    """Lists vouchers, and returns the filters that the vendor got."""

    def list_vouchers(**query: Any) -> dict[str, str]:
        vendor.get(VOUCHERS, json={"data": [], "meta": {"total": 0, "last_page": 1}})
        assert list(lone_adapter.vouchers(VoucherQuery(**query))) == []
        sent = parse_qs(urlsplit(str(vendor.calls[-1].request.url)).query, keep_blank_values=True)
        return {name: ",".join(values) for name, values in sent.items() if name.startswith("filter")}

    return list_vouchers


@pytest.fixture
def refuses(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> Callable[..., InvalidRequest]:
    """Lists vouchers, which is refused before anything is sent."""

    def list_vouchers(call: Callable[[JtlProvider], object]) -> InvalidRequest:
        with pytest.raises(InvalidRequest) as caught:
            call(lone_adapter)
        assert len(vendor.calls) == 0
        return caught.value

    return list_vouchers


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Money("10.50", "EUR"), "10.50"),
        (Money("500", "JPY"), "500.00"),
        (Money("10.500", "BHD"), "10.50"),
        (Money(0, "EUR"), "0.00"),
        (Money("999999.99", "EUR"), "999999.99"),
        ("10.5", "10.50"),
        ("10", "10.00"),
        ("0010.500", "10.50"),
        ("10.50 EUR", "10.50"),
        ("500 JPY", "500.00"),
    ],
)
def test_an_amount_is_sent_as_the_vendor_writes_it(
    sent_filters: Callable[..., dict[str, str]], amount: Any, text: str
) -> None:
    assert sent_filters(native={"amount": amount}) == {"filter[amount]": text}


@pytest.mark.parametrize(
    "amount",
    ["", "ten", "10,50", "10.505", "-1.00", "1e1", " 10", "10 €", "10 XXX", "1000000.00", "10.50EUR", "１０", 10, 10.5,
     None, True, Money("10.505", "BHD"), Money("-1", "EUR"), Money("1000000", "EUR"), ["10.50"]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_amount_of_the_vendors_is_refused(refuses: Callable[..., InvalidRequest], amount: Any) -> None:
    refused = refuses(lambda shop: shop.vouchers(VoucherQuery(native={"amount": amount})))
    assert refused.field == "native.amount"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("active", "active"),
        ("active,inactive", "active,inactive"),
        (["inactive", "active"], "inactive,active"),
        ((Status.ACTIVE,), "active"),
        (Status.INACTIVE, "inactive"),
    ],
)
def test_statuses_may_be_several(sent_filters: Callable[..., dict[str, str]], status: Any, text: str) -> None:
    assert sent_filters(native={"status": status}) == {"filter[status]": text}


@pytest.mark.parametrize(
    "status",
    ["", "bogus", "active,bogus", "Active", "active,", ",", "active, inactive", "unknown", "active,active", [],
     ["active", 7], [""], Status.UNKNOWN, 7, None],
    ids=repr,
)  # fmt: skip
def test_a_status_that_the_vendor_has_not_is_refused(refuses: Callable[..., InvalidRequest], status: Any) -> None:
    refused = refuses(lambda shop: shop.vouchers(VoucherQuery(native={"status": status})))
    assert refused.field == "native.status"


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"sku": "x" * 256}, "native.sku"),
        ({"batch": "x" * 31}, "native.batch"),
        ({"code": "x" * 256}, "native.code"),
        ({"id": "x" * 256}, "native.id"),
        ({"tax_rate": "\ud800"}, "native.tax_rate"),
        ({"client_id": "a\ud800"}, "native.client_id"),
        ({"client.client_group_id": ["a"]}, "native.client.client_group_id"),
        ({"type": 7}, "native.type"),
        ({"taxable": ["true"]}, "native.taxable"),
        ({"created_from": "9999-12-31T23:59:59.5Z"}, "native.created_from"),
    ],
)
def test_a_native_value_that_no_voucher_can_have_is_refused(
    refuses: Callable[..., InvalidRequest], filters: dict[str, Any], field: str
) -> None:
    assert refuses(lambda shop: shop.vouchers(VoucherQuery(native=filters))).field == field


@pytest.mark.parametrize(
    ("bound", "at", "text"),
    [
        ("from", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00+00:00"),
        ("from", "2026-01-01T12:00:00.000001Z", "2026-01-01T12:00:01+00:00"),
        ("from", "2026-01-01T12:59:59.7+01:00", "2026-01-01T12:00:00+00:00"),
        ("from", "2026-12-31T23:59:59.999999Z", "2027-01-01T00:00:00+00:00"),
        ("to", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00+00:00"),
        ("to", "2026-01-01T12:00:00.999999Z", "2026-01-01T12:00:00+00:00"),
    ],
)
@pytest.mark.parametrize("field", ["created", "valid_until"])
def test_a_bound_is_sent_in_whole_seconds_that_mean_the_same(
    sent_filters: Callable[..., dict[str, str]], field: str, bound: str, at: str, text: str
) -> None:
    name = f"{field}_{bound}"
    assert sent_filters(**{name: datetime.fromisoformat(at)}) == {f"filter[{name}]": text}
    assert sent_filters(native={name: at}) == {f"filter[{name}]": text}


def test_no_digit_of_a_native_bound_is_too_small_to_count(sent_filters: Callable[..., dict[str, str]]) -> None:
    sent = sent_filters(native={"created_from": "2026-01-01T12:00:00.0000000001Z"})
    assert sent == {"filter[created_from]": "2026-01-01T12:00:01+00:00"}


def test_a_bound_after_the_last_second_there_is_is_refused(refuses: Callable[..., InvalidRequest]) -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)
    assert refuses(lambda shop: shop.vouchers(VoucherQuery(created_from=last))).field == "created_from"


def test_an_amount_with_its_currency_finds_no_other_currency(
    start_jtl: Callable[..., RunningSimulator], make_adapter: Callable[..., JtlProvider]
) -> None:
    shop = make_adapter(start_jtl())
    for number, currency in enumerate(["CHF", "CHF", "CHF", "EUR", "CHF", "EUR"]):
        shop.issue(NewVoucher(initial=Money("10.50", currency), id=f"{number}"), reference=f"{number}")
    with type(shop)("shop", type(shop.settings)(**{**_settings(shop), "page_size": 2})) as paged:

        def ids(amount: Any) -> list[str]:
            return [voucher.id for voucher in paged.vouchers(VoucherQuery(native={"amount": amount}))]

        assert ids(Money("10.50", "EUR")) == ids("10.5 EUR") == ["3", "5"]
        assert ids("10.50") == ["0", "1", "2", "3", "4", "5"]
        assert ids(Money("10.51", "EUR")) == []


def _settings(shop: JtlProvider) -> dict[str, Any]:
    names = ("base_url", "client_id", "client_secret", "token_url")
    return {name: getattr(shop.settings, name) for name in names}
