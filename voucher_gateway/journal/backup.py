"""Copies a journal, and completes a journal that was restored from a copy with what the vendors show."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable, InvalidRequest, MalformedResponse
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.restore_guard import RESTORED
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.storage.files import make_private

log: Final = get_logger("voucher_gateway.journal")


@attrs.frozen(kw_only=True)
class RestoreSummary:
    """The result of the import for one account.

    Attributes:
        account: the account's name.
        vouchers: how many vouchers were read.
        adopted: how many of our movements were imported, which the journal did not know.
    """

    account: str
    vouchers: int
    adopted: int


def mark_restored(journal: Journal) -> None:
    """Forbid changing calls on a restored journal. A backup made by `copy_journal` is marked already."""
    with journal.database.write() as connection:
        journal.restoration.begin(connection, journal.keys, format_micros(now()))
    log.warning("the journal is marked as restored: changing calls are refused")


def import_missing_movements(
    journal: Journal,
    providers: list[VoucherProvider],
    *,
    report_progress: Callable[[RestoreSummary], None] = lambda _: None,
) -> list[RestoreSummary]:
    """Read the history of every voucher, import the movements that the journal has forgotten, and allow calls again.

    If anything cannot be read, calls stay forbidden: run it again.

    Raises:
        VoucherGatewayError: if a vendor cannot be read.
    """
    summaries = []
    for provider in providers:
        vouchers = count = 0
        with provider.vouchers() as listing:
            for voucher in listing.entries():
                if voucher.id is None:
                    raise MalformedResponse(
                        "a voucher of the list cannot be read, so it is not known what was charged to it",
                        problems=(voucher.reason,),
                        account=provider.account,
                    )
                history = provider.history(voucher.id)
                with journal.database.write() as connection:
                    count += journal.restoration.import_movements(
                        connection, journal.keys, provider.account, provider.host, history
                    )
                vouchers += 1
        log.info("%s: %d vouchers read, %d forgotten movements imported", provider.account, vouchers, count)
        summary = RestoreSummary(account=provider.account, vouchers=vouchers, adopted=count)
        report_progress(summary)
        summaries.append(summary)
    with journal.database.write() as connection:
        journal.restoration.end(connection, journal.keys, format_micros(now()))
    log.info("the restored journal is complete: changing calls are allowed")
    return summaries


def copy_journal(journal: Journal, target: Path) -> None:
    """Copy an SQLite journal, while it is in use, into a file that must be completed before it can be written.

    The key file beside the database is not copied: keep it elsewhere. Without it the copy cannot be used.

    Raises:
        ConfigurationError: if the journal is in PostgreSQL, which has its own tools.
        InvalidRequest: if the file exists.
        DatabaseUnavailable: if it cannot be written.
    """
    source = journal.database.path
    if source is None:
        raise ConfigurationError(
            "copy a PostgreSQL journal with PostgreSQL's own tools; after a restore, run"
            " `voucher-gateway recover --after-restore`"
        )
    try:
        is_new = make_private(target)
    except OSError as failed:
        raise DatabaseUnavailable(f"the backup {target} could not be written: {failed.strerror}") from None
    if not is_new:
        raise InvalidRequest(f"{target} exists already", field="file", rule="a new file")
    try:
        with (
            closing(sqlite3.connect(source)) as source_connection,
            closing(sqlite3.connect(target)) as target_connection,
        ):
            source_connection.backup(target_connection)
            target_connection.execute(
                "INSERT OR REPLACE INTO voucher_gateway_facts (name, value) VALUES (?, ?)",
                (RESTORED, format_micros(now())),
            )
            target_connection.commit()
    except sqlite3.Error as error:
        reason = str(error)
    else:
        return
    raise DatabaseUnavailable(f"the backup {target} could not be written: {reason}")
