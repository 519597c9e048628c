"""Estimates how long a plan takes, from the requests of each step and from measured times.

While the plan is made, three times are measured: of a small read at each account, of the processor for that read, and
of a commit of the journal. A run reports its own time for each voucher, which is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.emulation.registry import find_emulation
from voucher_gateway.migration.plan.model import Step
from voucher_gateway.migration.plan.policy import Retire

_RETIRING: Final[Mapping[Retire, Operation]] = {
    Retire.EXPIRE: Operation.UPDATE,
    Retire.EMPTY: Operation.REDEEM,
    Retire.DELETE: Operation.DELETE,
}

ALLOWANCE_PERCENT: Final = 120
"""The likely time, in percent of the time that was calculated: no run is as even as a calculation."""
_PROCESSOR_PERCENT: Final = 180
"""The processor time of a request of a run, in percent of that of a small read: it is checked and recorded, too."""
_COMMITS_PER_CHANGE: Final = 2
_CHANGES: Final = (Step.FREEZE, Step.CREATE, Step.RETIRE, Step.ACTIVATE)


@attrs.frozen(kw_only=True)
class AccountLoad:
    """The requests of one account.

    Attributes:
        account: the name of the account.
        requests: the number of requests for each carried voucher.
        latency: the measured time of a request.
        rate: the most requests per second; None for no limit.
        processor: the measured time of the processor for a request.
    """

    account: str
    requests: int
    latency: timedelta
    rate: float | None = None
    processor: timedelta = timedelta()


@attrs.frozen(kw_only=True)
class Estimate:
    """The estimated time of a run.

    Attributes:
        vouchers: how many vouchers are carried.
        workers: how many vouchers are moved at a time.
        source: the requests of the source.
        target: the requests of the target.
        own: the time that a voucher takes here, of the processor and the journal. A process does this work for one
            voucher after the other.
    """

    vouchers: int
    workers: int
    source: AccountLoad
    target: AccountLoad
    own: timedelta = timedelta()

    @property
    def least(self) -> timedelta:
        """The time that the run takes by latency, by rate limits or by our own work alone, whichever is the longest."""
        return max(self._waiting * -(-self.vouchers // self.workers), *self._other_bounds)

    @property
    def _waiting(self) -> timedelta:
        """The time that the requests of one voucher take."""
        return self.source.requests * self.source.latency + self.target.requests * self.target.latency

    @property
    def _other_bounds(self) -> list[timedelta]:
        return [
            self.vouchers * self.own,
            *(
                timedelta(seconds=self.vouchers * load.requests / load.rate)
                for load in (self.source, self.target)
                if load.rate
            ),
        ]

    @property
    def likely(self) -> timedelta:
        """The time that the run will probably take: a worker waits for requests and for our own work in turn."""
        in_turn = (self._waiting + self.own) * -(-self.vouchers // self.workers)
        return max(in_turn, *self._other_bounds) * ALLOWANCE_PERCENT // 100

    def fits(self, window: timedelta) -> bool:
        """Return whether the run will probably end within a window."""
        return self.likely <= window


def own_time(steps: tuple[Step, ...], source: AccountLoad, target: AccountLoad, commit: timedelta) -> timedelta:
    """Return the time that a voucher takes here.

    Args:
        steps: the steps of its move.
        source: the requests of the source.
        target: the requests of the target.
        commit: the measured time of a commit of the journal.
    """
    processor = source.requests * source.processor + target.requests * target.processor
    changes = sum(step in _CHANGES for step in steps)
    return processor * _PROCESSOR_PERCENT // 100 + changes * _COMMITS_PER_CHANGE * commit


def requests_of(steps: tuple[Step, ...], retire: Retire, source: Capabilities, target: Capabilities) -> tuple[int, int]:
    """Return the number of requests of the steps of one voucher, at the source and at the target."""
    at_source = at_target = 0
    for step in steps:
        match step:
            case Step.FREEZE:
                at_source += 1 + _cost(source, Operation.DEACTIVATE)  # the status is read before
            case Step.REREAD:
                at_source += _requests_to_read(source)
            case Step.RETIRE:
                at_source += _cost(source, _RETIRING[retire])
                if retire is Retire.EXPIRE and Step.FREEZE not in steps:
                    at_source += _requests_to_read(source)  # the remaining value is read again
            case Step.CREATE:
                at_target += _cost(target, Operation.ISSUE)
            case Step.CONFIRM:
                at_target += _cost(target, Operation.GET)
            case Step.ACTIVATE:
                at_target += _cost(target, Operation.ACTIVATE)
    return at_source, at_target


def _requests_to_read(capabilities: Capabilities) -> int:
    """Return the number of requests that read a voucher, its secrets and its remaining value."""
    find = 0 if capabilities.get_returns_balance else _cost(capabilities, Operation.FIND)
    return _cost(capabilities, Operation.GET) + find


def _cost(capabilities: Capabilities, operation: Operation) -> int:
    emulated = find_emulation(capabilities, operation)
    return capabilities.requests_per_operation.get(operation, 1 if emulated is None else emulated.requests)
