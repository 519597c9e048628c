"""The demo's vouchers come into being and are looked at."""

from __future__ import annotations

from datetime import timedelta

from voucher_gateway.cli.demo.stage import EVENTS_CODE, SHOP_CODE, Stage
from voucher_gateway.cli.demo.story import Story
from voucher_gateway.instants import now
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Interval, Validity, Voucher
from voucher_gateway.money import Money


def issue_at_both(story: Story, stage: Stage) -> tuple[Voucher, Voucher]:
    """Issue two vouchers at the one vendor and one at the other; return one of each."""
    gateway = stage.gateway
    story.step(
        "Issue vouchers at both vendors, and make them spendable",
        "A reference is your own name for one call: make it, and keep it, before the call.",
    )
    story.call(
        "gift = gateway.issue(",
        '    "shop",',
        "    NewVoucher(",
        '        initial=Money("50.00", "EUR"),',
        "        code=SHOP_CODE,",
        "        validity=Validity(3, Interval.YEARS),",
        "    ),",
        '    reference="gift-1",',
        ")",
    )
    gift = gateway.issue(
        "shop",
        NewVoucher(
            initial=Money("50.00", "EUR"),
            code=SHOP_CODE,
            validity=Validity(3, Interval.YEARS),
        ),
        reference="gift-1",
    )
    story.call('gateway.activate("shop", gift.id, reference="gift-1")')
    gateway.activate("shop", gift.id, reference="gift-1")
    story.call(
        "yen = gateway.issue(",
        '    "shop", NewVoucher(initial=Money("5000", "JPY")), reference="gift-2"',
        ")",
    )
    yen = gateway.issue("shop", NewVoucher(initial=Money("5000", "JPY")), reference="gift-2")
    story.call(
        "concert = gateway.issue(",
        '    "events",',
        "    NewVoucher(",
        '        initial=Money("29.90", "EUR"),',
        "        code=EVENTS_CODE,",
        "        valid_until=now() + timedelta(days=365),",
        "    ),",
        '    reference="gift-3",',
        ")",
    )
    concert = gateway.issue(
        "events",
        NewVoucher(
            initial=Money("29.90", "EUR"),
            code=EVENTS_CODE,
            valid_until=now() + timedelta(days=365),
        ),
        reference="gift-3",
    )
    for voucher in (gift, yen, concert):
        assert voucher.initial is not None
        stage.books.add(voucher.account, "issued", voucher.initial)
    story.say(f"Issued {gift.initial} and {yen.initial} at shop, {concert.initial} at events.")
    return gift, concert


def look_at_all(story: Story, stage: Stage, gift: Voucher) -> None:
    """List both accounts in one table, and find out whose a code is."""
    gateway = stage.gateway
    story.step(
        "List and find them",
        'One vendor writes 50.00 EUR as "50.00" and 5000 JPY as "5000.00", the other 29.90 EUR as 29.9.',
        "Here all have one form, exact to the last digit. Codes are money: only their ends show.",
    )
    story.call(
        "vouchers = [",
        "    voucher",
        "    for account in gateway.accounts",
        "    for voucher in gateway.vouchers(account.name)",
        "]",
    )
    vouchers = [voucher for account in gateway.accounts for voucher in gateway.vouchers(account.name)]
    story.vouchers(vouchers)
    story.call("result = gateway.find(SHOP_CODE)")
    result = gateway.find(SHOP_CODE)
    assert result.voucher is not None
    assert result.voucher.id == gift.id
    story.say(f"{result.voucher.code} is a voucher of {result.voucher.account}; nobody else was shown the code.")
