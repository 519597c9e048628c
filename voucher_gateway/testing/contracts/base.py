"""What every part of the contract builds on: the class under test, its level and its stage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.conformance import Level
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.harness.vendor import SimulatorVendor, VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promise import Promise

if TYPE_CHECKING:
    from voucher_gateway.simulator import Simulator


VOUCHERS: Final = 25
"""How many varied vouchers a stage begins with, unless a test asks for another number."""

_NO_WIRE: Final = "the stage has no replies that a test could change on their way"


class Contract:
    """What an author says of a provider, and what the tests are given.

    Attributes:
        provider: the class under test.
        simulator: what to try it against: the simulator's class or name; None for the installed one of the
            provider's name. Another kind of vendor overrides `make_stage` instead.
        level: how far the provider is meant to come; promises of higher levels are not run.
        settings: more settings of the account.
        wire: whether replies can be changed on their way, as at a `SimulatorVendor`; None: unless `make_stage` is
            overridden.
        stage_faults: what can go wrong at the stage; None: what can at its simulator, and nothing where `make_stage` is
            overridden.
        counts: whether the run of this class is what conformance.json tells; one class of each provider at most.
    """

    provider: ClassVar[type[VoucherProvider]]
    simulator: ClassVar[type[Simulator] | str | None] = None
    level: ClassVar[Level] = Level.CRASH_SAFE
    settings: ClassVar[Mapping[str, Any]] = {}
    wire: ClassVar[bool | None] = None
    stage_faults: ClassVar[frozenset[str] | None] = None
    counts: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        highest = Level(getattr(cls.simulator, "highest_level", Level.CRASH_SAFE))
        if cls.level > highest:
            raise TypeError(
                f"{cls.__name__} asks for the {cls.level.word} level, and recorded replies cannot be spent: they "
                f"reach the {highest.word} level. Say level = Level.{highest.name}, or give a simulator"
            )

    def make_stage(self, **options: Any) -> VendorUnderTest:
        """Return a fresh stage.

        Args:
            options: of the simulator. The suite gives ``vouchers``, how many varied vouchers are to be there, and
                sometimes ``latency_ms``; a stage that knows neither may ignore them.
        """
        return SimulatorVendor(self.provider, self.simulator, self.settings, **{"vouchers": VOUCHERS, **options})

    @pytest.fixture
    def stage(self) -> Iterator[VendorUnderTest]:
        """A fresh vendor with varied vouchers."""
        stage = self.make_stage()
        try:
            yield stage
        finally:
            stage.close()

    @pytest.fixture
    def provider_(self, stage: VendorUnderTest) -> VoucherProvider:
        """An instance of the provider on the stage."""
        return stage.provider()

    @classmethod
    def why_not(cls, promise: Promise) -> str | None:
        """Return why a promise cannot be asked of this provider, in a sentence; None if it can."""
        simulated = cls.make_stage is Contract.make_stage
        if promise.wire and not (simulated if cls.wire is None else cls.wire):
            return _NO_WIRE
        if promise.fault is not None and promise.fault not in cls._faults(simulated):
            return f"the stage knows no fault {promise.fault}"
        return promise.applies(cls.provider.declared)

    @classmethod
    def _faults(cls, simulated: bool, /) -> Collection[str]:
        if cls.stage_faults is not None:
            return cls.stage_faults
        if not simulated:
            return ()
        from voucher_gateway.simulator import FAULTS, load

        name = cls.provider.name if cls.simulator is None else cls.simulator
        kind = load(name) if isinstance(name, str) else name
        return FAULTS.keys() - kind.faults_without_meaning


class SpendBase(Contract):
    """Fixtures of the spend level."""

    @pytest.fixture
    def scenes(self, stage: VendorUnderTest) -> VoucherFactory:
        """Vouchers of every kind, made by an instance of their own."""
        return VoucherFactory(stage, stage.provider())


def changing(provider: type[VoucherProvider] | VoucherProvider) -> Iterator[Operation]:
    """Yield the changing operations that a provider has itself."""
    for operation in Operation:
        if operation.changes and provider.declared.of(operation).support is Support.NATIVE:
            yield operation
