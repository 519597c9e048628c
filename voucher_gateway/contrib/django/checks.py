"""System checks: what is wrong with the settings, before the first customer pays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import router
from sqlalchemy.engine import make_url

from voucher_gateway.config.loader import Config
from voucher_gateway.contrib.django.gateway import read_config
from voucher_gateway.contrib.django.models import DATABASE_SETTING, Operation
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys.keys import KEY_VARIABLE


def check_configuration(**_: Any) -> list[CheckMessage]:
    """Check the configuration, the journal's key and the journal's database. No vendor is asked."""
    try:
        config = read_config()
    except ConfigurationError as error:
        return [Error(error.message, hint="correct VOUCHER_GATEWAY", id="voucher_gateway.E001")]
    if config.journal is None:
        return [
            checks.Warning(
                "the configuration has no journal, so a call that is repeated is sent again",
                hint="name a journal in the configuration",
                id="voucher_gateway.W001",
            )
        ]
    return [*_check_key(config), *_check_shared_file(config), *_check_admin(), *_check_router()]


def _check_key(config: Config) -> list[CheckMessage]:
    is_postgres = make_url(config.journal or "").get_backend_name() != "sqlite"
    if not is_postgres or config.journal_keys or os.environ.get(KEY_VARIABLE):
        return []
    return [
        Error(
            "the journal in PostgreSQL has no key",
            hint=f"set journal_keys in the configuration, or the environment variable {KEY_VARIABLE}",
            id="voucher_gateway.E002",
        )
    ]


def _check_shared_file(config: Config) -> list[CheckMessage]:
    """Check that the journal is not in an SQLite file that Django writes.

    A call inside a transaction that wrote to the same file waits for that transaction, and fails.
    """
    url = make_url(config.journal or "")
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    journal = Path(url.database).resolve()
    messages: list[CheckMessage] = []
    for alias, database in settings.DATABASES.items():
        if "sqlite" not in database.get("ENGINE", "") or Path(str(database.get("NAME", ""))).resolve() != journal:
            continue
        text = f"the journal is in the SQLite file of the database {alias!r}, which has one writer at a time"
        hint = "give the journal its own file, or use PostgreSQL"
        if alias == getattr(settings, DATABASE_SETTING, None) and not database.get("ATOMIC_REQUESTS"):
            continue  # Django only reads there
        if database.get("ATOMIC_REQUESTS"):
            text += ", and ATOMIC_REQUESTS keeps a transaction open in each view: a call in it would wait and fail"
            messages.append(Error(text, hint=hint, id="voucher_gateway.E003"))
        else:
            messages.append(checks.Warning(text, hint=hint, id="voucher_gateway.W002"))
    return messages


def _check_admin() -> list[CheckMessage]:
    alias = getattr(settings, DATABASE_SETTING, None)
    if alias is None or alias in settings.DATABASES:
        return []
    text = f"{DATABASE_SETTING} names {alias!r}, which is not a database of DATABASES"
    return [Error(text, hint="name the database that has the journal", id="voucher_gateway.E004")]


def _check_router() -> list[CheckMessage]:
    """Check that Django reads the journal's tables where the setting says they are."""
    alias = getattr(settings, DATABASE_SETTING, None)
    if alias is None or alias not in settings.DATABASES or router.db_for_read(Operation) == alias:
        return []
    text = f"the journal is in the database {alias!r}, and no router of DATABASE_ROUTERS reads it there"
    hint = "add voucher_gateway.contrib.django.models.JournalRouter to DATABASE_ROUTERS, before the others"
    return [Error(text, hint=hint, id="voucher_gateway.E005")]
