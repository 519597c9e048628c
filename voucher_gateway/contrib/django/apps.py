"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class VoucherGatewayConfig(AppConfig):
    """Voucher Gateway in Django."""

    name = "voucher_gateway.contrib.django"
    label = "voucher_gateway"
    verbose_name = "Vouchers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from django.core.checks import register

        from voucher_gateway.contrib.django.checks import check_configuration

        register(check_configuration, "voucher_gateway")
