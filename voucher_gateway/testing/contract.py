"""The whole contract, as one class to derive from."""

from __future__ import annotations

from voucher_gateway.testing.contracts.amounts import MoneyContract
from voucher_gateway.testing.contracts.availability import FailingContract
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.contracts.capabilities import DeclaringContract
from voucher_gateway.testing.contracts.changes import ChangingContract
from voucher_gateway.testing.contracts.concurrency import SharingContract
from voucher_gateway.testing.contracts.connections import ConnectionsContract
from voucher_gateway.testing.contracts.crash import CrashContract
from voucher_gateway.testing.contracts.issuing import IssuingContract
from voucher_gateway.testing.contracts.levels import ReachingContract
from voucher_gateway.testing.contracts.listing import PagingContract
from voucher_gateway.testing.contracts.malformed_replies import MisreadingContract
from voucher_gateway.testing.contracts.reading import ReadingContract
from voucher_gateway.testing.contracts.redemptions import SpendingContract
from voucher_gateway.testing.contracts.references import ReferencesContract
from voucher_gateway.testing.contracts.refunds import RefundingContract
from voucher_gateway.testing.contracts.reservations import ReservingContract
from voucher_gateway.testing.contracts.resolution import ResolvingContract
from voucher_gateway.testing.contracts.secrecy import LeakingContract
from voucher_gateway.testing.contracts.timestamps import TimesContract


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
