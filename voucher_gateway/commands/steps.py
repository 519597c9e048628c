"""The steps of a command: requests that change something at a vendor, and what runs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.outcome import Intent
from voucher_gateway.provider.provider import VoucherProvider

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class CommandStep(Protocol[T_co]):
    """One request that changes something at the vendor."""

    @property
    def name(self) -> str:
        """The step's name, unique within the operation."""
        ...

    def send(self, provider: VoucherProvider, reference: str) -> T_co:
        """Send the request under this reference, and return what the vendor answered."""
        ...


class StepRunner(Protocol):
    """Runs the steps of one command."""

    def run(self, step: CommandStep[T], *, decides_outcome: bool = True) -> T:
        """Send one step, and return its result.

        Args:
            step: the request.
            decides_outcome: whether the operation succeeds when this request does. The reservation that a redemption
                begins with moves nothing, so it decides nothing.
        """
        ...

    def lock(self, host: str, voucher_id: str) -> AbstractContextManager[None]:
        """Keep all others who use this lock away from the voucher."""
        ...

    def with_generated_id(self, new: NewVoucher) -> NewVoucher:
        """Return a new voucher with an id or code by which it can be found again, where the vendor lets us choose."""
        ...


Strategy = Callable[[Any, StepRunner, VoucherProvider], Any]
"""Runs a command at a provider: `run_natively` or the function of an emulation."""


def overwrite_id(intent: Intent) -> str:
    """Return the id of a movement that an overwritten value makes: the vendor does not record one."""
    return f"update:{intent.reference}"
