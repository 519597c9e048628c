"""What the gateway knows of its operations, and how it finds out what became of them.

Journal and recovery are imported late, as `voucher_gateway.gateway.accounts` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import ConfigurationError, InvalidRequest, Ticket
from voucher_gateway.gateway.accounts import Accounts
from voucher_gateway.models.results import Redemption, Reservation
from voucher_gateway.outcome import Result

if TYPE_CHECKING:
    from voucher_gateway.execution.executor import JournalExecutor
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState

R = TypeVar("R", bound=Result)


class Doubt(Accounts):
    """Questions to the journal, and to the vendors about what it does not know."""

    def operation(self, account: str, verb: Operation | str, reference: str) -> OperationRecord | None:
        """Return what the journal holds of an operation; None if it never sent anything."""
        journal = self._require_journal().journal
        from voucher_gateway.journal.records import OperationKey

        return journal.find(OperationKey(account, Operation(verb), reference))

    def operations(
        self, *, states: Iterable[OperationState] = (), account: str | None = None, limit: int | None = None
    ) -> list[OperationRecord]:
        """Return the journal's operations, the oldest first."""
        return self._require_journal().journal.operations(states=states, account=account, limit=limit)

    def reservation(self, account: str, reference: str) -> Reservation:
        """Return the reservation that was made under a reference.

        Raises:
            InvalidRequest: if the journal has no such reservation.
        """
        return self._recorded_result(Reservation, account, reference, Operation.RESERVE)

    def redemption(self, account: str, reference: str) -> Redemption:
        """Return the redemption (of a `capture` or a `redeem`) that was made under a reference.

        Raises:
            InvalidRequest: if the journal has no such redemption, or one of each verb.
        """
        return self._recorded_result(Redemption, account, reference, Operation.CAPTURE, Operation.REDEEM)

    def _recorded_result(self, kind: type[R], account: str, reference: str, *verbs: Operation) -> R:
        entries = [self.operation(account, verb, reference) for verb in verbs]
        results = [entry.replay() for entry in entries if entry is not None and entry.result is not None]
        matches = [result for result in results if isinstance(result, kind)]
        if len(matches) == 1:
            return matches[0]
        words = " and a ".join(verb.value for verb in verbs) if matches else " or ".join(verb.value for verb in verbs)
        raise InvalidRequest(
            f"the journal has {'a' if matches else 'no'} {words} under the reference {reference!r:.200}",
            field="reference",
            rule="of exactly one operation that succeeded",
        )

    def resolve(self, doubt: Ticket | str | OperationKey) -> Resolution:
        """Find out what became of a call, only reading at the vendor.

        Args:
            doubt: the ticket of an `OutcomeUnknown`, as object or JSON, or an operation's key.

        Raises:
            OperationInProgress: if a worker is still on it.
            ConfigurationError: if the account leads to another host or login than the call ran at.
            InvalidRequest: if there is no such operation.
        """
        from voucher_gateway.execution.recovery import resolve_operation, resolve_ticket

        ticket = Ticket.from_json(doubt) if isinstance(doubt, str) else doubt
        if self._journalling is not None:
            return resolve_operation(self._journalling, self.provider, ticket)
        if not isinstance(ticket, Ticket):
            raise ConfigurationError("without a journal only a ticket can be resolved")
        return resolve_ticket(self.provider(ticket.account), ticket)

    def recover(self, *, account: str | None = None, everything: bool = False) -> list[Resolution]:
        """Look at the vendors for every operation that is unknown or was left behind by a dead worker.

        Operations looked at in vain are looked at less and less often. It may run on several machines at once, from
        cron say; nothing it does moves money.

        Args:
            account: only of this account.
            everything: whether to look even where the next look is not due yet.
        """
        journalling = self._require_journal()
        from voucher_gateway.execution.recovery import recover

        return recover(journalling, self.provider, account=account, everything=everything)

    def decide(self, key: OperationKey, *, succeeded: bool, by: str, reason: str) -> Resolution:
        """Write down what a person found out about an operation that no reading can decide. It cannot be undone.

        Args:
            key: the operation.
            succeeded: whether it happened.
            by: who says so.
            reason: how that person knows.
        """
        journalling = self._require_journal()
        from voucher_gateway.execution.recovery import decide

        return decide(journalling, self.provider, key, succeeded=succeeded, by=by, reason=reason)

    def _require_journal(self) -> JournalExecutor:
        if self._journalling is None:
            raise ConfigurationError("there is no journal: name one in the configuration")
        return self._journalling
