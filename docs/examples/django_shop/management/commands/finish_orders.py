"""`django-admin finish_orders`, for cron: finish what a killed worker or a lost answer left open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.http import HttpRequest
from django.utils import timezone

from card_processor.client import CardUnknown
from django_shop.checkout import cancel, find_payment, finish
from django_shop.models import Order
from django_shop.services import gateway
from voucher_gateway import PaymentState, VoucherGatewayError

TIME_TO_PAY: Final = timedelta(minutes=40)
"""How long a customer may take on the page of the card."""


class Command(BaseCommand):
    """Finish the orders that are being paid, and cancel those whose customer did not come back."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Finish or cancel each order that is still being paid. An error is for the next run, or for a person."""
        gateway.recover()
        for order in Order.objects.filter(state="paying"):
            try:
                payment = find_payment(order.number)[1]
                undecided = payment.state in (PaymentState.OPEN, PaymentState.AUTHORIZED) and not order.card_id
                if not undecided:
                    finish(HttpRequest(), order.number)
                elif order.changed_at < timezone.now() - TIME_TO_PAY:
                    cancel(HttpRequest(), order.number)
            except (VoucherGatewayError, CardUnknown) as error:
                self.stderr.write(f"{order.number}: {error}")
        for record in gateway.payments(needs_attention=True):
            self.stdout.write(f"{record.order}: {record.attention}")
