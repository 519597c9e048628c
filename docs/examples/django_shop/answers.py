"""What the shop says to the customer: the state of the payment, and a sentence for each error."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from card_processor.client import CardUnknown, CustomerMustConfirm
from voucher_gateway import (
    Declined,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    Payment,
    PaymentConflict,
    PaymentDeclined,
    SaleConflict,
    TooManyChecks,
)

_LATER = "We are finishing your order, and write to you. Please do not pay again."
_ERRORS: tuple[tuple[type[Exception], int, str], ...] = (
    (TooManyChecks, 429, "You have tried too many codes. Please try again later."),
    (PaymentDeclined, 409, "A voucher cannot be used any more. Please look at your vouchers, and pay again."),
    (Declined, 402, "This is declined. Please take another voucher or card."),
    (PaymentConflict, 409, "This order was changed or is over. Please look at it again."),
    (CustomerMustConfirm, 202, "Please confirm the payment at your bank. Nothing was taken."),
    (NotExecuted, 503, "This is not possible now. Please try again in some minutes."),
    (OutcomeUnknown, 202, _LATER),
    (SaleConflict, 202, _LATER),
    (OperationInProgress, 202, _LATER),
    (CardUnknown, 202, _LATER),
)


def answer(payment: Payment, text: str, status: int = 200) -> JsonResponse:
    """Return what the page of the order shows."""
    vouchers = [{"code": leg.hint, "amount": str(leg.amount), "state": leg.state} for leg in payment.legs]
    page = {"text": text, "state": payment.state, "due": str(payment.due), "vouchers": vouchers}
    return JsonResponse(page, status=status)


class ErrorAnswers:
    """A middleware. It answers an error of the payment with the sentence for the customer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle a request."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the sentence for an error, or None for one that is a bug of the shop."""
        for kind, status, text in _ERRORS:
            if isinstance(error, kind):
                return JsonResponse({"text": text}, status=status)
        return None
