from voucher_gateway.conformance import Level as Level
from voucher_gateway.testing.contract import ProviderContract as ProviderContract
from voucher_gateway.testing.harness.canary import Canary as Canary
from voucher_gateway.testing.harness.vendor import VendorUnderTest as VendorUnderTest
from voucher_gateway.testing.promises import PROMISES as PROMISES
from voucher_gateway.testing.promises.checks import BrokenPromise as BrokenPromise
from voucher_gateway.testing.promises.checks import for_promise as for_promise
from voucher_gateway.testing.promises.promise import Promise as Promise
from voucher_gateway.testing.simulated_vendor import SimulatedVendor as SimulatedVendor

__all__: list[str]
