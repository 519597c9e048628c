"""The time and the permits of one call at a vendor."""

from __future__ import annotations

import attrs

from voucher_gateway.http.rate_limit import LocalPermits, RateLimit
from voucher_gateway.http.settings import HttpSettings
from voucher_gateway.limits.call_deadline import call_deadline, moment_within
from voucher_gateway.limits.work_class import WorkClass, current_work_class
from voucher_gateway.request_hooks import wait_for_rate_limit


@attrs.define
class CallBudget:
    """How long one call may take, and the permits of its requests.

    Attributes:
        account: the account's name.
        rate: the rate of the account; None if it has none.
        kind: the class of work that makes the call.
        deadline: when the call must end, by ``time.monotonic``.
        has_permit: whether the next request has its permit already.
        is_first: whether no request was sent yet.
    """

    account: str
    rate: RateLimit | None
    kind: WorkClass
    deadline: float
    has_permit: bool
    is_first: bool = True

    @classmethod
    def open(cls, account: str, settings: HttpSettings, rate: RateLimit | None) -> CallBudget:
        """Begin a call. Work without a customer waits here for the permit of its first request, however long it takes.

        Raises:
            ProviderUnavailable: if the call cannot wait that long.
        """
        kind = current_work_class()
        wait_for_rate_limit(account)
        waits_here = rate is not None and kind is not WorkClass.CHECKOUT
        if rate is not None and waits_here:
            rate.wait(kind, until=call_deadline())
        return cls(account, rate, kind, moment_within(settings.total_s(kind)), waits_here)

    def take_permit(self) -> None:
        """Wait until the next request may be sent.

        Raises:
            ProviderUnavailable: if that is after the deadline. Nothing was sent.
        """
        if not self.is_first:
            wait_for_rate_limit(self.account)
        self.is_first = False
        if self.has_permit:
            self.has_permit = False
        elif self.rate is not None:
            self.rate.wait(self.kind, until=self.deadline)


def rate_of(account: str, settings: HttpSettings) -> RateLimit | None:
    """Return the rate of an account, in this process until a journal shares it; None if it has none."""
    if not settings.requests_per_second:
        return None
    return RateLimit(
        f"account:{account}",
        per_second=settings.requests_per_second,
        burst=settings.burst_size,
        store=LocalPermits(),
    )
