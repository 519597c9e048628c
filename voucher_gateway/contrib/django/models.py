"""The journal's operations and payments as Django models that only read.

Django does not make or change these tables. `VOUCHER_GATEWAY_DATABASE` names the database of ``DATABASES`` that has
them; `JournalRouter` sends the queries there. The models leave out the columns with encrypted codes.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db import models

APP_LABEL: Final = "voucher_gateway"
DATABASE_SETTING: Final = "VOUCHER_GATEWAY_DATABASE"
"""The setting with the alias of the journal's database; without it the admin shows nothing of the journal."""


class JournalRouter:
    """Reads the journal's models from the database of the setting, and lets Django write and migrate none of them."""

    def db_for_read(self, model: type[models.Model], **_: Any) -> str | None:
        """Return the alias for a model of this app."""
        return getattr(settings, DATABASE_SETTING, None) if model._meta.app_label == APP_LABEL else None

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:  # noqa: ARG002 - Django's
        """Forbid migrations of this app."""
        return False if app_label == APP_LABEL else None


class ReadOnlyQuerySet(models.QuerySet):
    """Rows that are only read."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError("the journal is written by the gateway alone")

    update = delete = create = get_or_create = update_or_create = bulk_create = bulk_update = _refuse
    _update = _raw_delete = _refuse


class ReadOnly(models.Model):
    """A row that is only read."""

    objects = ReadOnlyQuerySet.as_manager()

    class Meta:  # noqa: D106 - Django's
        abstract = True

    def save(self, *_: Any, **__: Any) -> None:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError("the journal is written by the gateway alone")

    def delete(self, *_: Any, **__: Any) -> Any:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError("the journal is written by the gateway alone")


class Operation(ReadOnly):
    """A changing call of the gateway. Its instants are texts in UTC."""

    id = models.CharField(max_length=32, primary_key=True)
    account = models.CharField(max_length=255)
    verb = models.CharField(max_length=16)
    reference = models.CharField(max_length=200)
    order_number = models.CharField("order", max_length=200, null=True)
    voucher_id = models.CharField(max_length=255, null=True)
    amount = models.CharField(max_length=32, null=True)
    currency = models.CharField(max_length=3, null=True)
    state = models.CharField(max_length=16)
    attempt = models.IntegerField()
    created_at = models.CharField("begun (UTC)", max_length=32)
    updated_at = models.CharField("changed (UTC)", max_length=32)
    check_at = models.CharField("next look-up (UTC)", max_length=32, null=True)
    decided_by = models.CharField(max_length=200, null=True)
    decision = models.TextField(null=True)

    class Meta:  # noqa: D106 - Django's
        managed = False
        app_label = APP_LABEL
        db_table = "voucher_gateway_operations"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.account}: {self.verb} {self.reference}"


class Payment(ReadOnly):
    """The payment of an order. Its instants are texts in UTC."""

    id = models.CharField(max_length=32, primary_key=True)
    order_number = models.CharField("order", max_length=200)
    attempt = models.IntegerField()
    total = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=16)
    attention = models.TextField(null=True)
    short_by = models.CharField(max_length=32, null=True)
    has_other = models.BooleanField("has its other means inside")
    other_state = models.CharField(max_length=16)
    other_amount = models.CharField(max_length=32, null=True)
    created_at = models.CharField("opened (UTC)", max_length=32)
    updated_at = models.CharField("changed (UTC)", max_length=32)
    decided_at = models.CharField("decided (UTC)", max_length=32, null=True)

    class Meta:  # noqa: D106 - Django's
        managed = False
        app_label = APP_LABEL
        db_table = "voucher_gateway_payments"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.order_number}, attempt {self.attempt}"
