"""The base of every part of the contract: the class under test, its level and its vendor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from voucher_gateway.conformance import Level
from voucher_gateway.models.voucher import Status
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.promise import Promise
from voucher_gateway.testing.simulated_vendor import SimulatedVendor

if TYPE_CHECKING:
    from voucher_gateway.simulator import Simulator


VOUCHERS: Final = 25
"""The number of varied vouchers of a new vendor, unless a test gives another one."""

LONG_HISTORY: Final = 230
"""The number of movements of one voucher of a vendor that makes old vouchers: more than two pages of most vendors."""

_NO_WIRE: Final = "a test cannot change the replies of the vendor"


class Contract:
    """The declarations of an author about a provider, and the fixtures of the tests.

    Attributes:
        provider: the class under test.
        simulator: the simulator, by class or name; None for the installed one of the provider's name. For another
            kind of vendor, override `make_vendor` instead.
        level: the level that the provider should reach; promises of higher levels are not run.
        settings: more settings of the account.
        wire: whether replies can be changed on their way, as at a `SimulatedVendor`; None: unless `make_vendor` is
            overridden.
        old_vouchers: whether `make_vendor` takes the option ``history``, the number of movements of one voucher that
            is years old; None: if the simulator has `seed_history`, and `make_vendor` is not overridden.
        statuses: the vendor's words for the status of a voucher, as its ledger has them, each with ours. A word that is
            missing here is compared with ours without regard to case; any other word must always be read as the same
            status.
        vendor_faults: the faults that the vendor can have; None stands for those of its simulator, or for none if
            `make_vendor` is overridden.
        counts: whether conformance.json is about the run of this class; at most one class of each provider.
    """

    provider: ClassVar[type[VoucherProvider]]
    simulator: ClassVar[type[Simulator] | str | None] = None
    level: ClassVar[Level] = Level.CRASH_SAFE
    settings: ClassVar[Mapping[str, Any]] = {}
    wire: ClassVar[bool | None] = None
    old_vouchers: ClassVar[bool | None] = None
    statuses: ClassVar[Mapping[str, Status]] = {}
    vendor_faults: ClassVar[frozenset[str] | None] = None
    counts: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        highest = Level(getattr(cls.simulator, "highest_level", Level.CRASH_SAFE))
        if cls.level > highest:
            raise TypeError(
                f"{cls.__name__} asks for the {cls.level.label} level, and recorded replies cannot be spent: they "
                f"reach the {highest.label} level. Say level = Level.{highest.name}, or give a simulator"
            )

    def make_vendor(self, **options: Any) -> VendorUnderTest:
        """Return a fresh vendor.

        Args:
            options: of the simulator. The suite gives ``vouchers``, how many varied vouchers are to be there, and
                sometimes ``latency_ms``; a vendor that knows neither may ignore them. It gives ``history`` only if
                `old_vouchers` allows it.
        """
        return SimulatedVendor(self.provider, self.simulator, self.settings, **{"vouchers": VOUCHERS, **options})

    def make_old_vendor(self) -> VendorUnderTest | None:
        """Return a fresh vendor with a voucher of years ago and a history longer than a page; None if it has none."""
        return self.make_vendor(history=LONG_HISTORY) if self._makes_old_vouchers() else None

    @pytest.fixture
    def vendor(self) -> Iterator[VendorUnderTest]:
        """A fresh vendor with varied vouchers."""
        vendor = self.make_vendor()
        try:
            yield vendor
        finally:
            vendor.close()

    @pytest.fixture
    def provider_(self, vendor: VendorUnderTest) -> VoucherProvider:
        """An instance of the provider on the vendor."""
        return vendor.provider()

    @classmethod
    def why_not(cls, promise: Promise) -> str | None:
        """Return the reason why a promise does not apply to this provider; None if it applies."""
        simulated = cls.make_vendor is Contract.make_vendor
        if promise.wire and not (simulated if cls.wire is None else cls.wire):
            return _NO_WIRE
        if promise.fault is not None and promise.fault not in cls._faults(simulated):
            return f"the vendor does not have the fault {promise.fault}"
        return promise.applies(cls.provider.declared)

    @classmethod
    def _faults(cls, simulated: bool, /) -> Collection[str]:
        if cls.vendor_faults is not None:
            return cls.vendor_faults
        return cls._simulator_class().fault_kinds().keys() if simulated else ()

    @classmethod
    def _makes_old_vouchers(cls) -> bool:
        if cls.old_vouchers is not None:
            return cls.old_vouchers
        if cls.make_vendor is not Contract.make_vendor:
            return False
        from voucher_gateway.simulator import Simulator

        return cls._simulator_class().seed_history is not Simulator.seed_history

    @classmethod
    def _simulator_class(cls) -> type[Simulator]:
        from voucher_gateway.simulator import load

        name = cls.provider.name if cls.simulator is None else cls.simulator
        return load(name) if isinstance(name, str) else name


class SpendContract(Contract):
    """Fixtures of the spend level."""

    @pytest.fixture
    def factory(self, vendor: VendorUnderTest) -> VoucherFactory:
        """A factory of vouchers of every kind, with a separate instance of the provider."""
        return VoucherFactory(vendor, vendor.provider())
