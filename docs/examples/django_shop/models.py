"""What the shop stores of an order. The payment keeps the codes of vouchers, sealed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.utils import timezone

from voucher_gateway import Authorization, Money


class Order(models.Model):
    """An order: what it costs, the card that pays the rest, and how far it is.

    The state is open, paying, paid or cancelled.
    """

    number = models.CharField(max_length=20, unique=True)
    total = models.DecimalField(max_digits=8, decimal_places=2)
    gift = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    email = models.EmailField()
    state = models.CharField(max_length=10, default="open")
    changed_at = models.DateTimeField(default=timezone.now)
    card_key = models.CharField(max_length=100, default="")
    card_id = models.CharField(max_length=100, default="")

    @property
    def money(self) -> Money:
        """The total, as the gateway takes it."""
        return Money(self.total, "EUR")

    @property
    def card(self) -> Authorization:
        """What is held or taken on the card."""
        return Authorization(key=self.card_key, id=self.card_id or None, order=self.number)

    def change_state(self, state: str, *, before: Sequence[str]) -> None:
        """Change the state, if it is one of those before. So a cancelled order never becomes a paid one."""
        Order.objects.filter(number=self.number, state__in=before).update(state=state, changed_at=timezone.now())
