"""The checkout of a Django shop with ATOMIC_REQUESTS. It pays with vouchers, and asks the card processor itself.

The payment decides, and commits every step by itself. The row of the order only follows it. So a view that fails, or a
worker that is killed, loses nothing, and each view may be called twice. `answers.py` has the sentences for errors.
"""

from django.core.mail import send_mail
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_post_parameters

from django_shop.answers import answer
from django_shop.models import Order
from django_shop.services import card_processor, gateway
from voucher_gateway import Declined, Money, NewVoucher, Payment, PaymentConflict, PaymentShort, PaymentState


def find_payment(number: str) -> tuple[Order, Payment]:
    """Return an order and its payment. The first call opens the payment."""
    order = get_object_or_404(Order, number=number)
    return order, gateway.payment(number, total=order.money, wait=10)


@sensitive_post_parameters("code", "pin")
def add_voucher(request: HttpRequest, number: str) -> JsonResponse:
    """Add the code that the customer typed, also after the page of the card. Nothing is taken."""
    _, payment = find_payment(number)
    payment.reopen()
    payment.add(request.POST["code"], request.POST.get("pin"), caller=request.META["REMOTE_ADDR"])
    return answer(payment, "The voucher is added.")


def pay(request: HttpRequest, number: str) -> JsonResponse:
    """Hold the vouchers. If something is due, the page then asks for a card. Nothing is taken."""
    order, payment = find_payment(number)
    payment.authorize()
    order.change_state("paying", before=["open"])
    return answer(payment, f"Please pay {payment.due} by card." if payment.due else "Please confirm.")


def pay_by_card(request: HttpRequest, number: str) -> JsonResponse:
    """Hold the rest on the card. Django commits the id of that when this view ends; then the page calls `finish`."""
    order, payment = find_payment(number)
    order.card_key = f"{number}-{request.POST['card']}"
    order.card_id = card_processor(request.POST["card"]).authorize(payment.due, order.card_key)
    order.save(update_fields=["card_key", "card_id"])
    return answer(payment, "Your card is accepted.")


def finish(request: HttpRequest, number: str) -> JsonResponse:
    """Take the vouchers, then the card, then deliver. A repeat goes on where the last call stopped."""
    order, payment = find_payment(number)
    if payment.state is PaymentState.OPEN or (payment.due and not order.card_id):
        return answer(payment, "Please pay first.", status=409)
    try:
        payment.capture()
        if payment.due:
            card_processor().capture(payment.due, f"{order.card_key}-capture", order.card)
    except (Declined, PaymentShort, PaymentConflict):
        return cancel(request, number, "A part of the payment was declined. You get everything back.", status=402)
    if order.gift:
        deliver_voucher(order)
    order.change_state("paid", before=["paying"])
    return answer(payment, "Thank you.")


def deliver_voucher(order: Order) -> None:
    """Make the voucher that the customer bought, once, and send its code."""
    sale = gateway.sale(f"{order.number}-gift", "shop", NewVoucher(initial=Money(order.gift, "EUR"))).fulfil()
    if sale.delivered_at is None:
        send_mail("Your voucher", f"The code is {sale.code.reveal()}", "shop@shop.example", [order.email])
        sale.delivered()


def cancel(request: HttpRequest, number: str, text: str = "The order is cancelled.", status: int = 200) -> JsonResponse:
    """Give everything back, paid or not: the vouchers, then what was held or taken on the card."""
    order, payment = find_payment(number)
    payment.cancel()
    if order.card_key:
        card_processor().cancel(f"{order.card_key}-cancel", order.card)
    order.change_state("cancelled", before=["open", "paying", "paid"])
    return answer(payment, text, status)


def take_back(request: HttpRequest, number: str) -> JsonResponse:
    """Give money back for goods that came back. The number of the return is the reference."""
    order, payment = find_payment(number)
    refund = payment.refund(Money(request.POST["amount"], "EUR"), reference=request.POST["return"])
    if refund.other:
        card_processor().refund(refund.other, f"{order.card_key}-{refund.reference}", order.card)
    return answer(payment, f"You get {refund.other} back on your card, and the rest on your vouchers.")
