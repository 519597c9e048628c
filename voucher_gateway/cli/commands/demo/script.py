"""The script of ``voucher-gateway demo``. Each step is a function; its statements are shown and run one after another.

Statements that begin with ``demo.`` are run and not shown. Only the body of a ``with demo.expect(...)`` block is
shown. Later steps take a name that a step assigns as a parameter. ``return`` only satisfies the type checker.
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
    from voucher_gateway.cli.commands.demo.runner import Demo
    from voucher_gateway.models.results import Redemption
    from voucher_gateway.payments.payment import Payment

SHOP_CODE: Final = "SHOP-7K2M-9QXD-4HTP"
EVENTS_CODE: Final = "EVENT-2F8C-6WJN"


def open_gateway(demo: Demo, config: Mapping[str, Any]) -> Gateway:
    """Two vendors, one gateway.

    The account shop is a simulated JTL: OAuth, amounts as strings, reservations. The account events is a simulated
    vivenu: an API key, amounts as numbers, no spending. Both speak the real wire format of their vendor over HTTP.
    Nothing leaves this machine. The journal, an SQLite file, records every changing call before it is sent.
    """
    demo.say_addresses()
    gateway = Gateway.from_config(config)
    return gateway  # noqa: RET504 - the assignment is shown


def issue_vouchers(demo: Demo, gateway: Gateway) -> None:
    """Issue vouchers at both vendors, and make them spendable.

    A reference is an idempotency key: your own name for one call. Commit it before the call.
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
    """List and find vouchers.

    One vendor writes 50.00 EUR as "50.00" and 5000 JPY as "5000.00". The other writes 29.90 EUR as 29.9. The gateway
    gives all amounts in one exact form. It masks codes, because whoever has a code can spend the voucher.
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

    A reservation sets value aside while the customer checks out. At JTL it lasts 30 minutes.
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
    demo.say(f"Taken: {redemption.money}. Remaining: {gateway.balance('shop', SHOP_CODE).remaining}.")


def repeat_after_crash(demo: Demo, gateway: Gateway) -> None:
    """Repeat the calls, as after a crash.

    The same reference means the same call. The gateway returns the recorded result and sends nothing.
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
    demo.say(f"Remaining, as before: {gateway.balance('shop', SHOP_CODE).remaining}.")


def refund_and_top_up(demo: Demo, gateway: Gateway, gift: Voucher, redemption: Redemption) -> None:
    """Refund a part, and top up.

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
    demo.say(f"Refunded: {refund.money}. Topped up: {top_up.money}.")
    demo.say(f"Remaining: {gateway.balance('shop', SHOP_CODE).remaining}.")


def redeem_by_update(demo: Demo, gateway: Gateway) -> None:
    """Redeem at a vendor that has no call for it.

    At vivenu, vouchers can only be spent in its ticket checkout. This account accepts the emulation redeem-by-update,
    and its risk.
    """
    demo.say(f"The risk: {RISKS['redeem-by-update']}.")
    redemption = gateway.redeem(
        "events",
        EVENTS_CODE,
        Money("9.90", "EUR"),
        reference="1004-a",
    )
    demo.note("events", "taken", redemption.money)
    demo.say(f"Taken: {redemption.money}. Remaining, read back as a check: {redemption.remaining}.")


def call_unsupported_operation(demo: Demo, gateway: Gateway) -> None:
    """Call an operation that the vendor cannot do.

    The gateway refuses it before it sends anything.
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


def show_declined_calls(demo: Demo, gateway: Gateway) -> None:
    """The vendor declines a call.

    JTL does not document why it refuses a reservation. The gateway looks at the voucher to find the reason. Nothing
    moves.
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
    demo.say(f"Remaining, as before: {gateway.balance('shop', SHOP_CODE).remaining}.")


def lose_a_reply(demo: Demo, gateway: Gateway) -> None:
    """Lose a reply.

    The vendor takes 12.00 EUR, and the connection drops before its reply. A repeat of the call could take the amount
    twice. So the error says that the outcome is unknown, and has a ticket.
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
    demo.say(f"Any process with the same configuration can look the call up with this ticket: {demo.ticket}")
    demo.say("On the command line: voucher-gateway resolve shop redeem 1008-a")


def resolve_the_ticket(demo: Demo, gateway: Gateway, ticket: str) -> None:
    """Find the unknown outcome.

    The gateway only reads the vendor's records. It sends nothing that could move money.
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
    demo.say(f"The vendor's ledger has {demo.ledger_balance('shop', 'EUR')} left:")
    demo.say("the 12.00 EUR were taken exactly once.")


def pay_an_order(demo: Demo, gateway: Gateway) -> None:
    """Pay one order with vouchers of both vendors and a card.

    Authorize holds what can be held, and checks the rest: all of it or nothing. Capture commits the decision before it
    takes anything. After a crash, any process with the same journal finishes it.
    """
    payment = gateway.payment("1009", total=Money("60.00", "EUR"))
    payment.add(SHOP_CODE)
    payment.add(EVENTS_CODE)
    payment.authorize()
    demo.say_legs(payment)
    demo.say(f"The shop authorizes its card for {payment.due} now.")
    payment.capture()
    demo.note_taken(payment)


def take_goods_back(demo: Demo, payment: Payment) -> None:
    """Give a part back for goods that come back.

    Each leg gets its share, exact to the cent. The shop gives the share of the card back itself.
    """
    refund = payment.refund(Money("12.00", "EUR"), reference="return-1")
    demo.note_parts(refund, payment)
    demo.say(f"On the card: {refund.other}.")


STEPS: Final = (
    open_gateway,
    issue_vouchers,
    list_and_find,
    reserve_and_capture,
    repeat_after_crash,
    refund_and_top_up,
    redeem_by_update,
    call_unsupported_operation,
    show_declined_calls,
    lose_a_reply,
    resolve_the_ticket,
)

PAYMENT_STEPS: Final = (pay_an_order, take_goods_back)
"""The steps after these. They need the extra `payments`, which encrypts codes."""
