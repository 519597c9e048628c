"""Commands without a journal: nothing is remembered, and nothing is replayed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, cast

import attrs

from voucher_gateway.commands.command import Command, R
from voucher_gateway.commands.steps import CommandStep, Strategy, T
from voucher_gateway.errors import OperationInProgress, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.process import fork_safety
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.call_options import use_call_options
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import watch_step

log: Final = get_logger("voucher_gateway.execution")


class KeyedLocks:
    """A lock for each voucher, among the threads of one process. An unused lock takes no memory."""

    def __init__(self) -> None:
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make new locks. A lock that another thread of the parent held would stay locked for ever."""
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, str], tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, host: str, voucher_id: str) -> Iterator[None]:
        """Hold the voucher's lock.

        Raises:
            OperationInProgress: if it cannot be acquired before the call's deadline.
        """
        fork_safety.renew_if_forked()
        key = (host, voucher_id)
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            if not lock.acquire(timeout=seconds_within(threading.TIMEOUT_MAX)):
                raise OperationInProgress("another thread is changing this voucher now; try again")
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                _, users = self._locks.get(key, (lock, 1))  # absent in a process that was forked inside the block
                if users == 1:
                    self._locks.pop(key, None)
                else:
                    self._locks[key] = (lock, users - 1)


# One for the process: two of its gateways may use the same vendor.
_LOCKS: Final = KeyedLocks()


class DirectExecutor:
    """Executes commands at once, under the caller's own reference."""

    def execute(self, command: Command[R], provider: VoucherProvider, strategy: Strategy) -> R:
        """Execute a command and return its result."""
        account, operation = command.account, command.operation.value
        log.debug("%s: %s begins, without a journal", account, operation)
        try:
            with use_call_options(command.options):
                result = cast(R, strategy(command, DirectSteps(provider, command.reference), provider))
        except VoucherGatewayError as error:
            level = logging.WARNING if isinstance(error, OutcomeUnknown) else logging.DEBUG
            log.log(level, "%s: %s: %s: %s", account, operation, error.outcome, type(error).__name__)
            raise
        log.debug("%s: %s: succeeded", account, operation)
        return result


@attrs.frozen
class DirectSteps:
    """Sends each step at once.

    Attributes:
        provider: the vendor.
        reference: the caller's reference, under which every step is sent.
    """

    provider: VoucherProvider
    reference: str

    def run(self, step: CommandStep[T], *, decides_outcome: bool = True) -> T:  # noqa: ARG002 - nothing is recorded
        """Send one step, and return its result."""
        with watch_step() as watched:
            try:
                return step.send(self.provider, self.reference)
            except VoucherGatewayError as error:
                unknown = watched.unknown_outcome(error)
                watched.name_leftovers(unknown or error)
                if unknown is None:
                    raise
        raise unknown

    def lock(self, host: str, voucher_id: str) -> AbstractContextManager[None]:
        """Keep other threads of this process away from the voucher."""
        return _LOCKS.hold(host, voucher_id)

    def with_generated_id(self, new: NewVoucher) -> NewVoucher:
        """Return the voucher unchanged: the adapter and the vendor choose its id or code."""
        return new
