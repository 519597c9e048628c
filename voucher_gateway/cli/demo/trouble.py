"""What goes wrong in the demo, and how it is told."""

from __future__ import annotations

from voucher_gateway.cli.demo.stage import EVENTS_CODE, SHOP_CODE, Stage
from voucher_gateway.cli.demo.story import Story
from voucher_gateway.errors import Declined, OutcomeUnknown, UnsupportedOperation
from voucher_gateway.models.results import Redemption
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money


def refuse_early(story: Story, stage: Stage, concert: Voucher) -> None:
    """Ask for what the vendor cannot do."""
    gateway = stage.gateway
    story.step("Ask for what a vendor cannot do", "It is refused before anything is sent.")
    before = stage.requests(concert.account)
    story.call(
        "gateway.reserve(",
        '    "events", EVENTS_CODE, Money("5.00", "EUR"), reference="1005-a"',
        ")",
    )
    try:
        gateway.reserve("events", EVENTS_CODE, Money("5.00", "EUR"), reference="1005-a")
    except UnsupportedOperation as error:
        story.print_refusal(error)
    sent = stage.requests(concert.account) - before
    story.say(f"Requests that reached the vendor meanwhile: {sent}.")


def show_refusals(story: Story, stage: Stage, gift: Voucher) -> None:
    """Ask for more than there is, and in another currency."""
    gateway = stage.gateway
    story.step(
        "Hear a vendor say no",
        "JTL does not document why it refuses a reservation; a look at the voucher tells. Nothing moves.",
    )
    story.call(
        "gateway.redeem(",
        '    "shop", SHOP_CODE, Money("500.00", "EUR"), reference="1006-a"',
        ")",
    )
    try:
        gateway.redeem("shop", SHOP_CODE, Money("500.00", "EUR"), reference="1006-a")
    except Declined as error:
        story.print_refusal(error)
    story.call(
        "gateway.redeem(",
        '    "shop", SHOP_CODE, Money("5.00", "USD"), reference="1007-a"',
        ")",
    )
    try:
        gateway.redeem("shop", SHOP_CODE, Money("5.00", "USD"), reference="1007-a")
    except Declined as error:
        story.print_refusal(error)
    story.say(f"Left, as before: {gateway.balance(gift.account, SHOP_CODE).remaining}.")


def lose_an_answer(story: Story, stage: Stage, gift: Voucher) -> None:
    """Let the vendor take the money and the line drop before it answers."""
    gateway = stage.gateway
    story.step(
        "Lose an answer",
        "The vendor takes 12.00 EUR, and the line drops before it can say so. To repeat the call could take it twice,",
        "to give up could lose it: so the error says that the outcome is unknown, and carries a ticket.",
    )
    stage.vendors[gift.account].inject("commit-then-drop", "POST /v1/reservations/*/charge")
    story.call(
        "gateway.redeem(",
        '    "shop", SHOP_CODE, Money("12.00", "EUR"),',
        '    reference="1008-a", order="1008",',
        ")",
    )
    try:
        gateway.redeem("shop", SHOP_CODE, Money("12.00", "EUR"), reference="1008-a", order="1008")
    except OutcomeUnknown as error:
        story.print_refusal(error)
        ticket = error.ticket.to_json()
    else:
        raise AssertionError("the fault did not strike")
    story.say(f"The ticket, by which any process with the same config can look the call up: {ticket}")
    story.say("On the command line: voucher-gateway resolve shop redeem 1008-a")
    story.call("resolution = gateway.resolve(ticket)")
    resolution = gateway.resolve(ticket)
    assert isinstance(resolution.result, Redemption)
    story.say(f"The call {resolution.state.value}: the vendor shows it as {resolution.result.id}.")
    before = stage.requests(gift.account)
    story.call(
        "again = gateway.redeem(",
        '    "shop", SHOP_CODE, Money("12.00", "EUR"),',
        '    reference="1008-a", order="1008",',
        ")",
    )
    again = gateway.redeem("shop", SHOP_CODE, Money("12.00", "EUR"), reference="1008-a", order="1008")
    sent = stage.requests(gift.account) - before
    story.say(f"Replayed: {again.replayed}. Requests that reached the vendor meanwhile: {sent}.")
    stage.books.add(gift.account, "taken", resolution.result.money)
    left = stage.truly_left(gift.account, "EUR")
    story.say(f"The vendor's own ledger has {left} left: the 12.00 EUR were taken, and taken once.")
