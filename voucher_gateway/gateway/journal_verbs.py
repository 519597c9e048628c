"""The verbs of a gateway that ask the journal, and resolve what is in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import ConfigurationError, InvalidRequest, Ticket
from voucher_gateway.gateway.base import GatewayBase, R
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.masking import Code
from voucher_gateway.models.results import (
    Redemption,
    Reservation,
)

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    from voucher_gateway.execution.lookup_hints import LookupHint
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState


class JournalVerbs(GatewayBase):
    """The verbs that ask the journal, and resolve what is in doubt."""

    def operation(self, account: str, verb: Operation | str, reference: str) -> OperationRecord | None:
        """Return what the journal records of an operation; None if it was never sent.

        Args:
            account: the account's name.
            verb: the operation, e.g. ``redeem``.
            reference: the reference of the call.

        Raises:
            ReferencePruned: if it was sent, and its details were removed from the journal.
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            print(gateway.operation("shop", "redeem", "1001-card-1").state)  # succeeded
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.journal.records import OperationKey

        key = OperationKey(account, Operation(verb), reference)
        return journal.find_unless_pruned(self._present_key(key, search=False))

    def operations(
        self,
        *,
        states: Iterable[OperationState | str] = (),
        account: str | None = None,
        verb: Operation | str | None = None,
        reference: str | None = None,
        order: str | None = None,
        voucher: str | None = None,
        code: str | Code | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[OperationRecord]:
        """Iterate over the journal's operations, the newest first. Memory holds a hundred at a time.

        An operation may go on while you iterate: its record is of the moment when it was read.

        Args:
            states: only operations in these states; all if none is named.
            account: only operations of this account.
            verb: only operations of this verb, e.g. ``redeem``.
            reference: only operations under this reference.
            order: only operations of this order of the shop.
            voucher: only operations on the voucher with this id, at any account.
            code: only operations that named this code, and all others on the same voucher.
            since: only operations that were recorded at this moment or later.
            until: only operations that were recorded before this moment.
            limit: at most this many.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1", order="1001")
            for record in gateway.operations(order="1001"):
                print(record.key.verb, record.key.reference, record.state)  # redeem 1001-card-1 succeeded
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.gateway.operations import search_operations

        return search_operations(
            journal,
            self._accounts.values(),  # those of a source are found only if a code is given
            states=states,
            account=None if account is None else self._follow_rename(account),
            verb=verb,
            reference=reference,
            order=order,
            voucher=voucher,
            code=Code.of_given(code),
            since=since,
            until=until,
            limit=limit,
        )

    def reservation(self, account: str, reference: str) -> Reservation:
        """Return the reservation that was made under a reference.

        Args:
            account: the account's name.
            reference: the reference of the `reserve`.

        Raises:
            InvalidRequest: if the journal has no such reservation.
            ReferencePruned: if its details were removed from the journal.
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.reserve("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-hold")
            reservation = gateway.reservation("shop", "1001-hold")  # later, in another process
            print(gateway.capture("shop", reservation, reference="1001-take").money)  # 10.00 EUR
            ```
        """
        return self._find_result(Reservation, account, reference, Operation.RESERVE)

    def redemption(self, account: str, reference: str) -> Redemption:
        """Return the redemption that a `capture` or a `redeem` made under a reference.

        Args:
            account: the account's name.
            reference: the reference of the `redeem` or `capture`.

        Raises:
            InvalidRequest: if the journal has no such redemption, or one of each verb.
            ReferencePruned: if its details were removed from the journal.
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            redemption = gateway.redemption("shop", "1001-card-1")  # later, in another process
            print(gateway.refund("shop", redemption, reference="1001-return-1").money)  # 10.00 EUR
            ```
        """
        return self._find_result(Redemption, account, reference, Operation.CAPTURE, Operation.REDEEM)

    def resolve(self, doubt: Ticket | str | OperationKey, *, timeout: float | None = None) -> Resolution:
        """Find out what became of a call. It only reads at the vendor.

        Args:
            doubt: the ticket of an `OutcomeUnknown`, as object or JSON, or an operation's key.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Raises:
            OperationInProgress: if a worker still runs the call.
            ConfigurationError: if the account leads to another host or login than the call ran at.
            InvalidRequest: if the journal has no such operation.

        Example:
            ```python
            try:
                gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            except OutcomeUnknown as error:
                resolution = gateway.resolve(error.ticket)
                print(resolution.state)
            ```
        """
        from voucher_gateway.execution.recovery import resolve_operation, resolve_ticket

        subject = Ticket.from_json(doubt) if isinstance(doubt, str) else doubt
        with use_call_deadline(timeout):
            if self._journal_executor is not None:
                present = self._follow_rename(subject.account, search=True)
                subject = attrs.evolve(subject, account=present)
                return resolve_operation(self._journal_executor, self.provider, subject)
            if not isinstance(subject, Ticket):
                raise ConfigurationError("without a journal only a ticket can be resolved")
            return resolve_ticket(self.provider(subject.account), subject)

    def decide(
        self,
        key: OperationKey,
        *,
        succeeded: bool,
        by: str,
        reason: str,
        voucher_id: str | None = None,
        timeout: float | None = None,
    ) -> Resolution:
        """Record what a person found out about an operation that no reading can decide.

        The vendor is asked once more first. A second decision corrects the first one; the journal keeps both.

        Args:
            key: the operation.
            succeeded: whether it happened.
            by: the person's name.
            reason: how that person knows. It is stored in plain text: never put a code or a PIN into it.
            voucher_id: the voucher that an issue made, at the vendor. It is read, and compared with the operation.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Raises:
            InvalidRequest: if the outcome of the operation is known, if a name, reason or id is missing, or if the
                vendor shows something else.
            ConfigurationError: without a journal.
        """
        executor = self._require_journal()
        from voucher_gateway.execution.decisions import Decision, decide

        decision = Decision(succeeded=succeeded, by=by, reason=reason, voucher_id=voucher_id)
        with use_call_deadline(timeout):
            return decide(executor, self.provider, self._present_key(key), decision)

    def lookup_hints(
        self, key: OperationKey, *, ask_vendor: bool = False, timeout: float | None = None
    ) -> list[LookupHint]:
        """Return what a person looks for in the vendor's screens before `decide`, for each request of an operation.

        Args:
            key: the operation.
            ask_vendor: whether to read at the vendor what was left on the voucher before, where the journal does not
                know it.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Raises:
            InvalidRequest: if the journal has no such operation.
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            key = OperationKey("shop", Operation.REDEEM, "1001-card-1")
            print(gateway.lookup_hints(key))  # []
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.execution.lookup_hints import find_hints

        with use_call_deadline(timeout):
            record = journal.find_unless_pruned(self._present_key(key))
            if record is None:
                raise InvalidRequest(
                    "the journal has no such operation", field="key", rule="an operation that was sent"
                )
            return find_hints(journal, record, self.provider(record.key.account) if ask_vendor else None)

    def _present_key(self, key: OperationKey, *, search: bool = True) -> OperationKey:
        """Return the key of an operation under the name that its account has now."""
        return attrs.evolve(key, account=self._follow_rename(key.account, search=search))

    def _find_result(self, kind: type[R], account: str, reference: str, *verbs: Operation) -> R:
        journal = self._require_journal().journal
        from voucher_gateway.journal.records import OperationKey

        present = self._follow_rename(account)
        keys = [OperationKey(present, verb, reference) for verb in verbs]
        records = [journal.find(key) for key in keys]
        results = [record.replay() for record in records if record is not None and record.result is not None]
        matches = [result for result in results if isinstance(result, kind)]
        if len(matches) == 1:
            return matches[0]
        if not matches:
            for key in keys:
                journal.pruned.require_absent(key)
        words = " and a ".join(verb.value for verb in verbs) if matches else " or ".join(verb.value for verb in verbs)
        raise InvalidRequest(
            f"the journal has {'a' if matches else 'no'} {words} under the reference {reference!r:.200}",
            field="reference",
            rule="of exactly one operation that succeeded",
        )
