"""The whole contract, as one class to derive from."""

from __future__ import annotations

from voucher_gateway.testing.contracts.amounts import AmountsContract
from voucher_gateway.testing.contracts.availability import AvailabilityContract
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.contracts.capabilities import CapabilitiesContract
from voucher_gateway.testing.contracts.changes import ChangesContract
from voucher_gateway.testing.contracts.concurrency import ConcurrencyContract
from voucher_gateway.testing.contracts.connections import ConnectionsContract
from voucher_gateway.testing.contracts.crash import CrashContract
from voucher_gateway.testing.contracts.issue import IssueContract
from voucher_gateway.testing.contracts.listing import ListingContract
from voucher_gateway.testing.contracts.lookups import LookupsContract
from voucher_gateway.testing.contracts.malformed_replies import MalformedRepliesContract
from voucher_gateway.testing.contracts.redemptions import RedemptionsContract
from voucher_gateway.testing.contracts.references import ReferencesContract
from voucher_gateway.testing.contracts.refunds import RefundsContract
from voucher_gateway.testing.contracts.reservations import ReservationsContract
from voucher_gateway.testing.contracts.resolution import ResolutionContract
from voucher_gateway.testing.contracts.secrecy import SecrecyContract
from voucher_gateway.testing.contracts.timestamps import TimestampsContract


class ProviderContract(
    LookupsContract,
    AvailabilityContract,
    ConcurrencyContract,
    SecrecyContract,
    MalformedRepliesContract,
    TimestampsContract,
    AmountsContract,
    ListingContract,
    CapabilitiesContract,
    IssueContract,
    ChangesContract,
    ReservationsContract,
    RedemptionsContract,
    RefundsContract,
    ReferencesContract,
    ConnectionsContract,
    ResolutionContract,
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
