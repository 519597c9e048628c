"""The checkout of a FastAPI shop. The card is inside the payment, so `finish` and `recover` finish a whole order.

The endpoints await an `AsyncGateway`. If the customer waits for too long, the endpoint is cancelled. The call that it
awaits goes on, and a repeat of the request tells what became of it; `patience.py` does that. `answers.py` has the
sentences for errors.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from fastapi_shop import orders
from fastapi_shop.answers import answer, say_errors
from fastapi_shop.mails import send_mail
from fastapi_shop.patience import Patience
from fastapi_shop.services import card_means, gateway, lifespan
from voucher_gateway import AsyncPayment, Money, NewVoucher, PaymentShort

app = FastAPI(lifespan=lifespan)
app.add_middleware(Patience)
say_errors(app)
Text, Secret = Annotated[str, Body(embed=True)], Annotated[SecretStr, Body(embed=True)]


async def find_payment(number: str) -> tuple[orders.Order, AsyncPayment]:
    """Return an order, and its payment with the card inside. The first call opens the payment."""
    order = await orders.find_order(number)
    return order, await gateway.payment(number, total=order.total, other=card_means(order.card), wait=10)


@app.post("/orders/{number}/vouchers")
async def add_voucher(number: str, code: Secret, request: Request) -> JSONResponse:
    """Add the code that the customer typed, also after a payment that was not finished. Nothing is taken."""
    _, payment = await find_payment(number)
    await payment.reopen()
    await payment.add(code.get_secret_value(), caller=request.client.host if request.client else "unknown")
    return answer(payment, "The voucher is added.")


@app.post("/orders/{number}/pay")
async def pay(number: str, card: Text) -> JSONResponse:
    """Hold everything, the card included, and then take it. A repeat goes on where the last call stopped."""
    await orders.note_card(number, card)
    _, payment = await find_payment(number)
    await payment.authorize()
    return await finish(number)


async def finish(number: str) -> JSONResponse:
    """Take everything, then deliver."""
    order, payment = await find_payment(number)
    try:
        await payment.capture()
    except PaymentShort:
        return await cancel(number, "A voucher or the card was declined. You get everything back.", 402)
    if order.gift:
        sale = await (await gateway.sale(f"{number}-gift", "shop", NewVoucher(initial=order.gift))).fulfil()
        if sale.delivered_at is None:
            code = await sale.read_code()
            await send_mail(number, order.email, f"Your code is {code.reveal()}")
            await sale.delivered()
    await orders.note_end(number)
    return answer(payment, "Thank you.")


async def cancel(number: str, text: str = "The order is cancelled.", status: int = 200) -> JSONResponse:
    """Give everything back, the card included, paid or not."""
    _, payment = await find_payment(number)
    await payment.cancel()
    await orders.note_end(number)
    return answer(payment, text, status)


@app.post("/orders/{number}/cancel")
async def cancel_order(number: str) -> JSONResponse:
    """Cancel the order for the customer."""
    return await cancel(number)


@app.post("/orders/{number}/returns/{name}")
async def take_back(number: str, name: str, amount: Text) -> JSONResponse:
    """Give money back for goods that came back. The name of the return is the reference."""
    _, payment = await find_payment(number)
    refund = await payment.refund(Money(amount, "EUR"), reference=name, strategy="other-first")
    return answer(payment, f"You get {refund.other} back on your card, and the rest on your vouchers.")
