"""The outcome is not known. The call may have happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voucher_gateway.errors.base import OutcomeName, VoucherGatewayError
from voucher_gateway.errors.ticket import Ticket


class OutcomeUnknown(VoucherGatewayError):
    """The call may have happened. Keep the ticket and resolve it; a repeated call could move money twice.

    Attributes:
        ticket: with it, any process that has the configuration can find out later.
    """

    outcome: OutcomeName = "unknown"
    retry_safe = False

    def __init__(self, message: str, *, ticket: Ticket, **context: Any) -> None:
        super().__init__(message, **context)
        self.ticket = ticket


class OutcomePending(OutcomeUnknown):
    """The vendor has accepted the call, and will complete or cancel it later. Waiting never makes it failed.

    Keep the ticket and resolve it. With a journal, the same call under the same reference asks the vendor for news and
    sends nothing new.
    """

    outcome: OutcomeName = "pending"


class ConcurrentModification(VoucherGatewayError):
    """Another party changed the voucher at the same time, so the result of an emulation is not certain.

    Attributes:
        evidence: the readings before and after, as text.
        ticket: with it, the call can be examined later.
    """

    outcome: OutcomeName = "unknown"
    retry_safe = False

    def __init__(
        self,
        message: str,
        *,
        evidence: Mapping[str, str] | None = None,
        ticket: Ticket | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.evidence = dict(evidence or {})
        self.ticket = ticket
