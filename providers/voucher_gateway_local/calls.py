"""The way every changing call goes: one transaction, once per reference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import (
    Declined,
    Intent,
    InvalidRequest,
    Operation,
    ReferenceConflict,
    VoucherGatewayError,
)
from voucher_gateway_local import validation
from voucher_gateway_local.ledger import Call
from voucher_gateway_local.open import OpenDatabase
from voucher_gateway_local.statements import OF_REFERENCE, SHOWN_BY_NUMBER, Row
from voucher_gateway_local.transactions import commit_once

T = TypeVar("T")

Written = tuple[Row, Row]
"""A voucher's row, and the entry that a call wrote about it."""


class Changes:
    """Carries out changing calls of one account.

    Args:
        account: the account's name, for errors.
        open_book: gives the open database.
        clock: the time.
    """

    def __init__(self, account: str, open_book: Callable[[], OpenDatabase], clock: Callable[[], datetime]) -> None:
        self._account = account
        self._open = open_book
        self._clock = clock

    def call(self, verb: Operation, intent: Intent, *content: object) -> Call:
        """Return the call of an intent.

        Args:
            verb: what it does.
            intent: under which reference and order.
            content: all that it asks for.

        Raises:
            InvalidRequest: if the reference or order cannot be kept.
        """
        reference = intent.reference or ""
        validation.names(reference, intent.order)
        return Call(
            kind=verb,
            reference=reference,
            order=intent.order,
            content=self._open().vault.content(verb.value, *content),
            at=self._clock(),
        )

    def run(self, intent: Intent, call: Call, act: Callable[[Connection], Written], make: Callable[[Row, Row], T]) -> T:
        """Carry a call out, or find what it wrote when it was first carried out.

        Args:
            intent: the call, for the journal.
            call: the call, for the ledger.
            act: writes within a transaction.
            make: makes the result of what was written. It is made before the commit: what cannot be told is not done.

        Raises:
            ReferenceConflict: if the reference stands for a call with another content.
            DatabaseUnavailable, OutcomeUnknown: as `transactions.commit_once`.
        """
        try:
            return self._run(intent, call, lambda connection: make(*act(connection)), make)
        except VoucherGatewayError as error:
            error.with_context(account=self._account, operation=call.kind.value)
            raise

    def _run(self, intent: Intent, call: Call, act: Callable[[Connection], T], make: Callable[[Row, Row], T]) -> T:
        try:
            return commit_once(self._open().database, intent, act)
        except (Declined, InvalidRequest, ReferenceConflict) as error:
            refused = error
        # It may have been refused for the very reason that it was carried out before: nothing else is left to spend,
        # or there is no room for it a second time.
        earlier = self._earlier(call)
        if earlier is None:
            raise refused
        return make(*earlier)

    def _earlier(self, call: Call) -> Written | None:
        """Return what a call of the same reference wrote.

        Raises:
            ReferenceConflict: if that asked for something else.
        """
        with self._open().database.read() as connection:
            entry = (
                connection.execute(OF_REFERENCE, {"reference": call.reference, "kind": call.kind.value})
                .mappings()
                .first()
            )
            if entry is None:
                return None
            if entry["content"] != call.content:
                raise ReferenceConflict(
                    f"the reference {call.reference!r} stands for another {call.kind.value} already: a new call needs"
                    " a new reference"
                )
            row = (
                connection.execute(SHOWN_BY_NUMBER, {"voucher_number": entry["voucher"], "now": call.moment})
                .mappings()
                .first()
            )
        assert row is not None  # an entry's voucher is never removed
        return row, entry
