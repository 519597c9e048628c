"""What the shop says to the customer: the state of the payment, and a sentence for each error."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from card_processor.client import CardUnknown, CustomerMustConfirm
from voucher_gateway import (
    AsyncPayment,
    Declined,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    PaymentConflict,
    PaymentDeclined,
    SaleConflict,
    TooManyChecks,
)

_LATER = "We are finishing your order, and write to you. Please do not pay again."
_ERRORS: tuple[tuple[type[Exception], int, str], ...] = (
    (TooManyChecks, 429, "You have tried too many codes. Please try again later."),
    (PaymentDeclined, 402, "A voucher or your card was declined. Nothing was taken. Please change it, and pay again."),
    (Declined, 402, "This code cannot be used."),
    (PaymentConflict, 409, "This order was changed, or is over. Please look at it again."),
    (CustomerMustConfirm, 202, "Please confirm the payment at your bank, then pay again. Nothing was taken."),
    (NotExecuted, 503, "This is not possible now. Please try again in some minutes."),
    (OutcomeUnknown, 202, _LATER),
    (SaleConflict, 202, _LATER),
    (OperationInProgress, 202, _LATER),
    (CardUnknown, 202, _LATER),
)


def answer(payment: AsyncPayment, text: str, status: int = 200) -> JSONResponse:
    """Return what the page of the order shows."""
    vouchers = [{"code": leg.hint, "amount": str(leg.amount), "state": leg.state} for leg in payment.legs]
    page = {"text": text, "state": payment.state, "due": str(payment.due), "vouchers": vouchers}
    return JSONResponse(page, status)


def say_errors(app: FastAPI) -> None:
    """Let the application answer the errors of a payment with the sentences for the customer."""
    for kind, status, text in _ERRORS:
        app.add_exception_handler(kind, _Sentence(status, text))


class _Sentence:
    """A handler of one kind of error."""

    def __init__(self, status: int, text: str) -> None:
        self._status = status
        self._text = text

    async def __call__(self, request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"text": self._text}, self._status)
