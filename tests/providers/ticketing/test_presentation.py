"""The public view of a voucher, for a shop that prints it: read field by field, and always the right voucher's."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import (
    Branding,
    Code,
    DocumentLayout,
    FooterColumn,
    IntegrityMismatch,
    MalformedResponse,
    Money,
    NewVoucher,
    Presentation,
    ProviderUnavailable,
    Seller,
    VoucherNotFound,
)
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider

if TYPE_CHECKING:
    import responses

    from tests.providers.ticketing.conftest import VendorClient

ID = "64d0a1b2c3d4e5f601234567"
AT = "2030-01-23T23:00:00.123Z"
VOUCHER = {"code": "string", "amount": 10.5, "createdAt": AT, "updatedAt": AT}
URL = f"{PRODUCTION}/api/vouchers/{ID}/string/info"
# The example of the vendor's page, each text told apart.
DOCUMENTED: dict[str, Any] = {
    "voucher": {**VOUCHER, "validUntil": AT, "sellerId": "seller", "origin": "shop"},
    "displaySettings": {"disclaimer": "no cash", "pdfImage": "pdf.png"},
    "seller": {
        "city": "Berlin",
        "street": "Street 1",
        "postal": "10115",
        "taxRate": 10.5,
        "taxNo": "DE1",
        "currency": "USD",
        "image": "seller.png",
        "name": "Hall",
        "locationName": "Main hall",
        "brandingSettings": {
            "customBrandingEnabled": True,
            "shopLogoUrl": "shop.png",
            "eventLogo": "event.png",
            "mailLogo": "mail.png",
            "customLogo": "custom.png",
            "walletLogo": "wallet.png",
            "googleWalletLogo": "google.png",
            "walletBackgroundColor": "#000001",
            "walletForegroundColor": "#000002",
            "walletLabelColor": "#000003",
            "ticketRibbonImage": "ribbon.png",
        },
        "documentSettings": {
            "image": "letterhead.png",
            "invoice": {"footerColumns": [{"text": "left", "active": True}, {"text": "right", "active": False}]},
        },
    },
    "timezone": "Europe/Berlin",
    "useDocumentTemplate": True,
}


def _seller(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, "seller": {**DOCUMENTED["seller"], **fields}}


def test_every_field_that_is_documented_has_its_place(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.get(URL, json=DOCUMENTED)
    shown = lone_adapter.presentation("string", id=ID)
    assert shown == Presentation(
        account="events",
        voucher=shown.voucher,
        disclaimer="no cash",
        pdf_image="pdf.png",
        timezone="Europe/Berlin",
        seller=Seller(
            name="Hall",
            street="Street 1",
            postal_code="10115",
            city="Berlin",
            location="Main hall",
            tax_number="DE1",
            tax_rate="10.5",
            currency="USD",
            image="seller.png",
        ),
        branding=Branding(
            customized=True,
            shop_logo="shop.png",
            event_logo="event.png",
            mail_logo="mail.png",
            custom_logo="custom.png",
            wallet_logo="wallet.png",
            google_wallet_logo="google.png",
            wallet_background_color="#000001",
            wallet_foreground_color="#000002",
            wallet_label_color="#000003",
            ticket_ribbon="ribbon.png",
        ),
        document=DocumentLayout(
            image="letterhead.png",
            footer=(FooterColumn(text="left", active=True), FooterColumn(text="right", active=False)),
            uses_template=True,
        ),
    )
    assert shown.raw is not None
    assert shown.raw["seller"]["taxRate"] == Decimal("10.5")


def test_the_voucher_in_it_is_in_the_currency_of_the_seller_and_hides_its_code(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.get(URL, json=DOCUMENTED)
    shown = lone_adapter.presentation(Code("string"), id=ID)
    assert (shown.voucher.id, shown.voucher.code, shown.voucher.initial) == (ID, Code("string"), Money("10.50", "USD"))
    assert (shown.voucher.origin, shown.voucher.links["seller_id"]) == ("shop", "seller")
    assert "string" not in repr(shown)


def test_nothing_but_the_voucher_has_to_be_there(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    nulls = dict.fromkeys(DOCUMENTED.keys() - {"voucher"})
    parts: dict[str, Any] = {
        "displaySettings": {},
        "seller": {"brandingSettings": {}, "documentSettings": {"invoice": {}}},
    }
    for view in ({}, nulls, parts, {"seller": dict.fromkeys(DOCUMENTED["seller"])}):
        vendor.upsert("GET", URL, json={**view, "voucher": VOUCHER})
        shown = lone_adapter.presentation("string", id=ID)
        assert shown == Presentation(account="events", voucher=shown.voucher)
        assert shown.voucher.initial == Money("10.50", "EUR")  # the account's


@pytest.mark.parametrize(
    ("rate", "text"), [("19", "19"), ("10.50", "10.5"), ("0", "0"), ("7.0", "7"), ("1e1", "10"), ("100", "100")]
)
def test_the_tax_rate_is_the_vendors_number_as_text(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, rate: str, text: str
) -> None:
    vendor.get(URL, body=f'{{"voucher":{json.dumps(VOUCHER)},"seller":{{"taxRate":{rate}}}}}')
    assert lone_adapter.presentation("string", id=ID).seller.tax_rate == text


@pytest.mark.parametrize("rate", ["1e999999", "1e-999999", "0e999999", '"19"', "true"])
def test_a_tax_rate_that_is_no_percentage_is_malformed(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, rate: str
) -> None:
    vendor.get(URL, body=f'{{"voucher":{json.dumps(VOUCHER)},"seller":{{"taxRate":{rate}}}}}')
    with pytest.raises(MalformedResponse) as caught:
        lone_adapter.presentation("string", id=ID)
    assert (caught.value.account, caught.value.operation) == ("events", "presentation")


@pytest.mark.parametrize(
    "wrong",
    [
        {**DOCUMENTED, "timezone": 7},
        {**DOCUMENTED, "displaySettings": "no cash"},
        {**DOCUMENTED, "useDocumentTemplate": "yes"},
        _seller(currency="XXY"),
        _seller(brandingSettings={"shopLogoUrl": 7}),
        _seller(documentSettings={"invoice": {"footerColumns": {"text": "left"}}}),
        {"seller": DOCUMENTED["seller"]},
    ],
)
def test_a_view_outside_of_the_documents_is_malformed(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, wrong: dict[str, Any]
) -> None:
    vendor.get(URL, json=wrong)
    with pytest.raises(MalformedResponse):
        lone_adapter.presentation("string", id=ID)


@pytest.mark.parametrize("other", [{"code": "STRING"}, {"_id": "another"}])
def test_a_view_of_another_voucher_is_never_taken_for_it(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, other: dict[str, str]
) -> None:
    vendor.get(URL, json={**DOCUMENTED, "voucher": {**VOUCHER, **other}})
    with pytest.raises(IntegrityMismatch) as caught:
        lone_adapter.presentation("string", id=ID)
    assert (caught.value.account, caught.value.operation) == ("events", "presentation")
    assert "STRING" not in str(caught.value)


# --- at the simulator ---


def test_the_simulator_answers_every_field_that_is_documented(
    adapter: TicketingProvider, ticketing: VendorClient
) -> None:
    adapter.issue(NewVoucher(initial=Money(10, "EUR"), code="Gift-0001"), reference="r")
    shown = adapter.presentation("Gift-0001")
    parts: list[Any] = [shown.seller, shown.branding, shown.document, *shown.document.footer]
    for part in parts:
        assert None not in attrs.asdict(part, recurse=False).values()
    assert None not in (shown.disclaimer, shown.pdf_image, shown.timezone)
    assert [request.path.rsplit("/", 1)[-1] for request in ticketing.running.requests][-2:] == ["vouchers", "info"]


def test_the_key_is_not_sent_with_it(adapter: TicketingProvider, ticketing: VendorClient) -> None:
    voucher = adapter.issue(NewVoucher(initial=Money(10, "EUR"), code="Gift-0001"), reference="r")
    adapter.presentation("Gift-0001", id=voucher.id)
    assert "Authorization" not in dict(ticketing.running.requests[-1].headers)


@pytest.mark.parametrize(
    "call",
    [
        lambda events, _: events.presentation("Gift-0002"),
        lambda events, _: events.presentation("gift-0001"),
        lambda events, id: events.presentation("Gift-0002", id=id),
        lambda events, _: events.presentation("Gift-0001", id="0" * 24),
    ],
)
def test_a_code_or_id_that_nobody_has_is_not_found(
    adapter: TicketingProvider, call: Callable[[TicketingProvider, str], object]
) -> None:
    voucher = adapter.issue(NewVoucher(initial=Money(10, "EUR"), code="Gift-0001"), reference="r")
    with pytest.raises(VoucherNotFound) as caught:
        call(adapter, voucher.id)
    assert (caught.value.account, caught.value.operation) == ("events", "presentation")


def test_the_code_in_the_address_shows_nowhere(
    adapter: TicketingProvider, ticketing: VendorClient, canary: Any
) -> None:
    code = canary.plant("KANARIENVOGEL-4711")
    adapter.issue(NewVoucher(initial=Money(10, "EUR"), code=code), reference="r")
    canary.note("the presentation", repr(adapter.presentation(code)))
    for fault in ("html", "not-json", "drop-before", "error-before"):
        ticketing.running.inject(fault, "GET /api/vouchers/*/*/info", times=9)
        with pytest.raises((MalformedResponse, ProviderUnavailable)) as caught:
            adapter.presentation(code)
        ticketing.running.clear_faults()
        canary.note(fault, f"{caught.value} {caught.value!r}")
