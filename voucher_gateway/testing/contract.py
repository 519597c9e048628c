"""The whole contract, as one class to derive from."""

from __future__ import annotations

from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.changing import ChangingContract
from voucher_gateway.testing.connections import ConnectionsContract
from voucher_gateway.testing.crash import CrashContract
from voucher_gateway.testing.declaring import DeclaringContract
from voucher_gateway.testing.failing import FailingContract
from voucher_gateway.testing.issuing import IssuingContract
from voucher_gateway.testing.leaking import LeakingContract
from voucher_gateway.testing.misreading import MisreadingContract
from voucher_gateway.testing.money import MoneyContract
from voucher_gateway.testing.paging import PagingContract
from voucher_gateway.testing.reaching import ReachingContract
from voucher_gateway.testing.reading import ReadingContract
from voucher_gateway.testing.references import ReferencesContract
from voucher_gateway.testing.refunding import RefundingContract
from voucher_gateway.testing.reserving import ReservingContract
from voucher_gateway.testing.resolving import ResolvingContract
from voucher_gateway.testing.sharing import SharingContract
from voucher_gateway.testing.spending import SpendingContract
from voucher_gateway.testing.times import TimesContract


class ProviderContract(
    ReadingContract,
    FailingContract,
    SharingContract,
    LeakingContract,
    MisreadingContract,
    TimesContract,
    MoneyContract,
    PagingContract,
    DeclaringContract,
    ReachingContract,
    IssuingContract,
    ChangingContract,
    ReservingContract,
    SpendingContract,
    RefundingContract,
    ReferencesContract,
    ConnectionsContract,
    ResolvingContract,
    CrashContract,
    Contract,
):
    """Every promise of the contract, to be derived from in a test module.

    ::

        class TestMyVendor(ProviderContract):
            provider = MyProvider
            simulator = MySimulator
            level = Level.READ

    pytest then collects the promises of that level which apply to what the provider declares.
    """
