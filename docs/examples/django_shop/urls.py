"""The addresses of the shop."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST

from django_shop import checkout
from django_shop.models import Order


def place_order(request: HttpRequest, number: str) -> HttpResponse:
    """Make an order of a basket. Its row is committed before the payment of it is opened."""
    fields = {name: request.POST[name] for name in ("total", "email", "gift") if name in request.POST}
    Order.objects.create(number=number, **fields)
    return JsonResponse({"text": "The order is placed."}, status=201)


_VIEWS: dict[str, Callable[..., HttpResponse]] = {
    "": place_order,
    "/vouchers": checkout.add_voucher,
    "/pay": checkout.pay,
    "/card": checkout.pay_by_card,
    "/finish": checkout.finish,
    "/cancel": checkout.cancel,
    "/returns": checkout.take_back,
}
urlpatterns = [path(f"orders/<str:number>{end}", require_POST(view)) for end, view in _VIEWS.items()]
