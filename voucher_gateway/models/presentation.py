"""How the seller of a voucher presents it to its owner: what a shop prints on it."""

from __future__ import annotations

import attrs

from voucher_gateway.models.voucher import RawObject, Voucher


@attrs.frozen(kw_only=True)
class Seller:
    """Who sold a voucher. A field that the vendor does not show is None.

    Attributes:
        name: the seller's name.
        street: with the number.
        postal_code: of the city.
        city: the city.
        location: the name of the place, such as ``Main hall``.
        tax_number: the seller's tax number.
        tax_rate: the seller's tax rate, in percent, as text.
        currency: ISO 4217.
        image: the URL of a picture.
    """

    name: str | None = None
    street: str | None = None
    postal_code: str | None = None
    city: str | None = None
    location: str | None = None
    tax_number: str | None = None
    tax_rate: str | None = None
    currency: str | None = None
    image: str | None = None


@attrs.frozen(kw_only=True)
class Branding:
    """The seller's logos, as URLs, and colours. A field that the vendor does not show is None.

    Attributes:
        customized: whether the seller has its own branding.
        shop_logo: for the shop.
        event_logo: for events.
        mail_logo: for e-mails.
        custom_logo: the seller's own.
        wallet_logo: for passes in a wallet.
        google_wallet_logo: for passes in Google's wallet.
        wallet_background_color: of a pass.
        wallet_foreground_color: of the text on a pass.
        wallet_label_color: of the labels on a pass.
        ticket_ribbon: the picture of the ribbon on tickets.
    """

    customized: bool | None = None
    shop_logo: str | None = None
    event_logo: str | None = None
    mail_logo: str | None = None
    custom_logo: str | None = None
    wallet_logo: str | None = None
    google_wallet_logo: str | None = None
    wallet_background_color: str | None = None
    wallet_foreground_color: str | None = None
    wallet_label_color: str | None = None
    ticket_ribbon: str | None = None


@attrs.frozen(kw_only=True)
class FooterColumn:
    """One column at the foot of a printed page.

    Attributes:
        text: its text.
        active: whether to show it.
    """

    text: str | None = None
    active: bool | None = None


@attrs.frozen(kw_only=True)
class DocumentLayout:
    """How the seller's printed pages look. A field that the vendor does not show is None.

    Attributes:
        image: the URL of the picture on it.
        footer: the columns at the foot, from left to right.
        uses_template: whether the seller prints from a template.
    """

    image: str | None = None
    footer: tuple[FooterColumn, ...] = ()
    uses_template: bool | None = None


@attrs.frozen(kw_only=True)
class Presentation:
    """A voucher as its seller presents it to its owner.

    Attributes:
        account: the account's name.
        voucher: the voucher, with its code.
        disclaimer: what the seller says about its vouchers.
        pdf_image: the URL of the picture for a printed voucher.
        timezone: where the seller is, such as ``Europe/Berlin``: the end of validity is printed in it.
        seller: who sold it.
        branding: logos and colours.
        document: how the seller's printed pages look.
        raw: the vendor's own object.
    """

    account: str
    voucher: Voucher
    disclaimer: str | None = None
    pdf_image: str | None = None
    timezone: str | None = None
    seller: Seller = Seller()
    branding: Branding = Branding()
    document: DocumentLayout = DocumentLayout()
    raw: RawObject | None = attrs.field(default=None, repr=False, eq=False)
