"""The script of ``voucher-gateway demo``. Each step is a function; its statements are shown and run one after another.

Statements that begin with ``demo.`` are run and not shown; a ``with demo.expect(...)`` block shows what stands in it. A
name that one step assigns is there in all later ones, which take it as a parameter. ``return`` only satisfies the
type checker. So what is shown is what is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.errors import Declined, OutcomeUnknown, UnsupportedOperation
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import now
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Interval, Validity, Voucher
from voucher_gateway.money import Money

if TYPE_CHECKING:
    from voucher_gateway.cli.commands.demo_runner import Demo
    from voucher_gateway.models.results import Redemption

SHOP_CODE: Final = "SHOP-7K2M-9QXD-4HTP"
EVENTS_CODE: Final = "EVENT-2F8C-6WJN"


def open_gateway(demo: Demo, config: Mapping[str, Any]) -> Gateway:
    """Two vendors, one gateway.

    shop is JTL, simulated: OAuth, amounts as text, reservations. events is vivenu, simulated: a key, amounts as
    numbers, no spending. Both speak the real wire format of their vendor over HTTP. Nothing leaves this machine. A
    journal, an SQLite file, knows of every changing call before it is sent.
    """
    demo.say_addresses()
    gateway = Gateway.from_config(config)
    return gateway  # noqa: RET504 - the assignment is shown


def issue_vouchers(demo: Demo, gateway: Gateway) -> None:
    """Issue vouchers at both vendors, and make them spendable.

    A reference is your own name for one call: make it, and keep it, before the call.
    """
    gift = gateway.issue(
        "shop",
        NewVoucher(
            initial=Money("50.00", "EUR"),
            code=SHOP_CODE,
            validity=Validity(3, Interval.YEARS),
        ),
        reference="gift-1",
    )
    gateway.activate("shop", gift.id, reference="gift-1")
    yen = gateway.issue(
        "shop",
        NewVoucher(initial=Money("5000", "JPY")),
        reference="gift-2",
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
    demo.note_issued(gift, yen, concert)
    demo.say(f"Issued {gift.initial} and {yen.initial} at shop, {concert.initial} at events.")


def list_and_find(demo: Demo, gateway: Gateway) -> None:
    """List and find them.

    One vendor writes 50.00 EUR as "50.00" and 5000 JPY as "5000.00", the other 29.90 EUR as 29.9. Here all have one
    form, exact to the last digit. Codes are money: only their ends show.
    """
    vouchers = [
        voucher
        for account in gateway.accounts
        for voucher in gateway.vouchers(account.name)
    ]  # fmt: skip
    demo.print_vouchers(vouchers)
    result = gateway.find(SHOP_CODE)
    demo.say_found(result)


def reserve_and_capture(demo: Demo, gateway: Gateway) -> None:
    """Reserve for order 1001, then capture.

    A reservation sets value aside while the customer checks out; at JTL for 30 minutes.
    """
    reservation = gateway.reserve(
        "shop",
        SHOP_CODE,
        Money("30.00", "EUR"),
        reference="1001-a",
        order="1001",
    )
    redemption = gateway.capture(
        "shop",
        reservation,
        reference="1001-a",
        order="1001",
    )
    demo.note("shop", "taken", redemption.money)
    demo.say(f"Taken: {redemption.money}. Left: {gateway.balance('shop', SHOP_CODE).remaining}.")


def repeat_after_crash(demo: Demo, gateway: Gateway) -> None:
    """Repeat it, as after a crash.

    The same reference stands for the same call: what succeeded is returned again, and nothing is sent.
    """
    demo.count_requests("shop")
    repeated = gateway.reserve(
        "shop",
        SHOP_CODE,
        Money("30.00", "EUR"),
        reference="1001-a",
        order="1001",
    )
    redemption = gateway.capture(
        "shop",
        repeated,
        reference="1001-a",
        order="1001",
    )
    demo.say_requests(f"Replayed: {redemption.replayed}. ")
    demo.say(f"Left, as before: {gateway.balance('shop', SHOP_CODE).remaining}.")


def refund_and_top_up(demo: Demo, gateway: Gateway, gift: Voucher, redemption: Redemption) -> None:
    """Give a part back, and top up.

    The customer returns one article, and buys more credit.
    """
    refund = gateway.refund(
        "shop",
        redemption,
        Money("12.50", "EUR"),
        reference="1001-r",
        order="1001",
    )
    top_up = gateway.top_up(
        "shop",
        gift.id,
        Money("10.00", "EUR"),
        reference="1003-t",
    )
    demo.note("shop", "given back", refund.money)
    demo.note("shop", "topped up", top_up.money)
    demo.say(f"Given back: {refund.money}. Topped up: {top_up.money}.")
    demo.say(f"Left: {gateway.balance('shop', SHOP_CODE).remaining}.")


def redeem_by_update(demo: Demo, gateway: Gateway) -> None:
    """Redeem where the vendor has no call for it.

    vivenu lets vouchers be spent in its own ticket checkout only. This account accepts an emulation by name,
    redeem-by-update, and with it a risk.
    """
    demo.say(f"The risk: {RISKS['redeem-by-update']}.")
    taken = gateway.redeem(
        "events",
        EVENTS_CODE,
        Money("9.90", "EUR"),
        reference="1004-a",
    )
    demo.note("events", "taken", taken.money)
    demo.say(f"Taken: {taken.money}. Left, read back to make sure: {taken.remaining}.")


def ask_for_the_impossible(demo: Demo, gateway: Gateway) -> None:
    """Ask for what a vendor cannot do.

    It is refused before anything is sent.
    """
    demo.count_requests("events")
    with demo.expect(UnsupportedOperation):
        gateway.reserve(
            "events",
            EVENTS_CODE,
            Money("5.00", "EUR"),
            reference="1005-a",
        )
    demo.say_requests()


def be_declined(demo: Demo, gateway: Gateway) -> None:
    """Be declined by a vendor.

    JTL does not document why it refuses a reservation; a look at the voucher tells. Nothing moves.
    """
    with demo.expect(Declined):
        gateway.redeem(
            "shop",
            SHOP_CODE,
            Money("500.00", "EUR"),
            reference="1006-a",
        )
    with demo.expect(Declined):
        gateway.redeem(
            "shop",
            SHOP_CODE,
            Money("5.00", "USD"),
            reference="1007-a",
        )
    demo.say(f"Left, as before: {gateway.balance('shop', SHOP_CODE).remaining}.")


def lose_a_reply(demo: Demo, gateway: Gateway) -> None:
    """Lose a reply.

    The vendor takes 12.00 EUR, and the line drops before it can say so. To repeat the call could take it twice, to
    give up could lose it: so the error says that the outcome is unknown, and carries a ticket.
    """
    demo.inject_fault("shop", "commit-then-drop", "POST /v1/reservations/*/charge")
    with demo.expect(OutcomeUnknown):
        gateway.redeem(
            "shop",
            SHOP_CODE,
            Money("12.00", "EUR"),
            reference="1008-a",
            order="1008",
        )
    demo.say(f"The ticket, by which any process with the same config can look the call up: {demo.ticket}")
    demo.say("On the command line: voucher-gateway resolve shop redeem 1008-a")


def resolve_the_ticket(demo: Demo, gateway: Gateway, ticket: str) -> None:
    """Find out what became of it.

    The vendor's own records are read; nothing is sent that could move money.
    """
    resolution = gateway.resolve(ticket)
    demo.say_resolution(resolution)
    demo.count_requests("shop")
    again = gateway.redeem(
        "shop",
        SHOP_CODE,
        Money("12.00", "EUR"),
        reference="1008-a",
        order="1008",
    )
    demo.say_requests(f"Replayed: {again.replayed}. ")
    demo.note("shop", "taken", again.money)
    demo.say(f"The vendor's own ledger has {demo.ledger_balance('shop', 'EUR')} left:")
    demo.say("the 12.00 EUR were taken, and taken once.")


STEPS: Final = (
    open_gateway,
    issue_vouchers,
    list_and_find,
    reserve_and_capture,
    repeat_after_crash,
    refund_and_top_up,
    redeem_by_update,
    ask_for_the_impossible,
    be_declined,
    lose_a_reply,
    resolve_the_ticket,
)
