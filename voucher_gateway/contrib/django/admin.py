"""A read-only admin of operations and payments, with masked codes. It needs `VOUCHER_GATEWAY_DATABASE`."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import connections
from django.http import HttpRequest

from voucher_gateway.contrib.django.models import DATABASE_SETTING, Operation, Payment, ReadOnly


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows rows, and changes none."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's
        """Forbid to add rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's
        """Forbid to change rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's
        """Forbid to delete rows."""
        return False

    @admin.display(description="amount")
    def money(self, row: Operation) -> str:
        """Return the amount with its currency."""
        return f"{row.amount} {row.currency}" if row.amount else ""


class OperationAdmin(ReadOnlyAdmin):
    """The journal's operations, the newest first."""

    list_display = ("created_at", "account", "verb", "order_number", "reference", "money", "state")
    list_filter = ("state", "account", "verb")
    search_fields = ("=order_number", "=reference", "=voucher_id", "=id")
    exclude = ("amount", "currency")
    readonly_fields = ("money", "reason")

    @admin.display(description="why it is in doubt, or failed")
    def reason(self, row: Operation) -> str:
        """Return the message of the last error, which holds no code."""
        alias = getattr(settings, DATABASE_SETTING)
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT error FROM voucher_gateway_operations WHERE id = %s", [row.id])
            error = cursor.fetchone()
        return str(json.loads(error[0]).get("message", "")) if error and error[0] else ""


class PaymentAdmin(ReadOnlyAdmin):
    """The payments of orders, the newest first."""

    list_display = ("created_at", "order_number", "attempt", "total", "currency", "state", "attention")
    list_filter = ("state", ("attention", admin.EmptyFieldListFilter))
    search_fields = ("=order_number", "=id")
    readonly_fields = ("legs",)

    @admin.display(description="vouchers")
    def legs(self, row: Payment) -> str:
        """Return a line for each voucher: its account, its masked code, its amount and its state."""
        query = (
            "SELECT number, account, hint, amount, state, error FROM voucher_gateway_payment_legs"
            " WHERE payment_id = %s ORDER BY number"
        )
        with connections[getattr(settings, DATABASE_SETTING)].cursor() as cursor:
            cursor.execute(query, [row.id])
            lines = [
                f"{number}: {account} {hint} {amount} {row.currency} {state}{f' ({problem})' if problem else ''}"
                for number, account, hint, amount, state, problem in cursor.fetchall()
            ]
        return "\n".join(lines)


def register_models() -> None:
    """Show the models, if the settings say where the journal is."""
    models: tuple[tuple[type[ReadOnly], type[ReadOnlyAdmin]], ...] = (
        (Operation, OperationAdmin),
        (Payment, PaymentAdmin),
    )
    if getattr(settings, DATABASE_SETTING, None) is not None:
        for model, model_admin in models:
            admin.site.register(model, model_admin)


register_models()
