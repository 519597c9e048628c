"""What all moves of a plan share: both accounts, the references of their operations, and retries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from datetime import datetime
from typing import Any, Final, ParamSpec, TypeVar

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.errors import (
    AccountPaused,
    ConfigurationError,
    MalformedResponse,
    NotExecuted,
    OperationInProgress,
    RateLimited,
)
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.iteration import ordered_map
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.moves import move_reference
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.migration.plan.model import End, PlanHeader, Step
from voucher_gateway.migration.rate_limit import Rates
from voucher_gateway.migration.run.rows import VoucherRow
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.request_hooks import use_rate_limiter

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Result = TypeVar("Result")

FREEZE, CREATE, ACTIVATE, RETIRE = "freeze", "create", "activate", "retire"
"""The names of the steps of a move, in references."""

_PAUSES_S: Final = (0.2, 1.0, 4.0)
_LONGEST_PAUSE_S: Final = 300.0
_WAIT_S: Final = 5.0
"""How long a call waits for another worker with the same operation. That worker may have died a moment ago."""


@attrs.frozen(kw_only=True)
class VoucherReading:
    """A voucher as it was just read.

    Attributes:
        voucher: the voucher, with its code and PIN if they can be read.
        remaining: its remaining value; None if that cannot be read.
    """

    voucher: Voucher
    remaining: Money | None


class MigrationContext:
    """What all moves of a plan share. All threads may use it.

    Args:
        gateway: has a journal and both accounts.
        plan_id: the hash of the plan.
        header: the properties that all vouchers share.
        stop: the event that is set when no new move may begin.

    Raises:
        ConfigurationError: without a journal, or an account has another vendor or login than when the plan was
            made.
    """

    def __init__(
        self,
        gateway: Gateway,
        plan_id: str,
        header: PlanHeader,
        stop: threading.Event | None = None,
    ) -> None:
        self.gateway = gateway
        self.plan_id = plan_id
        self.header = header
        self.stop = stop or threading.Event()
        self.journal = journal_of(gateway)
        self.source = header.source.account
        self.target = header.target.account
        for end in (header.source, header.target):
            _check_end(gateway, end)
        self.source_can: Capabilities = gateway.capabilities(self.source)
        self.target_can: Capabilities = gateway.capabilities(self.target)
        self.freezes_source = Step.FREEZE in header.steps
        self.leaves_source = header.copy or header.retire == "leave"
        """Whether the source is not changed."""

    def ordered_map(
        self, fn: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
    ) -> Generator[Result, None, None]:
        """Call a function for each item on several threads, and yield the results in the order of the items.

        The rate limits of the plan hold for all requests of the threads.

        Args:
            fn: the function; several threads call it at a time.
            items: the items; they are read as the results are read.
            workers: the number of threads; by default that of the plan.
        """
        rates = self.rates()

        def rate_limited(item: Item) -> Result:
            with use_rate_limiter(rates.wait):
                return fn(item)

        return ordered_map(rate_limited, items, workers or self.header.workers)

    def rates(self) -> Rates:
        """Return the rate limits of the plan, which all of its processes share."""
        return Rates(self.header.rates, self.stop, name=f"plan:{self.plan_id[:32]}", store=self.journal.permits)

    @property
    def order(self) -> str:
        """The order that is sent with all operations of the plan, except issues."""
        return f"move-{self.plan_id[:12]}"

    def reference(self, row: VoucherRow, step: str) -> str:
        """Return the reference of one operation. Every run gives the same one, so the operation happens once."""
        return move_reference(self.plan_id, f"{row.number}.{row.generation}-{step}")

    def entry(self, account: str, verb: Operation, row: VoucherRow, step: str) -> OperationRecord | None:
        """Return the record of one operation in the journal, or None."""
        return self.gateway.operation(account, verb, self.reference(row, step))

    def has_succeeded(self, account: str, verb: Operation, row: VoucherRow, step: str) -> bool:
        """Return whether one operation is known to have succeeded."""
        entry = self.entry(account, verb, row, step)
        return entry is not None and entry.state is OperationState.SUCCEEDED

    def may_have_run(self, account: str, verb: Operation, row: VoucherRow, step: str) -> bool:
        """Return whether one operation may have been executed."""
        entry = self.entry(account, verb, row, step)
        return entry is not None and entry.state.may_have_happened

    def resolved_record(self, account: str, verb: Operation, row: VoucherRow, step: str) -> OperationRecord | None:
        """Return the record of one operation, after a look-up at the vendor if its outcome is unknown.

        Raises:
            OutcomeNotResolved: if the outcome stays unknown.
            OperationInProgress: if another worker executes it.
        """
        entry = self.entry(account, verb, row, step)
        if entry is None or not entry.state.is_unresolved:
            return entry
        self.gateway.resolve(entry.key)
        entry = self.entry(account, verb, row, step)
        if entry is not None and entry.state.is_unresolved:
            outcome = "pending" if entry.state is OperationState.PENDING else "unknown"
            raise OutcomeNotResolved(f"the outcome of its {verb} at {account} is {outcome}: {operation_of(entry)}")
        return entry

    def call_kwargs(self, row: VoucherRow, step: str) -> dict[str, Any]:
        """Return the keyword arguments of a changing call."""
        return {"reference": self.reference(row, step), "order": self.order, "wait": _WAIT_S}

    def retry_while_safe(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call, and repeat it after a pause if it certainly did nothing, or was a read that failed.

        Args:
            call: the call, such as a verb of the gateway.
            *args: its arguments.
            **kwargs: its keyword arguments.

        Raises:
            AccountPaused: if a person has paused the account.
            NotExecuted, OperationInProgress, MalformedResponse: if the last attempt fails, too.
            NotExecuted: also if the run stops before a reply that cannot be read was asked for again. The next run
                asks for it.
        """
        for pause in _PAUSES_S:
            try:
                return call(*args, **kwargs)
            except RateLimited as error:
                wait = min(error.retry_after or pause, _LONGEST_PAUSE_S)
                if self.stop.wait(wait):
                    raise
            except AccountPaused:
                raise
            except (NotExecuted, OperationInProgress):
                if self.stop.wait(pause):
                    raise
            except MalformedResponse as error:
                if self.stop.wait(pause):
                    raise NotExecuted(
                        f"the run stops, and the last reply could not be read: {error.message}",
                        account=error.account,
                        operation=error.operation,
                    ) from error
        return call(*args, **kwargs)

    def read(self, account: str, voucher_id: str) -> VoucherReading:
        """Read a voucher with everything that can be read: its code, its PIN, and its remaining value."""
        can = self.source_can if account == self.source else self.target_can
        voucher = self.retry_while_safe(self.gateway.get, account, voucher_id, secrets=can.codes.readable)
        remaining = voucher.remaining
        if remaining is None and voucher.code is not None:
            code, pin = voucher.code, voucher.pin
            remaining = self.retry_while_safe(self.gateway.balance, account, code, pin).remaining
        return VoucherReading(voucher=voucher, remaining=remaining)

    def past_date(self) -> datetime:
        """Return a moment that is past by every clock: the end of validity of a voucher that is to expire."""
        planned_at = self.header.made_at
        return planned_at.replace(year=planned_at.year - 1, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


class OutcomeNotResolved(Exception):
    """The outcome of an operation is unknown. The text names the operation."""


def operation_of(entry: OperationRecord) -> str:
    """Return the text that names an operation for a person who decides about it."""
    return f"the operation is {entry.key.account} {entry.key.verb} {entry.key.reference}"


def journal_of(gateway: Gateway) -> Journal:
    """Return the journal of a gateway.

    Raises:
        ConfigurationError: if the gateway has none.
    """
    if gateway.journal is None:
        raise ConfigurationError(
            "a migration needs a journal, so that nothing is moved twice; name one in the configuration"
        )
    return gateway.journal


def _check_end(gateway: Gateway, end: End) -> None:
    provider = gateway.provider(end.account)
    present = (provider.name, provider.host, provider.login)
    if present != (end.provider, end.host, end.login):
        raise ConfigurationError(
            f"the plan was made for {end.account} at {end.host} as {end.login or 'its login'}, but the account is at"
            f" {provider.host} now, as {provider.login or 'its login'}; make a new plan",
            account=end.account,
        )
