"""The demo spends, gives back and tops up."""

from __future__ import annotations

from voucher_gateway.cli.demo.stage import EVENTS_CODE, SHOP_CODE, Stage
from voucher_gateway.cli.demo.story import Story
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.models.results import Redemption
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money


def reserve_and_capture(story: Story, stage: Stage, gift: Voucher) -> Redemption:
    """Set value aside and take it."""
    gateway = stage.gateway
    story.step(
        "Reserve for order 1001, then capture",
        "A reservation sets value aside while the customer checks out; at JTL for 30 minutes.",
    )
    story.call(
        "reservation = gateway.reserve(",
        '    "shop", SHOP_CODE, Money("30.00", "EUR"),',
        '    reference="1001-a", order="1001",',
        ")",
    )
    reservation = gateway.reserve("shop", SHOP_CODE, Money("30.00", "EUR"), reference="1001-a", order="1001")
    story.call(
        "redemption = gateway.capture(",
        '    "shop", reservation, reference="1001-a", order="1001"',
        ")",
    )
    redemption = gateway.capture("shop", reservation, reference="1001-a", order="1001")
    stage.books.add(gift.account, "taken", redemption.money)
    story.say(f"Taken: {redemption.money}. Left: {gateway.balance('shop', SHOP_CODE).remaining}.")
    return redemption


def repeat_it(story: Story, stage: Stage, gift: Voucher) -> None:
    """Make the same calls once more, as a shop does whose worker died after them."""
    gateway = stage.gateway
    story.step(
        "Repeat it, as after a crash",
        "The same reference stands for the same call: what succeeded is told again, and nothing is sent.",
    )
    before = stage.requests(gift.account)
    story.call(
        "again = gateway.reserve(",
        '    "shop", SHOP_CODE, Money("30.00", "EUR"),',
        '    reference="1001-a", order="1001",',
        ")",
    )
    again = gateway.reserve("shop", SHOP_CODE, Money("30.00", "EUR"), reference="1001-a", order="1001")
    story.call(
        "twice = gateway.capture(",
        '    "shop", again, reference="1001-a", order="1001"',
        ")",
    )
    twice = gateway.capture("shop", again, reference="1001-a", order="1001")
    sent = stage.requests(gift.account) - before
    story.say(f"Replayed: {twice.replayed}. Requests that reached the vendor meanwhile: {sent}.")
    story.say(f"Left, as before: {gateway.balance('shop', SHOP_CODE).remaining}.")


def give_back(story: Story, stage: Stage, gift: Voucher, redemption: Redemption) -> None:
    """Refund a part, and top up."""
    gateway = stage.gateway
    story.step("Give a part back, and top up", "The customer returns one article, and buys more credit.")
    story.call(
        "refund = gateway.refund(",
        '    "shop", redemption, Money("12.50", "EUR"),',
        '    reference="1001-r", order="1001",',
        ")",
    )
    refund = gateway.refund("shop", redemption, Money("12.50", "EUR"), reference="1001-r", order="1001")
    stage.books.add(gift.account, "given_back", refund.money)
    story.call(
        "top_up = gateway.top_up(",
        '    "shop", gift.id, Money("10.00", "EUR"), reference="1003-t"',
        ")",
    )
    top_up = gateway.top_up("shop", gift.id, Money("10.00", "EUR"), reference="1003-t")
    stage.books.add(gift.account, "topped_up", top_up.money)
    left = gateway.balance("shop", SHOP_CODE).remaining
    story.say(f"Given back: {refund.money}. Topped up: {top_up.money}. Left: {left}.")


def redeem_by_update(story: Story, stage: Stage, concert: Voucher) -> None:
    """Redeem where the vendor has no call for it, by the emulation whose risk the account accepts."""
    gateway = stage.gateway
    story.step(
        "Redeem where the vendor has no call for it",
        "vivenu lets vouchers be spent in its own ticket checkout only. This account accepts an emulation by name,",
        f"redeem-by-update, and with it a risk: {RISKS['redeem-by-update']}.",
    )
    story.call(
        "taken = gateway.redeem(",
        '    "events", EVENTS_CODE, Money("9.90", "EUR"), reference="1004-a"',
        ")",
    )
    taken = gateway.redeem("events", EVENTS_CODE, Money("9.90", "EUR"), reference="1004-a")
    stage.books.add(concert.account, "taken", taken.money)
    story.say(f"Taken: {taken.money}. Left, read back to make sure: {taken.remaining}.")
