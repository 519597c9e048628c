"""The checkout of a FastAPI shop. The card is inside the payment, so `finish` and `recover` finish a whole order.

The endpoints are plain functions: FastAPI runs them in its threads, and they go on if the customer goes away.
`answers.py` has the sentences for errors.
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import Body, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from card_processor.client import CardMeans
from fastapi_shop import orders
from fastapi_shop.answers import answer, say_errors
from fastapi_shop.mails import send_mail
from voucher_gateway import Gateway, Money, NewVoucher, Payment, PaymentShort

gateway = Gateway.from_config(orders.FOLDER / "voucher-gateway.toml")
app = FastAPI()
say_errors(app)
Text, Secret = Annotated[str, Body(embed=True)], Annotated[SecretStr, Body(embed=True)]


def find_payment(number: str) -> tuple[orders.Order, Payment]:
    """Return an order, and its payment with the card inside. The first call opens the payment."""
    order = orders.find_order(number)
    card = CardMeans(os.environ["CARDS_URL"], order.card)
    return order, gateway.payment(number, total=order.total, other=card, wait=10)


@app.post("/orders/{number}/vouchers")
def add_voucher(number: str, code: Secret, request: Request) -> JSONResponse:
    """Add the code that the customer typed, also after a payment that was not finished. Nothing is taken."""
    _, payment = find_payment(number)
    payment.reopen()
    payment.add(code.get_secret_value(), caller=request.client.host if request.client else "unknown")
    return answer(payment, "The voucher is added.")


@app.post("/orders/{number}/pay")
def pay(number: str, card: Text) -> JSONResponse:
    """Hold everything, the card included, and then take it. A repeat goes on where the last call stopped."""
    orders.note_card(number, card)
    _, payment = find_payment(number)
    payment.authorize()
    return finish(number)


def finish(number: str) -> JSONResponse:
    """Take everything, then deliver."""
    order, payment = find_payment(number)
    try:
        payment.capture()
    except PaymentShort:
        return cancel(number, "A voucher or the card was declined. You get everything back.", 402)
    if order.gift:
        sale = gateway.sale(f"{number}-gift", "shop", NewVoucher(initial=order.gift)).fulfil()
        if sale.delivered_at is None:
            send_mail(number, order.email, f"Your code is {sale.code.reveal()}")
            sale.delivered()
    orders.note_end(number)
    return answer(payment, "Thank you.")


def cancel(number: str, text: str = "The order is cancelled.", status: int = 200) -> JSONResponse:
    """Give everything back, the card included, paid or not."""
    _, payment = find_payment(number)
    payment.cancel()
    orders.note_end(number)
    return answer(payment, text, status)


@app.post("/orders/{number}/cancel")
def cancel_order(number: str) -> JSONResponse:
    """Cancel the order for the customer."""
    return cancel(number)


@app.post("/orders/{number}/returns/{name}")
def take_back(number: str, name: str, amount: Text) -> JSONResponse:
    """Give money back for goods that came back. The name of the return is the reference."""
    _, payment = find_payment(number)
    refund = payment.refund(Money(amount, "EUR"), reference=name, strategy="other-first")
    return answer(payment, f"You get {refund.other} back on your card, and the rest on your vouchers.")
