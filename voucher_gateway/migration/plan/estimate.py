"""Estimates how long a plan takes, from the requests of each step and the measured time of a request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.emulation.registry import emulated_operation
from voucher_gateway.migration.plan.model import Step
from voucher_gateway.migration.plan.policy import Retire

_RETIRING: Final[Mapping[Retire, Operation]] = {
    Retire.EXPIRE: Operation.UPDATE,
    Retire.EMPTY: Operation.REDEEM,
    Retire.DELETE: Operation.DELETE,
}

ALLOWANCE_PERCENT: Final = 130
"""The likely time, in percent of the time for requests alone. The commits of the journal take the rest."""


@attrs.frozen(kw_only=True)
class AccountLoad:
    """The requests of one account.

    Attributes:
        account: the name of the account.
        requests: the number of requests for each carried voucher.
        latency: the measured time of a request.
        rate: the most requests per second; None for no limit.
    """

    account: str
    requests: int
    latency: timedelta
    rate: float | None = None


@attrs.frozen(kw_only=True)
class Estimate:
    """The estimated time of a run.

    Attributes:
        vouchers: how many vouchers are carried.
        workers: how many vouchers are moved at a time.
        source: the requests of the source.
        target: the requests of the target.
    """

    vouchers: int
    workers: int
    source: AccountLoad
    target: AccountLoad

    @property
    def least(self) -> timedelta:
        """The time that the requests take by latency and rate limits alone."""
        waiting = self.source.requests * self.source.latency + self.target.requests * self.target.latency
        bounds = [waiting * -(-self.vouchers // self.workers)]
        bounds += [
            timedelta(seconds=self.vouchers * load.requests / load.rate)
            for load in (self.source, self.target)
            if load.rate
        ]
        return max(bounds)

    @property
    def likely(self) -> timedelta:
        """The time that the run will probably take: `least` and an allowance."""
        return self.least * ALLOWANCE_PERCENT // 100

    def fits(self, window: timedelta) -> bool:
        """Return whether the run will probably end within a window."""
        return self.likely <= window


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
    emulated = emulated_operation(capabilities, operation)
    return capabilities.requests_per_operation.get(operation, 1 if emulated is None else emulated.requests)
