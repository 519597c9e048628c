"""The public view of a voucher (seed: `GET /api/vouchers/{id}/{code}/info`), and its mapping to a `Presentation`.

Only the voucher in it is documented as required.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from voucher_gateway.provider_api import (
    Branding,
    Code,
    Currency,
    DocumentLayout,
    FooterColumn,
    IntegrityMismatch,
    MalformedResponse,
    Presentation,
    RawObject,
    Response,
    Seller,
    configure,
    rename_to_camel,
)
from voucher_gateway_ticketing import mapping
from voucher_gateway_ticketing.wire import CONVERTER, TicketingVoucher, read_object

_MAX_RATE_DIGITS: Final = 12
"""The maximum of digits before and after the point. A number of a million digits is not a percentage."""


@attrs.define(kw_only=True)
class TicketingDisplay:
    """The texts and the image of a printed voucher."""

    disclaimer: str | None = None
    pdf_image: str | None = None


@attrs.define(kw_only=True)
class TicketingBranding:
    """The seller's logos and colours."""

    custom_branding_enabled: bool | None = None
    shop_logo_url: str | None = None
    event_logo: str | None = None
    mail_logo: str | None = None
    custom_logo: str | None = None
    wallet_logo: str | None = None
    google_wallet_logo: str | None = None
    wallet_background_color: str | None = None
    wallet_foreground_color: str | None = None
    wallet_label_color: str | None = None
    ticket_ribbon_image: str | None = None


@attrs.define(kw_only=True)
class TicketingFooterColumn:
    """One column at the foot of an invoice."""

    text: str | None = None
    active: bool | None = None


@attrs.define(kw_only=True)
class TicketingInvoice:
    """The layout of an invoice."""

    footer_columns: list[TicketingFooterColumn] | None = None


@attrs.define(kw_only=True)
class TicketingDocument:
    """The layout of the seller's printed pages."""

    image: str | None = None
    invoice: TicketingInvoice | None = None


@attrs.define(kw_only=True)
class TicketingInfoSeller:
    """The seller in the public view."""

    name: str | None = None
    city: str | None = None
    street: str | None = None
    postal: str | None = None
    tax_rate: Decimal | None = None
    tax_no: str | None = None
    currency: Currency | None = None
    image: str | None = None
    location_name: str | None = None
    branding_settings: TicketingBranding | None = None
    document_settings: TicketingDocument | None = None


@attrs.define(kw_only=True)
class TicketingInfo:
    """The public view of a voucher."""

    voucher: TicketingVoucher
    display_settings: TicketingDisplay | None = None
    seller: TicketingInfoSeller | None = None
    timezone: str | None = None
    use_document_template: bool | None = None


for _kind in (TicketingDisplay, TicketingBranding, TicketingInvoice, TicketingInfoSeller, TicketingInfo):
    configure(CONVERTER, _kind, **rename_to_camel(_kind))


def read_info(reply: Response) -> tuple[TicketingInfo, RawObject]:
    """Read the public view of a voucher."""
    return read_object(reply, TicketingInfo, "voucher")


def check_info(info: TicketingInfo, id: str, code: Code) -> None:
    """Check that it is the view of the voucher with this id and code.

    Raises:
        IntegrityMismatch: if it is that of another voucher.
    """
    info.voucher = mapping.same_voucher(info.voucher, id)
    if info.voucher.code != code:
        raise IntegrityMismatch("the reply has another code than the request")


def presentation(account: str, currency: str, info: TicketingInfo, raw: RawObject) -> Presentation:
    """Return the public view as a domain object. Call `check_info` before.

    Args:
        account: the account's name.
        currency: the currency of the voucher.
        info: the public view.
        raw: the view as the vendor sent it.
    """
    display = info.display_settings or TicketingDisplay()
    seller = info.seller or TicketingInfoSeller()
    return Presentation(
        account=account,
        voucher=mapping.voucher(account, currency, info.voucher, raw["voucher"]),
        disclaimer=display.disclaimer,
        pdf_image=display.pdf_image,
        timezone=info.timezone,
        seller=Seller(
            name=seller.name,
            street=seller.street,
            postal_code=seller.postal,
            city=seller.city,
            location=seller.location_name,
            tax_number=seller.tax_no,
            tax_rate=None if seller.tax_rate is None else _rate_text(seller.tax_rate),
            currency=seller.currency,
            image=seller.image,
        ),
        branding=_branding(seller.branding_settings or TicketingBranding()),
        document=_document(seller.document_settings or TicketingDocument(), info.use_document_template),
        raw=raw,
    )


def _rate_text(rate: Decimal) -> str:
    exponent = rate.as_tuple().exponent
    if not isinstance(exponent, int) or max(abs(exponent), abs(rate.adjusted())) > _MAX_RATE_DIGITS:
        raise MalformedResponse("the tax rate is not a percentage", problems=("seller.taxRate: expected a percentage",))
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _branding(branding: TicketingBranding) -> Branding:
    return Branding(
        customized=branding.custom_branding_enabled,
        shop_logo=branding.shop_logo_url,
        event_logo=branding.event_logo,
        mail_logo=branding.mail_logo,
        custom_logo=branding.custom_logo,
        wallet_logo=branding.wallet_logo,
        google_wallet_logo=branding.google_wallet_logo,
        wallet_background_color=branding.wallet_background_color,
        wallet_foreground_color=branding.wallet_foreground_color,
        wallet_label_color=branding.wallet_label_color,
        ticket_ribbon=branding.ticket_ribbon_image,
    )


def _document(document: TicketingDocument, uses_template: bool | None) -> DocumentLayout:
    columns = [] if document.invoice is None else document.invoice.footer_columns or []
    return DocumentLayout(
        image=document.image,
        footer=tuple(FooterColumn(text=column.text, active=column.active) for column in columns),
        uses_template=uses_template,
    )
