"""The spend level: a provider that has it does more than read."""

from __future__ import annotations

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.promise_checks import for_promise, require


class ReachingContract(Contract):
    """A level is not reached by declaring nothing that it asks for."""

    @for_promise("L1")
    def test_a_provider_of_the_spend_level_changes_something(self) -> None:
        """Its declaration names a changing operation."""
        declared = self.provider.declared
        changing = [
            operation
            for operation in Operation
            if operation.changes and declared.of(operation).support is Support.NATIVE
        ]
        require(changing, f"{self.provider.name} declares reading operations only")
