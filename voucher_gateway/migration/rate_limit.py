"""The limits of requests that a plan gives to its accounts, beside those of the accounts themselves."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from voucher_gateway.http.rate_limit import LocalPermits, RateLimit
from voucher_gateway.limits.shared_limits import PermitStore
from voucher_gateway.limits.work_class import current_work_class


class Rates:
    """Spaces the requests to each account evenly, for all threads, and for all processes with one store.

    Args:
        limits: the requests per second, by account; other accounts are not limited.
        stop: ends all waits when it is set.
        name: the name of the plan in the store.
        store: where the processes of the plan share the rates; None to limit this process alone.
    """

    def __init__(
        self,
        limits: Mapping[str, float],
        stop: threading.Event,
        *,
        name: str = "",
        store: PermitStore | None = None,
    ) -> None:
        shared = store or LocalPermits()
        self._limits = {
            account: RateLimit(f"{name}:{account}", per_second=rate, burst=1, store=shared, stop=stop)
            for account, rate in limits.items()
            if rate > 0
        }

    def wait(self, account: str) -> None:
        """Wait until the next request may be sent to the account."""
        limit = self._limits.get(account)
        if limit is not None:
            limit.wait(current_work_class())
