"""The spend level: a provider that has it does more than read."""

from __future__ import annotations

from voucher_gateway.adapter import Operation, Support
from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.keeping import keeps, must


class ReachingContract(Contract):
    """A level is not reached by declaring nothing that it asks for."""

    @keeps("L1")
    def test_a_provider_of_the_spend_level_changes_something(self) -> None:
        """Its declaration names a changing operation."""
        declared = self.provider.declared
        changing = [one for one in Operation if one.changes and declared.of(one).support is Support.NATIVE]
        must(changing, f"{self.provider.name} declares reading operations only")
