"""The journal: every changing call and every request of it, committed before it is sent.

An operation is recorded together with its first request, so a call with one request costs two commits: one before the
request is sent, one after. A request that is not recorded was not sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
from sqlalchemy.engine import Connection

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal import rows
from voucher_gateway.journal.decisions import Correction, correct_decision
from voucher_gateway.journal.events.operations import append_closed, append_started, row_after_close
from voucher_gateway.journal.fence import check_fences
from voucher_gateway.journal.keys.keys import load_keys, require_all_keys
from voucher_gateway.journal.look_ups import JournalLookUps
from voucher_gateway.journal.moves import reject_if_moved
from voucher_gateway.journal.names import VendorLogin
from voucher_gateway.journal.pruned.pruned import require_not_pruned
from voucher_gateway.journal.records import (
    HoldRequest,
    OperationRecord,
    OperationState,
    OperationTarget,
    RequestResult,
    write_error,
    write_result,
)
from voucher_gateway.journal.refunds import check_refund
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.journal.standing_facts import read_standing_facts
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.masking import hide_arguments
from voucher_gateway.models.results import RefundLimit, Release
from voucher_gateway.outcome import Intent, Result
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S
from voucher_gateway.storage.engine import Database

log: Final = get_logger("voucher_gateway.journal")


class Journal(JournalLookUps):
    """A journal in a database, for all threads of a process.

    Args:
        database: where it is.
        keys: its secret keys.

    Raises:
        ConfigurationError: if a key is missing, or differs from the key that operations were recorded with.
    """

    def record_request(
        self,
        record: OperationRecord,
        *,
        new: bool,
        step: str,
        decisive: bool,
        intent: Intent,
        finished: Sequence[RequestResult],
        hold: HoldRequest | None,
        vendor_now: datetime,
        refund_limit: RefundLimit | None = None,
        sent: rows.SentRequests | None = None,
    ) -> int:
        """Record that a request is about to be sent, and return the number of its row.

        A new operation is recorded with it. An operation whose earlier attempts moved nothing is opened again. The
        requests of the attempt are collected in `sent`, for `close_operation`.

        Raises:
            OperationInProgress: if another worker has the operation, or a fence forbids it. Nothing may be sent then.
            Declined: if a hold forbids it, or if less is left to give back.
            DatabaseUnavailable: if it cannot be committed. Nothing may be sent then.
        """
        at = format_micros(now())
        # Not until the commit has ended without an error is it known what the database holds.
        was_complete = sent is not None and sent.is_complete
        if sent is not None:
            sent.is_complete = False
        with self.database.write(wait_s=seconds_within(BUSY_TIMEOUT_S)) as connection:
            check_fences(connection)
            self.restoration.require_writable(connection)
            row, oldest_writers = None, None
            if new:
                row = self._write_new(connection, record, intent.voucher_id, at)
                oldest_writers = self._require_admissible(connection, record, intent, makes_hold=hold is not None)
            else:
                rows.refresh_operation(connection, record, intent.voucher_id, at)
            self._write_finished(connection, record, finished, at)
            rows.reject_competing(connection, record, step, intent)
            if refund_limit is not None:
                check_refund(connection, self.keys, record, refund_limit)
            reject_if_moved(connection, self.keys, record, intent)
            if hold is not None and not new:
                require_all_keys(connection, self.keys)
            again = not new or record.attempt > 1
            self.holds.check(
                connection,
                self.keys,
                record,
                step=step,
                intent=intent,
                hold=hold,
                vendor_now=vendor_now,
                again=again,
            )
            request = rows.insert_request(connection, record, step=step, decisive=decisive, intent=intent, at=at)
            self.database.require_writer(connection, oldest_writers)
            if row is not None:
                so_far = [request] if record.attempt == 1 else rows.select_request_rows(connection, record.id)
                append_started(connection, self.keys, row, so_far, at)
        number: int = request["id"]
        if sent is not None and was_complete:
            sent.is_complete = True
            sent.finish(finished, at)
            sent.rows[number] = request
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: request %d is recorded before it is sent: %s", record.label, number, step)
        return number

    def confirm_request(self, record: OperationRecord) -> None:
        """Check that a recorded request may be sent again under the same key by this worker.

        Raises:
            OperationInProgress: if another worker has the operation, or a fence forbids it. Nothing may be sent then.
            DatabaseUnavailable: if it cannot be committed. Nothing may be sent then.
        """
        with self.database.write(wait_s=seconds_within(BUSY_TIMEOUT_S)) as connection:
            check_fences(connection)
            self.restoration.require_writable(connection)
            rows.refresh_operation(connection, record, None, format_micros(now()))
            self.database.require_writer(connection)
        log.debug("%s: the last request is sent again under its key", record.label)

    def _write_finished(
        self, connection: Connection, record: OperationRecord, finished: Sequence[RequestResult], at: str
    ) -> None:
        for result in finished:
            rows.finish_request(connection, result, at)
            if result.step == "reserve":
                self.holds.on_request_finished(connection, record, result.effect, result.reservation)

    def _write_new(
        self, connection: Connection, record: OperationRecord, voucher_id: str | None, at: str
    ) -> Mapping[str, Any]:
        if record.attempt > 1:
            return rows.restart_operation(connection, record, at)
        return rows.insert_operation(connection, record, voucher_id, at)

    def _require_admissible(
        self, connection: Connection, record: OperationRecord, at: Intent | OperationTarget, *, makes_hold: bool
    ) -> Mapping[str, str]:
        """Check what another process may have changed since this one started, after a new operation was written.

        Returns:
            by subject, the oldest revision of its tables whose code may write.
        """
        login, account = VendorLogin(at.provider, at.host, at.login), record.key.account
        standing = read_standing_facts(connection, login.key, account)
        if record.attempt == 1:
            require_not_pruned(connection, self.keys, record.key, standing.pruned_key_ids)
        if not standing.is_account_known:
            self.names.add(connection, account, login)
        if makes_hold:
            require_all_keys(connection, self.keys, standing.key_ids)
        return standing.oldest_writers

    def record_without_request(self, record: OperationRecord, result: Result) -> None:
        """Record an operation that succeeded without any request, such as a release by expiry.

        Raises:
            OperationInProgress: if another worker has the operation, or a fence forbids it.
        """
        with self.database.write() as connection:
            check_fences(connection)
            if isinstance(result, Release):
                self.holds.check_release(connection, self.keys, record, result.reservation_id)
            at = format_micros(now())
            row = self._write_new(connection, record, getattr(result, "voucher_id", None), at)
            oldest_writers = self._require_admissible(connection, record, record.target, makes_hold=False)
            self.database.require_writer(connection, oldest_writers)
            append_started(connection, self.keys, row, rows.select_request_rows(connection, record.id), at)
        self.close_operation(record, OperationState.SUCCEEDED, result=result)

    def take_over(self, record: OperationRecord, *, owner: str) -> OperationRecord:
        """Take an operation over from a crashed worker. If that worker was only frozen, it cannot send anything more.

        Raises:
            OperationInProgress: if another worker was faster.
        """
        at = now()
        with self.database.write() as connection:
            rows.take_over_operation(connection, record, owner, format_micros(at))
        return attrs.evolve(record, epoch=record.epoch + 1, owner=owner, updated_at=at)

    def close_operation(
        self,
        record: OperationRecord,
        state: OperationState,
        *,
        result: Result | None = None,
        error: VoucherGatewayError | None = None,
        finished: Sequence[RequestResult] = (),
        check_at: datetime | None = None,
        checks: int = 0,
        decided_by: str | None = None,
        decision: str | None = None,
        sent: rows.SentRequests | None = None,
    ) -> OperationRecord:
        """Write the state of an operation, and its result or error.

        The requests of its attempt need not be read again if `sent` has them all.

        Raises:
            OperationInProgress: if another worker has the operation.
            DatabaseUnavailable: if it cannot be committed; the operation stays as it was.
        """
        at = format_micros(now())
        payload = None if result is None else write_result(result)
        error_text = None if error is None else write_error(error)
        with self.database.write() as connection:
            self._write_finished(connection, record, finished, at)
            values = {
                "new_state": state.value,
                "new_result": payload,
                "new_error": error_text,
                "new_voucher_id": getattr(result, "voucher_id", None),
                "at": at,
                "next_check": None if check_at is None else format_micros(check_at),
                "check_count": checks,
                "person": decided_by,
                "person_reason": decision,
            }
            voucher_id = rows.close_operation(connection, record, values)
            self.holds.on_operation_closed(connection, record, result)
            if sent is not None:
                sent.finish(finished, at)
            if sent is not None and sent.is_complete:
                requests: Sequence[Mapping[str, Any]] = list(sent.rows.values())
            else:
                requests = rows.select_request_rows(connection, record.id)
            row = row_after_close(record, voucher_id, values)
            append_closed(connection, self.keys, row, requests, at, money=getattr(result, "money", None))
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: recorded as %s", record.label, state.value)
        return attrs.evolve(record, state=state, result=payload, error=error_text)

    def correct_decision(
        self, record: OperationRecord, correction: Correction, finished: Sequence[RequestResult]
    ) -> OperationRecord:
        """Write another decision of a person about an operation that a person has decided.

        Raises:
            OperationInProgress: if the operation was run or decided again since it was read.
            DatabaseUnavailable: if it cannot be committed; the operation stays as it was.
        """
        at = format_micros(now())
        with self.database.write() as connection:
            self._write_finished(connection, record, finished, at)
            corrected, row = correct_decision(connection, record, correction, at)
            self._append_decided(connection, row, at)
        return corrected

    def close_requests(
        self, record: OperationRecord, finished: Sequence[RequestResult], *, decided_by: str, decision: str
    ) -> None:
        """Write what a person found out about requests of an operation that is closed already.

        Raises:
            OperationInProgress: if another worker has the operation.
            DatabaseUnavailable: if it cannot be committed.
        """
        at = format_micros(now())
        with self.database.write() as connection:
            self._write_finished(connection, record, finished, at)
            row = rows.write_decision(connection, record, decided_by, decision)
            self._append_decided(connection, row, at)

    def _append_decided(self, connection: Connection, row: Mapping[str, Any], at: str) -> None:
        append_closed(connection, self.keys, row, rows.select_request_rows(connection, row["id"]), at)


@hide_arguments
def open_journal(url: str, keys: Mapping[str, SecretSource] | None = None) -> Journal:
    """Open the journal in a database, and create it if it does not exist.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://...``.
        keys: the journal's keys by id, the newest last. Without them, the key is in the environment variable
            `KEY_VARIABLE`. If that is not set, SQLite has a key file beside the database.

    Raises:
        ConfigurationError: if PostgreSQL has no key, the URL is wrong, or a key is missing or differs from the key
            that the journal was written with.
        DatabaseUnavailable: if the database cannot be opened.
    """
    database = Database(url, JOURNAL)
    try:
        return Journal(database, load_keys(database, keys))
    except BaseException:
        database.close()
        raise
