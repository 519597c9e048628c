"""The limits of an account that hold in all processes that share a journal."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class AccountPause:
    """A pause of an account, for all processes that share a journal.

    Attributes:
        account: the account's name.
        everything: whether captures, releases, refunds and look-ups of unknown outcomes are paused as well.
        since: when it began, by the clock of the database.
        until: when it ends; None if it lasts until it is ended.
        reason: why, in the words of the person who paused it.
        by: who paused it.
    """

    account: str
    everything: bool
    since: datetime
    until: datetime | None = None
    reason: str | None = None
    by: str | None = None


class PauseSource(Protocol):
    """Where it is known which accounts are paused."""

    def find(self, account: str) -> AccountPause | None:
        """Return the pause of an account; None if it is not paused. It is cheap enough for each call."""
        ...


@attrs.frozen(kw_only=True)
class Backlog:
    """How long the permits that were given out keep a vendor busy at a rate.

    Attributes:
        is_taken: whether the permit is given.
        microseconds: the backlog then.
    """

    is_taken: bool
    microseconds: int


class PermitStore(Protocol):
    """Where the backlogs of rates are."""

    def take(self, name: str, *, cost_us: int, limit_us: int) -> Backlog:
        """Add to the backlog of a rate, if it then stays within a limit.

        Args:
            name: the name of the rate.
            cost_us: what is added, in microseconds.
            limit_us: the largest backlog.
        """
        ...


@attrs.frozen(kw_only=True)
class SharedLimits:
    """The limits that a gateway gives to its providers; see `VoucherProvider.use_shared_limits`.

    Attributes:
        pauses: where it is known which accounts are paused.
        permits: where the backlogs of the rates are.
    """

    pauses: PauseSource
    permits: PermitStore
