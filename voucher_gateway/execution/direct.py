"""Calls without a journal: nothing is remembered, and nothing replayed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeVar

import attrs

from voucher_gateway.emulation.steps import KeyedLocks, StepRunner
from voucher_gateway.execution.call import Call, R
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.provider import VoucherProvider

Sent = TypeVar("Sent")

# One for the process: two gateways in it may share a vendor.
_LOCKS: Final = KeyedLocks()


class DirectExecutor:
    """Carries out calls at once, under the caller's own reference."""

    def run(self, call: Call, provider: VoucherProvider, perform: Callable[[StepRunner], R]) -> R:  # noqa: ARG002
        """Carry out a call and return its result."""
        return perform(_DirectSteps(call.reference))


@attrs.frozen
class _DirectSteps:
    reference: str

    def run(self, name: str, send: Callable[[str], Sent], *, decisive: bool = True) -> Sent:  # noqa: ARG002
        """Send at once."""
        return send(self.reference)

    def lock(self, host: str, voucher_id: str) -> AbstractContextManager[None]:
        """Keep other threads of this process off the voucher."""
        return _LOCKS.hold(host, voucher_id)

    def with_generated_id(self, new: NewVoucher) -> NewVoucher:
        """Leave the choice of an id or code to the adapter and the vendor."""
        return new
